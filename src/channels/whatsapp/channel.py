"""A number on WhatsApp behind the port ``src/channels/base.py``; what is promised there is in ``docs/channels``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
from loguru import logger

from src.channels.base import Examination, Place, Store
from src.channels.reading import FIRST_LOOK, follow_by_reading, read_stored, stored_view
from src.channels.whatsapp import CAPABILITIES, is_conversation_id, wire_cloud, wire_evolution, wire_waha
from src.channels.whatsapp.settings import WhatsappSettings
from src.channels.whatsapp.wire import (
    Answer,
    Dialect,
    Outgoing,
    Refused,
    Slower,
    Taken,
    Unknown,
    Verdict,
    Wall,
    text_in,
)
from src.errors import (
    CannotWrite,
    ChannelGone,
    NotPressed,
    PermanentError,
    SettingsError,
    StaleJob,
    TooLarge,
    TransientError,
    WallHit,
)
from src.logs import safe_error
from src.model.hearing import Heard, Incoming, Media
from src.model.inbox import AuthorRole, SeenConversation
from src.model.retry import SLOWER
from src.model.sending import Delivery, Finding, Press, Receipt

WINDOW = timedelta(hours=24)
"""How long one may write after the person's last message (Cloud API documentation, Customer service windows)."""
MARGIN = timedelta(minutes=5)
"""Nearer to its end the window counts as closed: clocks differ, and a reply takes its time."""
FIND_SEC = 60.0
"""How long a status is waited for after a press whose answer was lost."""
CHECK_EVERY_SEC = {"cloud": 300.0, "evolution": 30.0, "waha": 30.0}
"""The token, or a gateway's session, is looked at so often at most."""
DIALECTS: dict[str, Dialect] = {"cloud": wire_cloud, "evolution": wire_evolution, "waha": wire_waha}
_LOOK_SEC = 0.1
_NOBODY = "Nobody has written from there."
NO_ANSWER = (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError)
"""What a call may raise; the last where the connection was closed under it."""
_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
_LARGEST_ANSWER = 256 * 1024
_OPEN_AT_MOST = 64
"""How many conversations are kept as they were read; far more than are ever in hand."""


