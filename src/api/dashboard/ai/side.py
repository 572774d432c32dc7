"""What the pages about the AI work with."""

from __future__ import annotations

from collections.abc import Callable
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
