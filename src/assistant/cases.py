"""Labelled messages, to see how good the assistant is: one JSON object a line (docs/evaluation.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from src.errors import SettingsError

EXPECTATIONS = ("answer", "escalate", "ignore", "missing", "injection")


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled message. `now` is aware; `stay`, `history` and `sender` are those of a webhook's payload."""

    id: str
    message: str
    now: datetime
    expect: frozenset[str]  # one of these is right
    language: str | None = None
    listing: str | None = None
    stay: Mapping[str, Any] = field(default_factory=dict)
    sender: str = ""
    history: tuple[Mapping[str, Any], ...] = ()
    hard_class: str | None = None
    sources: tuple[str, ...] = ()  # ids of the facts that an answer rests on
    must_have: tuple[tuple[str, ...], ...] = ()
    must_not: tuple[str, ...] = ()
    rules_only: bool = False  # the folder has no facts for it

    @property
    def payload(self) -> dict[str, Any]:
        """As an AI's webhook is called."""
        return {
            "conversation_id": f"eval-{self.id}",
            "sender": self.sender,
            "message": self.message,
            "property_id": self.listing,
            "history": list(self.history),
            "stay": dict(self.stay),
        }


def load_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a file, or of all `*.jsonl` of a folder. SettingsError names the file and the line."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    found: list[Case] = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(
                [f"--cases {file}: cannot be read; give a file or a folder of *.jsonl"]
            ) from None
        for number, line in enumerate(lines, 1):
            if line.strip():
                found.append(_read_case(line, f"--cases {file}, line {number}"))
    if not found:
        raise SettingsError([f"--cases {path}: has no cases; give a file or a folder of *.jsonl"])
    return tuple(found)


def _read_case(line: str, where: str) -> Case:
    try:
        given = json.loads(line)
        expect = frozenset(given.get("allowed") or [given["expect"]])
        unknown = expect - set(EXPECTATIONS)
        if unknown:
            raise SettingsError(
                [f"{where}: expect {min(unknown)} is not known; write {', '.join(EXPECTATIONS)}"]
            )
        now = datetime.fromisoformat(given["now"])
        if now.tzinfo is None:
            raise SettingsError([f"{where}: now has no zone; write it like 2027-03-02T09:00:00+00:00"])
        return Case(
            id=str(given["id"]),
            message=str(given["message"]),
            now=now,
            expect=expect,
            language=given.get("language"),
            listing=given.get("listing"),
            stay=given.get("stay") or {},
            sender=str(given.get("sender") or ""),
            history=tuple(given.get("history") or ()),
            hard_class=given.get("class"),
            sources=tuple(str(one) for one in given.get("sources") or ()),
            must_have=tuple(tuple(words) for words in given.get("must_have") or ()),
            must_not=tuple(given.get("must_not") or ()),
            rules_only=given.get("rules_only") is True,
        )
    except KeyError as error:
        raise SettingsError([f"{where}: has no {error.args[0]}"]) from None
    except (ValueError, TypeError, AttributeError):
        raise SettingsError(
            [f"{where}: is no case; it must be one JSON object (docs/evaluation.md)"]
        ) from None
