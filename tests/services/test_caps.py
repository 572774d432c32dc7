"""Too many replies, or two machines that talk: the next reply waits for a person, and nothing is dropped."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace

import pytest

from src.db import outbox_queue
from src.db.engine import Database
from src.model.caps import Caps, HoldReason
from src.model.inbox import AuthorRole
from src.model.statuses import OutboxStatus
from src.services import outbox_moves
from src.services.caps import hold_before_typing
from src.settings import Settings
from tests.support.house import RULES, House


@pytest.fixture
def house_with(clock):
    """Makes a house with the product's caps, or with these."""
    with ExitStack() as houses:

        def make(db: Database, caps: Caps | None = None) -> House:
            caps = caps or Caps()
            settings = Settings(**{f"reply_cap_{name}": number for name, number in asdict(caps).items()})
            made = House(db, clock, rules=replace(RULES, caps=caps), settings=settings)
            return houses.enter_context(made)

        yield make


def only(**caps) -> Caps:
    """One cap alone."""
    return replace(RULES.caps, **caps)


async def answered(house: House, where, text: str = "") -> OutboxStatus:
    """The guest has written; the AI answers, SEND runs. The status of the reply then."""
    job = house.reply_for(where, text)
    await house.sent()
    return house.job(job).status


# --- the caps, one by one --------------------------------------------------------------------------------------


async def test_the_seventh_reply_within_an_hour_waits_and_goes_when_a_person_approves_it(
    house_with, db, clock
):
    house = house_with(db)
    thread = house.site.conversation()
    for number in range(7):
        clock.advance(400)
        house.site.guest_writes(thread, f"Question number {number}, quite another one?")
        status = await answered(house, thread)
        assert status is (OutboxStatus.SENT if number < 6 else OutboxStatus.DRAFT)
    held = house.jobs()[-1]
    assert held.reason == HoldReason.CONVERSATION_HOUR
    outbox_moves.approve(db, house.wakeup, held.id, None, now=clock())
    await house.sent()
    assert house.job(held).status is OutboxStatus.SENT
    house.site.guest_writes(thread, "Is the hour over?")
    clock.advance(3_700)
    assert await answered(house, thread) is OutboxStatus.SENT


@pytest.mark.parametrize(
    ("caps", "reason"),
    [
        (only(conversation_hour=2), HoldReason.CONVERSATION_HOUR),
        (only(conversation_day=2), HoldReason.CONVERSATION_DAY),
        (only(account_hour=2), HoldReason.ACCOUNT_HOUR),
        (only(rounds=2), HoldReason.ROUNDS),
        (only(same_message=3), HoldReason.SAME_MESSAGE),
    ],
)
async def test_each_cap_holds_the_third_reply_with_its_own_reason(house_with, db, clock, caps, reason):
    house = house_with(db, caps)
    thread = house.site.conversation()
    for expected in (OutboxStatus.SENT, OutboxStatus.SENT, OutboxStatus.DRAFT):
        house.site.guest_writes(thread, "Is somebody there?")
        assert await answered(house, thread) is expected
    assert house.jobs()[-1].reason == reason
    assert len(house.site.presses) == 2


async def test_the_cap_of_the_inbox_counts_all_conversations_and_that_of_one_only_its_own(
    house_with, db, clock
):
    house = house_with(db, only(conversation_hour=1, account_hour=2))
    statuses = []
    for _ in range(3):
        thread = house.site.conversation()
        house.site.guest_writes(thread, "Is there a cot?")
        statuses.append(await answered(house, thread))
    assert statuses == [OutboxStatus.SENT, OutboxStatus.SENT, OutboxStatus.DRAFT]


async def test_replies_that_piled_up_during_a_halt_do_not_all_go_out_at_once(house_with, db, clock):
    house = house_with(db, only(account_hour=2))
    threads = [house.site.conversation() for _ in range(5)]
    for thread in threads:
        house.site.guest_writes(thread, "Is there a cot?")
        house.reply_for(thread)
        clock.advance(1_900)
    assert {job.status for job in house.jobs()} == {OutboxStatus.PENDING}
    await house.sent()
    jobs = house.jobs()
    assert [job.status for job in jobs] == [OutboxStatus.SENT] * 2 + [OutboxStatus.DRAFT] * 3
    assert {job.reason for job in jobs[2:]} == {HoldReason.ACCOUNT_HOUR}


async def test_what_a_person_asked_for_is_neither_held_nor_counted(house_with, db, clock):
    house = house_with(db, only(conversation_hour=1))
    thread = house.site.conversation()
    for _ in range(3):
        house.site.guest_writes(thread, "Is there a cot?")
        job = house.reply_for(thread)
        if job.status is OutboxStatus.DRAFT:
            outbox_moves.approve(db, house.wakeup, job.id, None, now=clock())
        await house.sent()
        assert house.job(job).status is OutboxStatus.SENT
    with db.write() as conn:
        made, _ = outbox_queue.enqueue(
            conn,
            job.account,
            job.conversation_id,
            "x",
            request_id=None,
            idempotency_key="k",
            approved=True,
            now=clock(),
        )
    assert made.approved_at == clock()


