"""The folder's copy in the database, and the list of missing facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, func, select

from src.db import knowledge, missing_facts
from src.db.statements import CHUNKS
from src.errors import StaleJob
from src.model.rows import StoredChunk, StoredDocument


@pytest.fixture
def document(clock):
    return StoredDocument(
        "d1",
        "a.md",
        "A",
        "all",
        None,
        "anyone",
        "en",
        date(2027, 1, 1),
        None,
        None,
        "hash-1",
        clock(),
        clock(),
    )


def chunk(number, text_hash):
    return StoredChunk(
        f"c{number}-{text_hash}", "", number, f"t{number}", f"text {text_hash}", "all", None, "anyone", "en",
        None, date(2027, 5, 31), text_hash, None, None,
    )  # fmt: skip


def test_a_document_is_stored_with_its_chunks_and_keeps_its_id(db, document, clock):
    with db.write() as conn:
        knowledge.replace_document(conn, document, [chunk(0, "h0"), chunk(1, "h1")])
    later = replace(
        document, id="other", content_hash="hash-2", created_at=clock.advance(5), updated_at=clock()
    )
    with db.write() as conn:
        knowledge.replace_document(conn, later, [chunk(0, "h1")])

    with db.read() as conn:
        (stored,) = knowledge.documents(conn)
        assert stored == replace(document, content_hash="hash-2", updated_at=clock())
        assert knowledge.get(conn, "d1") == stored
        (one,) = knowledge.chunks_of(conn, "d1")
        assert (one.content_hash, one.valid_until) == ("h1", date(2027, 5, 31))
        assert knowledge.hashes(conn) == {"a.md": "hash-2"}


def test_a_vector_stays_with_its_text_when_the_file_changes(db, document):
    with db.write() as conn:
        knowledge.replace_document(conn, document, [chunk(0, "h0"), chunk(1, "h1")])
        knowledge.put_vectors(conn, "tiny", {"h1": b"\x00\x01"})
        knowledge.replace_document(conn, document, [chunk(0, "h9"), chunk(1, "h1")])

    with db.read() as conn:
        assert knowledge.vectors(conn, "tiny") == {"h1": b"\x00\x01"}
        assert knowledge.vectors(conn, "another") == {}
        assert count_chunks(conn) == 2


def count_chunks(conn: Connection) -> int:
    return int(conn.execute(select(func.count()).select_from(CHUNKS)).scalar_one())


def test_a_document_that_is_gone_takes_its_chunks_with_it(db, document):
    with db.write() as conn:
        knowledge.replace_document(conn, document, [chunk(0, "h0")])
        assert knowledge.delete_documents(conn, ["a.md", "never-there.md"]) == 1
        assert knowledge.delete_documents(conn, []) == 0
    with db.read() as conn:
        assert (knowledge.documents(conn), count_chunks(conn)) == ([], 0)


def ask(db, clock, question="Is there a blender?", listing="4711", request_id=None):
    with db.write() as conn:
        return missing_facts.ask(conn, listing, "kitchen", question, request_id=request_id, now=clock())


def test_the_same_question_is_one_row_however_it_is_spelled(db, clock):
    first = ask(db, clock)
    clock.advance(60)
    second = ask(db, clock, "is there  a BLENDER")
    other = ask(db, clock, listing="4712")

    assert (second.id, second.asked, second.question) == (first.id, 2, "Is there a blender?")
    assert second.last_asked_at > second.first_asked_at
    assert other.id != first.id


def test_a_request_that_is_tried_again_counts_once(db, clock):
    for _ in range(3):
        fact = ask(db, clock, request_id="r1")
    assert fact.asked == 1
    assert ask(db, clock, request_id="r2").asked == 2
    with db.read() as conn:
        assert missing_facts.requests_of(conn, fact.id) == ["r1", "r2"]


def test_an_answered_question_that_is_asked_again_is_open_again_and_a_dismissed_one_is_not(db, clock):
    one, other = ask(db, clock), ask(db, clock, "Is there a sauna?")
    with db.write() as conn:
        assert missing_facts.answered(conn, one.id, "learned.csv#blender", clock()).state == "answered"
        assert missing_facts.dismissed(conn, other.id).state == "dismissed"
    with db.write() as conn, pytest.raises(StaleJob):
        missing_facts.answered(conn, one.id, "x", clock())

    assert ask(db, clock).state == "open"
    assert ask(db, clock, "Is there a sauna?").state == "dismissed"
    with db.read() as conn:
        assert [fact.id for fact in missing_facts.list_facts(conn)] == [one.id]
        assert len(missing_facts.list_facts(conn, None)) == 2


def test_old_questions_are_purged_and_a_forgotten_guests_questions_go_unless_others_asked_them(db, clock):
    mine, shared = ask(db, clock, request_id="mine"), ask(db, clock, "Sauna?", request_id="mine")
    ask(db, clock, "Sauna?", request_id="another")
    answered = ask(db, clock, "Iron?", request_id="mine")
    with db.write() as conn:
        missing_facts.answered(conn, answered.id, "learned.csv#iron", clock())
        assert missing_facts.forget(conn, ["mine"]) == 1
        assert missing_facts.forget(conn, ["mine"]) == 0
        assert missing_facts.forget(conn, []) == 0
        assert missing_facts.get(conn, mine.id) is None
        assert missing_facts.requests_of(conn, shared.id) == ["another"]
        assert missing_facts.purge(conn, clock() + timedelta(seconds=1)) == 2
        assert missing_facts.list_facts(conn, None) == []
