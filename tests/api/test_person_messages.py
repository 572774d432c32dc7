"""``POST /api/conversations/{conversation_id}/messages``: a person writes to the guest."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from tests.support.api import KEY, body, client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401

PATH = f"/api/conversations/{thread_id()}/messages"


async def test_a_person_writes_and_the_reply_is_on_its_way_whatever_the_mode(client, inbox):
    request = inbox.waiting()
    one = client(reply_mode="draft")
    response = await one.post(PATH, json={"message": "It is in the wardrobe.\r\nAnna"})
    said = response.json()
    assert (response.status_code, said["success"]) == (202, True)
    assert (said["job"]["status"], said["job"]["written_by"], said["job"]["text"]) == (
        "pending",
        "person",
        "It is in the wardrobe.\nAnna",
    )
    assert (said["outbox_id"], said["job"]["conversation_id"]) == (said["job"]["id"], thread_id())
    late = await one.post(inbox.url(request), json=body())
    assert (late.status_code, late.json()["reason"]) == (409, "host_answered")
    whole = (await one.get(f"/api/conversations/{thread_id()}")).json()
    assert (whole["request"]["status"], [job["id"] for job in whole["jobs"]]) == (
        "cancelled",
        [said["outbox_id"]],
    )


async def test_a_call_that_is_made_again_makes_no_second_message(client, inbox):
    inbox.waiting()
    one = client()
    first = await one.post(PATH, json={"message": "Yes"}, headers={"idempotency-key": "a"})
    again = await one.post(PATH, json={"message": "Yes"}, headers={"idempotency-key": "a"})
    assert (again.status_code, again.json()["outbox_id"]) == (202, first.json()["outbox_id"])
    other = await one.post(PATH, json={"message": "No"}, headers={"idempotency-key": "a"})
    assert (other.status_code, other.json()["field"]) == (422, "idempotency-key")
    assert len(inbox.jobs()) == 1


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "message"),
        ({"message": 1}, "message"),
        ({"message": " \n"}, "message"),
        ({"message": "\u3164"}, "message"),
        ({"message": "x" * 4001}, "message"),
        ({"message": "a\0b"}, "message"),
        ({"message": "Yes", "urgent": True}, "urgent"),
    ],
)
async def test_what_cannot_be_sent_is_refused_naming_the_field(client, inbox, sent, field):
    inbox.waiting()
    response = await client().post(PATH, json=sent)
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert inbox.jobs() == []


async def test_an_unknown_conversation_is_404_and_a_stranger_401(client, inbox):
    inbox.waiting()
    unknown = await client().post(f"/api/conversations/{thread_id(99)}/messages", json={"message": "Yes"})
    assert unknown.status_code == 404
    stranger = await client(api_key=KEY).post(PATH, json={"message": "Yes"})
    assert stranger.status_code == 401
    let_in = await client(api_key=KEY).post(PATH, json={"message": "Yes"}, headers={"x-api-key": KEY})
    assert let_in.status_code == 202


async def test_where_nothing_is_sent_nobody_is_let_believe_that_it_will_be(client, inbox):
    inbox.waiting()
    response = await client(reply_mode="off").post(PATH, json={"message": "Yes"})
    assert (response.status_code, response.json()["reason"]) == (409, "reply_mode_off")
    assert inbox.jobs() == []


async def test_the_value_of_a_secret_that_a_person_types_is_stored_as_its_placeholder(
    client, inbox, tmp_path
):
    folder = tmp_path / "knowledge" / "listings" / "4711"
    folder.mkdir(parents=True)
    (folder / "secrets.toml").write_text(
        '[door_code]\nvalue = "chestnut-4821"\nfrom = "check_in"\nuntil = "check_out"\n', encoding="utf-8"
    )
    inbox.waiting(listing_id="4711")
    response = await client().post(PATH, json={"message": "The code is chestnut-4821."})
    assert response.json()["job"]["text"] == "The code is {{door_code}}."
    assert [job.text for job in inbox.jobs()] == ["The code is {{door_code}}."]
