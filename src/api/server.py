"""Serving the API inside a program that has signals and an end of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from src.api.connections import Connections, Limits
from src.api.port import listen

_TICK_SEC = 1.0
"""How often the server renews its Date header and looks after its connections; it is woken for its end."""
FINISH_SEC = 10
"""How long calls in hand may take to end once the server stops. pm2.json and the container files allow more."""


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the program around it decides when it ends."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Finish what is in hand and stop. May be called twice."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        # uvicorn's own loop looks ten times a second whether it should stop, which is what an idle process costs.
        loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            self._connections.look_after(loop.time())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_SEC)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A client whose connection the system has made, but which we have not accepted, would hear a reset; after a
        # POST it could not know whether to send it again. So these are accepted in the instant in which we close.
        waiting = [client for sock in sockets or [] for client in _accept_all(sock)]
        for server in self.servers:
            server.close()
        for client in waiting:
            await asyncio.get_running_loop().connect_accepted_socket(self._make_protocol, client)
        await super().shutdown(sockets)

    def _make_protocol(self) -> asyncio.Protocol:
        make = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _accept_all(sock: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait to be accepted; ``sock`` does not block."""
    while True:
        try:
            client, _ = sock.accept()
        except OSError:  # there is no further one
            return
        client.settimeout(0)
        yield client


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    stop: asyncio.Event | None = None,
    on_started: Callable[[str], None] | None = None,
    on_ending: Callable[[], None] | None = None,
    notice_sec: float = 0.0,
    limits: Limits | None = None,
) -> None:
    """Serve until ``stop`` is set or the task is cancelled; calls in hand are finished (up to ``FINISH_SEC``).

    ``on_started`` is called with the address as soon as it answers; ``on_ending`` when the end begins, to end the
    streams of the application (``app.state.streams.end``); from then on ``/health/ready`` is 503. New calls are
    taken for ``notice_sec`` more. ``SettingsError`` if the address cannot be had. ``limits``: of connections.
    """
    sock = listen(host, port)
    connections = Connections(limits)
    server = _Server(
        uvicorn.Config(
            connections.around(app),
            http=connections.make,  # type: ignore[arg-type] # which makes an asyncio.Protocol, as a class does
            log_config=None,
            access_log=False,  # addresses carry tokens
            proxy_headers=False,  # who calls is who is connected
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=15,
            timeout_graceful_shutdown=FINISH_SEC,
        ),
        connections,
    )
    running = asyncio.create_task(server.serve(sockets=[sock]))
    stopped = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        if on_started is not None:
            # The socket listens already; who calls from now on waits a moment at most.
            on_started(f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}")
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if on_ending is not None:
            on_ending()
        if not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(notice_sec)
        server.end()
        await asyncio.shield(running)
        sock.close()
