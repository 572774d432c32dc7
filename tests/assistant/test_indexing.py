"""The folder's copy in the database, and the vectors of its facts."""

from __future__ import annotations

import pytest

from src.assistant.embeddings import ServiceAway, Vectors
from src.assistant.indexing import Indexer
from src.assistant.knowledge import LiveFolder
from src.assistant.retrieve import Search
from src.db import knowledge
from tests.assistant.knowledge.folders import LISTING, SECRETS, write
from tests.assistant.retrieval.test_search import Letters

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "knowledge",
        {
            "a.md": "## Kettle\nKitchen.\n\n## Iron\nWardrobe.\n",
            "listings/4711/listing.toml": LISTING,
            "listings/4711/secrets.toml": SECRETS,
            "listings/4711/b.csv": "topic,answer\nDoor,The code is {{door_code}}.\n",
        },
    )


def indexer(db, folder, embedder=None, clock=None):
    search = Search(Vectors(embedder) if embedder else None)
    live = LiveFolder(folder, look_every_sec=0)
    return Indexer(db, live, search), search


def stored(db):
    with db.read() as conn:
        return {
            one.path: [c.content for c in knowledge.chunks_of(conn, one.id)]
            for one in knowledge.documents(conn)
        }


async def test_the_tables_have_what_the_folder_has(db, folder):
    keeper, _ = indexer(db, folder)
    assert await keeper.run_once()
    assert stored(db) == {
        "a.md": ["Kettle\nKitchen.", "Iron\nWardrobe."],
        "listings/4711/b.csv": ["Door\nThe code is {{door_code}}."],
    }
    assert not await keeper.run_once(), "nothing has changed"

    write(folder, {"a.md": "## Kettle\nOn the stove.\n"})
    (folder / "listings/4711/b.csv").unlink()
    assert await keeper.run_once()
    assert stored(db) == {"a.md": ["Kettle\nOn the stove."]}


async def test_no_secret_is_in_the_copy(db, folder, tmp_path):
    keeper, _ = indexer(db, folder)
    await keeper.run_once()
    db.close()
    files = [one for one in (tmp_path / "data").rglob("*") if one.is_file()]
    assert files
    assert all(b"48#21" not in one.read_bytes() for one in files)


async def test_vectors_are_made_once_and_taken_from_the_table_by_the_next_process(db, folder):
    first = Letters()
    await indexer(db, folder, first)[0].run_once()
    assert sum(len(texts) for texts, _ in first.asked) == 3

    second = Letters()
    keeper, search = indexer(db, folder, second)
    await keeper.run_once()
    assert second.asked == []
    assert search.vectors.missing(["Kettle\nKitchen."]) == []

    write(folder, {"a.md": "## Kettle\nKitchen.\n\n## Iron\nBathroom.\n"})
    await keeper.run_once()
    assert second.asked == [(["Iron\nBathroom."], False)]
    with db.read() as conn:
        assert len(knowledge.vectors(conn, "letters")) == 3


async def test_the_tables_are_there_although_the_vectors_are_not(db, folder):
    away = Letters()
    away.away = True
    keeper, _ = indexer(db, folder, away)

    with pytest.raises(ServiceAway):
        await keeper.run_once()
    assert len(stored(db)) == 2

    away.away = False
    await keeper.run_once()
    with db.read() as conn:
        assert len(knowledge.vectors(conn, "letters")) == 3