class WhatsappChannel:
    """One number. The port says what each method promises; conversations may be in hand side by side."""

    name = "whatsapp"
    capabilities = CAPABILITIES

    def __init__(self, settings: WhatsappSettings, place: Place) -> None:
        problems = settings.problems()
        if problems:
            raise SettingsError(problems)
        self._settings = settings
        self._wire = DIALECTS[settings.mode]
        self._place = place
        self._client: httpx.AsyncClient | None = None
        self._checked_at: float | None = None
        self._read: dict[str, SeenConversation] = {}
        self._ready: dict[str, Callable[[Press], Outgoing]] = {}
        self._instead: dict[str, str] = {}
        """What is sent in place of the reply, by conversation."""
        self._slowed: dict[str, int] = {}
        """How often in a row a slower pace was asked for, by conversation; '' for the whole number."""
        self._not_before = 0.0
        self.find_sec = FIND_SEC

    def is_conversation_id(self, external_id: str) -> bool:
        return is_conversation_id(external_id)

    def hear(self, call: Incoming) -> Heard:
        return self._wire.hear(self._settings, call)

    # -- opening and closing --------------------------------------------------------------------------------

    async def open(self) -> None:
        """Tries the token, every few minutes at most."""
        self._connect()
        now = time.monotonic()
        if self._checked_at is not None and now - self._checked_at < CHECK_EVERY_SEC[self._settings.mode]:
            return
        try:
            answer = await self._ask(self._wire.check_call(self._settings))
        except NO_ANSWER as error:
            raise TransientError(f"The service is out of reach ({type(error).__name__}).") from None
        wall = self._wire.standing_wall(answer)
        if wall is not None:
            raise WallHit(wall.kind, wall.detail)
        self._checked_at = now

    def _connect(self) -> None:
        if self._client is None:
            # Each call over a connection of its own: one that was kept and has gone meanwhile would leave it open
            # whether a message was sent.
            limits = httpx.Limits(max_keepalive_connections=0)
            self._client = httpx.AsyncClient(timeout=_TIMEOUT, limits=limits)

    async def close(self) -> None:
        client, self._client = self._client, None
        self._checked_at = None
        self._read.clear()
        self._ready.clear()
        self._instead.clear()
        if client is not None:
            await client.aclose()

    @property
    def _store(self) -> Store:
        if self._client is None:
            raise ChannelGone("The channel is not open.")
        if self._place.store is None:
            raise ChannelGone("There is no place where conversations are kept.")
        return self._place.store

    # -- reading: what was heard ----------------------------------------------------------------------------

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,
        anew: bool = False,  # noqa: ARG002 - nothing is remembered that could be wrong
    ) -> SeenConversation:
        view = await read_stored(self._store, external_id, enough, lacking=_NOBODY)
        self._ready.pop(external_id, None)
        self._keep(external_id, view)
        return view

    def _keep(self, external_id: str, view: SeenConversation) -> None:
        self._read.pop(external_id, None)
        self._read[external_id] = view
        while len(self._read) > _OPEN_AT_MOST:
            self._read.pop(next(iter(self._read)))

    async def reread(self, external_id: str) -> SeenConversation:
        before = self._opened(external_id)
        most = max(FIRST_LOOK, len(before.messages))
        view = await stored_view(self._store, external_id, most, lacking=_NOBODY)
        self._keep(external_id, view)
        return view

    def _opened(self, external_id: str) -> SeenConversation:
        if self._client is None:
            raise ChannelGone("The channel is not open.")
        if external_id not in self._read:
            raise TransientError("The conversation was not read before.")
        return self._read[external_id]

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        return await follow_by_reading(lambda: self.reread(external_id), until, timeout, _LOOK_SEC)

    # -- writing --------------------------------------------------------------------------------------------

    async def write(self, external_id: str, text: str) -> None:
        view = self._opened(external_id)
        left = self._not_before - time.monotonic()
        if left > 0:
            raise NotPressed("The service is away, or has asked for a slower pace.", retry_after=left)
        if len(text) > self.capabilities.longest_text:
            raise PermanentError("The reply is too long.", reason="too_long")
        await self._check_that_messages_leave()
        settings, wire = self._settings, self._wire
        self._instead.pop(external_id, None)
        if not wire.HAS_WINDOW or self._window_is_open(view):
            self._ready[external_id] = lambda press: wire.text_call(settings, external_id, text, press)
        elif settings.outside_window == "template":
            self._instead[external_id] = f"[{settings.template}]"
            self._ready[external_id] = lambda press: wire_cloud.template_call(settings, external_id, press)
        else:
            raise CannotWrite(
                "The person's last message is 24 hours old, or nearly.", reason=wire_cloud.WINDOW_CLOSED
            )

    async def _check_that_messages_leave(self) -> None:
        """WallHit if what the service takes goes nowhere; of its own messages Meta says what becomes of them."""

    @staticmethod
    def _window_is_open(view: SeenConversation) -> bool:
        heard = [m.sent_at for m in view.messages if m.role is AuthorRole.GUEST]
        return bool(heard) and datetime.now(UTC) < max(heard) + WINDOW - MARGIN

    async def clear(self, external_id: str) -> None:
        self._opened(external_id)
        self._ready.pop(external_id, None)

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        """One call. Only a refusal in the service's own words is one; after anything else it may have been sent."""
        return await self._press(external_id, press)

    async def _press(self, external_id: str, press: Press) -> Receipt:
        self._opened(external_id)
        store, make = self._store, self._ready.pop(external_id, None)
        if make is None:
            raise NotPressed("Nothing is ready to be sent.")
        instead = self._instead.pop(external_id, None)
        if instead is not None:
            await self._say_instead(store, press, instead)
        verdict = await self._posted(make(press))
        if isinstance(verdict, Slower):
            raise self._slower(external_id, verdict)
        if isinstance(verdict, Wall):
            raise WallHit(verdict.kind, verdict.detail, nothing_sent=True)
        if isinstance(verdict, Unknown):
            raise TransientError(f"Whether it was sent is not known: {verdict.why}.")
        if isinstance(verdict, Refused):
            return Receipt("", standing=Delivery.FAILED, error=verdict.error, held=verdict.held)
        self._slowed.clear()
        return await self._proven(store, press, verdict)

    async def _posted(self, call: Outgoing) -> Verdict:
        try:
            return self._wire.judge(await self._ask(call))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            # Refused, no such name, TLS: no word of ours was said.
            logger.warning("The service is out of reach: {}", type(error).__name__)
            return Slower(None, everybody=True)
        except NO_ANSWER as error:
            return Unknown(f"no answer came ({type(error).__name__})")

    @staticmethod
    async def _say_instead(store: Store, press: Press, text: str) -> None:
        try:
            await store.send_instead(press, text)
        except (StaleJob, TransientError) as error:
            raise NotPressed(f"What goes out could not be noted: {error}") from None

    async def _proven(self, store: Store, press: Press, taken: Taken) -> Receipt:
        """The service has it; whether it can deliver it, it often says within a moment."""
        await store.name(press, taken.external_id)
        told = await self._told(store, press, self._settings.proof_sec)
        self._note_told(press, told)
        if told is None:
            return Receipt(taken.external_id)
        failed = told.standing is Delivery.FAILED
        return Receipt(
            taken.external_id,
            told.sent_at,
            told.standing,
            told.error,
            wire_cloud.held(told.error) if failed else None,
        )

    def _note_told(self, press: Press, told: Receipt | None) -> None:
        """What was told of a message within the proof time, if anything."""

    async def _told(self, store: Store, press: Press, timeout: float) -> Receipt | None:
        deadline = time.monotonic() + timeout
        while True:
            told = await store.told_of(press)
            if told is not None or time.monotonic() >= deadline:
                return told
            await asyncio.sleep(_LOOK_SEC)

    def _slower(self, external_id: str, verdict: Slower) -> NotPressed:
        whose = "" if verdict.everybody else external_id
        times = self._slowed[whose] = self._slowed.get(whose, 0) + 1
        wait = verdict.seconds or SLOWER.pause(times)
        if verdict.everybody:
            self._not_before = time.monotonic() + wait
        return NotPressed("The service is away, or asks for a slower pace.", retry_after=wait)

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:  # noqa: ARG002 - the key says all
        """By a status that brings our key; what comes later than this waits settles the reply by itself."""
        since = (datetime.now(UTC) - press.armed_at).total_seconds() if press.armed_at else 0.0
        left = min(self.find_sec - since, self.find_sec)  # the clock may have been set back since the press
        told = await self._told(self._store, press, left)
        if told is None:
            return Finding.UNKNOWN
        held = wire_cloud.held(told.error) if told.standing is Delivery.FAILED else None
        return Receipt(told.external_id, told.sent_at, told.standing, told.error, held)

    # -- beside it ------------------------------------------------------------------------------------------

    async def typing(self, external_id: str, on: bool) -> None:
        """Best effort. It ends by itself with the answer, or after 25 s."""
        if not on or self._client is None:
            return
        try:
            view = await self._store.view(external_id)
            heard = [m for m in view.messages if m.role is AuthorRole.GUEST] if view else []
            if heard:
                await self._ask(self._wire.typing_call(self._settings, external_id, heard[-1].external_id))
        except (*NO_ANSWER, TransientError) as error:
            logger.debug("That an answer is being written was not shown: {}", safe_error(error))

    async def examine(self) -> tuple[Examination, ...]:
        """As Meta tells it."""
        try:
            return wire_cloud.examined(await self._ask(wire_cloud.examine_call(self._settings)))
        except NO_ANSWER as error:
            raise TransientError(f"The service is out of reach ({type(error).__name__}).") from None

    async def fetch(self, media: str, limit: int) -> Media:
        """A voice note, from the address that the service names for it."""
        try:
            where = (await self._ask(wire_cloud.media_call(self._settings, media))).parsed()
            size, url = where.get("file_size"), text_in(where, "url")
            if isinstance(size, int) and size > limit:
                raise TooLarge
            if url is None or not self._settings.may_call(url):
                raise PermanentError("The file is not there any more.", reason="media_gone")
            answer = await self._ask(wire_cloud.file_call(self._settings, url), limit)
        except NO_ANSWER as error:
            raise TransientError(f"The file could not be fetched ({type(error).__name__}).") from None
        if answer.status != 200:
            raise PermanentError("The file is not there any more.", reason="media_gone")
        return Media(answer.body, text_in(where, "mime_type") or "application/octet-stream")

    async def _ask(self, call: Outgoing, limit: int | None = None) -> Answer:
        """Make a call. httpx.HTTPError where it got no answer; TooLarge for a file of more than ``limit`` bytes."""
        if self._client is None:
            raise ChannelGone("The channel is not open.")
        headers = {"accept-encoding": "identity", **call.headers}
        most = limit or _LARGEST_ANSWER
        async with self._client.stream(call.method, call.url, headers=headers, json=call.json) as response:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > most:
                    if limit is not None:
                        raise TooLarge
                    break
            return Answer(response.status_code, bytes(body[:most]), response.headers.get("retry-after"))
