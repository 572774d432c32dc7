"""Step 3: what a guest's message is about. One call of a small model that sees no facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from src.assistant.prompting import lay, make_canary
from src.assistant.structured import Shape, an_object
from src.assistant.values import HardClass
from src.model.autonomy import TOPICS

_LONGEST_QUESTION = 500


class Question(BaseModel):
    """One thing that the guest wants to know, and the same in the facts' languages."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[str, Field(max_length=_LONGEST_QUESTION)]
    search: dict[str, str]


class Triage(BaseModel):
    """What the model hands in. Names are part of the public contract."""

    model_config = ConfigDict(extra="forbid")

    language: str
    needs_answer: bool
    classes: list[HardClass]
    topic: str
    agent: str
    questions: list[Question]
    instructions_in_text: bool
    confidence: Annotated[float, Field(ge=0, le=1)]

    @property
    def known_topic(self) -> str:
        """The topic; `other` for one that is not in our list."""
        return self.topic if self.topic in TOPICS else "other"

    @property
    def hard(self) -> frozenset[HardClass]:
        """The classes; whether a fact is missing is not known at this step."""
        return frozenset(self.classes) - {HardClass.MISSING_FACT}

    def queries(self) -> list[dict[str, str]]:
        """Each question by the languages that it is put in."""
        return [{self.language: one.question, **one.search} for one in self.questions]


def triage_shape(agents: Sequence[str], languages: Sequence[str]) -> Shape:
    """The schema, for the agents that there are and the languages that the facts are in."""
    text = {"type": "string"}
    question = an_object({"question": text, "search": an_object(dict.fromkeys(languages, text))})
    classes = [str(one) for one in HardClass if one is not HardClass.MISSING_FACT]
    return Shape(
        "triage",
        an_object(
            {
                "language": text,
                "needs_answer": {"type": "boolean"},
                "classes": {"type": "array", "items": {"type": "string", "enum": classes}},
                "topic": {"type": "string", "enum": list(TOPICS)},
                "agent": {"type": "string", "enum": list(agents)},
                "questions": {"type": "array", "items": question},
                "instructions_in_text": {"type": "boolean"},
                "confidence": {"type": "number"},
            }
        ),
    )


def triage_prompt(agents: Sequence[tuple[str, str]], languages: Sequence[str]) -> str:
    """``agents`` are pairs of a name and what it answers."""
    named = ", ".join(f"{name} ({what})" if what else name for name, what in agents)
    return lay(
        "triage",
        {
            "topics": ", ".join(TOPICS),
            "agents": named,
            "languages": ", ".join(languages) or "none (leave it empty)",
            "canary": make_canary(),
        },
    )
