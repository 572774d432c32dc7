"""What the files become: documents of facts, and findings about what is wrong. Values, and the rules they share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from enum import StrEnum

from src.assistant.values import Audience, Fact, Stage
from src.languages import sentence as _

ALL_AGENTS = "all"
_TOLD_TO = {
    Audience.ANYONE: frozenset(Stage),
    Audience.BOOKED: frozenset({Stage.BOOKED, Stage.STAYING}),
    Audience.STAYING: frozenset({Stage.STAYING}),
}
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


class Level(StrEnum):
    """An error leaves its file out (a contradiction holds the answers that need it); a warning only says so."""

    ERROR = "error"
    WARNING = "warning"


class Kind(StrEnum):
    """What is often found."""

    EXPIRED = "expired"
    OLD = "old"
    CONTRADICTION = "contradiction"
    SECRET = "secret"  # noqa: S105 - a kind of finding
    PLACEHOLDER = "placeholder"
    AGENT = "agent"
    EMPTY = "empty"
    TWICE = "twice"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a file. ``text`` says what and what to do; it never has a secret's value."""

    path: str  # relative to the knowledge folder, with "/"
    text: str
    line: int | None = None  # counted from 1
    level: Level = Level.ERROR
    kind: Kind | None = None  # of what is often found; None: something else
    said: str = ""  # the text with places for its values, so that it can be translated
    values: Mapping[str, object] = field(default_factory=dict, compare=False)
    about: str = ""  # the part of the file that it is in; the text begins with it

    @classmethod
    def of(
        cls,
        kind: Kind,
        path: str,
        said: str,
        line: int | None = None,
        level: Level = Level.ERROR,
        **values: object,
    ) -> Finding:
        """``said`` is marked by ``languages.sentence`` and has its values as ``%(name)s``."""
        return cls(path, said % values if values else said, line, level, kind, said, values)

    @classmethod
    def unreadable(cls, path: str, error: FileError, level: Level = Level.ERROR) -> Finding:
        """What was wrong with a file as it was read."""
        return cls(path, error.text, error.line, level, None, error.said, error.values, error.about)

    def in_words(self, say: Callable[..., str]) -> str:
        """The text in another language; ``say`` is a language's."""
        return f"{self.about} {say(self.said, **self.values)}".strip()

    @property
    def place(self) -> str:
        """Where to look, as editors and terminals take it: `path:line`."""
        return self.path if self.line is None else f"{self.path}:{self.line}"


class FileError(Exception):
    """A file cannot be used. It says what is wrong and what to do; no value of a secret is in it.

    ``said`` is marked by ``languages.sentence`` and has its values as ``%(name)s``.
    """

    def __init__(self, said: str, line: int | None = None, *, about: str = "", **values: object) -> None:
        super().__init__(f"{about} {said % values if values else said}".strip())
        self.said = said
        self.line = line
        self.about = about
        self.values = values

    @property
    def text(self) -> str:
        """In English, its values filled in."""
        return str(self)

    def at(self, line: int | None, about: str = "") -> FileError:
        """The same where more is known of the place. ``about`` is the part of the file that it is in."""
        return FileError(self.said, line, about=about, **self.values)


@dataclass(frozen=True, slots=True)
class Terms:
    """To whom and when a document or a row may be told. What is not said holds for everybody, at any time."""

    title: str | None = None
    agent: str = ALL_AGENTS
    audience: Audience = Audience.ANYONE
    language: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    reviewed: date | None = None
    listings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One Markdown or CSV file. ``listings`` is empty if it is for all of them."""

    path: str
    title: str
    terms: Terms
    content_hash: str  # SHA-256 of the file, hexadecimal
    facts: tuple[Fact, ...]
    lines: tuple[int, ...]  # where each fact begins
    fact_listings: tuple[tuple[str, ...], ...]  # the listings of each fact; empty: all
    folder: str | None = None  # name of its folder below `listings/`


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two facts on one topic whose numbers differ, and which one guest could be told on one day."""

    topic: str
    fact_ids: tuple[str, str]


