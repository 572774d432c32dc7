"""The whole folder: every file read, what fails left out, and questions to what remains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from pathlib import Path

from src.assistant.knowledge.checks import (
    find_aged,
    find_contradictions,
    find_empty,
    find_leaving_out,
    find_same_id,
)
from src.assistant.knowledge.documents import (
    ALL_AGENTS,
    Contradiction,
    Document,
    FileError,
    Finding,
    Kind,
    Level,
    for_listing,
    is_valid_on,
    listing_of_folder,
    may_be_told,
)
from src.assistant.knowledge.files import ReadFile, find_files, read_file, stamp_of
from src.assistant.knowledge.listings import Facts, Listing
from src.assistant.secrets import Secret
from src.assistant.values import Fact, Stage
from src.languages import sentence as _


@dataclass(frozen=True, slots=True)
class Knowledge:
    """A folder as it was read. Nothing in it changes any more."""

    folder: Path
    documents: tuple[Document, ...] = ()
    listings: tuple[Listing, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    findings: tuple[Finding, ...] = ()  # those that do not depend on the day
    files: Mapping[str, ReadFile] = field(default_factory=dict)  # as they are now, by path
    used: frozenset[str] = frozenset()  # paths of the files that are in use as they are now
    hidden: tuple[
        Secret, ...
    ] = ()  # of folders that are left out: not told, but still not to be written down

    def listing(self, listing_id: str | None) -> Listing | None:
        """The listing with this id; also by the whole name of its folder. None if there is no such folder."""
        if not listing_id:
            return None
        for fits in (_by_id, _by_folder):
            found = [one for one in self.listings if fits(one, listing_id)]
            if found:
                return found[0]
        return None

    def facts_for(
        self, listing_id: str | None, stage: Stage, today: date, agent: str | None = None
    ) -> tuple[Fact, ...]:
        """What a guest of this listing at this stage may be told on this day of the listing's calendar.

        The agent's own facts and those of `all` come first, the others after; else the order of the files. A fact
        for all listings is left out where one of the listing's own has the same topic.
        """
        listing = self.listing(listing_id)
        ids = {one for one in (listing_id, listing.id if listing else None) if one}
        own, general = list[Fact](), list[Fact]()
        for document in self.documents:
            for fact, listings in zip(document.facts, document.fact_listings, strict=True):
                if not may_be_told(fact.audience, stage) or not is_valid_on(fact, today):
                    continue
                if not listings:
                    general.append(fact)
                elif ids & set(listings):
                    own.append(for_listing(fact, listing.id if listing else listing_id))
        topics = {fact.topic for fact in own}
        told = own + [fact for fact in general if fact.topic not in topics]
        return tuple(
            sorted(told, key=lambda fact: agent is not None and fact.agent not in {agent, ALL_AGENTS})
        )

    def fact(self, fact_id: str) -> Fact | None:
        """The fact with this id, whatever its audience and dates."""
        return next((one for document in self.documents for one in document.facts if one.id == fact_id), None)

    def line_of(self, fact_id: str) -> int | None:
        """The line of its file on which the fact with this id begins."""
        for document in self.documents:
            for fact, line in zip(document.facts, document.lines, strict=True):
                if fact.id == fact_id:
                    return line
        return None

    def contradicting(self, fact_ids: Collection[str]) -> tuple[Contradiction, ...]:
        """The contradictions in which one of these facts stands."""
        return tuple(one for one in self.contradictions if set(one.fact_ids) & set(fact_ids))

    def secrets_of(self, listing_id: str | None) -> tuple[Secret, ...]:
        """All secrets whose values must not be written down in a conversation about this listing.

        Those of every listing where it is not known which one it is about.
        """
        listing = self.listing(listing_id)
        if listing is not None:
            return listing.secrets
        return tuple(chain.from_iterable(one.secrets for one in self.listings)) + self.hidden

    def check(self, today: date) -> tuple[Finding, ...]:
        """Everything that is wrong with the files on this day, by path and line."""
        changed = {path: file.changed for path, file in self.files.items()}
        found = chain(self.findings, find_aged(self.documents, today, changed))
        return tuple(sorted(found, key=lambda one: (one.path, one.line or 0, one.text)))

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.level is Level.ERROR)


def load(
    folder: Path,
    agents: Collection[str] | None = None,
    *,
    known: Mapping[str, ReadFile] | None = None,
    good: Mapping[str, ReadFile] | None = None,
) -> Knowledge:
    """Read the folder. Never raises for what is in it: what is wrong is a finding, its file is left out whole.

    ``agents`` are the names that facts may belong to (None: any). ``known`` are files that need not be read again
    if nothing of them has changed; ``good`` stand in for files that fail now.
    """
    if not folder.is_dir():
        text = _("there is no such folder; make one:  python src/main.py knowledge example")
        return Knowledge(folder, findings=(Finding.of(Kind.EMPTY, str(folder), text),))
    files = {file.place.path: file for file in _read_all(folder, known or {})}
    stand_ins = good or {}
    in_use = {
        path: stand_ins[path] if file.failed and path in stand_ins else file for path, file in files.items()
    }
    findings = list(chain.from_iterable(file.findings for file in files.values()))
    listings = _listings(in_use.values())
    twice = list(find_same_id(listings))
    left_out = {one.path.rpartition("/")[2] for one in twice}
    findings += twice
    documents = []
    used = {path for path, file in files.items() if not file.failed}
    for path, file in in_use.items():
        if file.document is None or file.place.folder in left_out:
            continue
        problems = list(find_leaving_out(file.document, listings, agents))
        findings += problems
        if problems:
            used.discard(path)
            file = stand_ins.get(path, file)  # noqa: PLW2901
        if file.document and not any(find_leaving_out(file.document, listings, agents)):
            documents.append(file.document)
    remaining = tuple(one for one in listings if one.folder not in left_out)
    contradictions, disagreements = find_contradictions(documents, remaining)
    return Knowledge(
        folder=folder,
        documents=tuple(documents),
        listings=remaining,
        contradictions=tuple(contradictions),
        findings=tuple(
            findings + disagreements + list(find_empty(documents)) + list(_without_zone(remaining))
        ),
        files=files,
        used=frozenset(used),
        hidden=tuple(chain.from_iterable(one.secrets for one in listings if one.folder in left_out)),
    )


def _read_all(folder: Path, known: Mapping[str, ReadFile]) -> Iterable[ReadFile]:
    for place in find_files(folder):
        before = known.get(place.path)
        try:
            unchanged = before is not None and before.stamp == stamp_of(folder / place.path)
        except OSError:
            unchanged = False
        yield before if before is not None and unchanged else read_file(folder, place)


def _listings(files: Iterable[ReadFile]) -> list[Listing]:
    """One for each folder below `listings/` that has a file."""
    by_folder: dict[str, list[ReadFile]] = defaultdict(list)
    for file in files:
        if file.place.folder is not None:
            by_folder[file.place.folder].append(file)
    found = []
    for folder, inside in sorted(by_folder.items()):
        listing = Listing(listing_of_folder(folder), folder, facts=Facts())
        for file in inside:
            if file.place.path == f"listings/{folder}/listing.toml":
                listing = replace(
                    listing, facts=file.listing or Facts(), times_known=file.listing is not None
                )
            elif file.secrets:
                listing = replace(listing, secrets=file.secrets)
            elif file.calendar:
                listing = replace(listing, calendar=listing.calendar.joined(file.calendar))
        found.append(listing)
    return found


def _without_zone(listings: Iterable[Listing]) -> Iterable[Finding]:
    for one in listings:
        if one.secrets and one.facts.time_zone is None and one.times_known:
            lacks = FileError(
                _(
                    'has no time_zone: windows of secrets are counted in UTC; write  time_zone = "Europe/Paris"'
                )
            )
            yield Finding.unreadable(f"listings/{one.folder}/listing.toml", lacks, Level.WARNING)


def _by_id(listing: Listing, listing_id: str) -> bool:
    return listing.id == listing_id


def _by_folder(listing: Listing, listing_id: str) -> bool:
    return listing.folder == listing_id
