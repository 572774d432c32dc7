"""Step 5: the reply, written from numbered facts. One call."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from src.assistant.prompting import lay
from src.assistant.structured import Shape, an_object

_STRINGS = {"type": "array", "items": {"type": "string"}}
SHAPE = Shape(
    "draft",
    an_object(
        {
            "action": {"type": "string", "enum": ["answer", "escalate", "ignore"]},
            "message": {"type": "string"},
            "sources": _STRINGS,
            "missing": _STRINGS,
            "promises": _STRINGS,
            "confidence": {"type": "number"},
        }
    ),
)


class Draft(BaseModel):
    """What the model hands in. Names are part of the public contract; sources are the facts' short numbers."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["answer", "escalate", "ignore"]
    message: str | None
    sources: list[str]
    missing: list[str]
    promises: list[str]
    confidence: Annotated[float, Field(ge=0, le=1)]

    @property
    def text(self) -> str:
        """The reply, '' if there is none."""
        return (self.message or "").strip()


def draft_prompt(
    *,
    voice: str,
    facts: str,
    stay: str,
    language: str,
    nonce: str,
    canary: str,
    examples: str = "",
    again: str = "",
) -> str:
    """``again`` says what was wrong with a first draft; ``examples`` shows how the host writes (``voice.py``)."""
    note = f"\nA first draft was refused: {again}. Write another one without that.\n" if again else ""
    return lay(
        "draft",
        {
            "voice": voice,
            "facts": facts,
            "stay": stay,
            "language": language,
            "nonce": nonce,
            "canary": canary,
            "examples": examples,
            "again": note,
        },
    )
