"""What the routes of knowledge and missing facts do. Blocking where it is not async; loaded with the first call."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from src.api.context import Context
from src.api.fields import show
from src.assistant.agents import load_agents
from src.assistant.indexing import Indexer
from src.assistant.knowledge import Finding, Knowledge, Level, LiveFolder
from src.assistant.knowledge.writing import (
    LEARNED,
    AlreadyThere,
    NotUsable,
    PathRefused,
    learn,
    remove_file,
    write_file,
)
from src.assistant.making import make_search
from src.assistant.reading import detect_language
from src.assistant.secrets import find_values
from src.assistant.values import Audience, Stage
from src.assistant_settings import AssistantSettings
from src.db import knowledge as tables
from src.db import missing_facts
from src.errors import StaleJob
from src.model.rows import MissingFact, StoredDocument
from src.services.asking_again import ask_again
from src.services.refusals import Conflict, HoldsSecret, Malformed, NotFound

_STAGE_OF = {Audience.ANYONE: Stage.INQUIRY, Audience.BOOKED: Stage.BOOKED, Audience.STAYING: Stage.STAYING}


class Desk:
    """The host's folder and the list of missing facts, as the API shows and changes them."""

    def __init__(self, context: Context, settings: AssistantSettings) -> None:
        self._context = context
        self._settings = settings
        self._root = self._settings.assistant_knowledge_dir
        self._folder = LiveFolder(self._root, self._agents)
        self._search = make_search(self._settings)
        self._indexer = Indexer(context.db, self._folder, self._search, clock=context.clock)

    def _agents(self) -> tuple[str, ...]:
        return load_agents(self._settings.assistant_agents_dir).names

    def knowledge(self) -> Knowledge:
        """The folder as it was at most a second ago. Blocking: reads files."""
        return self._folder.current()

    # -- documents ----------------------------------------------------------------------------------------

    def documents(self, listing: str | None, agent: str | None, state: str) -> list[dict[str, Any]]:
        """The documents that fit, by path. ``listing`` finds those for all listings, too."""
        self._read()
        with self._context.db.read() as conn:
            found = tables.documents(conn)
        rows = [_as_row(one, self._today()) for one in found]
        return [
            row
            for row in rows
            if state in {"all", row["state"]}
            and agent in {None, row["agent_owner"]}
            and (listing is None or row["listing_id"] is None or listing in row["listing_id"].split(","))
        ]

    def document(self, document_id: str) -> dict[str, Any]:
        """One document with its facts. NotFound."""
        self._read()
        with self._context.db.read() as conn:
            found = tables.get(conn, document_id)
            if found is None:
                raise NotFound("there is no document with this id")
            chunks = tables.chunks_of(conn, document_id)
        names = "position topic content agent_owner listing_id audience language valid_from valid_until"
        facts = [{**show(one, names), "embedded": one.embedding is not None} for one in chunks]
        return {**_as_row(found, self._today()), "chunks": facts}

    def write(self, path: str, content: str, *, overwrite: bool) -> dict[str, Any]:
        """Put a file into the folder. Malformed names the field; Conflict if it is there already."""
        try:
            write_file(self._root, path, content.encode(), overwrite=overwrite)
        except PathRefused as error:
            raise Malformed("path", str(error)) from None
        except AlreadyThere:
            raise Conflict("already_there", "a file of this path is there; send overwrite: true") from None
        except NotUsable as error:
            first = error.findings[0]
            where = f"line {first.line}: " if first.line else ""
            raise Malformed("content", f"cannot be used: {where}{first.text}") from None
        except UnicodeEncodeError:
            raise Malformed("content", "has a character that cannot be stored") from None
        except OSError as error:
            raise Conflict("not_writable", f"the folder cannot be written to ({error.strerror})") from None
        self._read()
        with self._context.db.read() as conn:
            found = next((one for one in tables.documents(conn) if one.path == path), None)
        findings = [one for one in self._knowledge().check(self._today()) if one.path == path]
        return {
            "document": _as_row(found, self._today()) if found else None,
            "findings": [_as_finding(one) for one in findings],
        }

    def remove(self, document_id: str) -> None:
        """Take the file out of the folder. NotFound."""
        with self._context.db.read() as conn:
            found = tables.get(conn, document_id)
        if found is None:
            raise NotFound("there is no document with this id")
        try:
            remove_file(self._root, found.path)
        except (PathRefused, OSError) as error:
            raise Conflict("not_writable", f"the file cannot be removed ({error})") from None
        self._read()

    # -- the whole folder ---------------------------------------------------------------------------------

    async def search(
        self, query: str, listing: str | None, audience: Audience, limit: int
    ) -> list[dict[str, Any]]:
        """The facts that fit best, best first."""
        knowledge = await asyncio.to_thread(self._knowledge)
        found = knowledge.listing(listing)
        now = self._context.clock()
        today = now.astimezone(found.zone).date() if found else self._today()
        facts = knowledge.facts_for(listing, _STAGE_OF[audience], today)
        language = await asyncio.to_thread(detect_language, query)
        hits = await self._search.find(facts, {(language.code if language else ""): query}, limit)
        return [
            {"id": hit.fact.id, "title": hit.fact.title, "text": hit.fact.text, "score": round(hit.score, 4)}
            for hit in hits
        ]

    def check(self) -> dict[str, Any]:
        """What is wrong with the files."""
        findings = self._knowledge().check(self._today())
        errors = sum(one.level is Level.ERROR for one in findings)
        rows = [_as_finding(one) for one in findings]
        return {"errors": errors, "warnings": len(rows) - errors, "findings": rows}

    def reload(self) -> dict[str, int]:
        """Look at the folder now; how much there is."""
        self._read()
        knowledge = self._knowledge()
        return {
            "documents": len(knowledge.documents),
            "facts": sum(len(one.facts) for one in knowledge.documents),
            "listings": len(knowledge.listings),
        }

    # -- missing facts ------------------------------------------------------------------------------------

    def missing(self, state: str) -> list[dict[str, Any]]:
        """The questions that no fact answers, the one that was asked last first."""
        with self._context.db.read() as conn:
            found = missing_facts.list_facts(conn, None if state == "all" else state)
        return [_as_missing(one) for one in found]

    def answer(
        self, fact_id: str, answer: str, scope: str, audience: Audience, valid_until: date | None
    ) -> dict[str, Any]:
        """Keep the answer as a fact and ask the AI again where somebody waits for it.

        NotFound, Malformed (the answer), Conflict (it is answered already, or the file cannot be written).
        """
        fact = self._waiting(fact_id)
        listing = fact.listing_id if scope == "listing" else None
        path = self._learn(fact.question, answer, fact.listing_id, listing, audience, valid_until)
        db, now = self._context.db, self._context.clock()
        try:
            with db.write() as conn:
                done = missing_facts.answered(conn, fact_id, path, now)
                waiting = missing_facts.requests_of(conn, fact_id)
        except StaleJob:
            raise Conflict("is_answered", "this question is answered already", state="answered") from None
        self._read()
        again = ask_again(db, self._context.wakeup, waiting, now)
        return {"missing_fact": _as_missing(done), "asked_again": len(again)}

    def add_fact(
        self, question: str, answer: str, listing: str | None, audience: Audience, valid_until: date | None
    ) -> str:
        """Keep a fact that nobody has asked for; returns its id. Malformed (the answer), Conflict (the file)."""
        if names := find_values(question, self._knowledge().secrets_of(listing), encoded=False):
            raise HoldsSecret("question", names[0])
        path = self._learn(question, answer, listing, listing, audience, valid_until)
        self._read()
        return path

    def _learn(
        self,
        question: str,
        answer: str,
        about: str | None,
        listing: str | None,
        audience: Audience,
        valid_until: date | None,
    ) -> str:
        """A row of `learned.csv` for ``listing``; the secrets of the listing ``about`` must not be in it."""
        secrets = self._knowledge().secrets_of(about)
        if names := find_values(answer, secrets, encoded=False):
            raise HoldsSecret("answer", names[0])
        row = {
            "question": question,
            "answer": answer,
            "listing": listing or "",
            "audience": str(audience),
            "valid_until": valid_until.isoformat() if valid_until else "",
        }
        try:
            return learn(self._root, row)
        except NotUsable as error:
            first = error.findings[0]
            raise Conflict("learned_not_usable", f"{LEARNED} must be mended first: {first.text}") from None
        except OSError as error:
            raise Conflict("not_writable", f"{LEARNED} cannot be written ({error.strerror})") from None

    def dismiss(self, fact_id: str) -> dict[str, Any]:
        """The host will not answer it. NotFound, Conflict if it is answered."""
        fact = self._waiting(fact_id)
        with self._context.db.write() as conn:
            return _as_missing(missing_facts.dismissed(conn, fact.id))

    def _waiting(self, fact_id: str) -> MissingFact:
        with self._context.db.read() as conn:
            fact = missing_facts.get(conn, fact_id)
        if fact is None:
            raise NotFound("there is no missing fact with this id")
        if fact.state == missing_facts.ANSWERED:
            raise Conflict("is_answered", "this question is answered already", state="answered")
        return fact

    def _knowledge(self) -> Knowledge:
        return self._folder.current(at_once=True)

    def _read(self) -> None:
        self._knowledge()
        self._indexer.copy_now()

    def _today(self) -> date:
        return self._context.clock().date()


def _as_row(document: StoredDocument, today: date) -> dict[str, Any]:
    names = (
        "id path title agent_owner listing_id audience language valid_from valid_until reviewed_on updated_at"
    )
    ended = document.valid_until is not None and document.valid_until < today
    return {**show(document, names), "state": "expired" if ended else "valid"}


def _as_missing(fact: MissingFact) -> dict[str, Any]:
    names = "id listing_id topic question asked state path first_asked_at last_asked_at answered_at"
    return show(fact, names)


def _as_finding(finding: Finding) -> dict[str, Any]:
    return {"path": finding.path, "line": finding.line, "level": str(finding.level), "text": finding.text}
