"""The simulated site: one host's Airbnb inbox on 127.0.0.1."""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.airbnb.calls import Calls
from sandbox.airbnb.faults import Faults
from sandbox.airbnb.guest import GuestPages
from sandbox.airbnb.inbox import Inbox
from sandbox.airbnb.labels import Labels
from sandbox.airbnb.live import Hub
from sandbox.airbnb.log import RequestLog
from sandbox.airbnb.model import Message, Thread
from sandbox.airbnb.options import SiteOptions
from sandbox.airbnb.pages import Pages
from sandbox.airbnb.responses import Responses
from sandbox.server import ThreadedServer


class SimulatedSite(ThreadedServer):
    """Start it, put threads into ``inbox``, look at ``url`` with a browser, read ``log``.

        with SimulatedSite(locale="fr") as site:
            thread = site.inbox.add_thread(guest="Ana", says="Bonjour !")
            ...
            assert site.log.count("send", thread.number) == 1

    Takes a ``SiteOptions`` or its fields by name. Raises TypeError for an unknown option.
    """

    def __init__(self, options: SiteOptions | None = None, **changes: Any) -> None:
        super().__init__()
        self.options = dataclasses.replace(options or SiteOptions(), **changes)
        self._first_options = dataclasses.replace(self.options)
        self.inbox = Inbox(self.options.viewer_name)
        self.faults = Faults()
        self.log = RequestLog()
        self.hub = Hub()
        self.guest_hub = Hub()
        self.calls = Calls(self)
        self._logins: set[str] = set()
        self.inbox.listen(self._changed)
        self.faults.on_page_message(self.tell_pages)

    @property
    def labels(self) -> Labels:
        """The words of the chosen language."""
        return Labels(self.options.locale)

    @property
    def responses(self) -> Responses:
        """The JSON side, as it would answer now."""
        return Responses(self.inbox, self.labels, self.options.has_older_as_bool)

    @property
    def inbox_url(self) -> str:
        """The address of the inbox."""
        return f"{self.url}/hosting/messages"

    def thread_url(self, thread: Thread) -> str:
        """The address of a thread."""
        return f"{self.inbox_url}/{thread.number}"

    @property
    def pages_connected(self) -> int:
        """How many pages listen to the live channel at this moment."""
        return self.hub.listeners

    def reset(self) -> None:
        """Everything as it was after construction: no threads, faults, logins or log; first options."""
        self.options = dataclasses.replace(self._first_options)
        self.inbox.clear()
        self.faults.clear()
        self.log.clear()
        self._logins.clear()

    # --- login -----------------------------------------------------------------------------------------------

    def sign_in(self) -> dict[str, str]:
        """Make a valid login and return its cookies, name to value (field guide, section 5)."""
        token = secrets.token_hex(16)
        self._logins.add(token)
        return {"_aat": token, "_airbed_session_id": secrets.token_hex(16), "hli": "1"}

    def browser_cookies(self) -> list[dict[str, str]]:
        """A valid login in the form that Playwright's ``context.add_cookies`` takes."""
        return [{"name": name, "value": value, "url": self.url} for name, value in self.sign_in().items()]

    def sign_out(self) -> None:
        """End every login on the server's side; the browsers keep their (now worthless) cookies."""
        self._logins.clear()

    def is_signed_in(self, request: Request) -> bool:
        """Whether this request may see the inbox."""
        if not self.options.login_required:
            return True
        cookies = request.cookies
        return cookies.get("_aat") in self._logins and "_airbed_session_id" in cookies

    # --- serving ---------------------------------------------------------------------------------------------

    def application(self) -> ASGIApp:
        """The routes."""
        pages, guest = Pages(self), GuestPages(self)
        return Starlette(
            routes=[
                Route("/", _to_inbox),
                Route("/hosting/inbox", _to_inbox),
                Route("/hosting/messages", pages.inbox),
                Route("/hosting/messages/{number:int}", pages.inbox),
                Route("/login", pages.login),
                Route("/authenticate", pages.authenticate, methods=["POST"]),
                Route("/airlock", pages.airlock),
                Route("/airlock/solve", pages.solve, methods=["POST"]),
                Route("/recaptcha/api2/{frame}", pages.frame),
                Route("/frames/{name:path}", pages.frame),
                Route("/api/v3/{operation}/{sha256}", self.calls.query, methods=["GET"]),
                Route("/api/v3/{operation}/{sha256}", self.calls.mutation, methods=["POST"]),
                Route("/api/v2/{rest:path}", pages.telemetry, methods=["GET", "POST"]),
                Route("/messaging/events", self._events),
                Route("/pictures/{name}", pages.picture),
                Route("/favicon.ico", pages.picture),
                Route("/assets/{version}/{name}", pages.asset),
                *guest.routes(),
            ]
        )

    def stop(self) -> None:
        """Stop serving. The state stays; ``start`` serves it again on the same port."""
        self.call_in_loop(self.hub.close)
        self.call_in_loop(self.guest_hub.close)
        super().stop()

    async def _events(self, request: Request) -> Response:
        entry = self.log.add("live", "GET", request.url.path)
        self.log.finish(entry, 200)
        await self.calls.frame.tell_hooks("live", None)
        headers = {"cache-control": "no-store"}
        return StreamingResponse(self.hub.stream(), media_type="text/event-stream", headers=headers)

    def tell_pages(self, message: dict[str, Any]) -> None:
        """Push something to every open page now."""
        self.call_in_loop(self.hub.publish, message)

    def _changed(self, thread: Thread, message: Message | None) -> None:
        news = {
            "message_thread_id": thread.number,
            "message_unique_identifier": message.uuid if message else None,
            "is_renderable": True,
        }
        self.call_in_loop(self.guest_hub.publish, {"thread": thread.number})
        loop = self.loop
        if loop is None or not self.options.live:
            return
        if self.options.live_delay:
            self.call_in_loop(loop.call_later, self.options.live_delay, self.hub.publish, news)
        else:
            self.tell_pages(news)


async def _to_inbox(_: Request) -> Response:
    return RedirectResponse("/hosting/messages", 302)
