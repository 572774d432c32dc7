"""What a guest is told while a person is asked, and that a reply is automatic: fixed texts, never a model's.

Shipped in twelve languages (`holding.toml` beside this file). The host's are in `agents/holding.toml`:

    [fr]
    default = "Bonjour {guest}, nous avons bien reçu votre message."
    safety = "Appelez le {emergency} …"
    disclosure = "Réponse automatique"

A class that is missing takes the host's default in that language, but for danger and illness: then the shipped text
stands, with the number to call. A language that is missing takes the shipped texts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from src.assistant.knowledge.documents import Finding
from src.assistant.reading import normal_form
from src.assistant.values import HardClass

FILE = "holding.toml"
DEFAULT, DISCLOSURE, EMERGENCY = "default", "disclosure", "emergency"
_SHIPPED = Path(__file__).with_name(FILE)
_LONGEST = 1_500
_KEYS = frozenset({DEFAULT, DISCLOSURE, EMERGENCY, *HardClass})
_PLACE = re.compile(r"\{(\w+)\}")
_PLACES = frozenset({"guest", EMERGENCY})
_FALLBACK = "en"
_URGENT = frozenset({HardClass.SAFETY, HardClass.MEDICAL})

Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Holding:
    """The host's texts on top of the shipped ones. ``findings`` says what of the host's was left out, and why."""

    own: Texts = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def text_for(
        self, hard_class: HardClass | None, language: str | None, guest: str, emergency: str | None
    ) -> str:
        """The text of this class in this language, filled in; '' if the host has emptied it."""
        own, shipped = self._in(language)
        name = str(hard_class) if hard_class else DEFAULT
        texts = own if DEFAULT in own and hard_class not in _URGENT else {**shipped, **own}
        text = texts.get(name, texts[DEFAULT])
        return _fill(text, guest, emergency or own.get(EMERGENCY) or shipped[EMERGENCY])

    def disclosure(self, language: str | None) -> str:
        """The line that says that a reply is automatic."""
        own, shipped = self._in(language)
        return own.get(DISCLOSURE, shipped[DISCLOSURE])

    def _in(self, language: str | None) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The host's and the shipped texts in a language; in English where there are neither."""
        shipped = shipped_texts()
        code = language if language and (language in self.own or language in shipped) else _FALLBACK
        return self.own.get(code, {}), shipped.get(code, shipped[_FALLBACK])

    def is_one(self, text: str) -> bool:
        """Whether a text that we sent is one of these, whoever the guest was."""
        wanted = _squeezed(text)
        return any(
            pattern.fullmatch(wanted) for texts in (shipped_texts(), self.own) for pattern in _patterns(texts)
        )


@cache
def shipped_texts() -> Texts:
    """By language, then by class."""
    found: dict[str, dict[str, str]] = tomllib.loads(_SHIPPED.read_text(encoding="utf-8"))
    return found


def load_holding(folder: Path) -> Holding:
    """The host's texts in this folder. Never raises: what is wrong in the file is left out and named."""
    path = folder / FILE
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Holding()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return Holding(
            findings=(Finding(FILE, f"cannot be read ({type(error).__name__}); the shipped texts are used"),)
        )
    own: dict[str, dict[str, str]] = {}
    findings: list[Finding] = []
    for language, texts in given.items():
        if not isinstance(texts, dict):
            findings.append(Finding(FILE, f"{language} is no table; write [{language}] above its texts"))
            continue
        for name, text in texts.items():
            problem = _problem(name, text)
            if problem:
                findings.append(Finding(FILE, f"[{language}] {name} {problem}"))
            else:
                own.setdefault(language.lower(), {})[name] = text.strip()
    return Holding(own, tuple(findings))


def _problem(name: str, text: Any) -> str | None:
    if name not in _KEYS:
        return f"is no class; there are {', '.join(sorted(_KEYS))}"
    if not isinstance(text, str):
        return "is no text"
    if len(text) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    unknown = next((place for place in _PLACE.findall(text) if place not in _PLACES), None)
    return f"has {{{unknown}}}; there are {{guest}} and {{emergency}}" if unknown else None


def _fill(text: str, guest: str, emergency: str) -> str:
    values = {"guest": guest, EMERGENCY: emergency}
    return _PLACE.sub(lambda place: values.get(place.group(1), place.group()), text)


def _patterns(texts: Texts) -> list[re.Pattern[str]]:
    found = []
    for by_class in texts.values():
        for name, text in by_class.items():
            if name not in {DISCLOSURE, EMERGENCY} and text:
                parts = _PLACE.split(_squeezed(text))
                found.append(re.compile(".{0,100}".join(re.escape(part) for part in parts[::2]), re.DOTALL))
    return found


def _squeezed(text: str) -> str:
    return " ".join(normal_form(text).split())
