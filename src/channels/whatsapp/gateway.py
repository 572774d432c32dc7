"""A number on WhatsApp by a gateway: what differs from Meta's own way.

A gateway drives WhatsApp's web client, and calls a message sent that may never leave (docs/channels/whatsapp.md).
"""

from __future__ import annotations

from src.channels.base import Examination, Place
from src.channels.whatsapp.channel import WhatsappChannel
from src.channels.whatsapp.settings import WhatsappSettings
from src.errors import NotPressed, WallHit
from src.model.sending import Delivery, Press, Receipt

SILENT_AT_MOST = 3
"""After this many messages in a row that a gateway took and WhatsApp never acknowledged, nothing leaves."""


class GatewayChannel(WhatsappChannel):
    """One number behind a gateway."""

    def __init__(self, settings: WhatsappSettings, place: Place) -> None:
        super().__init__(settings, place)
        self._silent: list[Press] = []
        """The last messages of which the gateway has told nothing yet."""
        self._pressing = False
        """The gateway has a message in hand."""

    async def close(self) -> None:
        self._silent.clear()
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
        if len(self._silent) >= SILENT_AT_MOST:
            raise WallHit(
                "nothing_leaves",
                f"{len(left)} messages in a row were not acknowledged by WhatsApp: scan the code again",
                nothing_sent=True,
            )

    def _note_told(self, press: Press, told: Receipt | None) -> None:
        self._silent = [*self._silent, press][-SILENT_AT_MOST:] if told is None else []

    async def examine(self) -> tuple[Examination, ...]:
        """It was asked already when it was opened."""
        return ()
