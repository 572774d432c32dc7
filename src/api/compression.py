"""Pages, style sheets and scripts go out compressed; nothing that another site has asked for does.

What is compressed together can be guessed from its length by whoever chooses a part of it and sees the wire
(BREACH, CVE-2013-3587). So a form's token is masked anew in each answer (``Sessions.form_token``), and an answer to
what another site's page makes a browser ask, which is how texts would be tried, is not compressed.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

SMALLEST = 1_000
"""Bytes. Below that an answer fits into one packet anyway."""
_LEVEL = 6
_AS_THEY_ARE = ("/api/", "/hooks/", "/events", "/reconnect/view", "/health")
"""JSON for programs, and streams, of which each event must leave at once."""
_FROM_ELSEWHERE = frozenset({"cross-site", "same-site"})


class Compression:
    """ASGI: gzip for GET where the caller accepts it. Streams of events are never held back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, minimum_size=SMALLEST, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._compressed if _may_be_compressed(scope) else self._app)(scope, receive, send)


def _may_be_compressed(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].startswith(_AS_THEY_ARE):
        return False
    return Headers(scope=scope).get("sec-fetch-site", "none") not in _FROM_ELSEWHERE
