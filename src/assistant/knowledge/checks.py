"""What only shows when the files are seen together. Pure.

A finding of these leaves its file out as a reading error does, but for contradictions: both facts are there, and a
draft that cites one of them is held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations

from src.assistant.knowledge.documents import (
    ALL_AGENTS,
    Contradiction,
    Document,
    Finding,
    Kind,
    Level,
)
from src.assistant.knowledge.listings import Listing
from src.assistant.knowledge.numbers import count_by_kind, disagree
from src.assistant.secrets import Secret, find_values, names_in
from src.assistant.values import Fact
from src.languages import sentence as _

_REVIEW_AFTER = timedelta(days=365)
_TELLING = 5
"""A value this long that appears in two listings' files is no accident."""
_COMPARED = 200
"""Facts of one topic that are compared with each other; the work grows with the square."""


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A fact with the numbers in it, and the listings that it is for."""

    fact: Fact
    line: int
    listings: frozenset[str]
    numbers: dict[str, set[str]]


def find_leaving_out(
    document: Document, listings: Sequence[Listing], agents: Collection[str] | None
) -> Iterator[Finding]:
    """Errors for which the document is left out. ``agents`` are the names there are; None: not looked at."""
    yield from _secrets_told(document, listings)
    yield from _without_secret(document, listings)
    if agents is not None:
        yield from _without_agent(document, agents)


def find_same_id(listings: Sequence[Listing]) -> Iterator[Finding]:
    """An error for each folder whose listing id another folder has, too."""
    folders = defaultdict(list)
    for one in listings:
        folders[one.id].append(one.folder)
    for listing_id, names in sorted(folders.items()):
        for name in names if len(names) > 1 else ():
            others = ", ".join(f"listings/{one}" for one in names if one != name)
            yield Finding.of(
                Kind.TWICE,
                f"listings/{name}",
                _("%(listing)s is the listing of %(others)s, too; keep one folder for each listing"),
                listing=listing_id,
                others=others,
            )


def find_empty(documents: Sequence[Document]) -> Iterator[Finding]:
    """A warning for each file in which there is no fact: a heading without text does not count."""
    for document in documents:
        if not document.facts:
            yield Finding.of(
                Kind.EMPTY,
                document.path,
                _("has no fact in it; write one, or take the file out"),
                level=Level.WARNING,
            )


def find_contradictions(
    documents: Sequence[Document], listings: Sequence[Listing]
) -> tuple[list[Contradiction], list[Finding]]:
    """Facts on one topic, for one guest on one day, whose numbers differ; a finding for each of the two places."""
    by_topic: dict[str, list[_Numbered]] = defaultdict(list)
    for document in documents:
        for fact, line, ids in zip(document.facts, document.lines, document.fact_listings, strict=True):
            if numbers := count_by_kind(fact.text):
                by_topic[fact.topic].append(_Numbered(fact, line, frozenset(ids), numbers))
    every = frozenset(one.id for one in listings) or frozenset({""})
    contradictions, findings = [], dict[tuple[str, int, str], Finding]()
    for topic, rows in sorted(by_topic.items()):
        for one, other in combinations(rows[:_COMPARED], 2):
            if _can_meet(one, other, every) and disagree(one.numbers, other.numbers):
                contradictions.append(Contradiction(topic, (one.fact.id, other.fact.id)))
                for mine, theirs in ((one, other), (other, one)):
                    findings.setdefault((mine.fact.path, mine.line, topic), _other_numbers(mine, theirs))
    return contradictions, list(findings.values())


def find_aged(documents: Sequence[Document], today: date, changed: dict[str, date]) -> Iterator[Finding]:
    """Warnings: expired, or not looked at for a year. ``changed`` are the days on which the files were written."""
    for document in documents:
        for fact, line in zip(document.facts, document.lines, strict=True):
            if fact.valid_until is not None and fact.valid_until < today:
                yield Finding.of(
                    Kind.EXPIRED,
                    document.path,
                    _("%(topic)s ended on %(day)s; renew it or take it out"),
                    line,
                    Level.WARNING,
                    topic=fact.topic,
                    day=fact.valid_until,
                )
        reviewed = document.terms.reviewed or changed.get(document.path)
        if reviewed is not None and reviewed < today - _REVIEW_AFTER:
            yield Finding.of(
                Kind.OLD,
                document.path,
                _("was last reviewed on %(day)s; read it again, then write  reviewed: %(today)s  at its top"),
                1,
                Level.WARNING,
                day=reviewed,
                today=today,
            )


# -- the questions -------------------------------------------------------------------------------------------


def _secrets_told(document: Document, listings: Sequence[Listing]) -> Iterator[Finding]:
    for fact, line, ids in zip(document.facts, document.lines, document.fact_listings, strict=True):
        for listing in listings:
            own = not ids or listing.id in ids
            suspects = [one for one in listing.secrets if own or _is_telling(one)]
            for name in find_values(fact.text, suspects, encoded=False):
                yield Finding.of(
                    Kind.SECRET,
                    document.path,
                    _("%(topic)s holds the value of the secret %(name)s; write {{%(name)s}} in its place"),
                    line,
                    topic=fact.topic,
                    name=name,
                )


def _is_telling(secret: Secret) -> bool:
    return len(secret.value) >= _TELLING or not secret.value.isdigit()


def _without_secret(document: Document, listings: Sequence[Listing]) -> Iterator[Finding]:
    for fact, line, ids in zip(document.facts, document.lines, document.fact_listings, strict=True):
        concerned = [one for one in listings if not ids or one.id in ids]
        known = {secret.name for one in concerned for secret in one.secrets}
        for name in names_in(fact.text):
            if name not in known:
                own = _("{{%(name)s}} is not in the listing's secrets.toml; write it there")
                none = _("{{%(name)s}} is not in any secrets.toml; write it there")
                yield Finding.of(Kind.PLACEHOLDER, document.path, own if ids else none, line, name=name)


def _without_agent(document: Document, agents: Collection[str]) -> Iterator[Finding]:
    known = ", ".join(sorted(agents)) or "none"
    missing = set[str]()
    for fact, line in zip(document.facts, document.lines, strict=True):
        if fact.agent not in {*agents, ALL_AGENTS, *missing}:
            missing.add(fact.agent)
            yield Finding.of(
                Kind.AGENT,
                document.path,
                _("agent %(agent)s has no file in the agents folder; there are: %(known)s"),
                line,
                agent=fact.agent,
                known=known,
            )


def _can_meet(one: _Numbered, other: _Numbered, every: frozenset[str]) -> bool:
    """Whether one guest could be told both on one day. What is for a listing goes before what is for all."""
    if (one.fact.path, one.line) == (other.fact.path, other.line):
        return False  # two pieces of one long text
    if bool(one.listings) != bool(other.listings) or not (one.listings or every) & (other.listings or every):
        return False
    first, second = one.fact, other.fact
    if first.valid_until and second.valid_from and first.valid_until < second.valid_from:
        return False
    return not (second.valid_until and first.valid_from and second.valid_until < first.valid_from)


def _other_numbers(mine: _Numbered, theirs: _Numbered) -> Finding:
    return Finding.of(
        Kind.CONTRADICTION,
        mine.fact.path,
        _(
            "%(topic)s: other numbers than in %(place)s; make the two agree, or give them dates or listings of "
            "their own"
        ),
        mine.line,
        topic=mine.fact.topic,
        place=f"{theirs.fact.path}:{theirs.line}",
    )
