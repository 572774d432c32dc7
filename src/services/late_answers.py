"""The built-in assistant asked over HTTP: answered in the response if that is soon enough, else by a callback.

ask ─▶ within 25 s ─▶ the body (or: come again)
   └─▶ later ─▶ None; the words are kept ─▶ callback, tried again ─▶ the words are dropped
a restart takes up what was kept
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from uuid import uuid4

from src.model.asking import Asked
from src.model.retry import LATE_ANSWER

SOON_SEC = 25.0
HandInAnswer = Callable[[str, str, dict[str, Any]], Awaitable[bool]]


class Keeping(Protocol):
    """The assistant, as far as it is known here."""

    async def respond(self, payload: dict[str, Any]) -> Asked: ...

    async def keep_words(self, payload: dict[str, Any]) -> None:
        """Store the payload with its run until the run is done."""
        ...

    async def kept_words(self) -> list[dict[str, Any]]:
        """The payloads of runs that are not done."""
        ...

    async def drop_words(self, request_id: str) -> None:
        """The run of this request is done."""
        ...


class LateAnswers:
    """One for a process that serves the assistant."""

    def __init__(self, assistant: Keeping, hand_in: HandInAnswer, *, soon_sec: float = SOON_SEC) -> None:
        self._assistant = assistant
        self._hand_in = hand_in
        self._soon_sec = soon_sec
        self._working: dict[str, asyncio.Task[None]] = {}

    async def ask(self, payload: dict[str, Any]) -> Asked | None:
        """The answer; None: it will be handed in at the payload's ``callback_url``. Repeatable."""
        request_id = str(payload.get("request_id") or f"http-{uuid4()}")
        payload = {**payload, "request_id": request_id}
        if request_id in self._working:
            return None
        answering = asyncio.ensure_future(self._assistant.respond(payload))
        patience = self._soon_sec if payload.get("callback_url") else None
        done, _ = await asyncio.wait({answering}, timeout=patience)
        if done:
            return answering.result()
        await self._assistant.keep_words(payload)
        self._go_on(request_id, self._finish(payload, answering))
        return None

    async def take_up(self) -> int:
        """Go on with what an earlier process was working at. Returns how many. Once, at the start."""
        kept = [one for one in await self._assistant.kept_words() if one.get("request_id")]
        for payload in kept:
            answering = asyncio.ensure_future(self._assistant.respond(payload))
            self._go_on(str(payload["request_id"]), self._finish(payload, answering))
        return len(kept)

    async def close(self) -> None:
        """Give up what is at work: it is taken up by the next start. May be called twice."""
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _go_on(self, request_id: str, work: Any) -> None:
        task = asyncio.create_task(work)
        self._working[request_id] = task
        task.add_done_callback(lambda _: self._working.pop(request_id, None))

    async def _finish(self, payload: dict[str, Any], answering: asyncio.Future[Asked]) -> None:
        failures = 0
        try:
            asked = await answering
            while asked.body is None:  # it ends by itself: the assistant gives up after a while
                failures += 1
                await asyncio.sleep(asked.retry_after or LATE_ANSWER.pause(failures))
                asked = await self._assistant.respond(payload)
        finally:
            answering.cancel()
        body = {"conversation_id": payload.get("conversation_id"), "request_id": payload["request_id"]}
        await self._hand_in(str(payload.get("callback_url")), payload["request_id"], {**body, **asked.body})
        await self._assistant.drop_words(payload["request_id"])
