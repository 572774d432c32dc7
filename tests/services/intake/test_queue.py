"""What is taken in from the inbox: which messages go to the AI, together with which, and when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from src.db import conversations, inbox_queue
from src.model.gate import Refusal
from src.model.inbox import AuthorRole, MessageKind
from src.model.statuses import CancelReason, InboxStatus
from src.model.values import Direction, ReplyMode
from tests.faults.invariants import broken_promises
from tests.support.house import ACCOUNT, RULES
from tests.support.site import FakeSite

DAY = 24 * 3600


def texts_of(house, request):
    with house.db.read() as conn:
        return [m.text for m in conversations.messages_of_request(conn, request.id)]


# --- which messages --------------------------------------------------------------------------------------------


def test_a_guests_text_is_stored_together_with_its_place_in_the_queue(house, clock):
    where = house.site.conversation("Is there a cot?")
    intake = house.take_in(where)
    request = house.open_request(where)
    assert intake.queued == request
    assert (request.status, request.due_at) == (InboxStatus.PENDING, clock.later(15))
    assert request.reply_by == clock.later(DAY)
    (message,) = house.messages(where).values()
    assert (message.direction, message.origin, message.text) == (
        Direction.INBOUND,
        "guest",
        "Is there a cot?",
    )
    assert (message.request_id, message.skip_reason) == (request.id, None)
    assert house.stored(where).listing_id == "listing-1"


def test_a_cotraveller_is_answered_as_the_guest_is(house):
    where = house.site.conversation("Is there a cot?")
    house.site.cotraveller_writes(where, "And a high chair?")
    house.take_in(where)
    assert texts_of(house, house.open_request(where)) == ["Is there a cot?", "And a high chair?"]
    assert [m.origin for m in house.messages(where).values()] == ["guest", "cotraveller"]


@pytest.mark.parametrize(
    ("refusal", "facts"),
    [
        (Refusal.NOT_A_STAY, {"is_stay": False}),
        (Refusal.NOT_HOSTING, {"is_hosting": False}),
        (Refusal.VIEWER_IS_NOT_HOST, {"viewer_is_host": False}),
    ],
)
def test_nothing_in_a_conversation_that_is_not_ours_to_answer_is_queued(house, refusal, facts):
    where = house.site.conversation("Is there a cot?", **facts)
    house.site.host_writes(where, "Yes")
    house.site.guest_writes(where, "Thanks")
    house.take_in(where)
    assert house.open_request(where) is None
    stored = house.stored(where)
    assert (stored.skip_reason, stored.host_wrote_at) == (refusal, None)
    assert [m.skip_reason for m in house.messages(where).values()] == [refusal, None, refusal]


WRITERS = {
    Refusal.FROM_SITE: lambda site, where: site.add(where, AuthorRole.SITE, "Your stay is confirmed"),
    Refusal.CARD: FakeSite.card,
    Refusal.BULLETIN: lambda site, where: site.add(where, AuthorRole.GUEST, None, kind=MessageKind.BULLETIN),
    Refusal.MEDIA: FakeSite.photo,
    Refusal.UNSUPPORTED: lambda site, where: site.add(
        where, AuthorRole.GUEST, None, kind=MessageKind.UNSUPPORTED, detail="HOLOGRAM_CONTENT"
    ),
    Refusal.DELETED: lambda site, where: site.unsend(site.guest_writes(where, "Never mind")),
    Refusal.EMPTY: lambda site, where: site.guest_writes(where, "  \n"),
    Refusal.TOO_OLD: lambda site, where: site.guest_writes(
        where, "Long ago", site._clock() - timedelta(hours=25)
    ),
}


@pytest.mark.parametrize("refusal", WRITERS)
def test_a_message_that_is_not_answered_is_stored_with_its_reason_and_not_queued(house, refusal):
    where = house.site.conversation()
    WRITERS[refusal](house.site, where)
    intake = house.take_in(where)
    assert (intake.new_guest_messages, intake.queued, intake.escalated) == (0, None, None)
    assert [m.skip_reason for m in house.messages(where).values()] == [refusal]
    assert house.open_request(where) is None


def test_what_the_host_has_answered_says_so(house):
    where = house.site.conversation("Is there a cot?", "And a high chair?")
    house.site.host_writes(where, "Both are there")
    house.take_in(where)
    assert house.open_request(where) is None
    reasons = [m.skip_reason for m in house.messages(where).values()]
    assert reasons == [Refusal.HOST_ANSWERED, Refusal.HOST_ANSWERED, None]


@pytest.mark.parametrize("answer", [FakeSite.cohost_writes, FakeSite.host_writes])
def test_only_what_came_after_the_hosts_answer_is_asked_about(house, answer):
    where = house.site.conversation("Is there a cot?")
    answer(house.site, where, "Yes")
    house.site.guest_writes(where, "And a high chair?")
    house.take_in(where)
    assert texts_of(house, house.open_request(where)) == ["And a high chair?"]


def test_a_photo_of_the_host_is_an_answer_and_a_card_of_the_host_is_none(house):
    answered = house.site.conversation("Where is the key?")
    house.site.photo(answered, AuthorRole.HOST)
    house.site.guest_writes(answered, "Thanks, and the bins?")
    house.take_in(answered)
    assert texts_of(house, house.open_request(answered)) == ["Thanks, and the bins?"]

    waiting = house.site.conversation("Where is the key?")
    house.site.card(waiting, AuthorRole.HOST)
    house.site.guest_writes(waiting, "And the bins?")
    house.take_in(waiting)
    assert texts_of(house, house.open_request(waiting)) == ["Where is the key?", "And the bins?"]


def test_what_the_host_took_back_is_no_answer(house):
    where = house.site.conversation("Is there a cot?")
    house.site.unsend(house.site.host_writes(where, "Yes"))
    house.site.guest_writes(where, "Hello?")
    house.take_in(where)
    assert texts_of(house, house.open_request(where)) == ["Is there a cot?", "Hello?"]
    assert house.stored(where).host_wrote_at is None


def test_an_older_message_that_is_too_old_does_not_go_along(house, clock):
    where = house.site.conversation()
    house.site.guest_writes(where, "Last week's question", clock() - timedelta(hours=25))
    house.site.guest_writes(where, "Today's question")
    house.take_in(where)
    assert texts_of(house, house.open_request(where)) == ["Today's question"]


@pytest.mark.parametrize("newest", [FakeSite.card, FakeSite.photo, FakeSite.bulletin])
def test_a_text_under_something_that_is_no_text_waits_for_a_person(house, newest):
    where = house.site.conversation("Is there a cot?")
    newest(house.site, where)
    intake = house.take_in(where)
    assert intake.escalated is Refusal.NOT_THE_NEWEST
    (text, _) = house.messages(where).values()
    assert text.skip_reason == Refusal.NOT_THE_NEWEST
    request = house.request(text.request_id)
    assert (request.status, request.reason) == (InboxStatus.ESCALATED, Refusal.NOT_THE_NEWEST)


def test_a_text_above_a_message_that_was_taken_back_waits_for_a_person(house):
    where = house.site.conversation("Is there a cot?")
    house.site.unsend(house.site.guest_writes(where, "Never mind"))
    assert house.take_in(where).escalated is Refusal.NOT_THE_NEWEST


def test_what_waits_for_a_person_goes_along_with_the_guests_next_text(house):
    where = house.site.conversation("Is there a cot?")
    house.site.bulletin(where)
    house.take_in(where)
    house.site.guest_writes(where, "Hello?")
    house.take_in(where)
    request = house.open_request(where)
    assert texts_of(house, request) == ["Is there a cot?", "Hello?"]
    assert [m.skip_reason for m in house.messages(where).values() if m.origin == "guest"] == [None, None]


def test_from_the_list_alone_nothing_is_queued(house):
    where = house.site.conversation("Is there a cot?")
    assert house.take_in(where, opened=False).queued is None
    assert house.open_request(where) is None
    assert house.take_in(where).queued is not None


def test_a_preview_is_replaced_by_the_message_that_it_stood_for(house):
    where = house.site.conversation("Is there a cot?")
    house.site.list_previews_only = True
    house.take_in(where, opened=False)
    (stored,) = house.messages(where).values()
    assert (stored.text, stored.skip_reason) == (None, Refusal.UNSUPPORTED)
    house.take_in(where)
    (stored,) = house.messages(where).values()
    assert (stored.text, stored.kind, stored.skip_reason) == ("Is there a cot?", "text", None)
    assert texts_of(house, house.open_request(where)) == ["Is there a cot?"]
    house.take_in(where, opened=False)
    assert house.messages(where)[stored.external_id] == stored
    assert house.open_request(where) is not None


# --- the mode --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["account", "listing", "conversation"])
def test_in_mode_off_a_message_is_stored_with_this_reason(house, scope):
    where = house.site.conversation()
    house.take_in(where)
    ids = {"account": "", "listing": "listing-1", "conversation": house.stored(where).id}
    house.set_mode(ReplyMode.OFF, scope, ids[scope])
    house.site.guest_writes(where, "Is there a cot?")
    house.take_in(where)
    assert house.open_request(where) is None
    assert [m.skip_reason for m in house.messages(where).values()] == [Refusal.MODE_OFF]


def test_what_came_in_mode_off_is_not_asked_about_later(house):
    where = house.site.conversation("Is there a cot?")
    house.set_mode(ReplyMode.OFF)
    house.take_in(where)
    house.set_mode(ReplyMode.AUTO)
    assert house.take_in(where).queued is None
    house.site.guest_writes(where, "And a high chair?")
    house.take_in(where)
    assert texts_of(house, house.open_request(where)) == ["And a high chair?"]


def test_in_mode_draft_the_ai_is_asked_and_its_answer_waits(house):
    house.set_mode(ReplyMode.DRAFT)
    where = house.site.conversation("Is there a cot?")
    house.take_in(where)
    assert house.open_request(where) is not None


# --- bursts ----------------------------------------------------------------------------------------------------


def test_a_burst_is_one_request_that_waits_for_its_end(house, clock):
    where = house.site.conversation("Hello")
    first = house.take_in(where).queued
    clock.advance(10)
    house.site.guest_writes(where, "Is there a cot?")
    intake = house.take_in(where)
    assert intake.extended
    assert intake.queued.id == first.id
    assert intake.queued.due_at == clock.later(15)
    assert intake.queued.newest_external_id == where.messages[-1].external_id
    assert texts_of(house, first) == ["Hello", "Is there a cot?"]


def test_a_burst_that_does_not_end_is_asked_about_at_the_maximum(house, clock):
    where = house.site.conversation("Hello")
    first = house.take_in(where).queued
    for number in range(8):
        clock.advance(10)
        house.site.guest_writes(where, f"and {number}")
        house.take_in(where)
    request = house.open_request(where)
    assert request.id == first.id
    assert request.due_at <= clock()
    assert len(texts_of(house, request)) == 9


def test_a_burst_that_was_over_before_it_was_seen_is_asked_about_at_once(house, clock):
    where = house.site.conversation("Hello", "Is there a cot?")
    clock.advance(600)
    assert house.take_in(where).queued.due_at == clock()


def test_a_clock_of_the_site_that_runs_ahead_delays_nothing(house, clock):
    where = house.site.conversation()
    house.site.guest_writes(where, "From the future", clock.later(3600))
    request = house.take_in(where).queued
    assert request.due_at == clock.later(15)
    assert request.burst_until == clock.later(60)


def test_messages_that_arrive_out_of_order_are_asked_about_in_theirs(house, clock):
    where = house.site.conversation()
    house.site.guest_writes(where, "second", clock.later(-5))
    first = house.take_in(where).queued
    house.site.guest_writes(where, "first", clock.later(-20))
    assert house.take_in(where).queued.id == first.id
    assert texts_of(house, first) == ["first", "second"]
    assert house.take_in(where).queued is None
    house.site.guest_writes(where, "third")
    house.take_in(where)
    assert texts_of(house, first) == ["first", "second", "third"]


def test_taking_in_the_same_view_again_does_nothing(house, db, clock):
    where = house.site.conversation("Hello", "Is there a cot?")
    house.site.photo(where)
    house.site.guest_writes(where, "That is my cot")
    house.take_in(where)

    def everything():
        return house.stored(where), house.messages(where), house.open_request(where)

    before = everything()
    for opened in (True, False, True):
        intake = house.take_in(where, opened=opened)
        assert (intake.new_guest_messages, intake.queued, intake.escalated) == (0, None, None)
        assert everything() == before


def test_what_the_ai_has_is_not_queued_again(house):
    where = house.site.conversation("Is there a cot?")
    request = house.request_for(where)
    assert house.take_in(where).queued is None
    assert house.request(request).status is InboxStatus.WAITING


# --- the host's pause ------------------------------------------------------------------------------------------


def test_after_the_host_wrote_the_ai_keeps_quiet_for_a_while(house, clock):
    where = house.site.conversation("Is there a cot?")
    house.site.host_writes(where, "I will look")
    wrote = where.messages[-1].sent_at
    clock.advance(120)
    house.site.guest_writes(where, "Thanks")
    intake = house.take_in(where)
    assert intake.host_wrote
    assert intake.queued.due_at == wrote + RULES.human_pause
    clock.advance(60)
    house.site.guest_writes(where, "And a high chair?")
    assert house.take_in(where).queued.due_at == wrote + RULES.human_pause


@pytest.mark.parametrize("write", [FakeSite.host_writes, FakeSite.cohost_writes])
def test_whoever_of_the_hosts_side_wrote_begins_the_pause(house, write):
    where = house.site.conversation("Is there a cot?")
    write(house.site, where, "I will look")
    house.take_in(where, opened=False)
    assert house.stored(where).host_wrote_at == where.messages[-1].sent_at


def test_a_pause_that_is_over_delays_nothing(house, clock):
    where = house.site.conversation("Is there a cot?")
    house.site.host_writes(where, "I will look")
    clock.advance(16 * 60)
    house.site.guest_writes(where, "Hello?")
    intake = house.take_in(where)
    assert not intake.host_wrote
    assert intake.queued.due_at == clock.later(15)


# --- while the AI thinks ---------------------------------------------------------------------------------------


def test_a_message_while_the_ai_thinks_cancels_the_request_and_asks_anew_with_everything(house, clock):
    where = house.site.conversation("Hello")
    first = house.request_for(where)
    house.site.guest_writes(where, "Is there a cot?")
    intake = house.take_in(where)
    assert [r.id for r in intake.cancelled_requests] == [first.id]
    old = house.request(first)
    assert (old.status, old.reason) == (InboxStatus.CANCELLED, CancelReason.GUEST_WROTE_AGAIN)
    assert intake.queued.id != first.id
    assert texts_of(house, intake.queued) == ["Hello", "Is there a cot?"]


def test_a_message_while_a_request_is_being_posted_cancels_it_too(house, db, clock):
    where = house.site.conversation("Hello")
    first = house.take_in(where).queued
    clock.advance(60)
    with db.write() as conn:
        inbox_queue.claim_due(conn, ACCOUNT, owner="ai", lease_until=clock.later(60), now=clock(), limit=9)
    house.site.guest_writes(where, "Is there a cot?")
    assert house.take_in(where).queued.id != first.id
    assert house.request(first).status is InboxStatus.CANCELLED


def test_a_request_that_the_ai_may_have_got_is_not_extended(house, db, clock):
    """A post that looked failed may have arrived; its answer would know nothing of the new message."""
    where = house.site.conversation("Hello")
    first = house.take_in(where).queued
    clock.advance(60)
    with db.write() as conn:
        inbox_queue.claim_due(conn, ACCOUNT, owner="ai", lease_until=clock.later(60), now=clock(), limit=9)
        inbox_queue.release(conn, first.id, "ai", due_at=clock.later(5), error="timeout")
    house.site.guest_writes(where, "Is there a cot?")
    intake = house.take_in(where)
    assert house.request(first).status is InboxStatus.CANCELLED
    assert intake.queued.id != first.id
    assert texts_of(house, intake.queued) == ["Hello", "Is there a cot?"]


def test_what_was_given_up_goes_along_with_a_newer_message_but_is_not_asked_about_again(house, db, clock):
    where = house.site.conversation("Hello")
    request = house.request_for(where)
    with db.write() as conn:
        inbox_queue.finish(
            conn, request.id, [InboxStatus.WAITING], InboxStatus.EXPIRED, "no_answer_in_time", clock()
        )
    assert house.take_in(where).queued is None
    house.site.guest_writes(where, "Hello??")
    assert texts_of(house, house.take_in(where).queued) == ["Hello", "Hello??"]


@pytest.mark.parametrize("end", ["ignored", "escalated"])
def test_what_the_ai_left_to_a_person_does_not_go_along(house, db, clock, end):
    where = house.site.conversation("Hello")
    request = house.request_for(where)
    with db.write() as conn:
        inbox_queue.finish(conn, request.id, [InboxStatus.WAITING], InboxStatus(end), "it said so", clock())
    assert house.take_in(where).queued is None
    house.site.guest_writes(where, "Is there a cot?")
    assert texts_of(house, house.take_in(where).queued) == ["Is there a cot?"]
    assert broken_promises(house) == []


def test_a_text_in_a_conversation_that_the_site_does_not_open_waits_for_a_person(house):
    where = house.site.conversation("Is there a cot?")
    intake = house.take_in(where, opened=False, cannot_be_opened=True)
    assert intake.escalated is Refusal.CANNOT_BE_OPENED
    (message,) = house.messages(where).values()
    assert message.skip_reason == Refusal.CANNOT_BE_OPENED
    assert house.request(message.request_id).status is InboxStatus.ESCALATED
    assert house.take_in(where, opened=False, cannot_be_opened=True).escalated is None
    house.site.guest_writes(where, "Hello?")
    assert texts_of(house, house.take_in(where).queued) == ["Is there a cot?", "Hello?"]


@pytest.mark.parametrize("newest", [FakeSite.card, FakeSite.photo])
def test_nothing_but_a_text_waits_for_a_person_in_a_conversation_that_the_site_does_not_open(house, newest):
    where = house.site.conversation()
    newest(house.site, where)
    assert house.take_in(where, opened=False, cannot_be_opened=True).escalated is None


def test_a_reaction_asks_for_nothing_and_the_message_before_it_is_still_answered(house):
    where = house.site.conversation("Is there a cot?")
    seen = house.site.look(where, opened=True)
    heart = replace(seen.newest, external_id="r1", kind=MessageKind.REACTION, detail="reaction", text=None)
    intake = house.take_in(replace(seen, messages=(*seen.messages, heart)))
    assert intake.queued.newest_external_id == seen.newest.external_id
    assert house.messages(where)["r1"].skip_reason == Refusal.REACTION


def test_every_refusal_of_a_message_is_met_in_this_file_or_with_our_own_replies():
    here = {
        *WRITERS,
        Refusal.NOT_A_STAY,
        Refusal.NOT_HOSTING,
        Refusal.VIEWER_IS_NOT_HOST,
        Refusal.HOST_ANSWERED,
        Refusal.NOT_THE_NEWEST,
        Refusal.MODE_OFF,
        Refusal.FROM_HOST,
        Refusal.CROSSED_OUR_REPLY,
        Refusal.CANNOT_BE_OPENED,
        Refusal.REACTION,
    }
    assert set(Refusal) == here
