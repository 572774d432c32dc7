"""One reply on its way: typed, pressed once, proved; and everything that may come in between."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from src.db import accounts, outbox_queue, outbox_views
from src.errors import (
    CannotWrite,
    ChannelGone,
    Halt,
    NotPressed,
    NotUnderstood,
    PageChanged,
    PermanentError,
    StaleJob,
    TransientError,
    WallHit,
)
from src.model.gate import Refusal
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.services import intake as intake_module
from src.services import send as send_module
from src.services import send_rows
from tests.faults.invariants import broken_promises
from tests.support.channel import FakeChannel
from tests.support.house import ACCOUNT
from tests.support.site import Acceptance, FakeSite

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What the database does in each step is tested on both kinds elsewhere; so is what becomes of its trouble."""

REPLY = "Yes, there is one in the wardrobe. Kind regards!"
GUESTS_NEXT = "Found it already, thanks"


@pytest.fixture
def where(house):
    return house.site.conversation("Is there a cot?")


@pytest.fixture
def job(house, where):
    return house.reply_for(where, REPLY)


def state(house, job):
    now = house.job(job)
    return now.status, now.reason


# --- how it goes -----------------------------------------------------------------------------------------------


async def test_a_reply_is_pressed_once_and_proved(house, where, job):
    assert await house.sent() == 1
    assert house.channel.calls == ["read", "write", "reread", "press_send", "follow"]
    now = house.job(job)
    assert (now.status, now.processed_at, now.attempts) == (OutboxStatus.SENT, house.clock(), 1)
    assert now.receipt_external_id == where.messages[-1].external_id
    assert (now.claimed_by, now.lease_until, now.last_error) == (None, None, None)
    assert where.texts == ["Is there a cot?", REPLY]
    assert house.messages(where)[now.receipt_external_id].origin == "assistant"
    await house.synced()
    assert house.stored(where).host_wrote_at is None
    assert broken_promises(house) == []


@pytest.mark.parametrize("noticed_at", ["read", "reread"])
async def test_with_the_login_of_another_host_nothing_is_typed_or_pressed(house, noticed_at):
    house.take_in(house.site.conversation("Where it was known whose inbox it is"))
    await house.synced()
    job = house.reply_for(house.site.conversation("Is there a cot?"), REPLY)
    house.channel.before(noticed_at, lambda: setattr(house.site, "viewer_id", "co-host-7"))
    with pytest.raises(Halt) as caught:
        await house.sent()
    assert caught.value.kind == "other_account"
    assert ("write" in house.channel.calls) is (noticed_at == "reread")
    assert house.site.presses == []
    assert (house.job(job).status, house.job(job).arm_count) == (OutboxStatus.PENDING, 0)


async def test_nothing_to_do_touches_nothing(house):
    assert not house.send.has_work()
    assert await house.sent() == 0
    assert house.channel.calls == []


async def test_replies_are_sent_oldest_first_and_each_in_its_own_conversation(house):
    places = [house.site.conversation(f"Question {number}") for number in range(3)]
    jobs = []
    for place in places:
        jobs.append(house.reply_for(place))
        house.clock.advance(1)
    assert await house.sent() == 3
    assert [press.text for press in house.site.presses] == [job.text for job in jobs]
    assert [press.conversation for press in house.site.presses] == places
    assert broken_promises(house, settled=False) == []


async def test_others_may_go_between_two_replies(house):
    for number in range(2):
        house.reply_for(house.site.conversation(f"Question {number}"))
    pressed = []

    async def yield_turn():
        pressed.append(len(house.site.presses))

    assert await house.send.run_once(house.channel, yield_turn) == 2
    assert pressed == [1, 2]


async def test_it_stops_between_two_replies_when_it_shall_not_go_on(house):
    for number in range(3):
        house.reply_for(house.site.conversation(f"Question {number}"))
    assert await house.send.run_once(house.channel, keep_going=lambda: len(house.site.presses) < 2) == 2
    assert len(house.site.presses) == 2


async def test_every_step_is_told_to_the_watchdog(house, where, job):
    steps: list[str] = []
    house.site.acceptance = Acceptance(taken=False)
    send = house.new_send(mark=steps.append)
    await send.run_once(house.channel)
    assert len(steps) == 6
    assert all(steps)


