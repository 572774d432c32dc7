"""Guests' words are taken out after a time, or at once for one guest; nothing that was answered looks new again."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from src.db import conversations, missing_facts
from src.db.statements import INBOX, OUTBOX, RUNS
from src.errors import TransientError
from src.model.answer import Action, Answer
from src.model.statuses import InboxStatus, OutboxStatus
from src.services import outbox_moves
from src.services.answers import take_answer
from src.services.refusals import Conflict, NotFound
from src.services.retention import drop_evidence, forget, purge
from src.workers.housekeeping import purge_old
from tests.support.house import ACCOUNT, House
from tests.support.site import Acceptance

CANARY = "Kanarienvogel"


async def answered(house: House):
    """A conversation in which a guest was answered; everything in it holds the canary."""
    thread = house.site.conversation(f"{CANARY}: is there a cot?")
    job = house.reply_for(thread, f"{CANARY}: yes, in the cupboard.")
    await house.sent()
    assert house.job(job).status is OutboxStatus.SENT
    return thread


def everything(db) -> str:
    """Every value of every table, as text."""
    with db.read() as conn:
        tables = (
            "conversations",
            "messages",
            "queue_inbox",
            "queue_outbox",
            "incidents",
            "workers",
            "accounts",
            "assistant_runs",
        )
        return "\n".join(
            str(tuple(row)) for t in tables for row in conn.exec_driver_sql(f"SELECT * FROM {t}")
        )


async def test_old_words_are_purged_and_what_is_young_stays(house, db, clock):
    old = await answered(house)
    clock.advance(91 * 86_400)
    young = await answered(house)
    purged = purge(db, ACCOUNT, keep=timedelta(days=90), now=clock())
    assert (purged.messages, purged.replies, purged.conversations) == (2, 1, 1)
    assert {m.text for m in house.messages(old).values()} == {None}
    assert house.stored(old).guest_name is None
    assert all(CANARY in (m.text or "") for m in house.messages(young).values())
    assert purge(db, ACCOUNT, keep=timedelta(days=90), now=clock()).total == 0


async def test_a_purged_conversation_is_neither_stored_nor_answered_again(house, db, clock):
    thread = await answered(house)
    clock.advance(91 * 86_400)
    purge(db, ACCOUNT, keep=timedelta(days=90), now=clock())
    house.take_in(thread)
    house.start_anew()
    await house.synced()
    await house.sent()
    assert CANARY not in everything(db)
    assert [request.status for request in house.ask_ai()] == []
    assert len(house.site.presses) == 1
    house.site.guest_writes(thread, "And a high chair?")
    request = house.request_for(thread)
    assert list(house.asked[request.id].values()) == ["And a high chair?"]


@pytest.mark.parametrize(
    "said",
    [
        "鍵の場所を尋ねている",
        "Schlüsselfrage",
        "the guest asks for the key",
        "kanarienvogel",
        "4711",
        "key_4711",
        "_",
    ],
)
def test_what_the_ai_said_is_purged_in_every_language_and_our_own_reasons_stay(house, db, clock, said):
    requests = [house.request_for(house.site.conversation(f"Question {n}?")) for n in range(2)]
    for request, reason in zip(requests, (said, None), strict=True):
        with db.read() as conn:
            home = conversations.get(conn, request.conversation_id).external_id
        take_answer(
            db,
            house.wakeup,
            Answer(home, request.id, action=Action.ESCALATE, reason=reason),
            accounts=house.settings.accounts_by_name,
            now=clock(),
            is_conversation_id=lambda _, external_id: house.channel.is_conversation_id(external_id),
        )
    clock.advance(91 * 86_400)
    assert purge(db, ACCOUNT, keep=timedelta(days=90), now=clock()).requests == 1
    assert [house.request(request).reason for request in requests] == ["purged", "escalated_by_ai"]


async def test_a_forgotten_reply_is_proven_by_no_message_any_more(house, db, clock):
    thread = house.site.conversation("Is there a cot?")
    job = house.reply_for(thread)
    house.site.acceptance = Acceptance(taken=False)
    await house.sent()
    assert house.job(job).status is OutboxStatus.UNCONFIRMED
    forget(db, ACCOUNT, thread.external_id, now=clock())
    house.site.host_writes(thread, "\u200b")  # nothing that can be seen: as little as is left of the reply
    house.take_in(thread)
    assert house.job(job).status is OutboxStatus.UNCONFIRMED


async def test_forgetting_leaves_no_word_and_no_name(house, db, clock):
    thread = await answered(house)
    other = await answered(house)
    assert forget(db, ACCOUNT, thread.external_id, now=clock()) > 3
    assert {m.text for m in house.messages(thread).values()} == {None}
    assert {m.sender_name for m in house.messages(thread).values()} == {None}
    assert house.stored(thread).guest_name is None
    assert forget(db, ACCOUNT, other.external_id, now=clock())
    assert CANARY not in everything(db)
    assert forget(db, ACCOUNT, thread.external_id, now=clock()) == 0
    with pytest.raises(NotFound):
        forget(db, ACCOUNT, "thread-99", now=clock())


@pytest.mark.parametrize("state", ["pending", "waiting", "answered", "draft"])
async def test_what_is_open_in_a_forgotten_conversation_ends_and_is_not_begun_again(house, db, clock, state):
    thread = house.site.conversation(f"{CANARY}: is there a cot?")
    if state == "pending":
        request = house.take_in(thread).queued
    else:
        request = house.request_for(thread)
        if state != "waiting":
            house.answer(request, f"{CANARY}: yes", mode="draft" if state == "draft" else "auto")
    forget(db, ACCOUNT, thread.external_id, now=clock())
    final = InboxStatus.ESCALATED if state in ("pending", "waiting") else InboxStatus.ANSWERED
    assert house.request(request).status is final
    for job in house.jobs():
        assert (job.status, job.reason, job.text) == (OutboxStatus.CANCELLED, "forgotten", "")
        with pytest.raises(Conflict):
            outbox_moves.send_again(db, house.wakeup, job.id, now=clock())
    for _ in range(2):
        await house.synced()
        house.take_in(thread)
        await house.sent()
        clock.advance(120)
    assert house.ask_ai() == []
    assert house.site.presses == []
    assert CANARY not in everything(db)


async def test_a_conversation_with_a_reply_in_hand_is_not_forgotten_under_the_worker(house, db, clock):
    thread = house.site.conversation(f"{CANARY}: is there a cot?")
    job = house.reply_for(thread)
    tried = []

    def forget_now():
        with pytest.raises(Conflict) as caught:
            forget(db, ACCOUNT, thread.external_id, now=clock())
        tried.append(caught.value.reason)

    house.channel.before("press_send", forget_now)
    await house.sent()
    assert tried == ["busy"]
    assert house.job(job).status is OutboxStatus.SENT
    assert forget(db, ACCOUNT, thread.external_id, now=clock())


async def test_after_forgetting_nothing_is_left_in_the_file(house, db, clock):
    if db.path is None:
        pytest.skip("PostgreSQL keeps its files itself: VACUUM is the administrator's")
    thread = await answered(house)
    house.site.guest_writes(thread, CANARY * 3_000)
    house.take_in(thread)
    forget(db, ACCOUNT, thread.external_id, now=clock())
    db.compact()
    for file in db.path.parent.iterdir():
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file.name


def test_the_chore_never_raises(db, monkeypatch):
    def broken():
        raise TransientError("locked")

    monkeypatch.setattr(db, "write", broken)
    purge_old(db, ACCOUNT, keep=timedelta(days=90))


def test_screenshots_are_deleted(tmp_path):
    for name in ("a.png", "b.png", "notes.txt"):
        (tmp_path / name).touch()
    assert drop_evidence(tmp_path) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    assert drop_evidence(tmp_path / "nothing") == 0


@pytest.mark.parametrize("way", ["forget", "purge"])
async def test_what_an_ai_says_beside_its_answer_and_what_was_asked_of_the_assistant_go_too(
    house, db, clock, way
):
    thread = await answered(house)
    conversation = house.stored(thread)
    said = json.dumps([{"title": CANARY, "id": CANARY}])
    with db.write() as conn:
        conn.execute(update(OUTBOX).values(agent=CANARY, topic=CANARY, sources=said, delivery_error=CANARY))
        conn.execute(update(INBOX).values(hard_class=CANARY))
        run = {
            "account": ACCOUNT,
            "conversation_id": conversation.external_id,
            "kind": "live",
            "payload": CANARY,
        }
        filled = {
            "state": "working",
            "steps": "[]",
            "sources": "[]",
            "prompt_tokens": 0,
            "completion_tokens": 0,
        }
        conn.execute(insert(RUNS).values(id="run-1", created_at=clock(), **run, **filled))
    clock.advance(1)
    if way == "forget":
        forget(db, ACCOUNT, conversation.external_id, now=clock())
    else:
        purge(db, ACCOUNT, keep=timedelta(0), now=clock())
    assert CANARY not in everything(db)


def test_a_forgotten_guests_unanswered_questions_are_forgotten_too(house):
    where = house.site.conversation("Is there a blender?")
    request = house.request_for(where)
    with house.db.write() as conn:
        missing_facts.ask(conn, "4711", None, "Is there a blender?", request_id=request.id, now=house.clock())

    forget(house.db, ACCOUNT, where.external_id, now=house.clock())

    with house.db.read() as conn:
        assert missing_facts.list_facts(conn, None) == []


def test_missing_facts_that_nobody_asked_about_for_long_are_purged(house):
    with house.db.write() as conn:
        missing_facts.ask(conn, "4711", None, "Is there a blender?", request_id=None, now=house.clock())
    purge(house.db, ACCOUNT, keep=timedelta(days=90), now=house.clock.advance(91 * 86_400))
    with house.db.read() as conn:
        assert missing_facts.list_facts(conn, None) == []
