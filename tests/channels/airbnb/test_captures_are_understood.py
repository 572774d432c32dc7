"""The parser understands two real responses, message by message.

The captures are not part of the repository; where they are missing, these tests are skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from src.channels.airbnb import ids, wire
from src.model.inbox import GUEST_SIDE, AuthorRole, MessageKind, SeenConversation

CAPTURES = Path(__file__).resolve().parents[3].parent / "shared" / "airbnb" / "captures"
LIST, THREAD = CAPTURES / "ViaductInboxData.json", CAPTURES / "ViaductGetThreadAndDataQuery.json"

pytestmark = pytest.mark.skipif(not (LIST.exists() and THREAD.exists()), reason="the captures are not here")

TEXT, CARD, BULLETIN, MEDIA = MessageKind.TEXT, MessageKind.CARD, MessageKind.BULLETIN, MessageKind.MEDIA
GUEST, HOST, SITE = AuthorRole.GUEST, AuthorRole.HOST, AuthorRole.SITE


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def the_list() -> wire.ListPage:
    found = wire.recognise(load(LIST))
    assert isinstance(found, wire.ListPage)
    return found


def the_thread() -> SeenConversation:
    found = wire.recognise(load(THREAD))
    assert isinstance(found, wire.ThreadPage)
    return wire.thread_view(found, the_list().viewer_id)


def test_the_list_has_fifteen_conversations_of_which_two_came_twice():
    page = the_list()
    edges = load(LIST)["data"]["node"]["messagingInbox"]
    assert len(edges["priorityItems"]["edges"]) + len(edges["inboxItems"]["edges"]) == 17
    assert len({c.external_id for c in page.conversations}) == len(page.conversations) == 15
    assert page.stretch == page.conversations
    assert (page.has_next, page.has_previous) == (True, False)


def test_the_list_is_in_the_order_of_activity():
    times = [c.last_activity_at for c in the_list().stretch]
    assert times == sorted(times, reverse=True)


def test_every_conversation_is_a_hosted_stay_with_one_listing():
    page = the_list()
    for conversation in page.conversations:
        assert conversation.kind == "HOME_BOOKING"
        assert conversation.is_stay
        assert conversation.is_hosting
        assert conversation.viewer_is_host
        assert conversation.viewer_id == page.viewer_id
        assert conversation.listing_id
        assert conversation.stay["trip_stage"]
        assert conversation.stay["summary"]
        assert conversation.guest_name
        assert ids.thread_number(conversation.external_id)
    assert sum(c.unread for c in page.conversations) == 1


def test_the_newest_message_of_every_row_is_what_it_is():
    newest = [c.newest for c in the_list().conversations]
    assert [(m.kind, m.role in GUEST_SIDE, m.deleted) for m in newest] == [
        (TEXT, True, False),
        (TEXT, False, False),
        (MEDIA, True, False),
        (BULLETIN, False, False),
        (TEXT, True, False),
        (TEXT, False, True),
        (CARD, True, False),
        (TEXT, False, False),
        (TEXT, True, False),
        (TEXT, False, False),
        (TEXT, False, True),
        (TEXT, True, False),
        (TEXT, False, False),
        (TEXT, False, True),
        (TEXT, True, False),
    ]
    assert [m.role for m in newest if m.kind is BULLETIN] == [SITE]
    for message in newest:
        assert (message.text is not None) == (message.kind is TEXT and not message.deleted)


def test_an_unsent_message_of_the_list_has_no_text_although_its_preview_has_one():
    raw = load(LIST)["data"]["node"]["messagingInbox"]["inboxItems"]["edges"]
    previews = {edge["node"]["id"]: edge["node"]["messages"]["edges"][0]["node"] for edge in raw}
    unsent = [c for c in the_list().conversations if c.newest.deleted]
    assert len(unsent) == 3
    for conversation in unsent:
        assert previews[conversation.external_id]["contentPreview"]["content"]
        assert conversation.newest.text is None


def test_company_is_told_from_the_guest_and_from_the_host():
    people = [Counter(p.role for p in c.people) for c in the_list().conversations]
    assert all(found[GUEST] == found[HOST] == 1 for found in people)
    assert sum(AuthorRole.COTRAVELLER in found for found in people) == 5
    assert not any(AuthorRole.TEAM in found for found in people)


def test_the_conversation_is_read_message_by_message():
    view = the_thread()
    assert view.opened
    assert not view.has_older
    assert view.viewer_is_host
    assert [(m.kind, m.role) for m in view.messages] == [
        (BULLETIN, SITE),
        (TEXT, HOST),
        (TEXT, GUEST),
        (CARD, GUEST),
        (TEXT, GUEST),
        (CARD, HOST),
        (TEXT, HOST),
        (TEXT, GUEST),
        (TEXT, HOST),
        (TEXT, GUEST),
        (TEXT, GUEST),
        (TEXT, HOST),
        (TEXT, GUEST),
        (TEXT, HOST),
        (TEXT, GUEST),
    ]
    assert wire.is_filled(view)
    for message in view.messages:
        assert (message.text is not None) == (message.kind is TEXT)
        assert not message.deleted
        assert message.edited_at is None
        assert ids.message_number(message.external_id)


def test_the_alteration_request_under_the_guests_name_is_a_card():
    request = the_thread().messages[3]
    assert request.role is GUEST
    assert request.detail == "TEMPLATE_CONTENT/STAY_ALTERATION_WITHOUT_LISTING_CHANGE_PENDING"


def test_list_and_conversation_agree_on_the_newest_message():
    view = the_thread()
    row = next(c for c in the_list().conversations if c.external_id == view.external_id)
    assert row.newest == view.newest
    assert row.people == view.people
    assert row.listing_id == view.listing_id


def test_another_viewers_login_would_make_all_of_it_somebody_elses():
    found = wire.recognise(load(THREAD))
    assert isinstance(found, wire.ThreadPage)
    view = wire.thread_view(found, "1")
    assert not view.viewer_is_host
    assert HOST not in {m.role for m in view.messages}


def test_the_bulletin_names_the_booking():
    assert the_thread().stay["confirmation_code"] == "FIXTURECODE"
    named = [c.stay.get("confirmation_code") for c in the_list().conversations]
    assert named.count("FIXTURECODE") == 1, "of the one whose newest message is a bulletin"
