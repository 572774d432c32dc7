"""``/events``: tells a page that is open when there is something new, as server-sent events.

While anybody watches, one task looks at a few indexed numbers of the database; nobody watching costs nothing. What
changed is not told: the page asks for its live part again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from src.api.context import Context
from src.api.dashboard.page import open_page, page_routes
from src.db import activity
from src.errors import TransientError

LOOK_EVERY_SEC = 2.0
_SIGN_OF_LIFE_SEC = 10.0
"""Without news a comment is sent so often, which keeps a proxy from closing the stream."""
AT_MOST = 32
"""How many pages may watch at once. Later ones ask again by the clock."""


class News:
    """Looks for all watchers together how things stand, and tells each of them when that changes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watchers: set[asyncio.Event] = set()
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        return len(self._watchers) >= AT_MOST

    async def watch(self) -> AsyncIterator[str]:
        """The events for one watcher, until it goes or the server ends."""
        streams, news = self._context.streams, asyncio.Event()
        self._watchers.add(news)
        try:
            if self._task is None or self._task.done():
                self._looked.clear()
                self._task = asyncio.create_task(self._keep_looking())
            await self._looked.wait()
            yield "retry: 5000\n\n"
            while not streams.over:
                try:
                    async with asyncio.timeout(_SIGN_OF_LIFE_SEC):
                        await news.wait()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                news.clear()
                if not streams.over:
                    yield "event: news\ndata: \n\n"
            yield "retry: 500\n\n"  # the server ends: another one, or its next start, is there at once
        finally:
            self._watchers.discard(news)

    async def _keep_looking(self) -> None:
        known = None
        try:
            while self._watchers and not self._context.streams.over:
                with suppress(TransientError):  # the page says so when it asks; the next look may be luckier
                    stamp = await self._look()
                    if known is not None and stamp != known:
                        self._wake()
                    known = stamp
                self._looked.set()
                await self._context.streams.pause(LOOK_EVERY_SEC)
        finally:
            self._looked.set()
            self._wake()

    def _wake(self) -> None:
        for news in self._watchers:
            news.set()

    async def _look(self) -> str:
        def look() -> str:
            with self._context.db.read() as conn:
                return "|".join(activity.stamp(conn, name) for name in self._context.asked)

        return await run_in_threadpool(look)


def live_routes(context: Context) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))
    news = News(context)

    @router.get("/events")
    async def events(request: Request) -> Response:
        await open_page(context, request)
        if news.full or context.streams.over:
            return Response(status_code=503, headers={"retry-after": "60"})
        return StreamingResponse(news.watch(), media_type="text/event-stream")

    return router
