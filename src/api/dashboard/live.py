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
from src.db import board
from src.errors import TransientError

LOOK_EVERY_SEC = 2.0
_SIGN_OF_LIFE_EVERY = 10
"""Looks between two comments that keep a proxy from closing the stream."""
AT_MOST = 32
"""Watchers at once; whoever comes later has a page that asks again by the clock."""


class News:
    """How things stand, as a text that changes when something does; looked at for all watchers together."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watchers = 0
        self._stamp = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        return self._watchers >= AT_MOST

    async def watch(self) -> AsyncIterator[str]:
        """The events for one watcher, until it goes or the server ends."""
        self._watchers += 1
        if self._task is None or self._task.done():
            with suppress(TransientError):
                self._stamp = await self._look()
            self._task = asyncio.create_task(self._keep_looking())
        known, looks = self._stamp, 0
        try:
            yield "retry: 5000\n\n"
            while await self._context.streams.pause(LOOK_EVERY_SEC / 2):
                looks += 1
                if self._stamp != known:
                    known = self._stamp
                    yield "event: news\ndata: \n\n"
                elif looks % _SIGN_OF_LIFE_EVERY == 0:
                    yield ": still here\n\n"
        finally:
            self._watchers -= 1

    async def _keep_looking(self) -> None:
        while self._watchers and await self._context.streams.pause(LOOK_EVERY_SEC):
            with suppress(TransientError):  # the page says so when it asks; the next look may be luckier
                self._stamp = await self._look()

    async def _look(self) -> str:
        def look() -> str:
            with self._context.db.read() as conn:
                return board.stamp(conn, self._context.settings.account)

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
