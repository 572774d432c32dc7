"""A person writes to a guest here: sent once, to what that person had read, and instead of the AI."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from src.db import conversations, inbox_queue, outbox_queue
from src.db.waiting import waiting
from src.model.inbox import AuthorRole
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.model.values import ReplyMode
from src.services import outbox_moves
from src.services.person_messages import write_message
from src.services.refusals import Conflict, Malformed, NotFound
from tests.faults.invariants import broken_promises
from tests.support.house import ACCOUNT
from tests.support.site import FakeSite

WORDS = "I have just put one into the wardrobe. Anna"


def write(house, where, text=WORDS, *, mode="auto", **more):
    account = house.accounts(mode)[ACCOUNT]
    with house.db.read() as conn:
        known = conversations.by_external_id(conn, ACCOUNT, where.external_id)
    if known is None and where in house.site.conversations.values():
        house.take_in(where)
    return write_message(house.db, house.wakeup, account, where.external_id, text, now=house.clock(), **more)


def what_waits(house):
    with house.db.read() as conn:
        return [(one.what, one.reason) for one in waiting(conn, ACCOUNT, house.clock())]


@pytest.fixture
def where(house):
    """A guest has asked; nobody has looked yet."""
    return house.site.conversation("Hello", "Is there a cot?")


async def test_the_words_of_a_person_are_sent_and_known_as_a_persons(house, where):
    job = write(house, where)
    assert (job.status, job.written_by, job.approved_at) == (OutboxStatus.PENDING, "person", house.clock())
    await house.sent()
    assert [press.text for press in house.site.presses] == [WORDS]
    mine = list(house.messages(where).values())[-1]
    assert (mine.origin, mine.role, mine.outbox_id) == ("assistant", "host", job.id)
    assert house.job(job).status is OutboxStatus.SENT
    assert broken_promises(house) == []


async def test_what_the_ai_was_asked_is_cancelled_as_if_the_host_had_written_in_the_app(house, where):
    asked = house.request_for(where)
    write(house, where)
    assert (house.request(asked).status, house.request(asked).reason) == ("cancelled", "host_answered")
    with pytest.raises(Conflict) as refused:
        house.answer(asked)
    assert refused.value.reason == "host_answered"
    assert house.take_in(where).queued is None
    await house.sent()
    assert house.take_in(where).queued is None
    assert [press.text for press in house.site.presses] == [WORDS]


@pytest.mark.parametrize("mode", ["auto", "draft"])
async def test_what_the_ai_had_said_and_was_not_sent_is_cancelled(house, where, mode):
    reply = house.answer(house.request_for(where), mode=mode).job
    write(house, where)
    assert (house.job(reply).status, house.job(reply).reason) == ("cancelled", "host_answered")
    await house.sent()
    assert [press.text for press in house.site.presses] == [WORDS]


async def test_a_reply_of_the_ai_in_a_workers_hand_is_taken_back_before_its_press(house, where):
    reply = house.reply_for(where)
    house.channel.after("write", lambda: write(house, where))
    await house.sent()
    await house.sent()
    assert house.job(reply).status is OutboxStatus.CANCELLED
    assert [press.text for press in house.site.presses] == [WORDS]
    assert broken_promises(house) == []


async def test_nobody_writes_over_a_reply_of_the_ai_that_is_being_sent(house, where):
    reply, refused = house.reply_for(where), []

    def try_to():
        with pytest.raises(Conflict) as caught:
            write(house, where)
        refused.append(caught.value.reason)

    house.channel.after("reread", try_to)
    await house.sent()
    assert refused == ["being_sent"]
    assert house.job(reply).status is OutboxStatus.SENT
    assert [press.text for press in house.site.presses] == [reply.text]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (lambda house, where: house.site.guest_writes(where, "Never mind!"), CancelReason.GUEST_WROTE_AGAIN),
        (lambda house, where: house.site.photo(where), CancelReason.GUEST_WROTE_AGAIN),
        (lambda house, where: house.site.host_writes(where, "In the wardrobe"), CancelReason.HOST_ANSWERED),
        (
            lambda house, where: house.site.edit(where.messages[-1], "Is there a crib?"),
            CancelReason.GUEST_CHANGED_MESSAGE,
        ),
        (lambda house, where: house.site.unsend(where.messages[-1]), CancelReason.GUEST_UNSENT_MESSAGE),
    ],
)
@pytest.mark.parametrize("moment", ["before SEND", "before the press"])
async def test_what_comes_after_the_person_has_read_cancels_the_words(house, where, event, reason, moment):
    job = write(house, where)
    if moment == "before SEND":
        event(house, where)
    else:
        house.channel.after("write", lambda: event(house, where))
    await house.sent()
    assert house.site.presses == []
    assert (house.job(job).status, house.job(job).reason) == ("cancelled", str(reason))
    assert broken_promises(house) == []


async def test_when_the_guest_wrote_again_the_ai_is_asked_with_everything_after_the_pause(house, where):
    write(house, where)
    house.site.guest_writes(where, "And a high chair?")
    queued = house.take_in(where).queued
    assert [m.text for m in house.messages(where).values() if m.request_id == queued.id] == where.texts
    assert queued.due_at >= house.clock() + house.rules.human_pause


@pytest.mark.parametrize("thing", [FakeSite.photo, FakeSite.card])
async def test_a_person_answers_what_no_machine_reads(house, thing):
    where = house.site.conversation("Hello")
    thing(house.site, where)
    house.take_in(where)
    job = write(house, where)
    await house.sent()
    assert house.job(job).status is OutboxStatus.SENT


async def test_a_notice_of_the_site_does_not_stop_the_words_of_a_person(house, where):
    job = write(house, where)
    house.site.bulletin(where)
    await house.sent()
    assert house.job(job).status is OutboxStatus.SENT


async def test_several_messages_of_a_person_go_out_in_their_order(house, where):
    for text in ("One moment.", "It is in the wardrobe.", "Sleep well!"):
        write(house, where, text)
        house.clock.advance(1)
    await house.sent()
    assert [press.text for press in house.site.presses] == [
        "One moment.",
        "It is in the wardrobe.",
        "Sleep well!",
    ]
    assert broken_promises(house) == []


async def test_a_person_writes_again_after_an_answer_although_no_guest_has_asked(house, where):
    reply = house.reply_for(where)
    await house.sent()
    job = write(house, where, "And I forgot: mind the step.")
    await house.sent()
    assert [house.job(one).status for one in (reply, job)] == [OutboxStatus.SENT, OutboxStatus.SENT]
    assert house.take_in(where).queued is None


async def test_history_that_send_reads_first_does_not_count_as_news(house):
    where = house.site.conversation("Hello", "Is there parking?")
    house.site.host_writes(where, "Yes")
    house.site.guest_writes(where, "Thank you")
    house.take_in(where, opened=False)
    assert len(house.messages(where)) == 1
    job = write(house, where)
    await house.sent()
    assert house.job(job).status is OutboxStatus.SENT


async def test_the_ai_keeps_quiet_after_a_person_wrote_here(house, where):
    write(house, where)
    await house.sent()
    house.clock.advance(10)
    house.site.guest_writes(where, "Thanks. And a high chair?")
    queued = house.take_in(where).queued
    assert queued.due_at >= house.stored(where).host_wrote_at + house.rules.human_pause
    carried = [m.text for m in house.messages(where).values() if m.request_id == queued.id]
    assert carried == ["Thanks. And a high chair?"]


async def test_the_caps_and_the_mode_do_not_hold_what_a_person_writes(db, clock, house, where):
    house.rules = replace(house.rules, caps=replace(house.rules.caps, conversation_hour=0, account_hour=0))
    house.send = house.new_send()
    house.take_in(where)
    house.set_mode(ReplyMode.OFF, "conversation", house.stored(where).id)
    job = write(house, where)
    await house.sent()
    assert house.job(job).status is OutboxStatus.SENT


def test_the_same_call_makes_one_message(house, where):
    first = write(house, where, key="form-1")
    assert write(house, where, key="form-1").id == first.id
    with pytest.raises(Malformed, match="another text"):
        write(house, where, "Something else", key="form-1")
    assert write(house, where, key="form-2").id != first.id


def test_without_a_key_the_same_text_is_the_same_message_for_ten_minutes(house, where):
    first = write(house, where)
    house.clock.advance(599)
    assert write(house, where).id == first.id
    house.clock.advance(1)
    assert write(house, where).id != first.id


async def test_the_same_text_is_another_message_once_the_guest_has_written(house, where):
    first = write(house, where, "Yes")
    await house.sent()
    house.site.guest_writes(where, "And a high chair?")
    house.take_in(where)
    assert write(house, where, "Yes").id != first.id


def test_who_had_not_read_the_newest_message_is_told_and_nothing_changes(house, where):
    asked = house.request_for(where)
    with house.db.read() as conn:
        read = conversations.last_sequence(conn, house.stored(where).id)
    house.site.guest_writes(where, "Quick, please!")
    house.take_in(where)
    with pytest.raises(Conflict) as refused:
        write(house, where, read=read)
    assert refused.value.reason == "guest_wrote_again"
    assert house.jobs() == []
    assert house.request(asked).reason == "guest_wrote_again"


def test_what_cannot_be_done_is_said_and_nothing_changes(house, where):
    with pytest.raises(Conflict) as refused:
        write(house, where, mode="off")
    assert refused.value.reason == "reply_mode_off"
    house.account_changes = {"channel": "mail"}
    with pytest.raises(Conflict) as refused:
        write(house, where)
    assert refused.value.reason == "cannot_write"
    house.account_changes = {}
    with pytest.raises(Malformed):
        write(house, where, " \n")
    support = house.site.conversation("We are looking into it", is_hosting=False)
    house.take_in(support)
    with pytest.raises(Conflict) as refused:
        write(house, support)
    assert refused.value.reason == "not_answerable"
    where.external_id = "thread-99"
    house.site.conversations.clear()
    with pytest.raises(NotFound):
        write(house, where)
    assert house.jobs() == []


async def test_what_is_too_old_after_a_long_pause_is_not_sent_any_more(house, where):
    job = write(house, where)
    house.clock.advance(timedelta(hours=24, seconds=1).total_seconds())
    await house.sent()
    assert (house.job(job).status, house.job(job).reason) == ("cancelled", "expired")


async def test_words_that_were_overtaken_are_sent_when_a_person_has_looked_again(house, where):
    job = write(house, where)
    house.site.guest_writes(where, "Never mind!")
    await house.sent()
    house.clock.advance(1)
    again = outbox_moves.send_again(house.db, house.wakeup, job.id, now=house.clock())
    await house.sent()
    assert (house.job(job).status, house.job(again).status) == ("cancelled", "sent")
    assert [press.text for press in house.site.presses] == [WORDS]


async def test_words_that_were_held_are_sent_when_a_person_approves_them(house, where):
    job = write(house, where)
    with house.db.write() as conn:
        outbox_queue.hold(conn, job.id, [OutboxStatus.PENDING], "could_not_be_sent")
    house.site.guest_writes(where, "Hello?")
    house.take_in(where)
    assert house.job(job).status is OutboxStatus.CANCELLED  # the guest wrote again
    second = write(house, where, "Here I am")
    with house.db.write() as conn:
        outbox_queue.hold(conn, second.id, [OutboxStatus.PENDING], "could_not_be_sent")
    outbox_moves.approve(house.db, house.wakeup, second.id, "Here I am!", now=house.clock())
    await house.sent()
    assert house.job(second).status is OutboxStatus.SENT


def test_what_a_person_is_answering_waits_for_nobody_until_it_came_to_nothing(house, where):
    asked = house.request_for(where)
    with house.db.write() as conn:
        inbox_queue.finish(
            conn, asked.id, [asked.status], InboxStatus.ESCALATED, "escalated_by_ai", house.clock()
        )
    assert what_waits(house) == [("unanswered", "escalated_by_ai")]
    job = write(house, where)
    assert what_waits(house) == []
    outbox_moves.cancel(house.db, job.id, now=house.clock())
    assert what_waits(house) == [("unanswered", "escalated_by_ai")]


def test_a_guest_whose_answer_a_person_took_back_waits_again(house, where):
    house.request_for(where)
    job = write(house, where)
    assert what_waits(house) == []
    outbox_moves.cancel(house.db, job.id, now=house.clock())
    assert what_waits(house) == [("unanswered", "words_not_sent")]


async def test_what_a_guest_wrote_in_the_moment_of_the_press_is_asked_about(house, where):
    write(house, where)
    house.channel.after("press_send", lambda: house.site.guest_writes(where, "And a high chair?"))
    await house.sent()
    await house.synced()
    assert [press.text for press in house.site.presses] == [WORDS]
    carried = [m.text for m in house.messages(where).values() if m.request_id and m.role == "user"]
    assert "And a high chair?" in carried
    assert broken_promises(house) == []


def test_a_co_travellers_message_is_news_too(house, where):
    job = write(house, where)
    house.site.cotraveller_writes(where, "I'd like one as well")
    house.take_in(where)
    assert house.job(job).reason == CancelReason.GUEST_WROTE_AGAIN
    assert AuthorRole.COTRAVELLER in {m.role for m in house.site.look(where).messages}