def test_answers_that_come_in_at_the_same_time_are_counted_one_after_the_other(house_with, db, clock):
    house = house_with(db, only(account_hour=5))
    for _ in range(20):
        thread = house.site.conversation()
        house.site.guest_writes(thread, "Is there a cot?")
        house.take_in(thread)
    clock.advance(60)
    requests = house.ask_ai()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(house.answer, requests))
    statuses = [job.status for job in house.jobs()]
    assert (statuses.count(OutboxStatus.PENDING), statuses.count(OutboxStatus.DRAFT)) == (5, 15)


# --- two copies of the product ---------------------------------------------------------------------------------


@pytest.fixture
def two_dbs(sqlite_template, tmp_path):
    paths = [tmp_path / name / "inbox.db" for name in ("one", "other")]
    for path in paths:
        path.parent.mkdir(mode=0o700)
        shutil.copy(sqlite_template, path)
    opened = [Database.open(f"sqlite:///{path}") for path in paths]
    yield opened
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ("pause_sec", "texts", "reason"),
    [
        (5, "All is fine with the {} of the house.", HoldReason.SAME_MESSAGE),
        (5, "{}", HoldReason.CONVERSATION_HOUR),
        (300, "{}", HoldReason.ROUNDS),
        (1_200, "{}", HoldReason.CONVERSATION_DAY),
    ],
    ids=["alike", "quick", "slow", "very slow"],
)
async def test_two_copies_of_the_product_that_talk_to_each_other_stop_by_themselves(
    house_with, two_dbs, clock, pause_sec, texts, reason
):
    houses = [house_with(one) for one in two_dbs]
    threads = [house.site.conversation() for house in houses]
    houses[0].site.guest_writes(threads[0], "Good evening!")
    said = 0
    for turn in range(100):
        house, thread = houses[turn % 2], threads[turn % 2]
        parts = ("roof", "walls", "doors", "floor", "attic", "stove")
        words = f"{chr(97 + turn % 26) * 9} {turn * 7919}" if texts == "{}" else parts[turn % 6]
        status = await answered(house, thread, texts.format(words))
        if status is OutboxStatus.DRAFT:
            break
        said += 1
        clock.advance(pause_sec)
        other = (turn + 1) % 2
        houses[other].site.guest_writes(threads[other], thread.messages[-1].text)
    held = house.jobs()[-1]
    assert (held.status, held.reason) == (OutboxStatus.DRAFT, reason)
    limit = {HoldReason.CONVERSATION_DAY: 20, HoldReason.CONVERSATION_HOUR: 6, HoldReason.ROUNDS: 8}.get(
        reason, 4
    )
    assert said <= 2 * limit + 1
    for house, thread in zip(houses, threads, strict=True):  # and it stays quiet
        await house.synced()
        await house.sent()
        assert len([m for m in thread.messages if m.role is AuthorRole.HOST]) <= limit + 1


# --- the AI says the same again and again ----------------------------------------------------------------------

SAME = "Please wait, the host will answer."


async def asked_again(house: House, where, text: str = SAME) -> OutboxStatus:
    """Another question an hour later, and what becomes of this answer to it."""
    house.clock.advance(3_700)
    house.site.guest_writes(where, f"Question {len(where.messages)}, quite another one than before?")
    return await answered(house, where, text)


async def test_an_answer_that_was_given_twice_within_a_day_waits_the_third_time(house_with, db, clock):
    house = house_with(db)
    where, other = house.site.conversation(), house.site.conversation()
    assert [await asked_again(house, where) for _ in range(2)] == [OutboxStatus.SENT] * 2
    assert await asked_again(house, where, f"  {SAME}\u200b ") is OutboxStatus.DRAFT
    held = house.jobs()[-1]
    assert held.reason == HoldReason.SAME_REPLY
    assert await asked_again(house, other) is OutboxStatus.SENT
    assert await asked_again(house, where, "Two, please.") is not OutboxStatus.DRAFT


async def test_a_person_who_approves_it_sends_it(house_with, db, clock):
    house = house_with(db)
    where = house.site.conversation()
    assert [await asked_again(house, where) for _ in range(3)][-1] is OutboxStatus.DRAFT
    held = house.jobs()[-1]
    outbox_moves.approve(db, house.wakeup, held.id, None, now=clock())
    await house.sent()
    assert house.job(held).status is OutboxStatus.SENT
    assert await asked_again(house, where) is OutboxStatus.DRAFT


async def test_a_day_later_it_is_given_again(house_with, db, clock):
    house = house_with(db)
    where = house.site.conversation()
    assert [await asked_again(house, where) for _ in range(2)] == [OutboxStatus.SENT] * 2
    clock.advance(86_400)
    assert await asked_again(house, where) is OutboxStatus.SENT


async def test_it_is_asked_again_before_the_typing(house_with, db, clock):
    """An answer that came in before the other two went out."""
    house = house_with(db)
    where = house.site.conversation()
    assert [await asked_again(house, where) for _ in range(2)] == [OutboxStatus.SENT] * 2
    conversation = house.stored(where)
    with db.write() as conn:
        job, _ = outbox_queue.enqueue(
            conn,
            conversation.account,
            conversation.id,
            SAME,
            request_id=None,
            idempotency_key="by hand",
            now=clock(),
        )
    with db.read() as conn:
        assert hold_before_typing(conn, Caps(), job, clock()) == HoldReason.SAME_REPLY
        assert hold_before_typing(conn, Caps(), replace(job, text="Yes"), clock()) is None
        assert hold_before_typing(conn, Caps(), replace(job, approved_at=clock()), clock()) is None
