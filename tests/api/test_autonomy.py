"""Autonomy over HTTP: the record is read, and the host's word is taken."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from tests.support.api import client, inbox  # noqa: F401

PARKING = {"listing": "4711", "topic": "parking", "level": "auto"}


async def test_the_host_lets_a_topic_go_out_by_itself_and_takes_it_back(client):
    one = client()
    assert (await one.get("/api/autonomy")).json() == {"success": True, "autonomy": []}
    response = await one.put("/api/autonomy", json=PARKING)
    assert (response.status_code, response.json()["level"]) == (200, "auto")
    await one.put("/api/autonomy", json=PARKING | {"stage": "inquiry"})
    await one.put("/api/autonomy", json=PARKING | {"level": "draft"})
    found = (await one.get("/api/autonomy")).json()["autonomy"]
    shown = [(row["listing_id"], row["topic"], row["stage"], row["level"], row["reason"]) for row in found]
    assert shown == [
        ("4711", "parking", "inquiry", "auto", "host"),
        ("4711", "parking", "stay", "draft", "host"),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [("topic", "the moon"), ("level", "maybe"), ("listing", ""), ("stage", "later"), ("more", 1)],
)
async def test_what_cannot_be_is_named(client, field, value):
    response = await client().put("/api/autonomy", json=PARKING | {field: value})
    assert (response.status_code, response.json()["field"]) == (422, field)


async def test_nobody_gets_in_without_the_doors(client):
    assert (
        await client(peer="10.0.0.9", api_key="a-long-random-key").get("/api/autonomy")
    ).status_code == 401