async def test_a_reply_into_a_conversation_that_was_never_seen_is_sent_when_the_site_has_it(house):
    unseen = house.site.conversation("Is there a cot?")
    job = house.answer_unasked(unseen.external_id, REPLY)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert broken_promises(house) == []


async def test_a_reply_into_a_conversation_that_the_site_does_not_have_fails(house):
    job = house.answer_unasked("thread-404", REPLY)
    await house.sent()
    assert state(house, job) == (OutboxStatus.FAILED, "no_such_conversation")
    assert house.channel.calls == ["read"]


# --- what the site does with it --------------------------------------------------------------------------------


async def test_a_message_that_shows_up_late_is_waited_for(house, where, job):
    house.site.acceptance = Acceptance(hidden_for=5)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert house.presses_of(job) == 1


async def test_a_message_that_shows_up_much_later_is_unconfirmed_until_sync_sees_it(house, where, job):
    house.site.acceptance = Acceptance(hidden_for=9)
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")
    for _ in range(3):
        await house.synced()
        house.clock.advance(60)
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert house.presses_of(job) == 1
    assert broken_promises(house) == []


async def test_a_bubble_that_vanished_is_unconfirmed_and_never_pressed_again(house, where, job):
    house.site.acceptance = Acceptance(taken=False)
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")
    house.site.acceptance = Acceptance()
    house.clock.advance(3600)
    assert not house.send.has_work()
    await house.recovered()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")
    assert house.presses_of(job) == 1


async def test_an_altered_text_is_still_ours_and_is_kept_as_shown(house, where):
    job = house.reply_for(where, "Call me on +44 7700 900123 when you\narrive at the door")
    house.site.acceptance = Acceptance(
        change=lambda text: text.replace("+44 7700 900123", "(phone number hidden)").replace("\n", " ")
    )
    await house.sent()
    now = house.job(job)
    shown = "Call me on (phone number hidden) when you arrive at the door"
    assert (now.status, now.receipt_text) == (OutboxStatus.SENT, shown)


REWRITTEN = Acceptance(change=lambda _: "👋", named=True)


async def test_a_reply_that_the_site_rewrites_is_ours_by_the_id_that_the_site_named(house, where, job):
    house.site.acceptance = REWRITTEN
    await house.sent()
    now = house.job(job)
    assert (now.status, now.receipt_text) == (OutboxStatus.SENT, "👋")
    assert now.receipt_external_id == where.messages[-1].external_id
    await house.synced()
    assert house.stored(where).host_wrote_at is None
    assert broken_promises(house) == []


async def test_a_rewritten_reply_that_shows_up_after_a_restart_is_not_taken_for_the_hosts_answer(
    house, where, job
):
    house.site.acceptance = replace(REWRITTEN, hidden_for=20)
    await house.sent()
    named = where.messages[-1].external_id
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")
    assert house.job(job).receipt_external_id == named
    where.messages[-1].hidden_for = 0
    await house.recovered()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert (house.job(job).receipt_external_id, house.job(job).receipt_text) == (named, "👋")
    assert house.stored(where).host_wrote_at is None
    assert house.presses_of(job) == 1
    assert broken_promises(house) == []


async def test_what_the_site_named_outlives_a_browser_that_goes_away_while_it_is_looked_for(
    house, where, job
):
    house.site.acceptance = replace(REWRITTEN, hidden_for=4)
    house.channel.fail("follow", ChannelGone(), after=True)
    with pytest.raises(ChannelGone):
        await house.sent()
    assert state(house, job) == (OutboxStatus.PROCESSING, None)
    where.messages[-1].hidden_for = 0
    await house.recovered()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert broken_promises(house) == []


async def test_a_rewritten_reply_that_nobody_named_stays_unconfirmed_and_nothing_is_said_over_it(
    house, where, job
):
    house.site.acceptance = replace(REWRITTEN, named=False)
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")
    await house.synced()
    assert house.stored(where).host_wrote_at == where.messages[-1].sent_at
    assert house.presses_of(job) == 1


async def test_the_message_of_another_press_proves_nothing(house, where, job):
    house.site.acceptance = Acceptance(taken=False)
    house.channel.after(
        "press_send",
        lambda: house.channel.made.update({"another": house.site.host_writes(where, "See you").external_id}),
    )
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")


