"""Step 7: a second look at the draft. It never sees the guest's words: that is the shortest way for orders, cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from src.assistant.prompting import lay
from src.assistant.structured import Shape, an_object

_LONGEST_QUESTION = 200
_MOST_QUESTIONS = 10
_STRINGS = {"type": "array", "items": {"type": "string"}}
_YES_NO = {"type": "boolean"}
SHAPE = Shape(
    "check",
    an_object(
        {
            "grounded": _YES_NO,
            "unsupported": _STRINGS,
            "promises": _STRINGS,
            "answers_all": _YES_NO,
            "language_ok": _YES_NO,
            "tone_ok": _YES_NO,
            "verdict": {"type": "string", "enum": ["send", "hold"]},
            "reason": {"type": "string"},
        }
    ),
)


class Check(BaseModel):
    """What the model hands in. Names are part of the public contract."""

    model_config = ConfigDict(extra="forbid")

    grounded: bool
    unsupported: list[str]
    promises: list[str]
    answers_all: bool
    language_ok: bool
    tone_ok: bool
    verdict: Literal["send", "hold"]
    reason: str | None

    @property
    def hold(self) -> str | None:
        """Why the draft waits for a person, a stable word; None if nothing was found."""
        findings = (
            (not self.grounded or bool(self.unsupported), "not_supported"),
            (bool(self.promises), "promise"),
            (not self.answers_all, "not_all_answered"),
            (not self.language_ok, "language"),
            (not self.tone_ok, "tone"),
            (self.verdict == "hold", "check_says_hold"),
        )
        return next((word for found, word in findings if found), None)


def check_prompt(*, facts: str, stay: str, nonce: str, canary: str) -> str:
    """With the facts that the draft cites, and no others."""
    return lay("check", {"facts": facts, "stay": stay, "nonce": nonce, "canary": canary})


def lay_draft(questions: Sequence[str], draft: str, language: str) -> str:
    """What is checked, as one JSON object."""
    short = [one[:_LONGEST_QUESTION] for one in questions[:_MOST_QUESTIONS]]
    return json.dumps({"questions": short, "draft": draft, "language": language}, ensure_ascii=False)
