"""The host's knowledge as it was last read (``documents``, ``document_chunks``): a copy of the folder."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, select, update

from src.db.statements import CHUNKS, DOCUMENTS, RowShape, insert_into
from src.db.statements import rows as rows_of
from src.model.rows import StoredChunk, StoredDocument

_D, _C = DOCUMENTS.c, CHUNKS.c
_DOCUMENT = RowShape.of(StoredDocument, DOCUMENTS)
_CHUNK = RowShape.of(StoredChunk, CHUNKS)
_AT_ONCE = 500


def hashes(conn: Connection) -> dict[str, str]:
    """What is stored: the hash of each document, by its path."""
    return dict(conn.execute(select(_D.path, _D.content_hash)).all())


def replace_document(conn: Connection, document: StoredDocument, chunks: Sequence[StoredChunk]) -> None:
    """Store a document with these chunks in place of what its path had. Repeatable.

    Its id stays, and so does the vector of every chunk whose text is the same.
    """
    values = asdict(document)
    changes = {name: value for name, value in values.items() if name not in {"id", "path", "created_at"}}
    statement = insert_into(conn, DOCUMENTS).values(values).returning(_D.id)
    statement = statement.on_conflict_do_update(index_elements=["path"], set_=changes)
    document_id: str = conn.execute(statement).scalar_one()
    texts = [chunk.content_hash for chunk in chunks]
    vectors = _vectors_of(conn, texts)
    conn.execute(delete(CHUNKS).where(_C.document_id == document_id))
    new = []
    for chunk in chunks:
        embedding, model = vectors.get(chunk.content_hash, (None, None))
        new.append(
            {**asdict(chunk), "document_id": document_id, "embedding": embedding, "embedding_model": model}
        )
    if new:
        conn.execute(insert_into(conn, CHUNKS), new)


def delete_documents(conn: Connection, paths: Collection[str]) -> int:
    """Take documents and their chunks out; returns how many documents. Repeatable."""
    gone = 0
    for batch in _batches(sorted(paths)):
        ids = select(_D.id).where(_D.path.in_(batch))
        conn.execute(delete(CHUNKS).where(_C.document_id.in_(ids)))
        gone += conn.execute(delete(DOCUMENTS).where(_D.path.in_(batch))).rowcount
    return gone


def documents(conn: Connection) -> list[StoredDocument]:
    """All of them, by path."""
    return rows_of(conn, _DOCUMENT.select.order_by(_D.path), _DOCUMENT)


def get(conn: Connection, document_id: str) -> StoredDocument | None:
    found = rows_of(conn, _DOCUMENT.select.where(_D.id == document_id), _DOCUMENT)
    return found[0] if found else None


def chunks_of(conn: Connection, document_id: str) -> list[StoredChunk]:
    """The facts of a document, in their order."""
    return rows_of(conn, _CHUNK.select.where(_C.document_id == document_id).order_by(_C.position), _CHUNK)


def vectors(conn: Connection, model: str) -> dict[str, bytes]:
    """The vectors that a model has made, by the hash of their text."""
    found = conn.execute(
        select(_C.content_hash, _C.embedding).where(_C.embedding_model == model, _C.embedding.is_not(None))
    )
    return {key: bytes(vector) for key, vector in found}


def put_vectors(conn: Connection, model: str, made: Mapping[str, bytes]) -> None:
    """Store vectors by the hash of their text, in place of those of another model. Repeatable."""
    for key, vector in made.items():
        conn.execute(
            update(CHUNKS).where(_C.content_hash == key).values(embedding=vector, embedding_model=model)
        )


def _vectors_of(conn: Connection, wanted: Sequence[str]) -> dict[str, tuple[bytes, str]]:
    found: dict[str, tuple[bytes, str]] = {}
    for batch in _batches(wanted):
        for key, vector, model in conn.execute(
            select(_C.content_hash, _C.embedding, _C.embedding_model).where(
                _C.content_hash.in_(batch), _C.embedding.is_not(None)
            )
        ):
            found[key] = (vector, model)
    return found


def _batches(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[i : i + _AT_ONCE] for i in range(0, len(values), _AT_ONCE)]
