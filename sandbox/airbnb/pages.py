"""The documents of the site: inbox shell, login, wall pages, frames, assets."""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from sandbox.airbnb import ids, walls
from sandbox.airbnb.log import Kind

if TYPE_CHECKING:
    from sandbox.airbnb.site import SimulatedSite

STATIC = Path(__file__).parent / "static"
PUBLIC_KEY = "d306zoyjsyarp7ifhu67rjxn52tv0t20"
"""Airbnb's public web key, the same for everybody and no secret (field guide, section 2.1)."""

HASHES = {
    operation: f"{index:02x}" * 32
    for index, operation in enumerate(
        (
            "ViaductInboxData",
            "ViaductGetThreadAndDataQuery",
            "StayHostingDetailsQuery",
            "CreateBulkMessagesMutation",
            "CreateLastMessageReadViaductMutation",
            "CreateInstantEventViaductMutation",
            "SyncProtocolSubscription",
        ),
        start=0xA1,
    )
}


def _version() -> str:
    """A mark of what ``static/`` contains: part of every asset's address, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


VERSION = _version()


def fill(name: str, values: Mapping[str, str]) -> str:
    """A template of ``static/`` with its ``{{places}}`` filled; the values must be safe HTML already."""
    text = (STATIC / name).read_text(encoding="utf-8").replace("{{version}}", VERSION)
    for place, value in values.items():
        text = text.replace("{{" + place + "}}", value)
    return text


class Pages:
    """Answers everything that is not an API call."""

    def __init__(self, site: SimulatedSite) -> None:
        self._site = site

    async def inbox(self, request: Request) -> Response:
        """``/hosting/messages`` and ``/hosting/messages/<id>``."""
        number = request.path_params.get("number")
        known = number if number is None else int(number)
        entry = self._site.log.add("document", "GET", request.url.path, known)
        await self._site.calls.frame.tell_hooks("document", None)
        wall = self._site.faults.wall_at("thread_open" if known else "list", known)
        response: Response | None = None
        if wall is not None:
            entry.wall = wall.kind
            response = walls.in_document(wall, request.url.path)
        if response is None and not self._site.is_signed_in(request):
            path = request.url.path
            response = walls.in_document(walls.Wall("login_redirect", "always"), path)
        if response is None:
            response = await self._spoilt(known)
        response = response or HTMLResponse(self._shell())
        if self._site.options.no_store:
            response.headers["cache-control"] = "no-store"
        self._site.log.finish(entry, response.status_code)
        return response

    async def _spoilt(self, number: int | None) -> Response | None:
        for fault in self._site.faults.strike("document", number):
            if fault.name == "delay":
                await asyncio.sleep(float(fault.facts["seconds"]))
            elif fault.name == "status":
                text = "An error occurred while processing your request."
                return HTMLResponse(f"<html><body>{text}</body></html>", int(fault.facts["code"]))
            elif fault.name == "blank":
                return HTMLResponse("")
            elif fault.name == "truncate":
                shell = self._shell()
                return HTMLResponse(shell[: len(shell) // 2])
            elif fault.name == "never":
                await self._site.closing()
        return None

    def _shell(self) -> str:
        site = self._site
        viewer = site.inbox.viewer
        facts = {
            "api_config": {"key": PUBLIC_KEY, "baseUrl": "/api"},
            "hashes": HASHES,
            "viewer": {
                "id": ids.global_id("Viewer", viewer.account_id),
                "accountId": str(viewer.account_id),
                "name": viewer.name,
            },
            "labels": site.labels.words,
            "options": asdict(site.options),
            "page": site.faults.page,
        }
        scripts = [
            f'<script src="/assets/{VERSION}/chunk-{number}.js" defer></script>'
            for number in range(site.options.assets)
        ]
        return fill(
            "inbox.html",
            {
                "locale": site.options.locale,
                "facts": json.dumps(facts).replace("</", "<\\/"),
                "assets": "".join(scripts),
                "look_alikes": fill("look_alikes.html", {}) if site.options.look_alikes else "",
            },
        )

    # --- login -----------------------------------------------------------------------------------------------

    async def login(self, request: Request) -> Response:
        """``/login?redirect_url=…`` with the form of field guide, sections 4.4 and 5."""
        entry = self._site.log.add("login", "GET", request.url.path)
        target = _own_path(request.query_params.get("redirect_url"))
        page = HTMLResponse(fill("login.html", {"redirect_url": html.escape(target, quote=True)}))
        self._site.log.finish(entry, 200)
        return page

    async def authenticate(self, request: Request) -> Response:
        """``POST /authenticate``: any non-empty name and password will do."""
        entry = self._site.log.add("login", "POST", request.url.path)
        form = parse_qs((await request.body()).decode())
        if not form.get("email") or not form.get("password"):
            self._site.log.finish(entry, 422)
            return HTMLResponse("Enter a name and a password.", 422)
        await self._site.calls.frame.tell_hooks("login", None)
        self._site.faults.logged_in()
        response = RedirectResponse(_own_path(form.get("redirect_url", [None])[0]), 303)
        for name, value in self._site.sign_in().items():
            secret = name in ("_aat", "_airbed_session_id")
            response.set_cookie(
                name, value, max_age=self._site.options.cookie_max_age, httponly=secret, samesite="lax"
            )
        self._site.log.finish(entry, 303)
        return response

    # --- walls -----------------------------------------------------------------------------------------------

    async def airlock(self, request: Request) -> Response:
        """``/airlock?al_id=…``: a full-page check that a person passes by its button."""
        entry = self._site.log.add("document", "GET", request.url.path)
        entry.wall = "airlock_page"
        self._site.log.finish(entry, 200)
        return HTMLResponse(fill("airlock.html", {}))

    async def solve(self, request: Request) -> Response:
        """A person solved the check in front of them."""
        entry = self._site.log.add("wall", "POST", request.url.path)
        self._site.faults.solve()
        self._site.log.finish(entry, 200)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"success": True})
        return RedirectResponse("/hosting/messages", 303)

    async def frame(self, _: Request) -> Response:
        """What is inside the frames of walls and of look-alikes."""
        return HTMLResponse(fill("frame.html", {}))

    # --- the rest --------------------------------------------------------------------------------------------

    async def asset(self, request: Request) -> Response:
        """A static file of the page, or one of the made-up ones that only cost time."""
        name = request.path_params["name"]
        kind: Kind = "guest" if name.startswith("guest.") else "asset"
        entry = self._site.log.add(kind, "GET", request.url.path)
        if self._site.options.asset_latency:
            await asyncio.sleep(self._site.options.asset_latency)
        path = (STATIC / name).resolve()
        if name.startswith("chunk-"):
            response: Response = Response("/* " + "x" * 2000 + " */", media_type="text/javascript")
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        elif path.is_file() and path.is_relative_to(STATIC) and path.suffix in (".js", ".css"):
            response = FileResponse(path)
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        else:
            response = Response(status_code=404)
        self._site.log.finish(entry, response.status_code)
        return response

    async def picture(self, _: Request) -> Response:
        """The one picture that stands for all: a flat square."""
        square = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><rect width="4" height="3" fill="#e8d5c4"/></svg>'
        return Response(
            square, media_type="image/svg+xml", headers={"cache-control": "public, max-age=31536000"}
        )

    async def telemetry(self, request: Request) -> Response:
        """``/api/v2/…``: what the page reports about itself."""
        entry = self._site.log.add("telemetry", request.method, request.url.path)
        status = self._site.options.telemetry_status
        self._site.log.finish(entry, status)
        return JSONResponse({} if status == 200 else {"error_code": status}, status)


def _own_path(target: str | None) -> str:
    """Where to go after login: a path of this site, whatever was asked for."""
    parts = urlsplit(target or "")
    if not target or parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//"):
        return "/hosting/messages"
    return target
