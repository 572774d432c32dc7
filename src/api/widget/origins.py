"""Which pages may call ``/api/widget/{site}``: exactly those of WIDGET_ORIGINS.

A page reads an answer only if the answer says that it may, refusals, too: else "try again later" and "not
connected" would look alike. So this stands around the whole application.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX = "/api/widget/"
PREFLIGHT_SEC = 600
_METHODS = "GET, POST"
_HEADERS = "Authorization, Content-Type, Last-Event-ID"


class PageOrigins:
    """ASGI: answers the browser's question before a call, and marks the answers that a page may read.

    It refuses nothing else: a call of another page is refused by the routes, with its body read.
    """

    def __init__(self, app: ASGIApp, pages: Mapping[str, frozenset[str]]) -> None:
        """``pages``: the origins of each site."""
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = self._pages.get(site_in(scope["path"])) if scope["type"] == "http" else None
        if allowed is None:
            await self._app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")
        may_read = origin is not None and origin in allowed

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if may_read:
                    headers["access-control-allow-origin"] = origin or ""
                    headers["access-control-expose-headers"] = "Retry-After"
            await send(message)

        if scope["method"] == "OPTIONS" and may_read:
            answer = Response(status_code=204)
            answer.headers["access-control-allow-methods"] = _METHODS
            answer.headers["access-control-allow-headers"] = _HEADERS
            answer.headers["access-control-max-age"] = str(PREFLIGHT_SEC)
            await answer(scope, receive, marked)
            return
        await self._app(scope, receive, marked)


def site_in(path: str) -> str:
    """The site that a path of the widget names; '' for other paths."""
    return path.removeprefix(PREFIX).partition("/")[0] if path.startswith(PREFIX) else ""