async def test_a_named_message_that_was_there_before_the_press_proves_nothing(house, where, job):
    house.site.acceptance = Acceptance(taken=False)
    old = house.site.host_writes(where, "Hello", at=where.messages[0].sent_at - timedelta(minutes=1))
    house.channel.after("press_send", lambda: house.channel.made.update({job.id: old.external_id}))
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")


async def test_the_same_words_from_yesterday_are_no_proof(house, clock):
    where = house.site.conversation("Is there a cot?")
    house.site.host_writes(where, REPLY)
    clock.advance(3600)
    house.site.guest_writes(where, "Is it still there?")
    job = house.reply_for(where, REPLY)
    house.site.acceptance = Acceptance(taken=False)
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")


async def test_the_same_words_from_further_back_than_was_read_are_no_proof(house, clock):
    where = house.site.conversation("Is there a cot?")
    house.site.host_writes(where, REPLY)
    clock.advance(3600)
    for number in range(3):
        house.site.guest_writes(where, f"Is it still there? {number}")
    house.site.stretch = 2
    job = house.reply_for(where, REPLY)
    house.site.acceptance = Acceptance(hidden_for=4)

    def show_everything():
        house.site.stretch = 50

    house.channel.after("press_send", show_everything)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert house.job(job).receipt_external_id == where.messages[-1].external_id


async def test_the_same_words_from_yesterday_do_not_end_the_look_when_what_came_after_is_gone(house, clock):
    where = house.site.conversation("Is there a cot?")
    house.site.host_writes(where, REPLY)
    clock.advance(3600)
    newest = house.site.guest_writes(where, "Is it still there?")
    job = house.reply_for(where, REPLY)
    house.site.acceptance = Acceptance(hidden_for=4)
    house.channel.after("press_send", lambda: where.messages.remove(newest))
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert house.job(job).receipt_external_id == where.messages[-1].external_id


# --- what people do meanwhile ----------------------------------------------------------------------------------

EVENTS = {
    "host": (FakeSite.host_writes, CancelReason.HOST_ANSWERED),
    "cohost": (FakeSite.cohost_writes, CancelReason.HOST_ANSWERED),
    "guest": (FakeSite.guest_writes, CancelReason.GUEST_WROTE_AGAIN),
}
MOMENTS = ["before read", "before write", "after write", "before reread"]


def at(channel, moment, do):
    when, method = moment.split()
    getattr(channel, when)(method, do)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("event", EVENTS)
async def test_whoever_writes_before_the_press_stops_it(house, where, job, event, moment):
    write, reason = EVENTS[event]
    at(house.channel, moment, lambda: write(house.site, where, GUESTS_NEXT))
    await house.sent()
    assert state(house, job) == (OutboxStatus.CANCELLED, reason)
    now = house.job(job)
    assert (now.arm_count, now.armed_at, now.after_external_id, now.claimed_by) == (0, None, None, None)
    assert house.site.presses == []
    assert house.channel.composer == ""
    assert (house.open_request(where) is not None) == (event == "guest")
    await house.synced()
    assert broken_promises(house) == []


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_guest_who_changes_the_question_before_the_press_stops_it(house, where, job, moment):
    at(house.channel, moment, lambda: house.site.edit(where.messages[0], "Is there a crib?"))
    await house.sent()
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.GUEST_CHANGED_MESSAGE)
    assert house.site.presses == []
    assert house.open_request(where) is not None


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_guest_who_takes_the_question_back_before_the_press_stops_it(house, where, job, moment):
    at(house.channel, moment, lambda: house.site.unsend(where.messages[0]))
    await house.sent()
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.GUEST_UNSENT_MESSAGE)
    assert house.site.presses == []


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("what", [FakeSite.card, FakeSite.bulletin])
async def test_a_card_or_bulletin_before_the_press_stops_it(house, where, job, what, moment):
    at(house.channel, moment, lambda: what(house.site, where))
    await house.sent()
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.NOT_THE_NEWEST)
    assert house.site.presses == []


