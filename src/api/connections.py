"""How many connections there may be, and for how long one may say nothing.

A connection waits for a request's header, then for its body, then for our answer. One that waits for us is left
alone. One that we wait for costs its owner nothing, so it is closed when its time is over, or when it is in the way
of a call: an AI may share its address with a client that holds hundreds of idle connections.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from loguru import logger
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from src.api.addresses import network_of
from src.api.limits import say_refusal

_MOST = 512
_STREAMS = re.compile(r"/api/widget/[^/]+/events")
"""Answers that stay open; their number has a limit of its own (``widget/audience.py``)."""
_FILES_OF_STREAMS = 4096
_FIRST_REQUEST_SEC = 0.5
"""At the end of the server: how long a connection that was just opened may take to send its first request."""
_NOTED_EVERY_SEC = 60.0


def most_connections() -> int:
    """Half of the files that this process may open: the browser, the database and the logs need the others."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if files == resource.RLIM_INFINITY else min(_MOST, files // 2)


def make_room(streams: int) -> int:
    """How many connections there may be where so many more of them stay open: as many files as the system lets us.

    Raises this process's own limit of open files, as far as it may.
    """
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    may_have = _FILES_OF_STREAMS if most == resource.RLIM_INFINITY else min(most, _FILES_OF_STREAMS)
    if files != resource.RLIM_INFINITY and files < may_have:
        resource.setrlimit(resource.RLIMIT_NOFILE, (may_have, most))
        files = may_have
    # All may come from one address, that of a proxy, and one address may have half.
    wanted = 2 * streams + _MOST
    return wanted if files == resource.RLIM_INFINITY else min(wanted, max(files - files // 4, 1))


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults are the product's; tests shorten them. (The time for a body is ``limits.SLOWEST_BODY_SEC``.)"""

    header_sec: float = 10.0
    """From the connection, or the first byte of a further request, until the header is whole."""
    unread_sec: float = 30.0
    """How long a client may take nothing of an answer that waits for it."""
    most: int = most_connections()
    """Connections in all; from one address half of that."""
    at_once: int = 256
    """Requests in hand. More than a burst of an AI's retries; beyond it a caller gets 503 and comes again."""

    @property
    def most_from_one(self) -> int:
        return max(self.most // 2, 1)


class Connections:
    """All connections of one server. Used on its event loop alone."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._open: dict[Connection, None] = {}
        self._in_hand = 0
        self._noted_at = float("-inf")

    def make(self, **given: Any) -> Connection:
        """For ``uvicorn.Config(http=…)``: the protocol of one connection."""
        return Connection(self, self._limits.header_sec, **given)

    def opened(self, connection: Connection) -> None:
        """Count a new connection; where it is one too many, the oldest that has no request is closed for it."""
        self._open[connection] = None
        same = [one for one in self._open if one.network == connection.network]
        if len(same) > self._limits.most_from_one:
            self._close_oldest(same, but=connection)
        elif len(self._open) > self._limits.most:
            self._close_oldest(self._of_the_largest(), but=connection)

    def closed(self, connection: Connection) -> None:
        """Count it no more. Repeatable."""
        self._open.pop(connection, None)

    def look_after(self, now: float) -> None:
        """Close what has taken too long. To be called about once a second. ``now``: the loop's time, seconds."""
        for one in list(self._open):
            if one.is_late(now) or one.has_taken_nothing_for(now) > self._limits.unread_sec:
                self._close(one)

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application, called at most ``at_once`` times at once."""

        async def limited(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and _STREAMS.fullmatch(scope["path"]):
                await app(scope, receive, send)
                return
            full = self._in_hand >= self._limits.at_once
            if full and not self._close_oldest(self._open, but=None, waiting_for=("body",), keep=scope):
                error = "too many calls at once; try again"
                await say_refusal(send, 503, error, (b"retry-after", b"1"))
                return
            self._in_hand += 1
            try:
                await app(scope, receive, send)
            finally:
                self._in_hand -= 1

        return limited

    def _of_the_largest(self) -> list[Connection]:
        by_network: dict[str, list[Connection]] = {}
        for one in self._open:
            by_network.setdefault(one.network, []).append(one)
        return max(by_network.values(), key=len)

    def _close_oldest(
        self,
        among: Iterable[Connection],
        *,
        but: Connection | None,
        waiting_for: tuple[str, ...] = ("header", "body"),
        keep: Scope | None = None,
    ) -> bool:
        """Close the one that has kept us waiting longest, those without a header first. False: nothing to close."""
        found = [one for one in among if one is not but and one.waits_for in waiting_for]
        found = [one for one in found if keep is None or one.scope is not keep]
        if not found:
            return False
        oldest = min(found, key=lambda one: (waiting_for.index(one.waits_for), one.waiting_since))
        now = oldest.loop.time()
        if now - self._noted_at > _NOTED_EVERY_SEC:
            self._noted_at = now
            logger.bind(part="api", client=oldest.network).warning(
                "too many connections to the API ({} open); those that send nothing are closed",
                len(self._open),
            )
        self._close(oldest)
        return True

    def _close(self, connection: Connection) -> None:
        self.closed(connection)
        connection.transport.abort()  # at once: close() would wait for a client that takes nothing


class Connection(H11Protocol):
    """uvicorn's protocol, which knows no time limit for a header and cannot tell who waits for whom."""

    def __init__(self, connections: Connections, header_sec: float, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._header_sec = header_sec
        self._header_until: float | None = None
        self._unsent = (0, 0.0)
        self.network = ""
        self.waiting_since = 0.0
        """The loop's time of the connection, or of the end of its last answer."""

    @property
    def waits_for(self) -> Literal["header", "body", "answer"]:
        if getattr(self.cycle, "response_complete", True):  # there is no cycle before the first request
            return "header"
        return "body" if self.cycle.more_body else "answer"

    def is_late(self, now: float) -> bool:
        """Whether the header should be whole by now. (Between two requests uvicorn's keep-alive is the limit.)"""
        return self.waits_for == "header" and self._header_until is not None and now > self._header_until

    def has_taken_nothing_for(self, now: float) -> float:
        """For how many seconds as much of an answer as now has waited for the client. Call it regularly."""
        size, since = self._unsent
        waiting = self.transport.get_write_buffer_size()
        if waiting == 0 or waiting != size:
            self._unsent = (waiting, now)
            return 0.0
        return now - since

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.network = network_of(self.client[0]) if self.client else ""
        self.waiting_since = self.loop.time()
        self._header_until = self.waiting_since + self._header_sec
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.waits_for == "header" and self._header_until is None:
            self._header_until = self.loop.time() + self._header_sec
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._header_until = None
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    def shutdown(self) -> None:
        if self.waits_for == "body":  # a client that has not sent its whole request is not waited for
            self.transport.abort()
        elif self._is_new():
            # Just opened, maybe by a proxy that has chosen us: its request is on its way, and would be lost.
            self.loop.call_later(_FIRST_REQUEST_SEC, super().shutdown)
        else:
            super().shutdown()

    def _is_new(self) -> bool:
        has_asked = getattr(self, "cycle", None) is not None  # there is no cycle before the first request
        return not has_asked and self.loop.time() - self.waiting_since < _FIRST_REQUEST_SEC
