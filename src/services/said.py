"""What an AI may say beside its answer: who wrote it, how sure it is, what it rests on, why it should wait. Pure.

In a callback a field of the wrong kind is refused (``api/callback.py``); in the response to a webhook it is left
out, because an AI may have had fields of these names before they meant anything here. Only a ``hold`` that is not
understood still holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from src.model.blank import is_blank
from src.model.rows import Said

LONGEST_NAME = 100
LONGEST_HOLD = 200
MOST_SOURCES = 50
MOST_PARTS = 10
UNNAMED_HOLD = "held_by_ai"


def join_parts(parts: Sequence[str]) -> str:
    """Several parts as one message: a channel that sends several bubbles takes them apart at the blank lines."""
    return "\n\n".join(part.strip() for part in parts if not is_blank(part))


def make_said(
    agent: str | None,
    topic: str | None,
    confidence: float | None,
    sources: Sequence[Mapping[str, Any]] | None,
) -> Said:
    """As it is stored. Sources keep their title and id, and nothing else."""
    kept = [
        {"title": str(one.get("title") or ""), "id": str(one.get("id") or "")}
        for one in (sources or [])[:MOST_SOURCES]
    ]
    return Said(
        agent=_name(agent),
        topic=_name(topic),
        confidence=confidence,
        sources=json.dumps(kept, ensure_ascii=False) if kept else None,
    )


def read_said(body: Mapping[str, Any]) -> Said:
    """From the body of a response; what is of the wrong kind is left out."""
    sources = body.get("sources")
    return make_said(
        _text(body.get("agent")),
        _text(body.get("topic")),
        _share(body.get("confidence")),
        [one for one in sources if isinstance(one, Mapping)] if isinstance(sources, list) else None,
    )


def read_hold(body: Mapping[str, Any]) -> str | None:
    """Why the answer shall wait for a person; None if it need not."""
    hold = body.get("hold")
    if not hold:
        return None
    return _text(hold, LONGEST_HOLD) or UNNAMED_HOLD


def read_parts(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The answer's parts, where the AI gives it in several; they are all of it."""
    parts = body.get("messages")
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return ()
    return tuple(part for part in parts if not is_blank(part))


def read_messages(body: Mapping[str, Any]) -> Iterator[str]:
    """What may be the answer, likeliest first: all of ``messages``, then ``message``, then ``reply``."""
    if parts := read_parts(body):
        yield join_parts(parts)
        return
    for name in ("message", "reply"):
        text = body.get(name)
        if isinstance(text, str) and not is_blank(text):
            yield text


def _text(given: object, longest: int = LONGEST_NAME) -> str | None:
    if not isinstance(given, str) or not given.strip() or not given.isprintable():
        return None
    return given.strip()[:longest]


def _share(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return None
    return float(given) if 0 <= given <= 1 else None


def _name(given: str | None) -> str | None:
    return given.strip()[:LONGEST_NAME] or None if given else None