@pytest.mark.parametrize(
    ("event", "moment"),
    [
        (event, moment)
        for event in EVENTS
        for moment in MOMENTS
        if (event, moment) != ("guest", "before read")
    ],
)
async def test_a_reply_that_nobody_asked_for_is_stopped_too(house, where, event, moment):
    job = house.answer_unasked(where.external_id, REPLY)
    write, reason = EVENTS[event]
    at(house.channel, moment, lambda: write(house.site, where, GUESTS_NEXT))
    await house.sent()
    assert state(house, job) == (OutboxStatus.CANCELLED, reason)
    assert house.site.presses == []
    await house.synced()
    assert broken_promises(house) == []
    assert (house.open_request(where) is not None) == (event == "guest")


async def test_a_reply_whose_time_is_over_is_not_sent(house, where, job):
    house.clock.advance(25 * 3600)
    await house.sent()
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.EXPIRED)
    assert house.site.presses == []


@pytest.mark.parametrize("moment", ["before press_send", "after press_send", "before follow"])
async def test_a_guest_who_writes_in_the_instant_of_the_press_is_left_to_a_person_or_asked_anew(
    house, where, job, moment
):
    at(house.channel, moment, lambda: house.site.guest_writes(where, GUESTS_NEXT))
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    (new,) = [m for m in house.messages(where).values() if m.text == GUESTS_NEXT]
    request = house.request(new.request_id)
    if moment == "before press_send":
        assert (request.status, request.reason) == (InboxStatus.ESCALATED, Refusal.CROSSED_OUR_REPLY)
    else:
        assert request.status is InboxStatus.PENDING
    assert broken_promises(house) == []


async def test_a_host_who_writes_in_the_instant_of_the_press_is_not_taken_for_us(house, where, job):
    house.channel.before("press_send", lambda: house.site.host_writes(where, "It is in the cellar"))
    await house.sent()
    now = house.job(job)
    assert (now.status, now.receipt_external_id) == (OutboxStatus.SENT, where.messages[-1].external_id)
    assert house.stored(where).host_wrote_at == where.messages[-2].sent_at


async def test_sixty_messages_between_two_looks_are_all_stored(house, where, job):
    house.site.stretch = 10
    for number in range(60):
        house.site.guest_writes(where, f"And {number}")
    await house.sent()
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.GUEST_WROTE_AGAIN)
    assert len(house.messages(where)) == 61
    await house.synced()
    assert broken_promises(house) == []


# --- the composer ----------------------------------------------------------------------------------------------


async def test_a_person_at_the_composer_is_waited_for(house, where, job):
    where.draft = "Dear Gerda, I"
    for tries in range(1, 9):
        await house.sent()
        now = house.job(job)
        assert (now.status, now.attempts, now.arm_count) == (OutboxStatus.PENDING, tries, 0)
        assert now.due_at == house.clock.later(60)
        assert house.channel.composer == "Dear Gerda, I"
        house.clock.advance(60)
    where.draft = ""
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)


async def test_a_text_that_stays_in_the_composer_is_left_to_a_person_in_the_end(house, where, job):
    where.draft = "Dear Gerda, I"
    for _ in range(10):
        await house.sent()
        house.clock.advance(60)
    assert state(house, job) == (OutboxStatus.DRAFT, "composer_busy")
    assert house.site.presses == []
    assert house.channel.composer == "Dear Gerda, I"


async def test_a_press_that_certainly_was_none_gives_the_reply_back(house, where, job):
    house.channel.fail("press_send", NotPressed())
    await house.sent()
    now = house.job(job)
    assert (now.status, now.arm_count) == (OutboxStatus.PENDING, 0)
    assert (house.site.presses, house.channel.composer) == ([], "")
    house.clock.advance(60)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert house.presses_of(job) == 1


async def test_a_conversation_without_composer_is_held_for_a_person(house, where, job):
    where.has_composer = False
    await house.sent()
    assert state(house, job) == (OutboxStatus.DRAFT, CannotWrite.reason)
    assert house.site.presses == []


async def test_a_composer_that_changes_after_the_arm_stops_the_press(house, where, job):
    house.channel.before("reread", lambda: house.channel.overwrite("Something else"))
    await house.sent()
    now = house.job(job)
    assert (now.status, now.arm_count, now.attempts) == (OutboxStatus.PENDING, 0, 1)
    assert house.site.presses == []
    house.clock.advance(5)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)


