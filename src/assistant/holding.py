"""What a guest is told while a person is asked, and that a reply is automatic: fixed texts, never a model's.

Shipped in twelve languages (`holding.toml` beside this file). The host's are in `agents/holding.toml`:

    [fr]
    default = "Bonjour {guest}, nous avons bien reçu votre message."
    safety = "Appelez le {emergency} …"
    disclosure = "Réponse automatique"

A class that is missing takes the host's default in that language. A language that is missing takes the shipped
texts. The guest chose the name that stands for ``{guest}``: what is no plain name is left out of the text.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from src.assistant.addresses import find_address
from src.assistant.knowledge.documents import FileError, Finding
from src.assistant.reading import normal_form
from src.assistant.values import HardClass
from src.languages import sentence as _

FILE = "holding.toml"
DEFAULT, DISCLOSURE, EMERGENCY = "default", "disclosure", "emergency"
_SHIPPED = Path(__file__).with_name(FILE)
_LONGEST = 1_500
_LONGEST_NAME = 40
_KEYS = frozenset({DEFAULT, DISCLOSURE, EMERGENCY, *HardClass})
_PLACE = re.compile(r"\{(\w+)\}")
_PLACES = frozenset({"guest", EMERGENCY})
_NAME_PLACE = re.compile(r"[ \t]*,?[ \t]*\{guest\}")
_LEFT_AT_THE_START = re.compile(r"^[\s,;:.!–-]+")
# Letters of any script with blanks, hyphens, apostrophes or dots between them. A dot stands behind initials or at
# the end of a word: "J.R. Smith", "Dr. Roy", not "evil.com".
_NAME = re.compile(r"(?:\w[ '’.-]{0,2})+")
_DOT_INSIDE = re.compile(r"\w\w\.\w|\w\.\w\w")
_FALLBACK = "en"

Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Holding:
    """The host's texts on top of the shipped ones. ``findings`` says what of the host's was left out, and why."""

    own: Texts = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def text_for(
        self, hard_class: HardClass | None, language: str | None, guest: str, emergency: str | None
    ) -> str:
        """The text of this class in this language, filled in; '' if the host has emptied it.

        The guest's name is written only if it is a plain one. Without a number of the listing's to call, the host's
        own ``emergency`` is said, else the shipped words.
        """
        own, shipped = self._in(language)
        name = str(hard_class) if hard_class else DEFAULT
        texts = own if DEFAULT in own else {**shipped, **own}
        text = texts.get(name, texts[DEFAULT])
        if hard_class is HardClass.PERSON and name not in texts:
            # Who asks for a person is told that none has written this, also in a host's own words.
            text = _disclosed(text, own.get(DISCLOSURE, shipped[DISCLOSURE]))
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
        """Whether a text that we sent is one of these, for any guest."""
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
        unread = FileError(
            _("cannot be read (%(why)s); the shipped texts are used"), why=type(error).__name__
        )
        return Holding(findings=(Finding.unreadable(FILE, unread),))
    own: dict[str, dict[str, str]] = {}
    findings: list[Finding] = []
    for language, texts in given.items():
        if not isinstance(texts, dict):
            flat = FileError(
                _("%(name)s is no table; write [%(name)s] above the texts of that language"), name=language
            )
            findings.append(Finding.unreadable(FILE, flat))
            continue
        for name, text in texts.items():
            problem = _problem(name, text)
            if problem:
                findings.append(Finding.unreadable(FILE, problem.at(None, f"[{language}] {name}")))
            else:
                own.setdefault(language.lower(), {})[name] = text.strip()
    return Holding(own, tuple(findings))


def _problem(name: str, text: Any) -> FileError | None:
    if name not in _KEYS:
        return FileError(_("is no class; there are %(known)s"), known=", ".join(sorted(_KEYS)))
    if not isinstance(text, str):
        return FileError(_("is no text"))
    if len(text) > _LONGEST:
        return FileError(_("is longer than %(longest)s characters"), longest=_LONGEST)
    unknown = next((place for place in _PLACE.findall(text) if place not in _PLACES), None)
    if unknown is None:
        return None
    return FileError(_("has {%(name)s}; there are {guest} and {emergency}"), name=unknown)


def is_plain_name(name: str) -> bool:
    """Whether a guest's name may stand in a text of ours. Pure.

    At most 40 letters, blanks, hyphens, apostrophes and dots. A link, a handle, a digit or markup is
    no name: with one of them anybody could have us send it.
    """
    letters = "".join(letter for letter in name if not unicodedata.category(letter).startswith("M"))
    return (
        0 < len(name) <= _LONGEST_NAME
        and not any(letter.isdigit() or letter == "_" for letter in name)
        and _NAME.fullmatch(letters) is not None
        and _DOT_INSIDE.search(letters) is None
        and find_address(name) is None
    )


def _fill(text: str, guest: str, emergency: str) -> str:
    name = guest.strip()
    if not is_plain_name(name):
        text = _without_name(text)
    values = {"guest": name, EMERGENCY: emergency}
    return _PLACE.sub(lambda place: values.get(place.group(1), place.group()), text)


def _without_name(text: str) -> str:
    """The text as it reads without a name: "Bonjour {guest} !" is "Bonjour !"."""
    if "{guest}" not in text:
        return text
    left = _LEFT_AT_THE_START.sub("", _NAME_PLACE.sub("", text))
    return left[:1].upper() + left[1:]


def _patterns(texts: Texts) -> list[re.Pattern[str]]:
    found = []
    for language, by_class in texts.items():
        shipped = shipped_texts().get(language, shipped_texts()[_FALLBACK])
        for name, text in by_class.items():
            if name not in {DISCLOSURE, EMERGENCY} and text:
                disclosed = _disclosed(text, by_class.get(DISCLOSURE, shipped[DISCLOSURE]))
                said = (text, disclosed) if name == DEFAULT else (text,)
                for written in dict.fromkeys([*said, *map(_without_name, said)]):
                    parts = _PLACE.split(_squeezed(written))
                    found.append(
                        re.compile(".{0,100}".join(re.escape(part) for part in parts[::2]), re.DOTALL)
                    )
    return found


def _disclosed(text: str, disclosure: str) -> str:
    return f"{text}\n\n{disclosure}" if text and disclosure else text


def _squeezed(text: str) -> str:
    return " ".join(normal_form(text).split())
