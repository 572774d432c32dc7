"""Listens to the JSON that the page fetches by itself. Makes no request of its own.

Bodies are read as they arrive, because a body is lost once the page has moved on. What is kept is parsed values,
never Playwright objects (those pile up in the driver), but for a question while it is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from loguru import logger
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Request, Response

from src.channels.airbnb import ids, walls, wire
from src.channels.airbnb.own_sends import OwnSend, OwnSends
from src.errors import Halt, NotUnderstood, TransientError, WallHit
from src.model.inbox import SeenConversation, SeenMessage

_BODY_TIMEOUT_SEC = 15.0
_WALL_BODY_TIMEOUT_SEC = 2.0
_LONG_ASKED_SEC = 5.0
"""A question open for longer is a held connection, or a lost one. Nobody waits for it."""


class Wiretap:
    """What the page has learned, numbered: ``seq`` grows by one with every answer that concerns us."""

    def __init__(
        self,
        page: Page,
        is_own_host: Callable[[str], bool],
        on_wall: Callable[[], None],
        own_sends: OwnSends | None = None,
    ) -> None:
        self._page = page
        self._own_sends = own_sends or OwnSends()
        self._sent: dict[Request, OwnSend] = {}
        """The page's own sends that are not answered yet, with the press that each carries out."""
        self._is_own_host = is_own_host
        self._on_wall = on_wall
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: dict[Request, float] = {}
        """The questions that are open, with the monotonic time at which the page asked them."""
        self.seq = 0
        self.partial_seq = 0
        """When something about a conversation was told last that was without its messages."""
        self.no_thread_seq = 0
        """When an asked conversation was last said not to be there."""
        self.problem: Halt | None = None
        self.viewer_id: str | None = None
        self._asked_at = -math.inf
        """Monotonic time at which the page last asked anything."""
        self._lists_asked_at: list[float] = []
        """When the page asked for each of ``lists``."""
        self.lists: list[tuple[int, wire.ListPage]] = []
        self.threads: dict[str, list[tuple[int, wire.ThreadPage]]] = {}
        self.arrived: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self.troubles: list[tuple[int, str]] = []
        self.site_failed_seq = 0
        """When the site last answered a messaging call with a server error: its trouble, not a changed page."""
        page.on("request", self._on_request)
        page.on("requestfinished", self._on_request_ended)
        page.on("requestfailed", self._on_request_ended)
        page.on("response", self._on_response)
        page.on("framenavigated", self._on_navigated)

    def detach(self) -> None:
        """Stop listening and forget everything."""
        self._page.remove_listener("request", self._on_request)
        self._page.remove_listener("requestfinished", self._on_request_ended)
        self._page.remove_listener("requestfailed", self._on_request_ended)
        self._page.remove_listener("response", self._on_response)
        self._page.remove_listener("framenavigated", self._on_navigated)
        for task in self._tasks:
            task.cancel()

    async def settle(self, timeout: float = 5.0) -> None:
        """Let the bodies that are on their way be read, before the page moves on and they are lost."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=timeout)

    async def all_answered(self, timeout: float) -> None:
        """Wait, at most ``timeout`` seconds, until the page has no question open and all answers are taken in.

        What is told after this was asked after this: an answer that was on its way already shows the inbox as it
        was, which is not enough where it matters what has come since.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self.problem is not None or not self._open_questions())
        await self.settle(timeout)

    def _open_questions(self) -> bool:
        now = time.monotonic()
        self._asked = {r: asked for r, asked in self._asked.items() if now - asked < _LONG_ASKED_SEC}
        return bool(self._asked)

    def forget(self) -> None:
        """Drop all answers told so far: the caller has taken them in."""
        self.lists.clear()
        self._lists_asked_at.clear()
        self.threads.clear()
        self.arrived.clear()
        self.troubles.clear()

    async def wait(self, ready: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``ready()`` holds; False after ``timeout`` seconds. Raises the wall that came meanwhile."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self.problem is not None or ready())
        except TimeoutError:
            pass
        self.raise_problem()
        return ready()

    async def wait_for_more(self, seq: int, timeout: float) -> bool:
        """Wait until anything was told after ``seq``. Otherwise as ``wait``."""
        return await self.wait(lambda: self.seq > seq, timeout)

    async def wait_for_list(self, seq: int, timeout: float) -> bool:
        """Wait until a stretch of the list was told after ``seq``. Otherwise as ``wait``."""
        return await self.wait(lambda: bool(self.lists_since(seq)), timeout)

    def asked_since(self, moment: float) -> bool:
        """Whether the page has asked anything since this monotonic time."""
        return self._asked_at >= moment

    def list_asked_within(self, begin: float, end: float) -> bool:
        """Whether a list that was told was asked for between these monotonic times."""
        return any(begin <= asked <= end for asked in self._lists_asked_at)

    def raise_problem(self) -> None:
        """Raise the wall or the unknown answer that was noticed, if any."""
        if self.problem is not None:
            raise self.problem

    def lists_since(self, seq: int) -> list[wire.ListPage]:
        return [page for number, page in self.lists if number > seq]

    def _note_server_error(self, status: int) -> None:
        if status >= 500:
            self.site_failed_seq = self.seq

    def trouble_since(self, seq: int, what: str) -> TransientError | None:
        """The error for what came since ``seq`` that was of no use; None if there was nothing of the kind."""
        troubles = self.troubles_since(seq)
        if not troubles:
            return None
        words = f"{what} did not load: {troubles[-1]}."
        return TransientError(words) if self.site_failed_seq > seq else NotUnderstood(words)

    def troubles_since(self, seq: int) -> list[str]:
        return [words for number, words in self.troubles if number > seq]

    def told_thread_since(self, seq: int) -> bool:
        """Whether any conversation was told after ``seq``."""
        return any(number > seq for pages in self.threads.values() for number, _ in pages)

    def thread_since(self, external_id: str, seq: int) -> SeenConversation | None:
        """All that answers after ``seq`` told about a conversation, put together; None if there was none."""
        pages = [page for number, page in self.threads.get(external_id, []) if number > seq]
        if not pages or self.viewer_id is None:
            return None
        view = wire.thread_view(pages[-1], self.viewer_id)
        found: dict[str, SeenMessage] = {}
        older = view.has_older
        oldest = view.messages[0].sent_at if view.messages else None
        for page in pages:
            part = wire.thread_view(page, self.viewer_id)
            found.update({m.external_id: m for m in part.messages})
            if part.messages and (oldest is None or part.messages[0].sent_at <= oldest):
                oldest, older = part.messages[0].sent_at, part.has_older
        for number, node in self.arrived.get(external_id, []):
            if number > seq:
                extra = wire.message(node, self.viewer_id, view.people)
                found.setdefault(extra.external_id, extra)
        return with_messages(view, found, has_older=older)

    def told_in_its_thread(self, external_id: str, message_id: str, seq: int) -> bool:
        """Whether a message came with its conversation after ``seq``, not alone (a send's answer, the list)."""
        pages = [page for number, page in self.threads.get(external_id, []) if number > seq]
        return any(page.has(message_id) for page in pages)

    def _on_navigated(self, frame: Any) -> None:
        if frame == self._page.main_frame:
            wall = walls.by_address(frame.url)
            if wall is not None:
                self._hit(wall)

    def _on_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if not walls.is_messaging(url.path) or not self._is_own_host(request.url):
            return
        if request.method == "GET":
            self._asked[request] = self._asked_at = time.monotonic()
            self._soon(self._wake())
        elif request.method == "POST":
            own = self._own_sends.hear_request(lambda: request.post_data_buffer)
            if own is not None:
                self._sent[request] = own

    def _on_request_ended(self, request: Request) -> None:
        self._sent.pop(request, None)
        if self._asked.pop(request, None) is not None and not self._asked:
            self._soon(self._wake())

    def _on_response(self, response: Response) -> None:
        if not self._is_own_host(response.url):
            return
        try:
            document = (
                response.request.resource_type == "document" and response.frame == self._page.main_frame
            )
        except PlaywrightError:  # the frame is gone already
            document = False
        wall = walls.by_response(response, main_document=document)
        if wall is not None and (document or response.status != 403):
            self._hit(wall)
        elif not document and "/api/" in response.url:
            if wall is not None:
                self._on_wall()
            request = response.request
            own, asked_at = self._sent.pop(request, None), self._asked.get(request)
            self._soon(self._read(response, wall, own, asked_at))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(
        self, response: Response, wall: WallHit | None, own: OwnSend | None, asked_at: float | None
    ) -> None:
        """Take in a body. ``wall`` is what the status alone says of a 403: the body may know better which it is.

        ``own``: the press of ours that this answers; ``asked_at``: when the page asked, if it was a question.
        """
        messaging = walls.is_messaging(urlsplit(response.url).path)
        method, status = response.request.method, response.status
        if own is not None and status >= 400:
            own.refused = True
        try:
            async with asyncio.timeout(_BODY_TIMEOUT_SEC if wall is None else _WALL_BODY_TIMEOUT_SEC):
                body = await response.body()
        except (PlaywrightError, TimeoutError):
            if wall is not None:
                self._hit(wall)
            elif messaging:
                await self._note("an answer's body was lost")
            return
        try:
            payload = json.loads(body)
        except ValueError:
            if messaging:
                await self._not_json(response, body, status, wall)
            return
        if wall is not None:
            self._hit(walls.by_body(payload) or wall)
            return
        try:
            if own is not None:
                own.hear_answer(payload)
            elif messaging:
                self._own_sends.hear(payload)
            await self._take(payload, method, status, messaging, asked_at)
        except Halt as problem:
            self._hit(problem)
        except Exception as error:  # noqa: BLE001 (no payload may end the listening silently)
            logger.error("An answer could not be read: {}", type(error).__name__)
            await self._note("an answer could not be read")

    async def _take(
        self, payload: Any, method: str, status: int, messaging: bool, asked_at: float | None
    ) -> None:
        wall = walls.by_body(payload)
        if wall is not None:
            self._hit(wall)
            return
        found = wire.recognise(payload) if method == "GET" or messaging else None
        if isinstance(found, wire.ErrorPage):
            if found.kind == "validation":
                self._hit(WallHit(walls.CHALLENGE, "an answer asks for bot validation"))
            elif messaging:
                await self._note(
                    f"an answer carried an error ({found.kind}, status {found.status or status})"
                )
            return
        async with self._changed:
            self.seq += 1
            if isinstance(found, wire.ListPage):
                self.viewer_id = found.viewer_id
                self.lists.append((self.seq, found))
                if asked_at is not None:
                    self._lists_asked_at.append(asked_at)
            elif isinstance(found, wire.PartialThread):
                self.partial_seq = self.seq
            elif isinstance(found, wire.NoThread):
                self.no_thread_seq = self.seq
            elif isinstance(found, wire.ThreadPage):
                self.threads.setdefault(found.external_id, []).append((self.seq, found))
            else:
                if status >= 400 and messaging:
                    self.troubles.append((self.seq, f"an answer had status {status}"))
                    self._note_server_error(status)
                if messaging:
                    self._take_messages(payload)
            self._changed.notify_all()

    def _take_messages(self, payload: Any) -> None:
        for node in wire.message_nodes(payload):
            thread = str(node.get("threadId"))
            if thread.isdigit():
                key = ids.encode("MessageThread", int(thread))
                self.arrived.setdefault(key, []).append((self.seq, node))

    async def _not_json(self, response: Response, body: bytes, status: int, wall: WallHit | None) -> None:
        kind = response.headers.get("content-type", "")
        if status >= 400:
            wall = walls.by_text(body.decode(errors="replace")) or wall
        if wall is not None:
            self._hit(wall)
        elif status == 200 and "html" in kind and body.strip():
            self._hit(WallHit(walls.LOGGED_OUT, "a messaging call answered with a page instead of data"))
        else:
            await self._note(f"an answer was not JSON (status {status}, {len(body)} bytes)")

    async def _note(self, words: str) -> None:
        async with self._changed:
            self.seq += 1
            self.troubles.append((self.seq, words))
            self._changed.notify_all()

    def _hit(self, problem: Halt) -> None:
        if self.problem is None:
            self.problem = problem
            self._on_wall()
            self._soon(self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def with_messages(
    view: SeenConversation, found: dict[str, SeenMessage], *, has_older: bool
) -> SeenConversation:
    """The same conversation with these messages, in order."""
    return replace(view, messages=tuple(sorted(found.values(), key=wire.order)), has_older=has_older)