async def test_what_cannot_be_sent_is_tried_ever_more_rarely_and_then_held(house, where, job):
    where.takes_text = False
    waits = []
    for _ in range(4):
        await house.sent()
        now = house.job(job)
        assert now.status is OutboxStatus.PENDING
        waits.append((now.due_at - house.clock()).total_seconds())
        assert not house.send.has_work()
        house.clock.advance(waits[-1])
    assert waits == [5, 10, 20, 40]
    await house.sent()
    assert state(house, job) == (OutboxStatus.DRAFT, "could_not_be_sent")
    assert house.job(job).attempts == 5
    assert house.site.presses == []


async def test_one_reply_that_cannot_be_sent_keeps_no_other_waiting(house, where, job):
    where.takes_text = False
    other = house.reply_for(house.site.conversation("Hello"))
    await house.sent()
    assert state(house, other) == (OutboxStatus.SENT, None)


# --- trouble before and after the press ------------------------------------------------------------------------

BEFORE = ["read", "write", "reread"]
TRANSIENT = [TransientError(), NotUnderstood()]


@pytest.mark.parametrize("method", BEFORE)
@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
async def test_trouble_before_the_press_is_tried_again_and_counts(house, where, job, method, error):
    house.channel.fail(method, error)
    await house.sent()
    now = house.job(job)
    assert (now.status, now.attempts, now.arm_count) == (OutboxStatus.PENDING, 1, 0)
    assert (now.due_at, now.last_error) == (house.clock.later(5), str(error))
    assert house.channel.composer == ""
    house.clock.advance(5)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert house.presses_of(job) == 1


@pytest.mark.parametrize("method", BEFORE)
async def test_a_browser_that_goes_before_the_press_gives_the_reply_back(house, where, job, method):
    house.channel.fail(method, ChannelGone())
    with pytest.raises(ChannelGone):
        await house.sent()
    now = house.job(job)
    assert (now.status, now.attempts, now.arm_count) == (OutboxStatus.PENDING, 0, 0)
    house.channel = FakeChannel(house.site)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)


@pytest.mark.parametrize("method", ["press_send", "follow"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_browser_that_goes_at_the_press_leaves_the_reply_to_be_looked_for(
    house, where, job, method, after
):
    house.channel.fail(method, ChannelGone(), after=after)
    with pytest.raises(ChannelGone):
        await house.sent()
    now = house.job(job)
    assert (now.status, now.arm_count) == (OutboxStatus.PROCESSING, 1)
    assert house.send.has_work()
    house.channel = FakeChannel(house.site)
    await house.sent()
    assert "press_send" not in house.channel.calls
    pressed = len(house.site.presses)
    expected = (OutboxStatus.SENT, None) if pressed else (OutboxStatus.UNCONFIRMED, "no_proof")
    assert state(house, job) == expected


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
async def test_a_press_that_raises_is_looked_after_and_never_repeated(house, where, job, error, after):
    house.channel.fail("press_send", error, after=after)
    await house.sent()
    assert house.channel.calls.count("press_send") == 1
    expected = (OutboxStatus.SENT, None) if after else (OutboxStatus.UNCONFIRMED, "no_proof")
    assert state(house, job) == expected
    house.clock.advance(3600)
    await house.recovered()
    assert house.presses_of(job) == int(after)
    assert state(house, job) == expected


async def test_a_look_that_fails_after_the_press_leaves_the_reply_unconfirmed_until_sync_sees_it(
    house, where, job
):
    house.channel.fail("follow", TransientError(), nth=None)
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")
    await house.synced()
    assert state(house, job) == (OutboxStatus.SENT, None)


@pytest.mark.parametrize("method", ["read", "write"])
async def test_what_can_never_succeed_fails_with_its_reason(house, where, job, method):
    house.channel.fail(method, PermanentError(reason="gone_for_good"))
    await house.sent()
    assert state(house, job) == (OutboxStatus.FAILED, "gone_for_good")


HALTS = [WallHit("captcha", "a challenge is shown"), PageChanged("the composer", "the conversation")]


@pytest.mark.parametrize("halt", HALTS, ids=lambda halt: halt.kind)
@pytest.mark.parametrize("method", BEFORE)
async def test_a_wall_before_the_press_goes_up_and_gives_the_reply_back(house, where, job, method, halt):
    house.channel.fail(method, halt)
    with pytest.raises(Halt) as caught:
        await house.sent()
    assert caught.value is halt
    now = house.job(job)
    assert (now.status, now.attempts, now.arm_count) == (OutboxStatus.PENDING, 0, 0)
    assert house.channel.calls[-1] == method
    assert house.site.presses == []


@pytest.mark.parametrize(
    ("method", "reason"), [("press_send", "captcha_at_send"), ("follow", "captcha_after_send")]
)
@pytest.mark.parametrize("after", [False, True])
async def test_a_wall_at_the_press_goes_up_and_leaves_the_reply_unconfirmed(
    house, where, job, method, reason, after
):
    house.channel.fail(method, HALTS[0], after=after)
    with pytest.raises(WallHit):
        await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, reason)
    assert house.channel.calls[-1] == method


async def test_a_wall_at_the_second_look_goes_up_too(house, where, job):
    house.site.acceptance = Acceptance(taken=False)
    house.channel.fail("read", HALTS[0], nth=2)
    with pytest.raises(WallHit):
        await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "captcha_after_send")


