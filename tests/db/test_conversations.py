"""Conversations and messages: what was seen is kept, and seeing it again changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from src.db import conversations, inbox_queue, outbox_queue, outbox_views
from src.model.inbox import AuthorRole, MessageKind
from src.model.values import DEFAULT_ACCOUNT, PERSON, Direction

A = DEFAULT_ACCOUNT


def see(conn, seen, now, *, skip_reason=None, fingerprint=None):
    return conversations.upsert_seen(conn, A, seen, skip_reason=skip_reason, fingerprint=fingerprint, now=now)


def store(conn, conversation_id, seen, now, direction=Direction.INBOUND, origin="guest"):
    return conversations.insert_message(
        conn, A, conversation_id, seen, direction=direction, origin=origin, skip_reason=None, now=now
    )


def test_seeing_a_conversation_again_keeps_its_id_and_what_this_look_did_not_show(
    db, clock, make_conversation, make_message
):
    opened = make_conversation(make_message(), stay={"check_in": "2026-12-01"})
    from_the_list = replace(opened, people=(), listing_id=None, stay={}, opened=False)
    with db.write() as conn:
        first = see(conn, opened, clock(), fingerprint="m1|0|there")
        again = see(conn, from_the_list, clock.later(60), skip_reason="not_hosting")
    assert again.id == first.id
    assert (again.guest_name, again.listing_id) == ("Gerda Guest", "listing-1")
    assert again.stay == {"check_in": "2026-12-01"}
    assert again.newest_fingerprint == "m1|0|there"
    assert (again.skip_reason, again.seen_at, again.created_at) == ("not_hosting", clock.later(60), clock())


@pytest.mark.parametrize(
    ("stage", "kept"),
    [("UPCOMING_RESERVATIONS", True), ("CURRENTLY_HOSTING", True), ("PAST_RESERVATIONS", True), ("", False)],
)
def test_the_code_of_a_booking_is_kept_for_as_long_as_it_can_be_the_same_stay(
    db, clock, make_conversation, make_message, stage, kept
):
    booked = {"trip_stage": "UPCOMING_RESERVATIONS", "confirmation_code": "HMABCDEFGH"}
    later = {"summary": "Reservation", "trip_stage": stage}
    with db.write() as conn:
        see(conn, make_conversation(make_message(), external_id="t1", stay=booked), clock())
        again = see(conn, make_conversation(make_message(), external_id="t1", stay=later), clock.later(60))
    assert again.stay == (later | {"confirmation_code": "HMABCDEFGH"} if kept else later)


def test_the_name_of_a_listing_and_the_guests_of_a_booking_are_kept(
    db, clock, make_conversation, make_message
):
    known = {"confirmation_code": "HMFIRSTONE", "listing_name": "The Attic", "guests": "2"}
    stage = {"trip_stage": "UPCOMING_RESERVATIONS"}

    def look(stay, seconds, **more):
        seen = make_conversation(make_message(), external_id="t1", stay={**stage, **stay}, **more)
        return see(conn, seen, clock.later(seconds)).stay

    with db.write() as conn:
        assert look(known, 0) == {**stage, **known}
        assert look({}, 60) == {**stage, **known}
        newer = {"confirmation_code": "HMSECONDON"}
        assert look(newer, 120) == {**stage, **newer, "listing_name": "The Attic"}
        assert look(newer, 180, listing_id="another") == {**stage, **newer}


def test_a_newer_booking_replaces_the_code(db, clock, make_conversation, make_message):
    with db.write() as conn:
        see(
            conn,
            make_conversation(make_message(), external_id="t1", stay={"confirmation_code": "HMFIRSTONE"}),
            clock(),
        )
        newer = make_conversation(make_message(), external_id="t1", stay={"confirmation_code": "HMSECONDON"})
        assert see(conn, newer, clock.later(60)).stay == {"confirmation_code": "HMSECONDON"}


def test_a_conversation_named_by_a_callback_is_the_one_that_is_seen_later(db, clock, make_conversation):
    with db.write() as conn:
        named = conversations.ensure_named(conn, A, "thread-7", clock())
        assert (named.seen_at, named.stay) == (None, {})
        assert conversations.ensure_named(conn, A, "thread-7", clock()) == named
        seen = see(conn, make_conversation(external_id="thread-7"), clock.later(5))
        assert (seen.id, seen.seen_at) == (named.id, clock.later(5))
        assert conversations.get(conn, named.id) == seen
        assert conversations.by_external_id(conn, A, "thread-7") == seen
        assert conversations.by_external_id(conn, "another", "thread-7") is None
        with pytest.raises(KeyError):
            conversations.get(conn, "unknown")


def test_fingerprints_are_looked_up_for_those_asked_for(db, clock, make_conversation):
    with db.write() as conn:
        for number in range(3):
            see(conn, make_conversation(external_id=f"t{number}"), clock(), fingerprint=f"print {number}")
        see(conn, make_conversation(external_id="t3"), clock())
        everything = conversations.fingerprints(conn, A, [f"t{n}" for n in range(4)])
        some = conversations.fingerprints(conn, A, ["t1", "t3", *(f"x{n}" for n in range(1_200))])
    assert everything == {f"t{n}": f"print {n}" for n in range(3)}
    assert some == {"t1": "print 1"}


def test_when_the_host_wrote_never_moves_back(db, clock, make_conversation):
    with db.write() as conn:
        one = see(conn, make_conversation(), clock())
        for seconds in (10, 30, 20):
            conversations.mark_host_wrote(conn, one.id, clock.later(seconds))
        assert conversations.get(conn, one.id).host_wrote_at == clock.later(30)


def test_recent_conversations_come_newest_first_and_unseen_ones_last(db, clock, make_conversation):
    with db.write() as conn:
        conversations.ensure_named(conn, A, "unseen", clock())
        for number in (1, 3, 2):
            seen = make_conversation(external_id=f"t{number}", last_activity_at=clock.later(number))
            see(conn, seen, clock())
        found = conversations.list_recent(conn, A, 10)
        assert [one.external_id for one in found] == ["t3", "t2", "t1", "unseen"]
        assert len(conversations.list_recent(conn, A, 2)) == 2


def test_a_message_is_stored_once_and_given_back_as_it_is(db, clock, make_conversation, make_message):
    seen = make_message("Is there parking?")
    with db.write() as conn:
        home = see(conn, make_conversation(seen), clock()).id
        first = store(conn, home, seen, clock())
        again = store(conn, home, replace(seen, text="changed"), clock.later(9))
        assert conversations.message_by_external_id(conn, A, seen.external_id) == first
    assert again == first
    assert (first.text, first.direction, first.sent_at) == (
        "Is there parking?",
        Direction.INBOUND,
        seen.sent_at,
    )


def test_the_newest_messages_come_oldest_first(db, clock, make_conversation, make_message):
    seen = [make_message(str(n)) for n in range(5)]
    with db.write() as conn:
        home = see(conn, make_conversation(*seen), clock()).id
        for one in reversed(seen):
            store(conn, home, one, clock())
        assert [one.text for one in conversations.messages_of(conn, home, 3)] == ["2", "3", "4"]
        assert conversations.known_external_ids(conn, home) == {one.external_id for one in seen}


def test_an_edited_message_has_its_new_text_and_a_deleted_one_keeps_its_last(
    db, clock, make_conversation, make_message
):
    seen = make_message("At 3?")
    with db.write() as conn:
        home = see(conn, make_conversation(seen), clock()).id
        stored = store(conn, home, seen, clock())
        edited = replace(seen, text="At 4?", edited_at=clock.later(5))
        conversations.update_message(conn, stored.id, edited, now=clock.later(6))
        gone = replace(edited, text=None, deleted=True, kind=MessageKind.UNSUPPORTED)
        conversations.update_message(conn, stored.id, gone, now=clock.later(7))
        conversations.update_message(conn, stored.id, gone, now=clock.later(8))
        (now_there,) = conversations.messages_of(conn, home, 9)
    assert (now_there.text, now_there.edited_at, now_there.kind) == ("At 4?", clock.later(5), "text")
    assert now_there.deleted_at == clock.later(7)


def test_messages_are_tied_to_the_request_and_to_the_reply_they_belong_to(
    db, clock, make_conversation, make_message
):
    question = make_message("Hello?")
    answer = make_message("Welcome", role=AuthorRole.HOST)
    with db.write() as conn:
        home = see(conn, make_conversation(question, answer), clock()).id
        asked = store(conn, home, question, clock())
        ours = store(conn, home, answer, clock(), Direction.OUTBOUND, "host")
        request = inbox_queue.create(
            conn,
            A,
            home,
            newest_external_id=question.external_id,
            due_at=clock(),
            burst_until=clock(),
            reply_by=clock(),
            now=clock(),
        )
        job, _ = outbox_queue.enqueue(
            conn, A, home, "Welcome", request_id=request.id, idempotency_key="k", now=clock()
        )
        conversations.set_skip_reason(conn, [asked.id, ours.id], "too_old")
        conversations.attach_to_request(conn, [asked.id], request.id)
        conversations.attach_receipt(conn, ours.id, job)
        asked, ours = conversations.messages_of(conn, home, 9)
        assert conversations.messages_of_request(conn, request.id) == [asked]
        assert outbox_views.for_request(conn, request.id) == [job]
    assert (asked.request_id, asked.skip_reason) == (request.id, None)
    assert (ours.origin, ours.outbox_id, ours.skip_reason) == ("assistant", job.id, None)
    assert (asked.role, ours.role) == ("user", "assistant")


def test_messages_are_numbered_as_they_are_stored_and_a_copy_takes_no_number(
    db, clock, make_conversation, make_message
):
    late, early, other = make_message(sent_at=clock.later(9)), make_message(), make_message()
    with db.write() as conn:
        home = see(conn, make_conversation(late), clock()).id
        elsewhere = see(conn, make_conversation(other), clock()).id
        numbers = [store(conn, home, one, clock()).sequence for one in (late, late, early)]
        assert numbers == [1, 1, 2]
        assert store(conn, elsewhere, other, clock()).sequence == 1


def test_a_reply_that_a_person_wrote_here_has_the_role_of_the_host(
    db, clock, make_conversation, make_message
):
    written = make_message("It is Anna", role=AuthorRole.HOST)
    with db.write() as conn:
        home = see(conn, make_conversation(written), clock()).id
        ours = store(conn, home, written, clock(), Direction.OUTBOUND, "host")
        job, _ = outbox_queue.enqueue(
            conn, A, home, "It is Anna", request_id=None, idempotency_key="k", written_by=PERSON, now=clock()
        )
        conversations.attach_receipt(conn, ours.id, job)
        (ours,) = conversations.messages_of(conn, home, 9)
    assert (ours.origin, ours.role, ours.agent) == ("assistant", "host", None)
