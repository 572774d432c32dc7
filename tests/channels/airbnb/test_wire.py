"""What the page's JSON means. The payloads come from the simulated site and are then changed by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.airbnb.content import CARDS
from sandbox.airbnb.inbox import Inbox
from sandbox.airbnb.labels import Labels
from sandbox.airbnb.model import Thread
from sandbox.airbnb.responses import Responses
from src.channels.airbnb import ids, wire
from src.errors import PageChanged
from src.model.inbox import AuthorRole, MessageKind, SeenConversation

Json = Any


def listed(inbox: Inbox, shape: Any = "inboxItems", page_size: int = 15, **variables: Any) -> Json:
    return copy.deepcopy(Responses(inbox, Labels("en")).thread_list(variables, page_size, shape))


def opened(inbox: Inbox, thread: Thread, **variables: Any) -> Json:
    return copy.deepcopy(Responses(inbox, Labels("en")).thread(thread, variables, page_size=50))


def read_list(payload: Json) -> wire.ListPage:
    found = wire.recognise(payload)
    assert isinstance(found, wire.ListPage)
    return found


def read_thread(payload: Json, viewer_id: str = "70000001") -> SeenConversation:
    found = wire.recognise(payload)
    assert isinstance(found, wire.ThreadPage)
    return wire.thread_view(found, viewer_id)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def thread(inbox: Inbox) -> Thread:
    return inbox.add_thread(guest="Ana", cotravellers=["Ben"], cohost="Kim", says="Hello")


# --- the list ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["inboxItems", "threads"])
def test_both_shapes_of_the_list_tell_the_same(inbox: Inbox, thread: Thread, shape: str):
    page = read_list(listed(inbox, shape))
    assert page.viewer_id == "70000001"
    assert [c.external_id for c in page.conversations] == [thread.id]
    only = page.conversations[0]
    assert (only.is_stay, only.is_hosting, only.viewer_is_host, only.opened) == (True, True, True, False)
    assert only.listing_id == "710000000000000001"
    assert only.newest.text == "Hello"
    assert only.newest.role is AuthorRole.GUEST
    assert only.guest_name == "Ana"
    assert (page.has_next, page.has_previous) == (False, False)


def test_a_thread_that_is_in_both_lists_is_told_once_and_the_list_keeps_its_order(inbox: Inbox):
    old = inbox.add_thread(guest="Old", priority=True, says="Hi", at=datetime(2026, 1, 1, tzinfo=UTC))
    new = [inbox.add_thread(guest=f"New {n}", says="Hi") for n in range(3)]
    page = read_list(listed(inbox, page_size=2))
    assert {c.external_id for c in page.conversations} == {old.id, new[1].id, new[2].id}
    assert [c.external_id for c in page.stretch] == [new[2].id, new[1].id]
    assert page.has_next
    everything = read_list(listed(inbox))
    assert sorted(c.external_id for c in everything.conversations) == sorted(t.id for t in inbox.threads)


def test_a_further_stretch_says_that_there_is_something_before_it(inbox: Inbox):
    for n in range(4):
        inbox.add_thread(guest=f"Guest {n}", says="Hi")
    first = listed(inbox, page_size=2)
    cursor = first["data"]["node"]["messagingInbox"]["inboxItems"]["pageInfo"]["endCursor"]
    second = read_list(listed(inbox, page_size=2, beforeCursor=cursor))
    assert (second.has_next, second.has_previous) == (False, True)
    assert len(second.stretch) == 2


def test_an_empty_list_is_a_list(inbox: Inbox):
    page = read_list(listed(inbox))
    assert page.conversations == ()
    assert not page.has_next


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.update(inboxItems=None),
        lambda found: found.pop("inboxItems"),
        lambda found: found["inboxItems"].pop("edges"),
        lambda found: found["inboxItems"].update(edges=None),
        lambda found: found["inboxItems"].pop("pageInfo"),
        lambda found: found["inboxItems"]["pageInfo"].pop("hasNextPage"),
        lambda found: found["inboxItems"]["pageInfo"].update(hasNextPage=None),
        lambda found: found["inboxItems"]["pageInfo"].update(hasNextPage="MAYBE"),
    ],
)
def test_a_list_of_which_a_part_is_missing_is_never_an_empty_or_a_complete_one(
    inbox: Inbox, thread: Thread, change: Callable[[Json], object]
):
    payload = listed(inbox)
    change(payload["data"]["node"]["messagingInbox"])
    with pytest.raises(PageChanged):
        wire.recognise(payload)


def test_a_list_that_names_the_newest_message_by_its_preview_only_is_never_answered_from_it(
    inbox: Inbox, thread: Thread
):
    payload = listed(inbox)
    node = payload["data"]["node"]["messagingInbox"]["inboxItems"]["edges"][0]["node"]
    del node["messageData"]
    newest = read_list(payload).conversations[0].newest
    assert newest.external_id == thread.messages[-1].id
    assert (newest.kind, newest.detail, newest.text) == (MessageKind.UNSUPPORTED, "PREVIEW", None)


def test_the_viewers_own_trip_is_not_hosted_by_the_viewer(inbox: Inbox):
    inbox.own_trip_thread()
    only = read_list(listed(inbox)).conversations[0]
    assert not only.viewer_is_host
    assert not only.is_hosting
    assert only.newest.role is AuthorRole.TEAM


def test_a_thread_with_several_listings_has_no_listing(inbox: Inbox, thread: Thread):
    payload = listed(inbox)
    tags = payload["data"]["node"]["messagingInbox"]["inboxItems"]["edges"][0]["node"]["userThreadTags"]
    next(tag for tag in tags if tag["userThreadTagName"] == "stay_listing_ids")["additionalValues"] = [
        "1",
        "2",
    ]
    assert read_list(payload).conversations[0].listing_id is None


def test_an_unread_tag_and_the_facts_of_the_stay_are_told(inbox: Inbox, thread: Thread):
    only = read_list(listed(inbox)).conversations[0]
    assert only.unread
    assert only.stay["trip_stage"] == "UPCOMING_RESERVATIONS"
    assert only.title is not None
    assert "Ana" in only.title


def test_the_code_of_the_booking_is_that_of_the_sites_newest_bulletin(inbox: Inbox, thread: Thread):
    assert "confirmation_code" not in read_thread(opened(inbox, thread)).stay
    inbox.service_bulletin(thread)
    inbox.guest_writes(thread, "When can we come?")
    assert read_thread(opened(inbox, thread)).stay["confirmation_code"] == thread.stay.code

    payload = opened(inbox, thread)
    (first,) = [one for one in nodes_of(payload) if one["contentSubType"] == "STAYS_INSTANT_BOOKED"]
    newer = copy.deepcopy(first) | {
        "id": "TWVzc2FnZTo5OTk5OTk5OQ==",
        "createdAtMs": str(int(first["createdAtMs"]) + 9**9),
    }
    newer["hydratedContent"]["content"]["linkMessagingAction"]["confirmationCodeMA"] = "HMNEWERONE"
    nodes_of(payload).append(newer)
    assert read_thread(payload).stay["confirmation_code"] == "HMNEWERONE"


@pytest.mark.parametrize("code", [None, 7, "", "see you", "hmabcdefgh", "HM12345678\n", "X" * 30])
def test_what_is_no_code_is_not_taken_for_one(inbox: Inbox, thread: Thread, code: Any):
    inbox.service_bulletin(thread)
    payload = opened(inbox, thread)
    nodes_of(payload)[-1]["hydratedContent"]["content"]["linkMessagingAction"]["confirmationCodeMA"] = code
    assert "confirmation_code" not in read_thread(payload).stay


def test_the_code_of_a_request_to_book_is_that_of_its_card(inbox: Inbox, thread: Thread):
    inbox.card(thread, "STAYS_RTB_CARD_CONFIRMED")
    assert read_thread(opened(inbox, thread)).stay["confirmation_code"] == thread.stay.code


def test_a_card_by_an_account_of_a_person_names_no_booking(inbox: Inbox, thread: Thread):
    inbox.card(thread, "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_ACCEPTED")
    assert "confirmation_code" not in read_thread(opened(inbox, thread)).stay


def test_a_person_cannot_name_the_booking(inbox: Inbox, thread: Thread):
    inbox.service_bulletin(thread)
    payload = opened(inbox, thread)
    guest = next(one["account"] for one in nodes_of(payload) if one["contentType"] == "TEXT_CONTENT")
    nodes_of(payload)[-1]["account"] = guest
    assert "confirmation_code" not in read_thread(payload).stay


def nodes_of(payload: Json) -> list[Json]:
    found: list[Json] = payload["data"]["threadData"]["messageData"]["messages"]
    return found


# --- messages ------------------------------------------------------------------------------------------------


def test_everybody_has_a_part_and_only_guests_and_their_company_are_guests(inbox: Inbox, thread: Thread):
    inbox.guest_writes(thread, "me too", by="Ben")
    inbox.cohost_writes(thread, "I can help")
    inbox.host_writes(thread, "Welcome")
    inbox.service_bulletin(thread)
    view = read_thread(opened(inbox, thread))
    assert view.opened
    assert [(m.text, m.role, m.kind) for m in view.messages] == [
        ("Hello", AuthorRole.GUEST, MessageKind.TEXT),
        ("me too", AuthorRole.COTRAVELLER, MessageKind.TEXT),
        ("I can help", AuthorRole.TEAM, MessageKind.TEXT),
        ("Welcome", AuthorRole.HOST, MessageKind.TEXT),
        (None, AuthorRole.SITE, MessageKind.BULLETIN),
    ]
    assert [m.author_name for m in view.messages[:2]] == ["Ana", "Ben"]


def test_an_author_who_is_no_participant_is_never_a_guest(inbox: Inbox, thread: Thread):
    stranger = inbox.person("Stranger")
    inbox.guest_writes(thread, "I left the trip", by=stranger)
    assert read_thread(opened(inbox, thread)).newest.role is AuthorRole.TEAM


@pytest.mark.parametrize("role", ["AGENT", "AMBASSADOR", "COHOST", "SOMETHING_NEW", "guest", ""])
def test_an_unknown_part_is_never_a_guest(inbox: Inbox, thread: Thread, role: str):
    payload = opened(inbox, thread)
    payload["data"]["threadData"]["participants"]["edges"][0]["node"]["participantRole"] = role
    assert read_thread(payload).newest.role is AuthorRole.TEAM


@pytest.mark.parametrize(
    "account_type", ["AGENT", "agent", "AIRWAVE", "luxury_agent", "SERVICE", "something_new"]
)
def test_an_account_that_is_not_a_users_is_the_site(inbox: Inbox, thread: Thread, account_type: str):
    payload = opened(inbox, thread)
    payload["data"]["threadData"]["messageData"]["messages"][0]["account"]["accountType"] = account_type
    assert read_thread(payload).newest.role is AuthorRole.SITE


@pytest.mark.parametrize("sub_type", sorted(CARDS))
def test_a_card_is_a_card_even_if_a_guest_is_its_author(inbox: Inbox, thread: Thread, sub_type: str):
    inbox.card(thread, sub_type, by=thread.guest)
    newest = read_thread(opened(inbox, thread)).newest
    assert newest.kind is MessageKind.CARD
    assert newest.text is None
    assert newest.detail.endswith(f"/{sub_type}")


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (Inbox.media, MessageKind.MEDIA),
        (Inbox.static_bulletin, MessageKind.BULLETIN),
        (Inbox.service_bulletin, MessageKind.BULLETIN),
        (Inbox.strange, MessageKind.UNSUPPORTED),
    ],
)
def test_what_is_no_text_has_no_text(
    inbox: Inbox, thread: Thread, write: Callable[[Inbox, Thread], object], kind: MessageKind
):
    write(inbox, thread)
    newest = read_thread(opened(inbox, thread)).newest
    assert (newest.kind, newest.text) == (kind, None)


def test_a_text_whose_inside_is_something_else_is_unsupported(inbox: Inbox, thread: Thread):
    payload = opened(inbox, thread)
    payload["data"]["threadData"]["messageData"]["messages"][0]["hydratedContent"]["contentType"] = "HOLOGRAM"
    newest = read_thread(payload).newest
    assert (newest.kind, newest.text) == (MessageKind.UNSUPPORTED, None)


def test_an_unsent_message_has_no_text_although_its_preview_still_has_it(inbox: Inbox, thread: Thread):
    inbox.unsend(thread.messages[0])
    payload = opened(inbox, thread)
    view = read_thread(payload)
    assert "Hello" in str(payload)
    assert view.newest.deleted
    assert view.newest.text is None
    assert "deleted" in view.newest.fingerprint
    assert wire.is_filled(view)


@pytest.mark.parametrize("mark", ["isSoftDelete", "deletedAtMs"])
def test_either_mark_of_an_unsent_message_is_enough(inbox: Inbox, thread: Thread, mark: str):
    payload = opened(inbox, thread)
    payload["data"]["threadData"]["messageData"]["messages"][0][mark] = (
        True if mark == "isSoftDelete" else "1767225600000"
    )
    assert read_thread(payload).newest.deleted
    assert read_thread(payload).newest.text is None


def test_an_edited_message_keeps_its_id_and_changes_its_fingerprint(inbox: Inbox, thread: Thread):
    before = read_thread(opened(inbox, thread)).newest
    inbox.edit(thread.messages[0], "Hello again")
    after = read_thread(opened(inbox, thread)).newest
    assert after.external_id == before.external_id
    assert after.fingerprint != before.fingerprint
    assert after.text == "Hello again"
    assert after.edited_at is not None


def test_the_original_is_read_and_not_the_sites_translation(inbox: Inbox, thread: Thread):
    inbox.guest_writes(thread, "Bonjour", translated="Good morning")
    assert read_thread(opened(inbox, thread)).newest.text == "Bonjour"


def test_a_message_without_its_content_makes_the_view_unfilled(inbox: Inbox, thread: Thread):
    payload = opened(inbox, thread)
    payload["data"]["threadData"]["messageData"]["messages"][0]["hydratedContent"] = None
    assert not wire.is_filled(read_thread(payload))
    payload["data"]["threadData"]["messageData"]["messages"] = []
    assert not wire.is_filled(read_thread(payload))


def test_messages_come_in_the_order_of_time_whatever_their_order_on_the_wire(inbox: Inbox, thread: Thread):
    for word in ("one", "two", "three"):
        inbox.guest_writes(thread, word)
    payload = opened(inbox, thread)
    payload["data"]["threadData"]["messageData"]["messages"].reverse()
    assert [m.text for m in read_thread(payload).messages] == ["Hello", "one", "two", "three"]


@pytest.mark.parametrize(("value", "older"), [("YES", True), ("NO", False), (True, True), (False, False)])
def test_older_messages_are_announced_in_words_or_as_a_boolean(
    inbox: Inbox, thread: Thread, value: object, older: bool
):
    payload = opened(inbox, thread)
    payload["data"]["threadData"]["messageData"]["hasOlder"] = value
    assert read_thread(payload).has_older is older


def test_messages_are_found_in_the_answer_to_a_send(inbox: Inbox, thread: Thread):
    sent = inbox.host_writes(thread, "Welcome")
    answer = Responses(inbox, Labels("en")).sent([sent], "full")
    nodes = list(wire.message_nodes(answer))
    assert [node["id"] for node in nodes] == [sent.id]
    view = read_thread(opened(inbox, thread))
    assert wire.message(nodes[0], "70000001", view.people) == view.newest
    assert list(wire.message_nodes(Responses(inbox, Labels("en")).sent([sent], "ids"))) == []


# --- what is missing or strange ------------------------------------------------------------------------------

REQUIRED = {
    "message": ["id", "contentType", "account", "createdAtMs"],
    "account": ["accountId", "accountType"],
    "conversation": ["id", "participants", "messageThreadType", "userThreadTags"],
    "participant": ["accountId", "participantRole"],
    "messageData": ["messages", "hasOlder"],
}


@pytest.mark.parametrize(("place", "key"), [(place, key) for place, keys in REQUIRED.items() for key in keys])
def test_a_missing_key_is_named_with_its_place(inbox: Inbox, thread: Thread, place: str, key: str):
    payload = opened(inbox, thread)
    node = payload["data"]["threadData"]
    places = {
        "conversation": node,
        "messageData": node["messageData"],
        "message": node["messageData"]["messages"][0],
        "account": node["messageData"]["messages"][0]["account"],
        "participant": node["participants"]["edges"][0]["node"],
    }
    del places[place][key]
    with pytest.raises(PageChanged) as caught:
        read_thread(payload)
    assert caught.value.where
    if (place, key) not in {("conversation", "id"), ("messageData", "messages")}:
        assert caught.value.what == key
        assert place in caught.value.where
    assert "Hello" not in str(caught.value)


@pytest.mark.parametrize("viewer", [None, "", 7, ids.encode("Message", 7)])
def test_a_list_without_its_viewer_is_not_read(inbox: Inbox, thread: Thread, viewer: object):
    payload = listed(inbox)
    payload["data"]["node"]["id"] = viewer
    with pytest.raises(PageChanged, match="viewer"):
        wire.recognise(payload)


def test_times_may_be_numbers_and_what_is_no_time_is_not_read(inbox: Inbox, thread: Thread):
    payload = opened(inbox, thread)
    node = payload["data"]["threadData"]["messageData"]["messages"][0]
    node["createdAtMs"] = int(node["createdAtMs"])
    assert read_thread(payload).newest.sent_at.tzinfo is UTC
    for value in ("soon", "", "9" * 40, -(10**30)):
        node["createdAtMs"] = value
        with pytest.raises(PageChanged, match="createdAtMs"):
            read_thread(payload)


def test_a_conversation_that_is_said_not_to_be_there_is_no_conversation_unless_there_is_an_error():
    assert isinstance(wire.recognise({"data": {"threadData": None}}), wire.NoThread)
    failed = wire.recognise({"data": {"threadData": None}, "errors": [{"message": "try again"}]})
    assert isinstance(failed, wire.ErrorPage)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        7,
        {},
        {"data": None},
        {"data": {}},
        {"data": {"node": None}},
        {"data": {"node": {"messagingInbox": None}}},
        {"data": {"node": {"messagingInbox": {"inboxFiltersConfig": {"filters": []}}}}},
        {"data": {"stayHostingDetails": {"listingId": "1"}}},
        {"errors": []},
        {"errors": "no"},
    ],
)
def test_what_is_neither_list_nor_conversation_nor_error_is_nothing(payload: object):
    assert wire.recognise(payload) is None
    assert list(wire.message_nodes(payload)) == []


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"message": "upstream", "extensions": {"response": {"statusCode": 503}}}, "other", 503),
        ({"message": "x", "extensions": {"errorClass": "ValidationRequiredException"}}, "validation", None),
        ({"message": "x", "extensions": {"errorType": "validation_required"}}, "validation", None),
        ({"message": "x", "extensions": {"response": {"statusCode": 440}}}, "validation", 440),
        ({"message": "x", "extensions": {"response": {"statusCode": 420}}}, "validation", 420),
        ({"message": "PersistedQueryNotFound"}, "stale_query", None),
        ({"message": "x", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}, "stale_query", None),
        ("only words", "other", None),
        ({"extensions": []}, "other", None),
        (None, "other", None),
    ],
)
def test_data_null_with_errors_is_an_error_of_its_kind_and_no_empty_list(
    error: object, kind: str, status: int | None
):
    assert wire.recognise({"data": None, "errors": [error]}) == wire.ErrorPage(kind, status)


def test_data_beside_errors_is_still_data(inbox: Inbox, thread: Thread):
    payload = {**listed(inbox), "errors": [{"message": "a part of it failed"}]}
    assert isinstance(wire.recognise(payload), wire.ListPage)
