"""The port on what is stored here. SEND has nothing to do on this channel: a waiting call takes its own reply."""

from __future__ import annotations

from collections.abc import Callable

from src.channels.base import Place, Store
from src.channels.chat import CAPABILITIES
from src.channels.chat.settings import ChatSettings
from src.errors import ChannelGone, NotPressed, PermanentError
from src.model.inbox import SeenConversation
from src.model.sending import Finding, Press, Receipt


class ChatChannel:
    """One account's conversations, as its callers told them."""

    name = "chat"
    capabilities = CAPABILITIES

    def __init__(self, settings: ChatSettings, place: Place) -> None:
        self._settings = settings
        self._place = place
        self._texts: dict[str, str] = {}

    @property
    def _store(self) -> Store:
        if self._place.store is None:
            raise ChannelGone("there is no place where conversations are kept")
        return self._place.store

    def is_conversation_id(self, external_id: str) -> bool:
        return 0 < len(external_id) <= 200 and external_id.isprintable() and "/" not in external_id

    async def open(self) -> None:
        """Nothing to reach."""

    async def close(self) -> None:
        self._texts.clear()

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,  # noqa: ARG002 - all that was told is there
        anew: bool = False,  # noqa: ARG002
    ) -> SeenConversation:
        found = await self._store.view(external_id)
        if found is None:
            raise PermanentError(reason="no_such_conversation")
        return found

    async def write(self, external_id: str, text: str) -> None:
        self._texts[external_id] = text

    async def clear(self, external_id: str) -> None:
        self._texts.pop(external_id, None)

    async def reread(self, external_id: str) -> SeenConversation:
        return await self.read(external_id)

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        made = await self._store.put_own(external_id, press, self._texts.pop(external_id, ""))
        if made is None:
            raise NotPressed("the person has written again")
        return made

    async def follow(
        self,
        external_id: str,
        until: Callable[[SeenConversation], bool],
        timeout: float,  # noqa: ARG002 - the port's
    ) -> SeenConversation | None:
        view = await self.read(external_id)
        return view if until(view) else None

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:
        view = await self.read(external_id)
        mine = next((m for m in view.messages if m.external_id == f"reply-{press.key}"), None)
        return Receipt(mine.external_id, mine.sent_at) if mine else Finding.NOT_SENT
