"""The guest page: a person plays the guests by hand, on a computer or a phone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.airbnb.model import Message, Thread
from sandbox.airbnb.pages import fill

if TYPE_CHECKING:
    from sandbox.airbnb.site import SimulatedSite

MAX_LENGTH = 5000


class GuestPages:
    """``/guest`` and the calls behind it. Everything here is logged as ``guest``."""

    def __init__(self, site: SimulatedSite) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """What to add to the site."""
        return [
            Route("/guest", self.page),
            Route("/guest/api/events", self.events),
            Route("/guest/api/threads", self.threads),
            Route("/guest/api/threads", self.open_thread, methods=["POST"]),
            Route("/guest/api/threads/{number:int}", self.thread),
            Route("/guest/api/threads/{number:int}/messages", self.write, methods=["POST"]),
        ]

    def _note(self, request: Request, thread: int | None = None) -> None:
        entry = self._site.log.add("guest", request.method, request.url.path, thread)
        self._site.log.finish(entry, 200)

    async def page(self, request: Request) -> Response:
        """The page itself."""
        self._note(request)
        return HTMLResponse(fill("guest.html", {}), headers={"cache-control": "no-store"})

    async def events(self, request: Request) -> Response:
        """What changed, as it happens; also when the host's own page learns nothing by itself."""
        self._note(request)
        headers = {"cache-control": "no-store"}
        return StreamingResponse(
            self._site.guest_hub.stream(), media_type="text/event-stream", headers=headers
        )

    async def threads(self, request: Request) -> Response:
        """The threads in which there is a guest to play."""
        self._note(request)
        with self._site.inbox.lock:
            playable = [thread for thread in self._site.inbox.threads if thread.with_role("GUEST")]
            rows = [self._row(thread) for thread in playable if thread.guest != self._site.inbox.viewer]
        return JSONResponse({"host": self._site.inbox.viewer.name, "threads": rows})

    async def open_thread(self, request: Request) -> Response:
        """A new guest arrives: ``{"guest": name, "text": first message}``."""
        self._note(request)
        body = await _body(request)
        name, text = str(body.get("guest", "")).strip()[:40], str(body.get("text", "")).strip()[:MAX_LENGTH]
        if not name or not text:
            return JSONResponse({"error": "a name and a text, please"}, 422)
        thread = self._site.inbox.add_thread(guest=name, says=text)
        return JSONResponse(self._row(thread), 201)

    async def thread(self, request: Request) -> Response:
        """One conversation, from the guest's side."""
        number = int(request.path_params["number"])
        self._note(request, number)
        try:
            thread = self._site.inbox.thread(number)
        except KeyError:
            return JSONResponse({"error": "no such thread"}, 404)
        with self._site.inbox.lock:
            messages = [self._message(message) for message in thread.messages]
            guests = [person.name for person in thread.with_role("GUEST", "COTRAVELER")]
        return JSONResponse({**self._row(thread), "guests": guests, "messages": messages})

    async def write(self, request: Request) -> Response:
        """The guest (or, with ``by``, a co-traveller) writes: ``{"text": …}``."""
        number = int(request.path_params["number"])
        self._note(request, number)
        body = await _body(request)
        text = str(body.get("text", "")).strip()[:MAX_LENGTH]
        if not text:
            return JSONResponse({"error": "a text, please"}, 422)
        try:
            message = self._site.inbox.guest_writes(self._site.inbox.thread(number), text, by=body.get("by"))
        except (KeyError, LookupError):
            return JSONResponse({"error": "no such thread or guest"}, 404)
        return JSONResponse(self._message(message), 201)

    def _row(self, thread: Thread) -> dict[str, Any]:
        newest = thread.messages[-1] if thread.messages else None
        return {
            "number": thread.number,
            "guest": thread.guest.name,
            "listing": thread.stay.listing_name,
            "dates": self._site.labels.dates(thread.stay.check_in, thread.stay.check_out),
            "newest": self._message(newest) if newest else None,
        }

    def _message(self, message: Message) -> dict[str, Any]:
        own = message.author in message.thread.with_role("GUEST", "COTRAVELER")
        return {
            "number": message.number,
            "name": message.author.name,
            "side": "guest" if own else "host" if message.author.account_type == "USER" else "airbnb",
            "text": None if message.deleted else message.text,
            "at": message.created_at_ms,
        }


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
