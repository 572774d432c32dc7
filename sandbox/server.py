"""A web server in a thread of this process, for the simulated site and the sandbox AI."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol


class DroppableProtocol(H11Protocol):
    """h11 that lets the application reach its connection, so that it can cut it without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport where the application finds it: in ``scope["state"]``."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Stop soon; call it in the server's loop."""
        self.should_exit = True
        self._closing.set()

    async def closing(self) -> None:
        """Wait until it stops."""
        await self._closing.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    async def main_loop(self) -> None:
        # uvicorn's own loop looks ten times a second whether it should stop: this one is woken.
        ticks = 0
        while not await self.on_tick(ticks):
            ticks = (ticks + 1) % 864_000
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), 0.1)


class ThreadedServer:
    """Runs an ASGI application on 127.0.0.1 until ``stop``; also usable as a context manager."""

    def __init__(self) -> None:
        self.port = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def application(self) -> ASGIApp:
        """What to serve; made again at each start."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int = 0) -> Self:
        """Serve on this port (0: any free one; a stopped server comes back on its old one).

        Raises OSError when the port is taken, RuntimeError when the server does not come up or already runs.
        """
        if self._thread is not None:
            raise RuntimeError("already running")
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port or self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self.application(),
            http=DroppableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        ready = threading.Event()
        self._server = _Server(config, ready)
        self._thread = threading.Thread(
            target=self._run, args=(self._server, listener), name="sandbox", daemon=True
        )
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the sandbox server did not start")
        return self

    def _run(self, server: _Server, listener: socket.socket) -> None:
        with listener:
            asyncio.run(self._serve(server, listener))

    async def _serve(self, server: _Server, listener: socket.socket) -> None:
        self.loop = asyncio.get_running_loop()
        await server.serve(sockets=[listener])

    def stop(self) -> None:
        """Stop serving; requests that are still open are cut. Does nothing when not running."""
        if self._thread is None or self._server is None or self.loop is None:
            return
        self.loop.call_soon_threadsafe(self._server.close)
        self._thread.join(10)
        self._thread = None
        self.loop = None

    async def closing(self) -> None:
        """Wait until the server stops; for answers that shall never come."""
        if self._server is not None:
            await self._server.closing()

    def call_in_loop(self, callback: Any, *arguments: Any) -> None:
        """Run a function in the server's loop soon; ignored when the server does not run."""
        loop = self.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(callback, *arguments)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
