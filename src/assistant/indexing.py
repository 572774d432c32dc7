"""The folder's copy in the database, and the vectors of its facts: made in the background, never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from loguru import logger

from src.assistant.embeddings import ServiceAway, Vectors, content_hash
from src.assistant.knowledge import Document, Knowledge, LiveFolder
from src.assistant.retrieve import Search
from src.db import knowledge as tables
from src.db.engine import Database
from src.errors import TransientError
from src.logs import safe_error
from src.model.rows import StoredChunk, StoredDocument
from src.model.values import new_id, utc_now

LOOK_EVERY_SEC = 2.0
AWAY_SEC = 60.0
"""How long a service that failed is left alone."""


class Indexer:
    """Brings the tables and the vectors in line with the folder."""

    def __init__(
        self,
        db: Database,
        folder: LiveFolder,
        search: Search,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._folder = folder
        self._search = search
        self._clock = clock
        self._copied: Knowledge | None = None
        self._loaded = False

    async def run(self) -> None:
        """Look every two seconds, until it is cancelled. Troubles are logged and tried again."""
        while True:
            wait = LOOK_EVERY_SEC
            try:
                await self.run_once()
            except ServiceAway as error:
                logger.warning("the facts' vectors are not made now: {}", error)
                wait = AWAY_SEC
            except TransientError as error:
                logger.warning("the knowledge was not copied into the database now: {}", error)
            except Exception as error:  # noqa: BLE001 - the requests go on without it
                logger.error("the knowledge was not copied into the database: {}", safe_error(error))
                wait = AWAY_SEC
            await asyncio.sleep(wait)

    async def run_once(self) -> bool:
        """One look; True if anything had changed. Repeatable.

        Raises TransientError (the database) and ServiceAway (vectors); what was done until then stays.
        """
        knowledge = await asyncio.to_thread(self._folder.current)
        changed = knowledge is not self._copied
        await asyncio.to_thread(self.copy_now)
        if self._search.vectors is not None:
            await self._make_vectors(self._search.vectors, knowledge)
        return changed

    def copy_now(self) -> None:
        """The folder's copy alone, without vectors. Blocking; raises TransientError. Repeatable."""
        knowledge = self._folder.current()
        if knowledge is not self._copied:
            self._copy(knowledge)
            self._copied = knowledge

    def _copy(self, knowledge: Knowledge) -> None:
        texts = [fact.text for document in knowledge.documents for fact in document.facts]
        self._search.renew(texts)
        now = self._clock()
        wanted = {document.path: document for document in knowledge.documents}
        with self._db.read() as conn:
            stored = tables.hashes(conn)
        changed = [one for path, one in wanted.items() if stored.get(path) != one.content_hash]
        gone = stored.keys() - wanted.keys()
        if not changed and not gone:
            return
        for document in changed:
            with self._db.write() as conn:  # one each: a large folder keeps nobody waiting
                tables.replace_document(conn, _row(document, now), _chunks(document))
        with self._db.write() as conn:
            tables.delete_documents(conn, gone)
        logger.info("the knowledge was read: {} files changed, {} gone", len(changed), len(gone))

    async def _make_vectors(self, vectors: Vectors, knowledge: Knowledge) -> None:
        texts = [fact.text for document in knowledge.documents for fact in document.facts]
        embedder = vectors.embedder
        if not self._loaded:
            vectors.put(await asyncio.to_thread(self._stored_vectors, embedder.name))
            self._loaded = True
        missing = vectors.missing(texts)
        for begin in range(0, len(missing), embedder.at_once):
            made = await vectors.make(missing[begin : begin + embedder.at_once])
            await asyncio.to_thread(self._store_vectors, embedder.name, made)
        if missing:
            vectors.keep_only(texts)

    def _stored_vectors(self, model: str) -> dict[str, bytes]:
        with self._db.read() as conn:
            return tables.vectors(conn, model)

    def _store_vectors(self, model: str, made: dict[str, bytes]) -> None:
        with self._db.write() as conn:
            tables.put_vectors(conn, model, made)


def _row(document: Document, now: datetime) -> StoredDocument:
    terms = document.terms
    listings = sorted({one for ids in document.fact_listings for one in ids})
    return StoredDocument(
        id=new_id(),
        path=document.path,
        title=document.title,
        agent_owner=terms.agent,
        listing_id=_joined(listings),
        audience=str(terms.audience),
        language=terms.language,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        reviewed_on=terms.reviewed,
        content_hash=document.content_hash,
        created_at=now,
        updated_at=now,
    )


def _chunks(document: Document) -> list[StoredChunk]:
    rows = zip(document.facts, document.fact_listings, strict=True)
    return [
        StoredChunk(
            id=new_id(),
            document_id="",
            position=position,
            topic=fact.topic,
            content=fact.text,
            agent_owner=fact.agent,
            listing_id=_joined(listings),
            audience=str(fact.audience),
            language=fact.language,
            valid_from=fact.valid_from,
            valid_until=fact.valid_until,
            content_hash=content_hash(fact.text),
            embedding=None,
            embedding_model=None,
        )
        for position, (fact, listings) in enumerate(rows)
    ]


def _joined(listings: Sequence[str]) -> str | None:
    return ",".join(listings) or None
