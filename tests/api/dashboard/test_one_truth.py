"""What a page says of what will happen is what SEND and its workers do now."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from pathlib import Path

import pytest

from src.account import Account, AccountSettings
from src.channels.whatsapp.settings import WhatsappSettings
from src.db import accounts, outbox_queue
from tests.support.api import ACCOUNT, client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import HERE, a_draft, at_work, form_of, press, words_of

AI = {"ai_webhook_url": "http://127.0.0.1:9/hook"}
LIVE = "Live: the AI's answers go out here"
ON_ITS_WAY = "Approved: it is on its way to the guest."
NOT_NOW = "Approved, but it does not go out now."


def pause(db, clock):
    with db.write() as conn:
        accounts.pause(conn, ACCOUNT, clock())


def halt(db, clock):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "challenge", "the site moved to /airlock", 10, None, clock())


def stop_sending(db, clock):
    with db.write() as conn:
        accounts.worker_stopped(conn, ACCOUNT, "send", process_id=1, now=clock())


def kill_all(_, clock):
    clock.advance(600)


HINDRANCES = [
    (pause, "Sending is paused: nothing goes out until you resume."),
    (halt, "Halted: nothing is read or sent until a person reconnects."),
    (stop_sending, "Nobody sends: the SEND worker does not run."),
    (kill_all, "Nobody sends: the SEND worker does not run."),
]


async def test_nothing_is_called_live_while_nobody_works(client, inbox, db, clock):
    one = client(**AI)
    inbox.conversation()
    never = words_of(await one.get(HERE))
    assert LIVE not in never
    assert "Nobody reads the inbox: new messages are not seen." in never
    assert "Nobody sends: the SEND worker does not run." in never
    at_work(db, clock, "sync")
    reads = words_of(await one.get(HERE))
    assert (LIVE in reads, "Nobody reads" in reads, "Nobody sends" in reads) == (False, False, True)
    at_work(db, clock)
    assert LIVE in words_of(await one.get(HERE))
    assert "No AI is set for this account" in words_of(await client().get(HERE))
    clock.advance(600)
    assert LIVE not in words_of(await one.get(HERE))


async def test_a_number_that_is_told_by_calls_is_not_said_to_be_read_by_nobody(client, inbox):
    settings = AccountSettings(reply_mode="draft", ai_webhook_url="http://127.0.0.1:9/ai")
    account = Account(
        "default", "whatsapp", Path("s"), settings, WhatsappSettings(mode="cloud"), ai="webhook"
    )
    one = client(listed=(account,))
    inbox.waiting("33612345678")
    said = words_of(await one.get("/conversations/33612345678"))
    assert "Nobody reads the inbox" not in said
    assert "Nobody sends: the SEND worker does not run." in said


@pytest.mark.parametrize(("hinder", "why"), HINDRANCES)
async def test_an_approved_reply_is_on_its_way_only_if_send_sends(client, inbox, db, clock, hinder, why):
    one = client(reply_mode="draft", **AI)
    job = await a_draft(one, inbox)
    at_work(db, clock)
    form = await form_of(one, HERE)
    hinder(db, clock)
    done = await one.post(f"/outbox/{job.id}/approve", data=form)
    said = words_of(await one.get(done.headers["location"]))
    assert ON_ITS_WAY not in said
    assert f"{NOT_NOW} {why}" in said
    listed = words_of(await one.get("/outbox?state=pending"))
    assert why in listed
    assert "On its way" not in listed
    again = words_of(await one.get("/?done=again"))
    assert "it does not go out now" in again
    with db.write() as conn:
        conn.exec_driver_sql("UPDATE accounts SET link_state = 'ok', paused_at = NULL")
    at_work(db, clock)
    clock.advance(6)
    assert ON_ITS_WAY in words_of(await one.get(done.headers["location"]))
    assert why not in words_of(await one.get("/outbox?state=pending"))


async def test_with_reply_mode_off_nothing_is_said_to_go_out(client, inbox, db, clock):
    job = await a_draft(client(reply_mode="draft"), inbox)
    one = client(reply_mode="off", **AI)
    at_work(db, clock)
    done = await press(one, job, "approve", HERE)
    said = words_of(await one.get(done.headers["location"]))
    assert f"{NOT_NOW} REPLY_MODE is off" in said
    assert LIVE not in said
    form = await form_of(one, HERE)
    rule = {"scope": "conversation", "id": thread_id(), "mode": "auto"}
    done = await one.post("/mode", data={**form, **rule})
    assert "The mode is set. REPLY_MODE is off: nothing is answered, whatever is set here." in words_of(
        await one.get(done.headers["location"])
    )
    assert "REPLY_MODE is off: nothing is sent" in words_of(await one.get("/"))


async def test_resumed_and_paused_say_no_more_than_is_true(client, db, clock):
    one = client()
    assert "Paused: nothing is sent until you resume." in words_of(await one.get("/?done=paused"))
    assert "Drafts are still made" not in words_of(await one.get("/?done=paused"))
    assert "Sending goes on." not in words_of(await one.get("/?done=resumed"))
    assert "The pause is over, but nothing goes out now. Nobody sends" in words_of(
        await one.get("/?done=resumed")
    )
    at_work(db, clock)
    assert "Sending goes on." in words_of(await one.get("/?done=resumed"))


async def test_no_reply_goes_out_three_weeks_ago(client, inbox, db, clock):
    one = client(**AI)
    job = await a_draft(one, inbox)
    at_work(db, clock)
    halt(db, clock)
    clock.advance(60)
    with db.write() as conn:
        accounts.clear_halt(conn, ACCOUNT, clock())
    clock.advance(21 * 86_400)
    waits = words_of(await one.get("/reconnect"))
    assert "weeks ago at the earliest" not in waits
    assert "does not go out now" in waits
    at_work(db, clock)
    assert "goes out in its turn" in words_of(await one.get("/reconnect"))
    with db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())
        outbox_queue.release(conn, job.id, "w", due_at=clock.later(7200), error="x")
    assert "goes out in 2 hours at the earliest" in words_of(await one.get("/reconnect"))
