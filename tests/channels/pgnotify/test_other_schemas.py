"""Apps that are built otherwise: numbers as ids, times without a zone, odd names, no foreign key."""

from __future__ import annotations

import psycopg
import pytest

from src.channels.pgnotify.channel import PgnotifyChannel
from src.errors import TransientError
from src.model.sending import Finding, Press, Receipt
from src.model.statuses import OutboxStatus
from tests.channels.pgnotify.whole import Whole

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

NUMBERS = """
CREATE SCHEMA "Chat";
CREATE TABLE "Chat"."Users" ("UserId" serial PRIMARY KEY, "Nick" varchar(40));
CREATE TABLE "Chat"."Threads" ("Id" bigserial PRIMARY KEY, a integer NOT NULL, b integer NOT NULL,
  closed boolean NOT NULL DEFAULT false);
CREATE TABLE "Chat"."Lines" ("No" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  thread bigint NOT NULL REFERENCES "Chat"."Threads", "from" integer, "text" varchar(500) NOT NULL,
  written timestamp NOT NULL, gone boolean, source text NOT NULL);
CREATE INDEX ON "Chat"."Lines" (thread);
CREATE INDEX ON "Chat"."Lines" (written);
INSERT INTO "Chat"."Users" ("Nick") VALUES ('Bot'), ('Ann');
INSERT INTO "Chat"."Threads" (a, b) VALUES (1, 2);
"""
NUMBERS_MAPPING = """
bell = "none"
[messages]
table = "Chat.Lines"
id = "No"
conversation = "thread"
sender = "from"
text = "text"
sent_at = "written"
deleted_at = "gone"
[conversations]
table = "Chat.Threads"
id = "Id"
members = ["a", "b"]
open = {column = "closed", equals = false}
[people]
table = "Chat.Users"
id = "UserId"
name = "Nick"
ids = ["1"]
[write]
values = {source = "bot's \\"own\\" words; DROP TABLE x"}
"""
WORDS = """
CREATE TABLE members (handle varchar(64) PRIMARY KEY, label text, team text);
CREATE TABLE rooms (key varchar(64) PRIMARY KEY, one varchar(64), two varchar(64));
CREATE TABLE posts (key varchar(64) PRIMARY KEY, room varchar(64) NOT NULL, author varchar(64), body text,
  at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON posts (room, at);
CREATE INDEX ON posts (at);
INSERT INTO members VALUES ('bea', 'Bea', 'bots'), ('ann', 'Ann', NULL);
INSERT INTO rooms VALUES ('room-1', 'ann', 'bea');
"""
WORDS_MAPPING = """
[messages]
table = "posts"
id = "key"
conversation = "room"
sender = "author"
text = "body"
sent_at = "at"
[conversations]
table = "rooms"
id = "key"
members = ["one", "two"]
[people]
table = "members"
id = "handle"
name = "label"
ours = {column = "team", equals = "bots"}
"""
LINE = 'INSERT INTO "Chat"."Lines" (thread, "from", "text", written, source) VALUES (1, 2, %s, timezone(\'UTC\', now()), \'app\')'
LINES = 'SELECT "from", "text", source FROM "Chat"."Lines" ORDER BY "No"'


@pytest.fixture
def conn(app):
    with psycopg.connect(app.url, autocommit=True) as made:
        yield made


async def whole_on(conn, db, make_channel, tables: str, mapping: str) -> tuple[Whole, PgnotifyChannel]:
    conn.execute(tables.encode())
    channel = make_channel(mapping, poll_sec=0.05)
    await channel.open()
    return Whole(db, channel), channel


async def test_ids_that_are_numbers_and_times_without_a_zone(conn, db, make_channel):
    whole, channel = await whole_on(conn, db, make_channel, NUMBERS, NUMBERS_MAPPING)
    assert (channel.capabilities.takes_key, channel.capabilities.compares) == (False, True)
    conn.execute(LINE.encode(), ("Hello",))
    await whole.settle()
    conn.execute(LINE.encode(), ("And?",))
    await whole.settle()
    source = 'bot\'s "own" words; DROP TABLE x'
    assert conn.execute(LINES.encode()).fetchall() == [
        (2, "Hello", "app"),
        (1, "Answer 1", source),
        (2, "And?", "app"),
        (1, "Answer 2", source),
    ]
    assert [job.status for job in whole.house.jobs()] == [OutboxStatus.SENT] * 2
    await channel.close()
    whole.house.wakeup.close()


async def test_where_no_id_can_be_chosen_a_lost_answer_is_settled_by_reading(conn, db, make_channel):
    whole, channel = await whole_on(conn, db, make_channel, NUMBERS, NUMBERS_MAPPING)
    conn.execute(LINE.encode(), ("Hello",))
    await whole.house.sync.run_once(channel)
    whole.answer()
    press = channel.press_send

    async def pressed_without_an_answer(*arguments):
        await press(*arguments)
        raise TransientError

    vars(channel)["press_send"] = pressed_without_an_answer
    await whole.house.send.run_once(channel)
    (job,) = whole.house.jobs()
    assert job.status is OutboxStatus.SENT
    assert await channel.find("1", Press(job.id, None)) is Finding.UNKNOWN
    assert len(conn.execute(LINES.encode()).fetchall()) == 2
    await channel.close()
    whole.house.wakeup.close()


async def test_without_a_foreign_key_nothing_is_said_to_be_compared(conn, db, make_channel):
    whole, channel = await whole_on(conn, db, make_channel, WORDS, WORDS_MAPPING)
    assert (channel.capabilities.takes_key, channel.capabilities.compares) == (True, False)
    conn.execute("INSERT INTO posts VALUES ('p1', 'room-1', 'ann', 'Hello')")
    await whole.settle()
    posts = conn.execute("SELECT author, body FROM posts ORDER BY at").fetchall()
    assert posts == [("ann", "Hello"), ("bea", "Answer 1")]
    (job,) = whole.house.jobs()
    assert isinstance(await channel.find("room-1", Press(job.id, None)), Receipt)
    assert await channel.find("room-1", Press("another", None)) is Finding.UNKNOWN
    assert not (await channel.read("room-1")).compared
    await channel.close()
    whole.house.wakeup.close()
