"""A number on WhatsApp by a gateway: what differs from Meta's own way.

A gateway drives WhatsApp's web client, and calls a message sent that may never leave (docs/channels/whatsapp.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from math import inf
from urllib.parse import urlsplit

from loguru import logger

from src.channels.base import Examination, Place, Screen
from src.channels.whatsapp import wire_evolution, wire_waha
from src.channels.whatsapp.channel import NO_ANSWER, WhatsappChannel
from src.channels.whatsapp.login_code import LoginCode
from src.channels.whatsapp.settings import WhatsappSettings
from src.channels.whatsapp.wire_gateway import GatewayDialect, Gathered, Login
from src.errors import NotPressed, TooLarge, TransientError, WallHit
from src.model.inbox import SeenConversation
from src.model.sending import Delivery, Press, Receipt

SILENT_AT_MOST = 3
"""After this many messages in a row that a gateway took and WhatsApp never acknowledged, nothing leaves."""
FIRST_ACK_SEC = 30.0
"""After a halt one message proves that they leave again: the next one waits so long for its acknowledgement."""
LOOK_SEC = 2.0
"""So often the gateway is asked for its state and its code, which changes every 20 s."""
RESTART_SEC = 20.0
"""A gateway that gives no code for this long is asked to begin again, and then as long later once more."""
NO_CODE_SEC = 90.0
"""After this time without a code the person is told so."""
MOST_PAGES, PAGE_BYTES = 20, 3 * 1024 * 1024
_DIALECTS: dict[str, GatewayDialect] = {"evolution": wire_evolution, "waha": wire_waha}


class GatewayChannel(WhatsappChannel):
    """One number behind a gateway: ``Attended``, as a phone scans a code to log the gateway in."""

    def __init__(self, settings: WhatsappSettings, place: Place) -> None:
        super().__init__(settings, place)
        self._silent: list[Press] = []
        """The last messages of which the gateway has told nothing yet."""
        self._silent_at = 0.0
        """When the last of them went out."""
        self._pressing = False
        """The gateway has a message in hand."""
        self._caught_up = False
        """Since it was opened, what came before was looked at."""
        self._gateway = _DIALECTS[settings.mode]
        self.look_sec, self.restart_sec, self.no_code_sec = LOOK_SEC, RESTART_SEC, NO_CODE_SEC

    async def close(self) -> None:
        self._silent.clear()
        self._caught_up = False
        await super().close()

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        """One call, and one at a time: whether it leaves is to be known before the next one goes."""
        if self._pressing:
            raise NotPressed("Another message is on its way.", retry_after=1.0)
        self._pressing = True
        try:
            await self._check_that_messages_leave()
            return await self._press(external_id, press)
        finally:
            self._pressing = False

    async def _check_that_messages_leave(self) -> None:
        """A gateway's session may be called good while nothing leaves (github.com/devlikeapro/waha, 2114)."""
        told = [(press, await self._store.told_of(press)) for press in self._silent]
        left = [press for press, one in told if one is None or one.standing is Delivery.ACCEPTED]
        self._silent = left if len(left) == len(told) else []
        if not self._silent:
            return
        at_most = SILENT_AT_MOST
        if not await self._store.is_proven():
            at_most = 1
            if time.monotonic() - self._silent_at < FIRST_ACK_SEC:
                raise NotPressed("The first message since the halt is not acknowledged yet.", retry_after=2.0)
        if len(self._silent) >= at_most:
            raise WallHit(
                "nothing_leaves",
                f"{len(left)} message(s) in a row were not acknowledged by WhatsApp: scan the code again",
                nothing_sent=True,
            )

    def _note_told(self, press: Press, told: Receipt | None) -> None:
        self._silent = [*self._silent, press][-SILENT_AT_MOST:] if told is None else []
        self._silent_at = time.monotonic()

    async def examine(self) -> tuple[Examination, ...]:
        """It was asked already when it was opened."""
        return ()

    # -- what came while the gateway was away -----------------------------------------------------------------

    async def missed(self, since: datetime) -> tuple[SeenConversation, ...]:
        """As the port says. A gateway keeps messages only where it is set up to (docs/channels/whatsapp.md)."""
        if self._caught_up:
            return ()
        found = Gathered()
        try:
            for page in range(MOST_PAGES):
                answer = await self._ask(self._gateway.kept_call(self._settings, since, page), PAGE_BYTES)
                if answer.status not in (200, 201):
                    logger.info(
                        "The gateway keeps no messages: what came while it was away is not known here"
                    )
                if not self._gateway.kept_in(found, answer):
                    break
        except NO_ANSWER as error:
            raise TransientError(f"The gateway is out of reach ({type(error).__name__}).") from None
        except TooLarge:
            logger.warning("What the gateway kept is too much to be looked at; the newest may be missing")
        self._caught_up = True
        return found.heard().views

    # -- the login --------------------------------------------------------------------------------------------

    async def open_for_person(self, timeout: float, shown: Callable[[Screen], None] = lambda _: None) -> None:
        """As the port says: ``shown`` gets the code, as soon as there is one, and it changes before it ends.

        A gateway that says already that it is logged in is first asked to connect again: a person who comes here
        does so because nothing leaves (threads 1557 and 2403 of Evolution API, 2114 of WAHA). WallHit where a code
        will not help: the key is refused, there is no such session, or the gateway gives no code.
        """
        self._connect()
        code = LoginCode("{0.scheme}://{0.netloc}".format(urlsplit(self._settings.base_url)))
        try:
            async with asyncio.timeout(timeout):
                await self._wait_for_login(code, shown)
        finally:
            code.end()
            await self.close()

    async def _wait_for_login(self, code: LoginCode, shown: Callable[[Screen], None]) -> None:
        standing, good, restarted = await self._login(), time.monotonic(), -inf
        if standing is Login.IN:
            await self._restart()
            standing, restarted = await self._login(), good
        while standing is not Login.IN:
            picture = await self._newest_code() if standing is Login.CODE else None
            now = time.monotonic()
            if picture is not None:
                if not code.is_shown:
                    shown(code)
                code.show(picture)
            if picture is not None or standing is Login.STARTING:
                good = now
            elif now - good > self.no_code_sec:
                if standing is None:
                    raise TransientError("The gateway does not answer.")
                raise WallHit("no_code", "the gateway gives no code to scan")
            elif now - restarted > self.restart_sec and self._needs_restart(standing, now - good):
                restarted = now
                await self._restart()
            await asyncio.sleep(self.look_sec)
            standing = await self._login()

    def _needs_restart(self, standing: Login | None, without_code_sec: float) -> bool:
        return standing is Login.OUT or (standing is Login.CODE and without_code_sec > self.restart_sec)

    async def _login(self) -> Login | None:
        """How it stands; None where the gateway does not answer now."""
        try:
            answer = await self._ask(self._gateway.check_call(self._settings))
        except NO_ANSWER as error:
            logger.debug("The gateway does not answer: {}", type(error).__name__)
            return None
        wall = self._gateway.standing_wall(answer)
        if wall is not None and wall.kind != "session_lost":
            raise WallHit(wall.kind, wall.detail)
        return self._gateway.login(answer) if answer.status == 200 else None

    async def _newest_code(self) -> bytes | None:
        try:
            answer = await self._ask(self._gateway.code_call(self._settings))
        except NO_ANSWER as error:
            logger.debug("The gateway gives no code: {}", type(error).__name__)
            return None
        return self._gateway.code_in(answer)

    async def _restart(self) -> None:
        try:
            await self._ask(self._gateway.restart_call(self._settings))
        except NO_ANSWER as error:
            logger.debug("The gateway could not be asked to connect again: {}", type(error).__name__)

    async def save_login(self) -> None:
        """The gateway keeps it."""

    async def worn(self) -> str | None:
        """Nothing here grows old."""
        return None

    async def evidence(self, label: str) -> str | None:  # noqa: ARG002
        """There is no page to keep."""
        return None
