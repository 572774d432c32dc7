"""``/api/widget/{site}``: what a page's script calls for a visitor.

Let in is who comes from one of the site's pages (``origins.py``). A visitor's own things need the token that the
first message was answered with.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse

from src.api.addresses import network_of
from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.doors import Unauthorized
from src.api.limits import read_json
from src.api.widget.audience import Audience, Watcher
from src.api.widget.origins import PREFIX
from src.api.widget.words import words_in
from src.channels.widget import CAPABILITIES
from src.errors import TransientError
from src.model.blank import is_blank
from src.services.refusals import Malformed, NotFound
from src.services.visitors import LONGEST_USER, Visitor
from src.services.widget import Page, Shown, TooMany, WidgetDesk

LARGEST_BODY = 16 * 1024
LONGEST_TEXT = CAPABILITIES.longest_text
_SIGN_OF_LIFE_SEC = 10.0
"""Without news a comment is sent so often: a page that hears nothing takes the stream for lost."""
_LARGEST_NUMBER = 2**31 - 1
_EXTRA = {
    **REFUSALS,
    403: {"description": "pages of this origin may not call; see WIDGET_ORIGINS"},
    413: {"description": "more than 4,000 characters, or a body of more than 16 KiB"},
    429: {"description": "over one of WIDGET_RATE_…; Retry-After"},
}


class MessageBody(BaseModel):
    """A visitor's message. The same ``client_id`` is the same message, however often it comes."""

    model_config = ConfigDict(strict=True, extra="ignore")

    text: str
    client_id: str = Field(description="a UUID that the page makes before the first try")


class IdentifyBody(BaseModel):
    """Who a visitor is, as the site says it."""

    model_config = ConfigDict(strict=True, extra="ignore")

    user_id: str = Field(min_length=1, max_length=LONGEST_USER)
    hmac: str = Field(max_length=128, description="HMAC-SHA256 of user_id with WIDGET_IDENTIFY_KEY, in hex")


After = Annotated[int, Query(ge=0, le=_LARGEST_NUMBER, description="the number of the last known message")]


@dataclass(frozen=True, slots=True)
class Site:
    """One site: its desk, and who watches from its pages."""

    desk: WidgetDesk
    audience: Audience


def make_sites(context: Context) -> dict[str, Site]:
    """The sites of all accounts that have one, by what their pages call them."""
    found: dict[str, Site] = {}
    watchers: list[Watcher] = []
    for account in context.accounts.values():
        if account.site is not None:
            desk = WidgetDesk(context.db, account, context.clock, context.secrets)
            audience = Audience(context.db, account.name, context.streams, watchers)
            found[account.site] = Site(desk, audience)
    return found


class _Calls:
    """What the routes share."""

    def __init__(self, context: Context, sites: Mapping[str, Site]) -> None:
        self.context = context
        self._sites = sites

    def let_in(self, request: Request, name: str) -> Site:
        """NotFound for a site that nobody has, 403 for a page that is not the site's."""
        site = self._sites.get(name)
        if site is None:
            raise NotFound("there is no site of this name")
        origins = request.headers.getlist("origin")
        if any(origin not in site.desk.settings.pages for origin in origins):
            raise HTTPException(403, "pages of this origin may not call; see WIDGET_ORIGINS")
        return site

    def visitor(self, request: Request, site: Site) -> Visitor:
        """Whose token the call shows. Unauthorized if it shows none, or another site's."""
        found = self.visitor_if_known(request, site)
        if found is None:
            raise Unauthorized
        return found

    @staticmethod
    def visitor_if_known(request: Request, site: Site) -> Visitor | None:
        """The same; None where the call shows nothing."""
        shown = request.headers.getlist("authorization")
        if not shown:
            return None
        kind, _, token = shown[0].partition(" ")
        found = site.desk.visitor_of(token.strip()) if kind.lower() == "bearer" and len(shown) == 1 else None
        if found is None:
            raise Unauthorized
        return found


def widget_routes(context: Context, sites: Mapping[str, Site]) -> APIRouter:
    router = APIRouter(prefix=f"{PREFIX}{{site}}", tags=["widget"], responses=_EXTRA)
    calls = _Calls(context, sites)
    _add_writing(router, calls)
    _add_showing(router, calls)
    return router


