"""A site's visitors behind the port: what was said is stored here, and to send is to store.

The message and its reply's end are one transaction, so the fate of a press is never in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from src.channels.base import Place, Store
from src.channels.reading import follow_by_reading, read_stored, stored_view
from src.channels.widget import CAPABILITIES, is_conversation_id
from src.channels.widget.settings import WidgetSettings
from src.errors import CannotWrite, ChannelGone, NotPressed, TransientError
from src.model.inbox import SeenConversation
from src.model.sending import Finding, Press, Receipt

_LOOK_SEC = 0.1
_IN_HAND_AT_MOST = 64
"""How many conversations are kept as they were read; far more than are ever in hand."""


class WidgetChannel:
    """One site. The port says what each method promises; conversations may be in hand side by side."""

    name = "widget"
    capabilities = CAPABILITIES

    def __init__(self, settings: WidgetSettings, place: Place) -> None:
        self._settings = settings
        self._place = place
        self._is_open = False
        self._read: dict[str, str | None] = {}
        """The version that was read last, by conversation: nothing is written over what came after it."""
        self._ready: dict[str, str] = {}

    def is_conversation_id(self, external_id: str) -> bool:
        return is_conversation_id(external_id)

    async def open(self) -> None:
        """Nothing to reach: the core has proven the database."""
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False
        self._read.clear()
        self._ready.clear()

    @property
    def _store(self) -> Store:
        if not self._is_open or self._place.store is None:
            raise ChannelGone("the channel is not open")
        return self._place.store

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,
        anew: bool = False,  # noqa: ARG002 - what is stored is always read anew
    ) -> SeenConversation:
        view = await read_stored(self._store, external_id, enough)
        self._ready.pop(external_id, None)
        self._read.pop(external_id, None)
        while len(self._read) >= _IN_HAND_AT_MOST:
            self._read.pop(next(iter(self._read)))
        return self._keep(view)

    async def reread(self, external_id: str) -> SeenConversation:
        self._check_read(external_id)
        return self._keep(await stored_view(self._store, external_id))

    def _keep(self, view: SeenConversation) -> SeenConversation:
        self._read[view.external_id] = view.version
        return replace(view, compared=True)

    def _check_read(self, external_id: str) -> None:
        if not self._is_open:
            raise ChannelGone("the channel is not open")
        if external_id not in self._read:
            raise TransientError("the conversation was not read before")

    async def write(self, external_id: str, text: str) -> None:
        self._check_read(external_id)
        if not self._settings.pages:
            raise CannotWrite("WIDGET_ORIGINS is not set: no page shows what is written")
        self._ready[external_id] = text

    async def clear(self, external_id: str) -> None:
        self._check_read(external_id)
        self._ready.pop(external_id, None)

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        """Stored, if nothing came after what was read last; else NotPressed, and nothing is done."""
        self._check_read(external_id)
        text = self._ready.pop(external_id, None)
        if text is None:
            raise NotPressed("nothing is ready to be sent")
        receipt = await self._store.put_own(external_id, press, text, over=self._read[external_id])
        if receipt is None:
            raise NotPressed("something new came after the conversation was read")
        return receipt

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        return await follow_by_reading(lambda: self.reread(external_id), until, timeout, _LOOK_SEC)

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:  # noqa: ARG002 - the press says it
        """It is stored or it is not. A press that comes late finds its reply given back, and does nothing."""
        return await self._store.told_of(press) or Finding.NOT_SENT
