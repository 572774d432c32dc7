"""The host's fixed texts for those who are no part of a decision: a holding text that is due by the clock."""

from __future__ import annotations

from collections.abc import Sequence

from src.assistant.holding import load_holding
from src.assistant.knowledge import LiveFolder
from src.assistant.reading import clean_text, detect_language
from src.assistant.values import HardClass
from src.assistant_settings import AssistantSettings


class HostTexts:
    """Reads the folders when it is asked, so that an edited text counts at once. May be asked from any thread."""

    def __init__(self, settings: AssistantSettings) -> None:
        self._agents_dir = settings.assistant_agents_dir
        self._folder = LiveFolder(settings.assistant_knowledge_dir)

    def text_for(
        self, hard_class: str | None, guest_texts: Sequence[str], guest_name: str, listing_id: str | None
    ) -> str:
        """The holding text of this class in the guest's language; '' if the host has emptied it. Blocking."""
        newest, before = guest_texts[-1] if guest_texts else "", guest_texts[:-1]
        language = detect_language(newest, before)
        listing = self._folder.current().listing(listing_id)
        return load_holding(self._agents_dir).text_for(
            HardClass(hard_class) if hard_class in set(HardClass) else None,
            language.code if language else None,
            clean_text(guest_name).replace("\n", " "),
            listing.emergency if listing else None,
        )
