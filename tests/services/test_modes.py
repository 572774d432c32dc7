"""Setting a mode while replies are on their way: what the new mode would not have let go is taken back."""

import pytest

from src.db import outbox_queue
from src.model.statuses import OutboxStatus
from src.model.values import ReplyMode
from src.services.refusals import NotFound
from src.services.switches import set_mode
from tests.support.house import ACCOUNT

OFF, DRAFT, AUTO = ReplyMode.OFF, ReplyMode.DRAFT, ReplyMode.AUTO


def put(house, scope, scope_id, mode):
    return set_mode(house.db, ACCOUNT, scope, scope_id, mode, default=AUTO, now=house.clock())


@pytest.mark.parametrize(("mode", "reason"), [(OFF, "mode_off"), (DRAFT, "approval_required")])
async def test_a_waiting_reply_becomes_a_draft_and_is_not_sent(house, mode, reason):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, "Yes, in the wardrobe")
    assert put(house, "conversation", where.external_id, mode) == 1
    await house.sent()
    assert house.site.presses == []
    assert (house.job(job).status, house.job(job).reason) == (OutboxStatus.DRAFT, reason)


async def test_what_a_person_then_approves_is_sent(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, "Yes, in the wardrobe")
    put(house, "account", "", OFF)
    with house.db.write() as conn:
        outbox_queue.approve(conn, job.id, None, house.clock())
    await house.sent()
    assert house.job(job).status is OutboxStatus.SENT


def test_only_what_lies_in_the_scope_is_taken_back(house):
    here = house.site.conversation("Is there a cot?", listing_id="listing-1")
    there = house.site.conversation("Is there a cot?", listing_id="listing-2")
    free = house.site.conversation("Is there a cot?", listing_id="listing-1")
    jobs = [house.reply_for(where, "Yes, in the wardrobe") for where in (here, there, free)]
    put(house, "conversation", free.external_id, AUTO)
    assert put(house, "listing", "listing-1", OFF) == 1
    statuses = [house.job(job).status for job in jobs]
    assert statuses == [OutboxStatus.DRAFT, OutboxStatus.PENDING, OutboxStatus.PENDING]
    assert put(house, "account", "", AUTO) == 0


async def test_a_reply_in_hand_is_taken_back_before_its_press(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, "Yes, in the wardrobe")
    house.channel.after("write", lambda: put(house, "account", "", OFF))
    await house.sent()
    assert house.site.presses == []
    assert (house.job(job).status, house.job(job).reason) == (OutboxStatus.DRAFT, "mode_off")
    assert house.channel.composer == ""


async def test_what_may_have_been_pressed_cannot_be_taken_back(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, "Yes, in the wardrobe")
    house.channel.after("press_send", lambda: put(house, "account", "", OFF))
    await house.sent()
    assert house.job(job).status is OutboxStatus.SENT
    assert len(house.site.presses) == 1


def test_an_unknown_conversation_is_named(house):
    with pytest.raises(NotFound):
        put(house, "conversation", "thread-99", OFF)
