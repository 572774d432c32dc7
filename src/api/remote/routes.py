"""The page of the remote view and what it calls. The one-time link, then the viewer's key, is what lets in.

    GET  /reconnect/view#<link>       the page; holds nothing. What follows # never leaves the person's browser …
                                      (?login= says which words it has: for a browser, a code, or neither)
    POST /reconnect/view/enter        … but here: uses the link up, gives the viewer's key
    GET  /reconnect/view/stream       state and pictures, as long as it is open     ┐
    POST /reconnect/view/act          what the person did                           ├ with the key as X-Viewer
    POST /reconnect/view/done, again  "the inbox is there", "once more"             ┘

Neither link nor key is in an address, a cookie or a log. Without a cookie no other site's page can act here.
Both are good for one halt: when it ends, they end.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import get_args

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from src.account import Login
from src.api.limits import read_json, refusal
from src.api.remote.gestures import EnterBody, GesturesBody
from src.api.remote.view import RemoteView
from src.languages import best, language
from src.model.remote import Link, LinkRefused, Picture, RemoteState
from src.services.refusals import Malformed

PATH = "/reconnect/view"
_LOGINS = get_args(Login)
_HERE = Path(__file__).parent
_FILES = {
    "remote.js": ("text/javascript", (_HERE / "static" / "remote.js").read_bytes()),
    "gestures.js": ("text/javascript", (_HERE / "static" / "gestures.js").read_bytes()),
    "remote.css": ("text/css", (_HERE / "static" / "remote.css").read_bytes()),
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
)
_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "vary": "Accept-Language",
}
_STATUS = {"not_yours": 403, "unknown": 403, "used": 403, "expired": 403, "over": 403}
_STATE, _PICTURE = b"\x00", b"\x01"


def remote_routes(remote: RemoteView, default_language: str) -> APIRouter:
    """Everything under ``/reconnect/view``. Only a link lets a person in."""
    router = APIRouter(prefix=PATH, include_in_schema=False)

    @router.get("")
    async def page(request: Request) -> Response:
        words = language(best(request.headers.get("accept-language", ""), default_language))
        login = request.query_params.get("login")
        shown = login if login in _LOGINS else "browser"
        html = _TEMPLATES.get_template("view.html").render(_=words.say, lang=words, path=PATH, login=shown)
        return HTMLResponse(html, headers=_HEADERS)

    @router.get("/{name}.{kind}")
    async def file(name: str, kind: str) -> Response:
        found = _FILES.get(f"{name}.{kind}")
        if found is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        return Response(found[1], media_type=found[0], headers={"cache-control": "no-cache"})

    @router.post("/enter")
    async def enter(request: Request) -> Response:
        body = await read_json(request, EnterBody)
        return JSONResponse({"success": True, "viewer": await remote.enter(body.token)})

    @router.get("/stream")
    async def stream(request: Request) -> Response:
        watching = remote.watch(_viewer(request))
        try:
            first = await anext(watching)  # refuses before anything has been answered
        except StopAsyncIteration:
            return Response(status_code=204)
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(
            _parts(first, watching), media_type="application/octet-stream", headers=headers
        )

    @router.post("/act")
    async def act(request: Request) -> Response:
        viewer = _viewer(request)
        await remote.check(viewer)
        try:
            body = await read_json(request, GesturesBody)
        except Malformed as error:  # whose own words may quote what was sent
            raise Malformed(error.field, "is no gesture that is known") from None
        await remote.act(viewer, [sent.gesture() for sent in body.gestures])
        return JSONResponse({"success": True})

    @router.post("/done")
    async def done(request: Request) -> Response:
        await remote.finish(_viewer(request))
        return JSONResponse({"success": True})

    @router.post("/again")
    async def again(request: Request) -> Response:
        await remote.again(_viewer(request))
        return JSONResponse({"success": True})

    return router


def path_of(link: Link) -> str:
    """Where a link leads on this server. What follows # is not sent to any server, so it is in no log."""
    return f"{PATH}?login={link.login}#{link.token}"


def _viewer(request: Request) -> str:
    return request.headers.get("x-viewer", "")


async def say_refused(_: Request, refused: LinkRefused) -> Response:
    """For ``add_exception_handler``: what a ``LinkRefused`` answers."""
    return JSONResponse(refusal(str(refused), reason=refused.reason), _STATUS.get(refused.reason, 409))


async def _parts(
    first: Picture | RemoteState, more: AsyncGenerator[Picture | RemoteState]
) -> AsyncIterator[bytes]:
    """Each part: its kind (a byte), its length (four bytes, the highest first), itself."""
    async with aclosing(more):
        yield _part(first)
        async for one in more:
            yield _part(one)


def _part(one: Picture | RemoteState) -> bytes:
    if isinstance(one, Picture):
        return _PICTURE + len(one.image).to_bytes(4) + one.image
    told = {
        "stage": one.stage,
        "reason": one.reason,
        "place": one.place,
        "released": one.released,
        "stale": one.stale,
    }
    body = json.dumps(told).encode()
    return _STATE + len(body).to_bytes(4) + body
