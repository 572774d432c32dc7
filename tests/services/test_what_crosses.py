"""Where SEND, SYNC, the queue of the AI and people cross: each test is named after what once went wrong."""

from dataclasses import replace

from src.db import inbox_queue, outbox_queue
from src.errors import TransientError
from src.model.retry import SEND
from src.model.statuses import InboxStatus, OutboxStatus
from src.services.intake import take_in
from src.services.outbox_moves import send_again
from src.services.sync import FAILURES_OF_ONE
from tests.faults.invariants import broken_promises
from tests.support.house import ACCOUNT

REPLY = "Yes, there is one in the wardrobe. Kind regards!"


def claimed(house, owner="dead"):
    with house.db.write() as conn:
        return outbox_queue.claim(
            conn, ACCOUNT, owner=owner, lease_until=house.clock.later(60), now=house.clock()
        )


def armed(house, where, owner="dead"):
    job = claimed(house, owner)
    with house.db.write() as conn:
        outbox_queue.arm(
            conn, job.id, owner, after_external_id=where.messages[-1].external_id, now=house.clock()
        )
    house.clock.advance(1)
    return job


def test_the_proof_of_a_reply_that_was_sent_again_goes_to_the_one_that_was_pressed(house):
    where = house.site.conversation("Is there a cot?")
    first = house.reply_for(where, REPLY)
    armed(house, where)
    with house.db.write() as conn:
        outbox_queue.unconfirmed(conn, first.id, "no_proof", house.clock())
    second = send_again(house.db, house.wakeup, first.id, now=house.clock())
    armed(house, where)
    house.site.press(where, REPLY, None)
    house.take_in(where)
    assert house.job(second).status is OutboxStatus.SENT
    assert house.job(first).status is OutboxStatus.UNCONFIRMED


def test_a_job_left_unarmed_by_a_dead_worker_is_cancelled_when_the_guest_edits(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, REPLY)
    claimed(house)
    house.site.edit(where.messages[-1], "Is there a dog crate?")
    house.take_in(where)
    assert house.job(job).status is OutboxStatus.CANCELLED
    assert house.job(job).reason == "guest_changed_message"
    assert house.open_request(where) is not None


def test_a_text_that_is_not_shown_for_a_moment_is_not_taken_for_a_change(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, REPLY)
    seen = house.site.look(where)
    unfilled = replace(seen, messages=tuple(replace(m, text=None) for m in seen.messages))
    with house.db.write() as conn:
        take_in(conn, ACCOUNT, unfilled, rules=house.rules, now=house.clock())
    assert house.job(job).status is OutboxStatus.PENDING
    assert next(iter(house.messages(where).values())).text == "Is there a cot?"


def test_a_job_at_which_worker_after_worker_ends_is_held_in_the_end(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, REPLY)
    for _ in range(SEND.lost_tries):
        claimed(house)
        lost = house.job(job)
        house.send._rows.release_lost(lost)
        house.clock.advance(1)
    assert (house.job(job).status, house.job(job).reason) == (OutboxStatus.DRAFT, "could_not_be_sent")


def test_a_request_whose_post_was_interrupted_does_not_grow_by_a_later_message(house):
    where = house.site.conversation("Is there a cot?")
    house.take_in(where)
    request = house.open_request(where)
    with house.db.write() as conn:
        taken = inbox_queue.claim_due(
            conn,
            ACCOUNT,
            owner="w",
            lease_until=house.clock.later(60),
            now=house.clock.later(3600),
            limit=1,
        )
        inbox_queue.release(conn, taken[0].id, "w", due_at=house.clock.later(3600), error="interrupted")
    house.site.guest_writes(where, "And may we smoke inside?")
    house.take_in(where)
    assert house.request(request).status is InboxStatus.CANCELLED
    assert house.open_request(where).id != request.id


async def test_a_conversation_whose_view_lacks_the_newest_of_the_list_is_not_opened_every_cycle(house):
    where = house.site.conversation("Is there a cot?")
    bulletin = house.site.bulletin(where)
    opened = 0
    for _ in range(3):
        real = house.site.look

        def without(conversation, *arguments, _real=real, **named):
            view = _real(conversation, *arguments, **named)
            kept = tuple(m for m in view.messages if m.external_id != bulletin.external_id)
            return replace(view, messages=kept) if view.opened else view

        house.site.look = without
        opened += (await house.synced()).opened
        house.site.look = real
    assert opened == 1


async def test_a_conversation_that_never_opens_ends_in_a_named_state_and_slows_nobody(house):
    sick, well = house.site.conversation("One"), house.site.conversation("Two")
    number = 0
    for number in range(1, FAILURES_OF_ONE + 1):
        house.site.guest_writes(well, f"Another question, number {number}")
        house.channel.fail("read", TransientError(), nth=house.channel.calls.count("read") + 1)
        await house.synced()
    assert number == FAILURES_OF_ONE
    assert house.stored(sick) is not None
    assert broken_promises(house, settled=False) == []


async def test_a_guest_message_that_crossed_our_press_unseen_is_found(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, REPLY)
    house.channel.tells_sent_alone = True
    house.channel.before("press_send", lambda: house.site.guest_writes(where, "And is there a high chair?"))
    await house.sent()
    assert house.job(job).status is OutboxStatus.SENT
    crossing = where.messages[1]
    assert crossing.external_id not in house.messages(where)
    assert (await house.synced()).opened == 1
    assert house.messages(where)[crossing.external_id].skip_reason == "crossed_our_reply"
    assert (await house.synced()).opened == 0


async def test_our_own_reply_that_was_seen_in_its_conversation_is_not_opened_again(house):
    where = house.site.conversation("Is there a cot?")
    house.reply_for(where, REPLY)
    await house.sent()
    assert (await house.synced()).opened == 0


async def test_an_unconfirmed_reply_above_a_later_message_of_the_host_is_settled(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, REPLY)
    await house.synced()
    armed(house, where)
    with house.db.write() as conn:
        outbox_queue.unconfirmed(conn, job.id, "no_proof", house.clock())
    house.site.press(where, REPLY, None)
    house.site.host_writes(where, "Call me if you cannot find it")
    assert (await house.synced()).opened == 1
    assert house.job(job).status is OutboxStatus.SENT


def test_a_message_that_we_heard_of_after_our_press_is_still_answered(house):
    where = house.site.conversation("Is there a cot?")
    first = house.reply_for(where, REPLY)
    armed(house, where)
    house.site.guest_writes(where, "And a high chair?")
    house.take_in(where)
    request = house.open_request(where)
    assert request is not None
    house.site.press(where, REPLY, None)
    house.take_in(where)
    assert house.job(first).status is OutboxStatus.SENT
    assert house.open_request(where) == request, "our reply to the message before was no answer to this one"
