"""SEND on a remote that gives a receipt, can say what became of a press, and compares before it takes a message."""

from dataclasses import replace
from datetime import timedelta

import pytest

from src.errors import ChannelGone, NotPressed, TransientError, WallHit
from src.model.retry import SEND
from src.model.sending import Delivery, Finding, Receipt
from src.model.statuses import CancelReason, OutboxStatus
from src.services.store import StoredHere
from tests.faults.invariants import broken_promises
from tests.support.channel import Crash
from tests.support.house import ACCOUNT, RULES
from tests.support.table import TableChannel

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

REPLY = "Yes, there is one in the wardrobe. Kind regards!"
GUESTS_NEXT = "Found it already, thanks"


@pytest.fixture
def house(house):
    house.channel = TableChannel(house.site)
    return house


@pytest.fixture
def where(house):
    return house.site.conversation("Is there a cot?")


@pytest.fixture
def job(house, where):
    return house.reply_for(where, REPLY)


def state(house, job):
    now = house.job(job)
    return now.status, now.reason


def start_anew(house):
    house.channel = TableChannel(house.site)
    house.send, house.sync = house.new_send(), house.new_sync()


async def test_a_receipt_is_the_proof_and_nothing_is_looked_for(house, where, job):
    await house.sent()
    assert house.channel.calls == ["read", "write", "reread", "press_send"]
    now, ours = house.job(job), where.messages[-1]
    assert (now.status, now.receipt_external_id) == (OutboxStatus.SENT, ours.external_id)
    assert (now.delivery, now.processed_at) == (Delivery.ACCEPTED, house.clock())
    stored = house.messages(where)[ours.external_id]
    assert (stored.outbox_id, stored.origin, stored.text) == (job.id, "assistant", REPLY)


async def test_our_message_is_known_by_its_id_though_the_remote_changed_all_of_its_text(house, where, job):
    await house.sent()
    where.messages[-1].text = "[removed by the app]"
    await house.synced()
    assert house.stored(where).host_wrote_at is None
    assert house.messages(where)[where.messages[-1].external_id].outbox_id == job.id
    assert broken_promises(house) == []


@pytest.mark.parametrize("error", [TransientError(), ChannelGone(), Crash()])
@pytest.mark.parametrize("moment", ["before", "during", "after"])
async def test_whatever_ends_a_press_it_is_sent_once_and_never_unconfirmed(house, where, job, moment, error):
    def strike():
        raise error

    getattr(house.channel, moment)("press_send", strike)
    try:
        await house.sent()
    except (ChannelGone, Crash):
        start_anew(house)
        await house.sent()
    assert house.job(job).status in (OutboxStatus.SENT, OutboxStatus.PENDING)
    assert where.texts.count(REPLY) == (house.job(job).status is OutboxStatus.SENT)
    house.clock.advance(600)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert where.texts == ["Is there a cot?", REPLY]
    assert broken_promises(house) == []


async def test_a_wall_at_the_press_leaves_it_to_be_asked_about_after_the_halt(house, where, job):
    house.channel.fail("press_send", WallHit("credentials", "the password is refused"), after=True)
    with pytest.raises(WallHit):
        await house.sent()
    assert house.job(job).status is OutboxStatus.PROCESSING
    start_anew(house)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert where.texts.count(REPLY) == 1


async def test_what_the_remote_certainly_has_not_goes_back_into_the_queue_unarmed(house, where, job):
    house.channel.fail("press_send", TransientError())
    await house.sent()
    now = house.job(job)
    assert (now.status, now.arm_count, now.attempts) == (OutboxStatus.PENDING, 0, 1)
    assert house.channel.calls.count("find") == 1


async def test_a_reply_that_is_never_taken_waits_for_a_person(house, where, job):
    house.channel.before("press_send", lambda: (_ for _ in ()).throw(TransientError()), nth=None)
    for _ in range(SEND.tries):
        await house.sent()
        house.clock.advance(600)
    assert state(house, job) == (OutboxStatus.DRAFT, "could_not_be_sent")
    assert where.texts == ["Is there a cot?"]


async def test_a_guest_who_writes_in_the_instant_of_the_press_is_not_answered_over(house, where, job):
    house.channel.before("press_send", lambda: house.site.guest_writes(where, GUESTS_NEXT))
    await house.sent()
    assert house.site.presses == []
    assert house.job(job).status is OutboxStatus.PENDING
    await house.synced()
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.GUEST_WROTE_AGAIN)
    assert house.open_request(where) is not None
    assert broken_promises(house) == []


async def test_a_late_row_with_an_earlier_date_is_seen_at_the_press_too(house, where, job):
    an_hour_ago = house.clock() - timedelta(hours=1)
    house.channel.before("press_send", lambda: house.site.guest_writes(where, GUESTS_NEXT, at=an_hour_ago))
    await house.sent()
    assert house.site.presses == []
    await house.synced()
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.GUEST_WROTE_AGAIN)


async def test_an_unknown_end_is_settled_by_reading_as_ever(house, where, job, monkeypatch):
    async def unknown(*_):
        return Finding.UNKNOWN

    monkeypatch.setattr(house.channel, "find", unknown)
    house.channel.fail("press_send", TransientError(), after=True)
    await house.sent()
    assert house.channel.calls[-1] == "follow"
    assert state(house, job) == (OutboxStatus.SENT, None)


