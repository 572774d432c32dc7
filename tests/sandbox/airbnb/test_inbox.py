"""What guests, hosts and Airbnb do, and what the inbox makes of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from sandbox.airbnb.inbox import Inbox


def test_ids_have_the_forms_that_airbnb_uses():
    inbox = Inbox()
    thread = inbox.add_thread(says="Hello")
    message = thread.messages[0]
    assert thread.id == "TWVzc2FnZVRocmVhZDoyMTAwMDAwMDAz"
    assert len(str(message.number)) == 11


def test_the_latest_activity_comes_first_and_a_reaction_counts_as_one():
    inbox = Inbox()
    first = inbox.add_thread(guest="Ana", says="Hello", at=datetime(2026, 1, 1, tzinfo=UTC))
    second = inbox.add_thread(guest="Ben", says="Hello", at=datetime(2026, 1, 2, tzinfo=UTC))
    assert inbox.threads == [second, first]
    inbox.react(first)
    assert inbox.threads == [first, second]


def test_an_unsent_message_no_longer_counts_as_activity():
    inbox = Inbox()
    thread = inbox.add_thread(says="Hello", at=1_700_000_000_000)
    later = inbox.guest_writes(thread, "oops", at=1_700_000_500_000)
    inbox.unsend(later)
    assert thread.activity_ms == 1_700_000_000_000
    assert inbox.texts(thread) == ["Hello"]


def test_messages_written_in_the_same_moment_keep_their_order():
    inbox = Inbox()
    thread = inbox.add_thread()
    for number in range(50):
        inbox.guest_writes(thread, str(number))
    assert inbox.texts(thread) == [str(number) for number in range(50)]
    times = [message.created_at_ms for message in thread.messages]
    assert times == sorted(set(times))


def test_an_answer_from_the_phone_reads_the_thread():
    inbox = Inbox()
    thread = inbox.add_thread(says="Hello")
    assert thread.unread
    inbox.host_writes(thread, "Hi")
    assert not thread.unread


def test_a_cotraveller_writes_under_their_own_account_and_a_stranger_cannot():
    inbox = Inbox()
    thread = inbox.add_thread(guest="Ana", cotravellers=["Ben"])
    message = inbox.guest_writes(thread, "Hello", by="Ben")
    assert message.author.name == "Ben"
    assert message.author != thread.guest
    with pytest.raises(LookupError):
        inbox.guest_writes(thread, "Hello", by="Cleo")


def test_an_alteration_request_is_authored_by_the_guest_and_its_acceptance_by_the_host():
    inbox = Inbox()
    thread = inbox.add_thread()
    request = inbox.card(thread, "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_PENDING")
    accepted = inbox.card(thread, "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_ACCEPTED")
    assert (request.author, accepted.author) == (thread.guest, inbox.viewer)
    assert request.content_type == "TEMPLATE_CONTENT"


def test_a_datetime_without_a_zone_is_refused():
    inbox = Inbox()
    with pytest.raises(ValueError, match="time zone"):
        inbox.add_thread(says="Hello", at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_listeners_hear_of_every_change():
    inbox = Inbox()
    heard: list[str | None] = []
    inbox.listen(lambda _, message: heard.append(message.text if message else None))
    thread = inbox.add_thread(says="Hello")
    inbox.edit(thread.messages[0], "Hello!")
    assert heard == [None, "Hello", None]


def test_a_thousand_threads_are_cheap():
    inbox = Inbox()
    began = time.process_time()
    for number in range(1000):
        inbox.add_thread(guest=f"Guest {number}", says="Hello")
    assert len(inbox.threads) == 1000
    assert time.process_time() - began < 2