@pytest.mark.parametrize("why", ["overtaken", "trouble"])
async def test_a_wall_while_the_composer_is_emptied_goes_up(house, where, job, why):
    if why == "overtaken":
        house.channel.before("reread", lambda: house.site.host_writes(where, "It is in the cellar"))
    else:
        house.channel.fail("reread", TransientError())
    house.channel.fail("clear", HALTS[0])
    with pytest.raises(WallHit):
        await house.sent()
    assert house.job(job).status is (OutboxStatus.CANCELLED if why == "overtaken" else OutboxStatus.PENDING)
    assert house.job(job).arm_count == 0


async def test_a_composer_that_cannot_be_emptied_harms_nobody(house, where, job):
    house.channel.before("reread", lambda: house.site.host_writes(where, "It is in the cellar"))
    house.channel.fail("clear", TransientError())
    assert await house.sent() == 1
    assert state(house, job) == (OutboxStatus.CANCELLED, CancelReason.HOST_ANSWERED)


# --- pause, freeze, two at once --------------------------------------------------------------------------------


async def test_while_the_account_is_paused_nothing_is_sent(house, where, job, db, clock):
    with db.write() as conn:
        accounts.pause(conn, ACCOUNT, clock())
    assert not house.send.has_work()
    assert await house.sent() == 0
    assert state(house, job) == (OutboxStatus.PENDING, None)
    with db.write() as conn:
        accounts.resume(conn, ACCOUNT, clock())
    assert house.send.has_work()
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)


async def test_while_the_account_is_paused_what_was_pressed_is_still_looked_for(house, where, job, db, clock):
    house.channel.fail("follow", ChannelGone())
    with pytest.raises(ChannelGone):
        await house.sent()
    with db.write() as conn:
        accounts.pause(conn, ACCOUNT, clock())
    assert house.send.has_work()
    house.channel = FakeChannel(house.site)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)


@pytest.mark.parametrize("moment", ["before reread", "after reread"])
async def test_a_worker_that_was_frozen_between_arm_and_press_does_not_press(
    house, where, job, monkeypatch, moment
):
    now = [1000.0]

    class Time:
        @staticmethod
        def monotonic():
            return now[0]

    def freeze():
        now[0] += 11

    monkeypatch.setattr(send_module, "time", Time)
    at(house.channel, moment, freeze)
    await house.sent()
    assert house.site.presses == []
    given_back = house.job(job)
    assert (given_back.status, given_back.arm_count) == (OutboxStatus.PENDING, 0)
    house.clock.advance(5)
    await house.sent()
    assert house.presses_of(job) == 1


async def test_a_worker_whose_job_was_taken_over_while_it_was_frozen_does_not_press(house, where, job, db):
    def another_process_recovers():
        with db.write() as conn:
            (mine,) = outbox_views.left_behind(conn, ACCOUNT)
            outbox_queue.take_over(conn, mine.id, mine.claimed_by, "another", house.clock.later(60))
            outbox_queue.unconfirmed(conn, mine.id, "no_proof", house.clock(), owner="another")

    house.channel.after("reread", another_process_recovers)
    await house.sent()
    assert house.site.presses == []
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")