def _add_writing(router: APIRouter, calls: _Calls) -> None:
    @router.post(
        "/messages",
        status_code=202,
        summary="A visitor's message",
        openapi_extra=described(MessageBody),
    )
    async def write(site: str, request: Request) -> Response:
        """Stored when this is answered. Without a token it is a new visitor's first one; `visitor` is the token."""
        here = calls.let_in(request, site)
        known = calls.visitor_if_known(request, here)
        body = await read_json(request, MessageBody)
        client_id, text = _client_id(body.client_id), _text(body.text)
        desk, context = here.desk, calls.context
        visitor = known or desk.first_visitor(client_id)
        network = network_of(context.doors.visitor(request))
        try:
            heard = await run_in_threadpool(desk.hear, context.wakeup, visitor, client_id, text, network)
        except TooMany as error:
            raise HTTPException(429, str(error), {"retry-after": str(error.retry_after)}) from None
        said = {"id": heard.id, "sequence": heard.sequence, "visitor": desk.token_of(visitor)}
        return JSONResponse(said, status_code=202)

    @router.post("/typing", status_code=204, summary="The visitor is writing")
    async def typing(site: str, request: Request) -> Response:
        here = calls.let_in(request, site)
        visitor = calls.visitor(request, here)
        await run_in_threadpool(here.desk.note_typing, visitor)
        return Response(status_code=204)

    @router.post("/identify", summary="Who the visitor is", openapi_extra=described(IdentifyBody))
    async def identify(site: str, request: Request) -> dict[str, str]:
        """The visitor of that name, the same on every device. Nothing is stored."""
        here = calls.let_in(request, site)
        body = await read_json(request, IdentifyBody)
        if not body.user_id.isprintable():
            raise Malformed("user_id", "must be printable characters")
        visitor = here.desk.identified(body.user_id, body.hmac)
        if visitor is None:
            raise Unauthorized
        return {"visitor": here.desk.token_of(visitor)}


def _add_showing(router: APIRouter, calls: _Calls) -> None:
    @router.get("/config", summary="How the widget looks and what it says")
    async def config(site: str, request: Request) -> Response:
        settings = calls.let_in(request, site).desk.settings
        said = {
            "title": settings.title,
            "colour": settings.colour,
            "languages": settings.spoken,
            "words": {code: words_in(code) for code in settings.spoken},
        }
        return JSONResponse(said, headers={"cache-control": "public, max-age=300"})

    @router.get("/messages", summary="What comes after a message")
    async def messages(site: str, request: Request, after: After = 0) -> dict[str, Any]:
        here = calls.let_in(request, site)
        visitor = calls.visitor(request, here)
        page = await run_in_threadpool(here.desk.shown_after, visitor, after)
        return {"messages": [_said(one) for one in page.messages], "last": page.last, "more": page.more}

    @router.get("/events", summary="The same as a stream of server-sent events")
    async def events(site: str, request: Request, after: After = 0) -> Response:
        """Resumed by `Last-Event-ID`: the number of the last message that was seen."""
        here = calls.let_in(request, site)
        visitor = calls.visitor(request, here)
        if calls.context.streams.over or not here.audience.has_room(visitor.name):
            raise HTTPException(503, "no more streams here; ask for messages", {"retry-after": "10"})
        seen = max(after, _number(request.headers.get("last-event-id", "")))
        first = await run_in_threadpool(here.desk.shown_after, visitor, seen)
        headers = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no"}
        stream = _stream(calls.context, here, visitor, first)
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(context: Context, site: Site, visitor: Visitor, page: Page) -> AsyncIterator[str]:
    """``page`` first, then whatever comes, until the page goes or the server ends."""
    streams = context.streams
    with site.audience.watching(visitor.name, page.last) as watcher:
        yield "retry: 1000\nevent: ready\ndata:\n\n"
        while not streams.over:
            for one in page.messages:
                yield f"id: {one.sequence}\nevent: message\ndata: {json.dumps(_said(one))}\n\n"
            watcher.seen = page.last
            if not page.more and not await _is_news(watcher):
                yield ": still here\n\n"
                page = Page((), watcher.seen, more=False)
                continue
            watcher.news.clear()
            try:
                page = await run_in_threadpool(site.desk.shown_after, visitor, watcher.seen)
            except TransientError:  # the database: the page comes again, and is told so
                return


async def _is_news(watcher: Watcher) -> bool:
    try:
        async with asyncio.timeout(_SIGN_OF_LIFE_SEC):
            await watcher.news.wait()
    except TimeoutError:
        return False
    return True


def _said(one: Shown) -> dict[str, Any]:
    said = {
        "id": one.id,
        "sequence": one.sequence,
        "role": one.role,
        "text": one.text,
        "name": one.name,
        "agent": one.agent,
        "confidence": one.confidence,
        "client_id": one.client_id,
        "note": one.note,
        "sent_at": one.sent_at.isoformat(),
    }
    return {key: value for key, value in said.items() if value is not None}


def _client_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise Malformed("client_id", "is not a UUID") from None


def _text(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if is_blank(text) or "\0" in text:
        raise Malformed("text", "is empty" if "\0" not in text else "has a character that cannot be stored")
    if len(text) > LONGEST_TEXT:
        raise HTTPException(413, f"text is longer than {LONGEST_TEXT} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed("text", "has a character that cannot be stored") from None
    return text


def _number(text: str) -> int:
    """Of ``Last-Event-ID``. What is none is as if nothing had been seen."""
    return min(int(text), _LARGEST_NUMBER) if text.isascii() and text.isdecimal() and len(text) < 12 else 0
