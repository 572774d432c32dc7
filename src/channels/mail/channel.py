"""Mails out behind the port ``src/channels/base.py``; what is promised there is in ``docs/channels/mail.md``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime

from loguru import logger

from src.channels.base import Place, Store
from src.channels.mail import CAPABILITIES, is_conversation_id, wire
from src.channels.mail.session import hand_over
from src.channels.mail.settings import DEV_LOG, MailSettings
from src.channels.reading import stored_view
from src.errors import (
    CannotWrite,
    ChannelGone,
    NotPressed,
    PermanentError,
    SettingsError,
    TransientError,
    WallHit,
)
from src.model.inbox import SeenConversation
from src.model.retry import MAIL, MAIL_TRIES
from src.model.sending import Delivery, Finding, Press, Receipt


class MailChannel:
    """One sender. Each mail has a connection of its own, opened at the press."""

    name = "mail"
    capabilities = CAPABILITIES

    def __init__(self, settings: MailSettings, place: Place) -> None:
        problems = settings.problems()
        if problems:
            raise SettingsError(problems)
        self._settings = settings
        self._place = place
        self._open = False
        self._ready: dict[str, str] = {}
        self._refusals: dict[str, int] = {}
        """How often in a row a mail was put off, by address."""

    def is_conversation_id(self, external_id: str) -> bool:
        return is_conversation_id(external_id)

    async def open(self) -> None:
        """Nothing is asked of the server: a connection without a mail would look like a probe to it."""
        self._open = True

    async def close(self) -> None:
        self._open = False
        self._ready.clear()

    @property
    def _store(self) -> Store:
        if not self._open or self._place.store is None:
            raise ChannelGone("The channel is not open.")
        return self._place.store

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,  # noqa: ARG002 - all there is, is here
        anew: bool = False,  # noqa: ARG002
    ) -> SeenConversation:
        view = await stored_view(self._store, external_id, lacking="No mail was ever asked for to there.")
        self._ready.pop(external_id, None)
        return view

    async def reread(self, external_id: str) -> SeenConversation:
        view = await self._store.view(external_id)
        if view is None:
            raise TransientError("The conversation was not read before.")
        return view

    async def write(self, external_id: str, text: str) -> None:
        if not self._open:
            raise ChannelGone("The channel is not open.")
        if len(text) > self.capabilities.longest_text:
            raise PermanentError("The mail is too long.", reason="too_long")
        try:
            wire.split(text)
        except ValueError as error:
            raise CannotWrite(f"This is no mail: {error}.", reason="no_subject") from None
        if self._refusals.get(external_id, 0) >= MAIL_TRIES:
            del self._refusals[external_id]
            raise CannotWrite("The server puts this mail off again and again.", reason="could_not_be_sent")
        self._ready[external_id] = text

    async def clear(self, external_id: str) -> None:
        self._ready.pop(external_id, None)

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        """One session with the server. Up to the final dot nothing is sent; after it only its 250 is a proof."""
        store, text = self._store, self._ready.pop(external_id, None)
        if text is None:
            raise NotPressed("Nothing is ready to be sent.")
        try:
            html = await store.html(press)
            message = wire.make_message(
                key=press.key,
                sender=self._settings.from_,
                to=external_id,
                text=text,
                html=html,
                now=datetime.now(UTC),
            )
        except (TransientError, ValueError) as error:
            raise NotPressed(f"The mail could not be made ({type(error).__name__}).") from None
        if self._settings.host == DEV_LOG:
            verdict = await asyncio.to_thread(self._keep, press.key, message)
        else:
            verdict = await asyncio.to_thread(hand_over, self._settings, external_id, message)
        return self._end(external_id, press, verdict)

    def _end(self, external_id: str, press: Press, verdict: wire.Verdict) -> Receipt:
        if isinstance(verdict, wire.Later):
            times = self._refusals[external_id] = self._refusals.get(external_id, 0) + 1
            raise NotPressed(f"Put off by the server ({verdict.why}).", retry_after=MAIL.pause(times))
        self._refusals.pop(external_id, None)
        if isinstance(verdict, wire.NoLogin):
            raise WallHit("credentials", f"the mail server: {verdict.error}", nothing_sent=True)
        if isinstance(verdict, wire.Never):
            return Receipt("", standing=Delivery.FAILED, error=verdict.error)
        if isinstance(verdict, wire.Unknown):
            raise TransientError(f"Whether it was sent is not known: {verdict.why}.")
        return Receipt(wire.message_id(press.key, self._settings.from_))

    def _keep(self, key: str, message: bytes) -> wire.Verdict:
        """In place of a server: a file for each mail, for its owner alone. The same mail is the same file."""
        folder = self._place.evidence_dir.parent / "mail"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            target, partly = folder / f"{key}.eml", folder / f"{key}.part"
            descriptor = os.open(partly, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(message)
            partly.replace(target)
        except OSError as error:
            return wire.Later(f"{DEV_LOG} ({type(error).__name__})")
        logger.info("A mail was written into {}", folder)
        return wire.Taken()

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        """Nothing comes back from a mail: what is stored is all that there will be."""
        del timeout
        view = await self.reread(external_id)
        return view if until(view) else None

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:
        """Nobody can be asked, but with ``dev-log``, where the file is there or it is not."""
        del external_id
        if self._settings.host != DEV_LOG:
            return Finding.UNKNOWN
        there = await asyncio.to_thread(
            (self._place.evidence_dir.parent / "mail" / f"{press.key}.eml").exists
        )
        return Receipt(wire.message_id(press.key, self._settings.from_)) if there else Finding.NOT_SENT