@pytest.mark.parametrize("method", [*BEFORE, "press_send", "follow"])
async def test_a_worker_never_settles_what_another_one_holds(house, where, job, db, method):
    """Whatever it finds when it wakes: trouble, an answer of the host, or nothing."""

    def another_process_takes_over():
        with db.write() as conn:
            (mine,) = outbox_views.left_behind(conn, ACCOUNT)
            outbox_queue.take_over(conn, mine.id, mine.claimed_by, "another", house.clock.later(60))
        house.site.acceptance = Acceptance(taken=False)
        raise TransientError

    house.channel.before(method, another_process_takes_over)
    assert await house.sent() == 1
    now = house.job(job)
    assert (now.status, now.claimed_by) == (OutboxStatus.PROCESSING, "another")
    assert now.arm_count == int(method not in ("read", "write"))


async def test_an_overtaken_reply_is_not_cancelled_by_a_worker_that_lost_it(house, where, job, db):
    def another_process_takes_over():
        with db.write() as conn:
            (mine,) = outbox_views.left_behind(conn, ACCOUNT)
            outbox_queue.take_over(conn, mine.id, mine.claimed_by, "another", house.clock.later(60))
        house.site.host_writes(where, "It is in the cellar")

    house.channel.before("reread", another_process_takes_over)
    await house.sent()
    now = house.job(job)
    assert (now.status, now.claimed_by, now.arm_count) == (OutboxStatus.PROCESSING, "another", 1)
    assert house.site.presses == []


async def test_two_workers_in_turn_press_once(house):
    places = [house.site.conversation(f"Question {number}") for number in range(4)]
    jobs = [house.reply_for(place) for place in places]
    others = [(house.new_send(), FakeChannel(house.site)) for _ in range(2)]
    for send, channel in others * 3:
        once = iter([True, True, False])
        await send.run_once(channel, keep_going=lambda once=once: next(once))
    assert [house.presses_of(job) for job in jobs] == [1, 1, 1, 1]
    assert broken_promises(house, settled=False) == []


async def test_a_row_that_another_process_moves_after_the_arm_is_looked_at_again(
    house, where, job, monkeypatch
):
    really, stale = intake_module.take_in, [StaleJob()]

    def take_in(conn, account, seen, **fields):
        if fields.get("in_hand") is not None and fields["in_hand"].armed and stale:
            raise stale.pop()
        return really(conn, account, seen, **fields)

    monkeypatch.setattr(send_rows, "take_in", take_in)
    await house.sent()
    assert state(house, job) == (OutboxStatus.SENT, None)


async def test_a_row_that_moves_again_and_again_gives_the_reply_back(house, where, job, monkeypatch):
    really = intake_module.take_in

    def take_in(conn, account, seen, **fields):
        if fields.get("in_hand") is not None and fields["in_hand"].armed:
            raise StaleJob
        return really(conn, account, seen, **fields)

    monkeypatch.setattr(send_rows, "take_in", take_in)
    await house.sent()
    assert house.site.presses == []
    now = house.job(job)
    assert (now.status, now.arm_count) == (OutboxStatus.PENDING, 0)


# --- looking after what was left -------------------------------------------------------------------------------


async def crashed_after_press(house, where):
    job = house.reply_for(where)
    house.channel.fail("follow", ChannelGone())
    with pytest.raises(ChannelGone):
        await house.sent()
    house.start_anew()
    return job


async def test_one_conversation_that_cannot_be_read_keeps_no_other_reply_waiting(house, where):
    armed = await crashed_after_press(house, where)
    other = house.reply_for(house.site.conversation("Hello"))

    def only_the_other():
        raise NotUnderstood

    house.channel.before("read", only_the_other, nth=1)
    with pytest.raises(NotUnderstood):
        await house.sent()
    assert state(house, other) == (OutboxStatus.SENT, None)
    assert house.job(armed).status is OutboxStatus.PROCESSING
    await house.sent()
    assert state(house, armed) == (OutboxStatus.SENT, None)
    assert house.presses_of(armed) == 1


async def test_a_reply_whose_conversation_is_gone_is_unconfirmed(house, where):
    job = await crashed_after_press(house, where)
    del house.site.conversations[where.external_id]
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_such_conversation")


