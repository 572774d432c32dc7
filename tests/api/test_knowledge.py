"""The host's knowledge and the missing facts over HTTP."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from __future__ import annotations

import pytest

from src.db import inbox_queue, missing_facts
from src.model.statuses import InboxStatus
from tests.assistant.knowledge.folders import LISTING, SECRETS, write
from tests.support.api import KEY, Inbox, client, inbox  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "knowledge",
        {
            "a.md": "---\ntitle: House\n---\n## Kettle\nKitchen.\n",
            "old.md": "---\nvalid_until: 2020-01-01\n---\n## Pool\nOpen.\n",
            "listings/4711-attic/listing.toml": LISTING,
            "listings/4711-attic/secrets.toml": SECRETS,
            "listings/4711-attic/b.md": "---\naudience: booked\n---\n## Door\nThe code is {{door_code}}.\n",
        },
    )


async def listed(one, **query):
    response = await one.get("/api/knowledge", params=query)
    assert response.status_code == 200
    return {row["path"]: row for row in response.json()["documents"]}


async def test_documents_are_listed_by_listing_and_state(client, folder):
    one = client()
    rows = await listed(one)
    assert {path: row["state"] for path, row in rows.items()} == {
        "a.md": "valid",
        "old.md": "expired",
        "listings/4711-attic/b.md": "valid",
    }
    assert {"id", "path", "title", "agent_owner", "state"} <= rows["a.md"].keys()
    assert rows["a.md"]["title"] == "House"
    assert set(await listed(one, state="expired")) == {"old.md"}
    assert set(await listed(one, listing="4712")) == {"a.md", "old.md"}
    assert set(await listed(one, agent="cook")) == set()

    found = (await one.get(f"/api/knowledge/{rows['listings/4711-attic/b.md']['id']}")).json()["document"]
    assert [chunk["content"] for chunk in found["chunks"]] == ["Door\nThe code is {{door_code}}."]
    assert (await one.get("/api/knowledge/never-there")).status_code == 404


async def test_a_file_is_written_replaced_and_removed(client, folder):
    one = client()
    body = {"path": "listings/4711-attic/new.md", "content": "## Iron\nWardrobe.\n"}
    made = await one.post("/api/knowledge", json=body)
    assert (made.status_code, made.json()["findings"]) == (200, [])
    assert (folder / body["path"]).read_text() == body["content"]
    assert made.json()["document"]["listing_id"] == "4711"

    assert (await one.post("/api/knowledge", json=body)).status_code == 409
    assert (await one.post("/api/knowledge", json={**body, "overwrite": True})).status_code == 200

    document_id = made.json()["document"]["id"]
    assert (await one.delete(f"/api/knowledge/{document_id}")).status_code == 200
    assert not (folder / body["path"]).exists()
    assert (await one.delete(f"/api/knowledge/{document_id}")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/etc/a.md",
        "../a.md",
        "a/../../a.md",
        "listings/4711-attic/secrets.toml",
        "secrets.toml",
        "a\u0000.md",
        "a.txt",
        "linked/a.md",
        "",
        "x" * 300 + ".md",
    ],
)
async def test_a_path_that_is_not_in_the_folder_is_refused_by_name(client, folder, tmp_path, path):
    (tmp_path / "elsewhere").mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    response = await client().post(
        "/api/knowledge", json={"path": path, "content": "## A\nB\n", "overwrite": True}
    )
    assert (response.status_code, response.json()["field"]) == (422, "path")
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_content_that_cannot_be_used_is_refused_with_its_line(client, folder):
    response = await client().post("/api/knowledge", json={"path": "n.md", "content": "---\nfoo: 1\n---\nA"})
    assert (response.status_code, response.json()["field"]) == (422, "content")
    assert "line 2: foo is not known here" in response.json()["error"]
    large = await client().post("/api/knowledge", json={"path": "n.md", "content": "x" * 70_000})
    assert large.status_code == 413


async def test_search_check_and_reload(client, folder):
    one = client()
    hits = (await one.post("/api/knowledge/search", json={"query": "the kettle", "listing": "4711"})).json()[
        "hits"
    ]
    assert (hits[0]["id"], hits[0]["score"]) == ("a.md#kettle", 1.0)
    body = {"query": "the code", "listing": "4711"}
    assert (await one.post("/api/knowledge/search", json=body)).json()["hits"] == []
    body["audience"] = "booked"
    assert len((await one.post("/api/knowledge/search", json=body)).json()["hits"]) == 1
    assert (await one.post("/api/knowledge/search", json={"query": " "})).status_code == 422

    write(folder, {"bad.csv": "nothing\n"})
    check = (await one.post("/api/knowledge/check")).json()
    assert (check["errors"], check["warnings"]) == (1, 1)
    assert {row["path"] for row in check["findings"]} == {"bad.csv", "old.md"}
    assert (await one.post("/api/knowledge/reload")).json() == {
        "success": True,
        "documents": 3,
        "facts": 3,
        "listings": 1,
    }


async def test_nobody_comes_in_without_the_key(client, folder):
    one = client(api_key=KEY)
    for method, path in (
        ("GET", "/api/knowledge"),
        ("POST", "/api/knowledge"),
        ("DELETE", "/api/knowledge/x"),
        ("POST", "/api/knowledge/search"),
        ("POST", "/api/knowledge/check"),
        ("GET", "/api/missing-facts"),
        ("POST", "/api/missing-facts/x/answer"),
        ("POST", "/api/missing-facts/x/dismiss"),
    ):
        assert (await one.request(method, path)).status_code == 401
    assert (await client(api_key=KEY, headers={"X-API-KEY": KEY}).get("/api/knowledge")).status_code == 200


# -- missing facts ---------------------------------------------------------------------------------------------


def asked(db, clock, inbox, question="Is there a blender?"):
    request = inbox.waiting("", question, listing_id="4711")
    with db.write() as conn:
        inbox_queue.finish(
            conn, request.id, [InboxStatus.WAITING], InboxStatus.ESCALATED, "missing_fact", clock()
        )
        fact = missing_facts.ask(conn, "4711", "kitchen", question, request_id=request.id, now=clock())
    return request, fact


async def test_one_line_answers_the_guest_and_is_kept_as_a_fact(client, folder, db, clock, inbox):
    one = client()
    request, fact = asked(db, clock, inbox)
    (row,) = (await one.get("/api/missing-facts")).json()["missing_facts"]
    assert {key: row[key] for key in ("id", "listing_id", "topic", "question", "asked", "state", "path")} == {
        "id": fact.id,
        "listing_id": "4711",
        "topic": "kitchen",
        "question": "Is there a blender?",
        "asked": 1,
        "state": "open",
        "path": None,
    }

    done = await one.post(f"/api/missing-facts/{fact.id}/answer", json={"answer": "Yes, below the sink."})

    assert done.json()["asked_again"] == 1
    assert done.json()["missing_fact"]["state"] == "answered"
    assert done.json()["missing_fact"]["path"] == "learned.csv#is-there-a-blender"
    assert 'Is there a blender?,"Yes, below the sink.",4711,anyone,' in (folder / "learned.csv").read_text()
    with db.read() as conn:
        new = inbox_queue.open_request(conn, request.conversation_id)
    assert new is not None
    assert (await one.get("/api/missing-facts")).json()["missing_facts"] == []
    again = await one.post(f"/api/missing-facts/{fact.id}/answer", json={"answer": "No."})
    assert (again.status_code, again.json()["state"]) == (409, "answered")
    assert (folder / "learned.csv").read_text().count("blender") == 1


async def test_an_answer_may_be_for_all_listings_for_some_guests_and_for_a_time(
    client, folder, db, clock, inbox
):
    _, fact = asked(db, clock, inbox)
    body = {"answer": "Yes.", "scope": "all", "audience": "booked", "valid_until": "2027-05-31"}
    await client().post(f"/api/missing-facts/{fact.id}/answer", json=body)
    assert (folder / "learned.csv").read_text().endswith("Is there a blender?,Yes.,,booked,2027-05-31\n")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"answer": "  "}, "answer"),
        ({"answer": "The code is 48#21."}, "answer"),
        ({"answer": "x" * 4001}, "message"),
        ({"answer": "Yes.", "valid_until": "soon"}, "valid_until"),
        ({"answer": "Yes.", "audience": "friends"}, "audience"),
        ({"answer": "Yes.", "scope": "world"}, "scope"),
        ({}, "answer"),
    ],
)
async def test_an_answer_that_cannot_be_kept_is_refused_by_name(
    client, folder, db, clock, inbox, body, field
):
    _, fact = asked(db, clock, inbox)
    response = await client().post(f"/api/missing-facts/{fact.id}/answer", json=body)
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert not (folder / "learned.csv").exists()


async def test_a_broken_list_of_learned_facts_is_named_and_nothing_is_lost(client, folder, db, clock, inbox):
    _, fact = asked(db, clock, inbox)
    (folder / "learned.csv").write_text("question,answer\nSauna?,\n")
    response = await client().post(f"/api/missing-facts/{fact.id}/answer", json={"answer": "Yes."})
    assert (response.status_code, response.json()["reason"]) == (409, "learned_not_usable")
    assert len((await client().get("/api/missing-facts")).json()["missing_facts"]) == 1


async def test_a_question_is_dismissed(client, folder, db, clock, inbox):
    _, fact = asked(db, clock, inbox)
    one = client()
    assert (await one.post(f"/api/missing-facts/{fact.id}/dismiss")).json()["missing_fact"][
        "state"
    ] == "dismissed"
    assert (await one.get("/api/missing-facts")).json()["missing_facts"] == []
    assert len((await one.get("/api/missing-facts", params={"state": "all"})).json()["missing_facts"]) == 1
    assert (await one.post("/api/missing-facts/never-there/dismiss")).status_code == 404