@dataclass(slots=True)
class DocumentDraft:
    """A document while it is read: gives each fact an id of its own."""

    path: str
    terms: Terms
    folder: str | None
    facts: list[Fact] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    fact_listings: list[tuple[str, ...]] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)

    def add(self, title: str, topic: str, text: str, line: int, terms: Terms) -> None:
        """A fact with the id ``path#topic``; the second of a topic gets ``path#topic-2``, and so on."""
        slug = topic_of(topic)
        taken = slug
        count = 1
        while taken in self._taken:
            count += 1
            taken = f"{slug}-{count}"
        self._taken.add(taken)
        self.facts.append(
            Fact(
                id=f"{self.path}#{taken}",
                path=self.path,
                title=title,
                topic=slug,
                text=text,
                audience=terms.audience,
                agent=terms.agent,
                listing_id=terms.listings[0] if len(terms.listings) == 1 else None,
                language=terms.language,
                valid_from=terms.valid_from,
                valid_until=terms.valid_until,
                reviewed=terms.reviewed,
            )
        )
        self.lines.append(line)
        self.fact_listings.append(terms.listings)

    def finished(self, title: str, content_hash: str) -> Document:
        return Document(
            path=self.path,
            title=title,
            terms=self.terms,
            content_hash=content_hash,
            facts=tuple(self.facts),
            lines=tuple(self.lines),
            fact_listings=tuple(self.fact_listings),
            folder=self.folder,
        )


def topic_of(heading: str) -> str:
    """A heading as a topic: lower case, whatever is neither letter nor digit becomes one "-"."""
    parts = "".join(char if char.isalnum() else " " for char in heading.lower()).split()
    return "-".join(parts) or "fact"


def may_be_told(audience: Audience, stage: Stage) -> bool:
    """Whether a guest at this stage belongs to the audience."""
    return stage in _TOLD_TO[audience]


def is_valid_on(fact: Fact, day: date) -> bool:
    """Whether the fact holds on a day of the listing's own calendar. Both ends belong to it."""
    return (fact.valid_from is None or fact.valid_from <= day) and (
        fact.valid_until is None or day <= fact.valid_until
    )


def for_listing(fact: Fact, listing_id: str | None) -> Fact:
    """The fact as one of a listing that it was chosen for (one of several that its file names)."""
    return fact if fact.listing_id == listing_id else replace(fact, listing_id=listing_id)


def listing_of_folder(name: str) -> str:
    """The listing id in the name of a folder below `listings/`: all of it up to the first "-"."""
    return name.partition("-")[0]


# -- values that stand in front matter and in CSV cells ------------------------------------------------------


def read_audience(text: str) -> Audience:
    """FileError names the possible words."""
    try:
        return Audience(text.strip().lower())
    except ValueError:
        possible = ", ".join(Audience)
        raise FileError(
            _("audience %(given)s is not known; write one of %(possible)s"),
            given=repr(text.strip()[:40]),
            possible=possible,
        ) from None


def read_language(text: str) -> str:
    """An ISO 639 code; FileError says how one looks."""
    code = text.strip().lower().replace("_", "-")
    if not _LANGUAGE.fullmatch(code):
        raise FileError(
            _("language %(given)s is no language code; write one like en or pt"),
            given=repr(text.strip()[:40]),
        )
    return code.partition("-")[0]


def read_day(name: str, text: str) -> date:
    """An ISO date; FileError names the key."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise FileError(
            _("%(key)s %(given)s is no date; write it like 2027-05-31"),
            key=name,
            given=repr(text.strip()[:40]),
        ) from None


def check_days(terms: Terms) -> Terms:
    """FileError if the dates are reversed."""
    if terms.valid_from and terms.valid_until and terms.valid_from > terms.valid_until:
        raise FileError(
            _("valid_from (%(begin)s) is after valid_until (%(end)s); exchange the two"),
            begin=terms.valid_from,
            end=terms.valid_until,
        )
    return terms


def unknown_key(key: str, known: Sequence[str], line: int | None = None) -> FileError:
    """For a key or a column that there is not: names the nearest that there is, else all of them."""
    if near := get_close_matches(key, known, n=1):
        return FileError(_("%(key)s is not known here; did you mean %(near)s?"), line, key=key, near=near[0])
    possible = ", ".join(known)
    if not key:
        return FileError(_("a column has no name; possible are %(possible)s"), line, possible=possible)
    return FileError(
        _("%(key)s is not known here; possible are %(possible)s"), line, key=key, possible=possible
    )