async def test_a_reply_without_proof_after_a_crash_is_unconfirmed(house, where):
    house.site.acceptance = Acceptance(taken=False)
    job = await crashed_after_press(house, where)
    await house.sent()
    assert state(house, job) == (OutboxStatus.UNCONFIRMED, "no_proof")
    assert "write" not in house.channel.calls


async def test_nothing_is_looked_after_once_the_worker_shall_stop(house, where):
    job = await crashed_after_press(house, where)
    assert await house.send.run_once(house.channel, keep_going=lambda: False) == 0
    assert house.channel.calls == []
    assert house.job(job).status is OutboxStatus.PROCESSING


async def test_a_reply_behind_another_one_that_is_not_due_is_no_work(house, where):
    first = house.answer_unasked(where.external_id, "The first")
    where.takes_text = False
    await house.sent()
    assert house.job(first).status is OutboxStatus.PENDING
    house.clock.advance(1)
    with house.db.write() as conn:
        outbox_queue.enqueue(
            conn,
            ACCOUNT,
            first.conversation_id,
            "The second",
            request_id=None,
            idempotency_key="second",
            now=house.clock(),
        )
    assert not house.send.has_work()
    assert await house.sent() == 0


# --- the program ends ------------------------------------------------------------------------------------------


async def broken_off_in(house, method):
    """SEND is cancelled while this call of the channel hangs; whether anything was at stake then."""
    reached = asyncio.Event()

    async def hang(*_, **__):
        reached.set()
        await asyncio.Event().wait()

    setattr(house.channel, method, hang)
    running = asyncio.ensure_future(house.sent())
    await reached.wait()
    at_stake = house.send.at_stake
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    return at_stake


@pytest.mark.parametrize("method", ["read", "write", "reread"])
async def test_a_send_that_is_broken_off_before_the_press_gives_the_reply_back_as_it_was(
    house, where, job, method
):
    assert not await broken_off_in(house, method)
    now = house.job(job)
    assert (now.status, now.attempts, now.arm_count, now.claimed_by) == (OutboxStatus.PENDING, 0, 0, None)
    assert now.due_at == house.clock()
    assert house.site.presses == []
    await house.recovered()
    assert state(house, job) == (OutboxStatus.SENT, None)
    assert house.presses_of(job) == 1
    assert broken_promises(house) == []


@pytest.mark.parametrize("method", ["press_send", "follow"])
async def test_a_send_that_is_broken_off_at_the_press_stays_armed_and_is_settled_by_reading(
    house, where, job, method
):
    assert await broken_off_in(house, method)
    assert (house.job(job).status, house.job(job).arm_count) == (OutboxStatus.PROCESSING, 1)
    presses = house.presses_of(job)
    await house.recovered()
    assert house.job(job).status is (OutboxStatus.SENT if presses else OutboxStatus.UNCONFIRMED)
    assert house.presses_of(job) == presses


async def test_a_reply_that_is_armed_when_the_stop_comes_is_not_pressed_and_goes_back(house, where, job):
    stop = asyncio.Event()
    house.channel.after("reread", stop.set)
    await house.send.run_once(house.channel, keep_going=lambda: not stop.is_set())
    now = house.job(job)
    assert (now.status, now.attempts, now.arm_count) == (OutboxStatus.PENDING, 0, 0)
    assert house.site.presses == []
    assert house.channel.composer == ""


async def test_a_send_that_is_broken_off_in_the_middle_of_the_arm_is_armed_by_nobody(
    house, where, job, monkeypatch
):
    """The thread that arms goes on after its task was cancelled: whoever is first, the reply is not armed."""
    rows, reached = house.send._rows, asyncio.Event()
    arm, loop = rows.arm, asyncio.get_running_loop()
    keep_going = threading.Event()

    def late(*arguments):
        loop.call_soon_threadsafe(reached.set)
        assert keep_going.wait(10)
        return arm(*arguments)

    monkeypatch.setattr(rows, "arm", late)
    running = asyncio.ensure_future(house.sent())
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    keep_going.set()
    await loop.shutdown_default_executor()
    assert (house.job(job).status, house.job(job).arm_count) == (OutboxStatus.PENDING, 0)
    assert house.site.presses == []
