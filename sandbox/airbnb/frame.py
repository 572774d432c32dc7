"""What is around every answer to an API call: the door, walls, faults, hooks and the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.airbnb import walls
from sandbox.airbnb.content import Json
from sandbox.airbnb.faults import Event, Fault
from sandbox.airbnb.log import Entry, Kind
from sandbox.airbnb.model import Thread
from sandbox.airbnb.walls import Step, Wall

if TYPE_CHECKING:
    from sandbox.airbnb.site import SimulatedSite

EMPTY = True
Make = Callable[[bool], Json]
"""Makes the right answer; with True, the empty form of it."""

STEPS: dict[str, Step] = {"list": "list", "thread": "thread_open", "typing": "typing"}


class CutOff(Response):
    """Begins an answer and closes the connection in the middle.

    It begins one because Chromium repeats a request by itself, even a POST and up to five times, when a connection
    that it has used before is reset without a single byte of an answer. With ``reset`` that is what it gets.
    """

    def __init__(self, reset: bool = False) -> None:
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        """The ASGI side."""
        if self._reset:
            scope["state"]["transport"].abort()
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        scope["state"]["transport"].close()


class Refused(Exception):
    """A request that this site cannot read; the text says why."""


class Frame:
    """Carries out one call, with everything that may happen to it on the way."""

    def __init__(self, site: SimulatedSite) -> None:
        self._site = site

    async def answer(self, request: Request, entry: Entry, thread: Thread | None, make: Make) -> Response:
        number = thread.number if thread else None
        refusal = await self.before(request, entry)
        if refusal is not None:
            return refusal
        await self.tell_hooks(entry.kind, thread)
        wall = self._site.faults.wall_at(STEPS.get(entry.kind), number)
        if wall is not None:
            entry.wall = wall.kind
            refused = walls.in_call(wall, request.url.path)
            if refused is not None:
                return self.finish(entry, refused, self.show(wall, thread))
        orders = self.show(wall, thread) if wall else {}
        empty = False
        for fault in self._site.faults.strike(entry.kind, number):
            entry.fault = fault.name
            empty = empty or fault.name == "empty"
            if fault.name == "hang":
                orders["hang"] = True
            spoilt = await self.spoil(fault, make)
            if spoilt is not None:
                return self.finish(entry, spoilt)
        try:
            return self.finish(entry, JSONResponse(make(empty)), orders)
        except ValueError as error:
            return self.finish(entry, JSONResponse({"error": str(error)}, 400))

    async def before(self, request: Request, entry: Entry) -> Response | None:
        """Latency, and the door: a call without the key or the login gets no further."""
        if self._site.options.api_latency:
            await asyncio.sleep(self._site.options.api_latency)
        if not request.headers.get("x-airbnb-api-key"):
            return self.finish(entry, JSONResponse({"error_code": 400, "error_type": "invalid_key"}, 400))
        if not self._site.is_signed_in(request):
            body = {"error_code": 401, "error_type": "authentication_required"}
            return self.finish(entry, JSONResponse(body, 401), self._go_to_login(entry.thread))
        return None

    async def tell_hooks(self, event: Event, thread: Thread | None) -> None:
        """Run the hooks of an event in a thread of their own: they may use the whole site, and may block."""
        if self._site.faults.has_hooks(event):
            await asyncio.to_thread(self._site.faults.happened, event, thread)

    async def spoil(self, fault: Fault, make: Make) -> Response | None:
        """What this fault answers instead; None when it lets the right answer through."""
        if fault.name == "delay":
            await asyncio.sleep(float(fault.facts["seconds"]))
        elif fault.name == "status":
            code = int(fault.facts["code"])
            return Response("An error occurred while processing your request.", code, media_type="text/html")
        elif fault.name == "blank":
            return Response("", 200, media_type="application/json")
        elif fault.name == "truncate":
            whole = json.dumps(make(not EMPTY))
            return Response(whole[: len(whole) // 2], 200, media_type="application/json")
        elif fault.name == "graphql_errors":
            return JSONResponse(_graphql_error())
        elif fault.name == "drop":
            return CutOff(bool(fault.facts.get("reset")))
        elif fault.name == "never":
            await self._site.closing()
            return CutOff()
        return None

    def show(self, wall: Wall, thread: Thread | None) -> Json:
        """What the page does about a wall: draw it, or leave for its page."""
        if wall.kind in walls.SHOWN_IN_PAGE:
            return {"show": wall.kind}
        if wall.kind == "airlock_page":
            return {"go": "/airlock?al_id=4711"}
        if wall.kind == "login_redirect":
            return self._go_to_login(thread.number if thread else None)
        return {}

    def _go_to_login(self, thread: int | None) -> Json:
        path = f"/hosting/messages/{thread}" if thread else "/hosting/messages"
        return {"go": f"/login?redirect_url={quote(path, safe='')}"}

    def finish(self, entry: Entry, response: Response, orders: Json | None = None) -> Response:
        if self._site.options.no_store:
            response.headers["cache-control"] = "no-store"
        if self._site.faults.page:
            response.headers["x-sandbox-page"] = quote(json.dumps(self._site.faults.page))
        if orders:
            response.headers["x-sandbox-do"] = quote(json.dumps(orders))
        status = 0 if isinstance(response, CutOff) else response.status_code
        response.background = BackgroundTask(self._site.log.finish, entry, status)
        if status == 0:
            self._site.log.finish(entry, status)
        return response

    def refuse(self, request: Request, kind: Kind, operation: str, reason: str) -> Response:
        entry = self._site.log.add(kind, request.method, request.url.path, operation=operation)
        return self.finish(entry, JSONResponse({"error": reason}, 400))


def _graphql_error() -> Json:
    extensions = {"errorClass": "UpstreamError", "errorType": "internal", "response": {"statusCode": 503}}
    return {"data": None, "errors": [{"message": "upstream request failed", "extensions": extensions}]}
