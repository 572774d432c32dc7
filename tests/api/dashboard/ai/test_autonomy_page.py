"""What may go out by itself, on its page: the record in words, offers answered with yes or no, and taken back."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import accounts, autonomy
from src.db.statements import AUTONOMY
from src.model.autonomy import Loss
from src.model.values import ReplyMode
from tests.support.api import client  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import form_of, words_of

HERE = "/ai/autonomy"
NUMBERS = {"unchanged": 12, "edited": 2, "rewritten": 0, "rejected": 0, "in_a_row": 10, "conversations": 5}


@pytest.fixture
def record(db, clock):
    def add(topic="parking", level="draft", reason=None, stage="stay", **numbers):
        row = {"account": "default", "listing_id": "4711", "topic": topic, "stage": stage, "level": level}
        row |= {"reason": reason, "in_a_row_since": clock(), "updated_at": clock(), **NUMBERS, **numbers}
        with db.write() as conn:
            conn.execute(AUTONOMY.insert().values(row))
        return autonomy.Key("default", "4711", topic, stage)

    return add


def level_of(db, key):
    with db.read() as conn:
        found = autonomy.get(conn, key)
    return found.level, found.reason


async def press(one, **fields):
    return await one.post(
        HERE, data={**await form_of(one, HERE), "listing": "4711", "stage": "stay", **fields}
    )


async def test_an_earned_topic_is_offered_and_one_tap_lets_it_go_out(client, db, record):
    one, key = client(reply_mode="draft"), record()
    said = words_of(await one.get(HERE))
    assert "May “Parking” go out by itself?" in said
    assert "10 drafts in a row went out unchanged. They were in 5 conversations." in said
    assert "12 unchanged · 2 slightly edited" in said
    done = await press(one, topic="parking", level="auto")
    assert (done.status_code, done.headers["location"]) == (303, f"{HERE}?done=autonomy")
    assert level_of(db, key) == ("auto", "host")
    said = words_of(await one.get(HERE))
    assert "May “Parking”" not in said
    assert "Parking may go out by itself You said so." in said
    await press(one, topic="parking", level="draft")
    assert level_of(db, key) == ("draft", "host")


async def test_no_means_draft_and_the_row_begins_again(client, db, record):
    one, key = client(reply_mode="draft"), record()
    await press(one, topic="parking", level="draft")
    said = words_of(await one.get(HERE))
    assert "May “Parking”" not in said
    assert "0 of 10 in a row, in 0 of 5 conversations" in said
    assert level_of(db, key) == ("draft", "host")


@pytest.mark.parametrize("loss", list(Loss))
async def test_why_a_topic_was_lost_is_said_in_words(client, record, loss):
    record(reason=str(loss), in_a_row=0, conversations=0)
    said = words_of(await client(reply_mode="auto").get(HERE))
    assert "Parking waits for you It was taken back because" in said
    assert str(loss) not in said.replace("rejected a draft", "").replace("complaint.", "").split("because")[0]


async def test_the_mode_that_stands_above_the_list_is_said(client, db, clock, record):
    record()
    for mode, part in (
        ("draft", "You are asked first"),
        ("auto", "Answers go out by themselves"),
        ("off", "REPLY_MODE is off"),
    ):
        assert part in words_of(await client(reply_mode=mode).get(HERE))
    with db.write() as conn:
        accounts.set_mode(conn, "default", "account", "", ReplyMode.DRAFT, clock())
    said = words_of(await client(reply_mode="auto").get(HERE))
    assert "every answer waits for you" in said


async def test_earned_by_itself_is_said_so(client, record):
    record()
    said = words_of(await client(reply_mode="draft", assistant_autonomy="earned").get(HERE))
    assert "Parking may go out by itself It has earned it." in said


@pytest.mark.parametrize(
    "wrong", [{"topic": "moon"}, {"level": "maybe"}, {"listing": "\0"}, {"stage": "later"}]
)
async def test_what_cannot_be_set_changes_nothing(client, db, record, wrong):
    key = record()
    refused = await press(client(), **{"topic": "parking", "level": "auto", **wrong})
    assert (refused.status_code, level_of(db, key)) == (422, ("draft", None))


async def test_french_speaks_of_topics_in_french(client, record):
    record(topic="check_in", stage="inquiry")
    said = words_of(await client(reply_mode="draft").get(HERE, headers={"accept-language": "fr"}))
    assert "« Arrivée » peut-il partir tout seul ?" in said
    assert "première réponse à une demande" in said