async def test_what_cannot_be_delivered_has_failed_with_the_remotes_own_code(house, where, job, monkeypatch):
    async def undeliverable(*_):
        return Receipt("m-1", standing=Delivery.FAILED, error="131026")

    monkeypatch.setattr(house.channel, "press_send", undeliverable)
    await house.sent()
    now = house.job(job)
    assert (now.status, now.reason) == (OutboxStatus.FAILED, "undeliverable")
    assert (now.delivery, now.delivery_error, now.arm_count) == (Delivery.FAILED, "131026", 0)


async def test_a_receipt_that_cannot_be_written_down_is_asked_for_again(house, where, job, monkeypatch):
    rows = house.send._rows
    settle = rows.settle_by_receipt
    troubles = [TransientError("database is locked")]

    def once_not(*arguments):
        if troubles:
            raise troubles.pop()
        settle(*arguments)

    monkeypatch.setattr(rows, "settle_by_receipt", once_not)
    await house.sent()
    assert house.channel.calls[-2:] == ["press_send", "find"]
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert where.texts.count(REPLY) == 1


async def test_the_same_text_from_a_person_in_our_name_is_the_persons(house, where, job):
    house.channel.before("read", lambda: house.site.host_writes(where, REPLY))
    await house.sent()
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.HOST_ANSWERED)
    assert where.texts.count(REPLY) == 1


# --- what is first seen later came later ---------------------------------------------------------------------------


async def test_a_row_that_is_first_seen_after_our_reply_is_unanswered_whatever_its_date(house, where, job):
    long_before = where.messages[0].sent_at - timedelta(seconds=2)
    await house.sent()
    late = house.site.guest_writes(where, GUESTS_NEXT, at=long_before)
    assert where.messages[0] is late
    await house.synced()
    request = house.open_request(where)
    assert request is not None
    assert request.newest_external_id == late.external_id
    house.clock.advance(60)
    (asked,) = house.ask_ai()
    assert list(house.asked[asked.id].values()) == [GUESTS_NEXT]
    reply = house.answer(asked, "Good to hear.").job
    await house.sent()
    assert state(house, reply) == (OutboxStatus.SENT, None)
    await house.synced()
    assert house.open_request(where) is None
    # I8 goes by dates, and this row's date is older than what it came after.
    assert [line for line in broken_promises(house) if not line.startswith("I8")] == []


async def test_a_row_that_comes_late_while_the_ai_thinks_is_asked_about_too(house, where):
    request = house.request_for(where)
    house.site.guest_writes(where, GUESTS_NEXT, at=where.messages[0].sent_at - timedelta(seconds=2))
    await house.synced()
    assert house.request(request).reason == CancelReason.GUEST_WROTE_AGAIN
    house.clock.advance(60)
    (again,) = house.ask_ai()
    assert set(house.asked[again.id].values()) == {"Is there a cot?", GUESTS_NEXT}


async def test_a_guest_whose_clock_is_ahead_is_answered_once(house, where, job):
    where.messages[0].sent_at = house.clock() + timedelta(minutes=5)
    await house.sent()
    where.messages.sort(key=lambda m: m.sent_at)
    await house.synced()
    assert house.open_request(where) is None
    late = house.site.guest_writes(where, GUESTS_NEXT, at=house.clock())
    await house.synced()
    assert house.open_request(where).newest_external_id == late.external_id


async def test_history_that_is_read_further_back_is_not_taken_for_news(house, where, job):
    for number in range(3):
        house.site.guest_writes(
            where, f"Long ago {number}", at=where.messages[0].sent_at - timedelta(hours=1)
        )
    house.site.stretch = 1
    await house.sent()
    view = house.site.look(where)
    assert view.has_older
    house.take_in(replace(view, compared=True))
    house.site.stretch = 50
    told = house.site.look(where)
    house.take_in(replace(told, compared=True, has_older=True))
    assert house.open_request(where) is None
    assert house.job(job).account == ACCOUNT


async def test_a_remote_that_asks_for_a_slower_pace_gets_it_and_refuses_nothing_for_good(house, where, job):
    house.channel.fail("press_send", NotPressed(retry_after=60.0), nth=None)
    for _ in range(SEND.tries + 2):
        await house.sent()
        now = house.job(job)
        assert (now.status, now.arm_count, now.attempts) == (OutboxStatus.PENDING, 0, 0)
        assert now.due_at == house.clock() + timedelta(seconds=60)
        house.clock.advance(60)
    assert where.texts == ["Is there a cot?"]


async def test_a_wall_that_surely_took_nothing_gives_the_reply_back(house, where, job):
    house.channel.fail("press_send", WallHit("credentials", "the token has ended", nothing_sent=True))
    with pytest.raises(WallHit):
        await house.sent()
    now = house.job(job)
    assert (now.status, now.arm_count, now.attempts) == (OutboxStatus.PENDING, 0, 0)


async def test_what_the_remote_will_not_deliver_waits_for_a_person_where_one_can_do_something(
    house, where, job
):
    async def refused(*_):
        return Receipt("", standing=Delivery.FAILED, error="131047", held="window_closed")

    house.channel.press_send = refused
    await house.sent()
    assert state(house, job) == (OutboxStatus.DRAFT, "window_closed")


async def test_what_was_sent_in_place_of_the_reply_is_what_is_stored_and_shown(house, where, job):
    async def replaced(_, press):
        await StoredHere(house.db, ACCOUNT, RULES, house.clock).send_instead(press, "[template hello]")
        return Receipt("m-77")

    house.channel.press_send = replaced
    await house.sent()
    assert house.job(job).receipt_text == "[template hello]"
    assert house.messages(where)["m-77"].text == "[template hello]"
