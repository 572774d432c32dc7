"""What the pages about the AI work with."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from src.assistant_settings import AssistantSettings

if TYPE_CHECKING:
    from src.api.knowledge_desk import Desk
    from src.assistant.live import LiveAssistant


@dataclass(frozen=True)
class AiSide:
    """Made once by ``create_app``. ``desk`` loads what it needs when it is first called, so call it in a thread."""

    settings: AssistantSettings
    desk: Callable[[], Desk]
    """The host's folder and the missing facts."""
    assistant: LiveAssistant | None
    """For tries and translations; None where no model is configured."""

    def names_of(self, listing_ids: Collection[str]) -> dict[str, str]:
        """The names of these listings, as their ``listing.toml`` says. Blocking: may read the folder."""
        if not listing_ids:
            return {}
        knowledge = self.desk().knowledge()
        found = {one: knowledge.listing(one) for one in listing_ids}
        return {one: listing.name for one, listing in found.items() if listing and listing.name}
