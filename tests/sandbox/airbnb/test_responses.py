"""The JSON on the wire: lists, threads, pages of both, and all kinds of messages."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sandbox.airbnb.content import CARDS
from sandbox.airbnb.site import SimulatedSite
from tests.sandbox.airbnb.conftest import MakeSite, Wire


def edges(answer: dict[str, Any], part: str = "inboxItems") -> list[dict[str, Any]]:
    inbox = answer["data"]["node"]["messagingInbox"]
    return [edge["node"] for edge in inbox[part]["edges"]]


def messages(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["data"]["threadData"]["messageData"]["messages"]
    return found


def test_a_priority_thread_is_in_both_lists(site: SimulatedSite, wire: Wire):
    plain, urgent = site.inbox.add_thread(), site.inbox.add_thread(priority=True)
    answer = wire.list()
    assert [node["id"] for node in edges(answer, "priorityItems")] == [urgent.id]
    assert {node["id"] for node in edges(answer)} == {plain.id, urgent.id}


def test_tags_say_whether_it_is_unread_hosting_and_which_listing(site: SimulatedSite, wire: Wire):
    site.inbox.add_thread(says="Hello", listing_id="42", trip_stage="CURRENTLY_HOSTING")
    tags = {
        tag["userThreadTagName"]: tag["additionalValues"] for tag in edges(wire.list())[0]["userThreadTags"]
    }
    assert tags == {
        "unread": [],
        "stay_listing_ids": ["42"],
        "trip_stages": ["CURRENTLY_HOSTING"],
        "hosting": [],
    }


def test_the_list_is_paged_by_an_opaque_cursor_without_gap_or_repetition(site: SimulatedSite, wire: Wire):
    wanted = [site.inbox.add_thread(says="Hello").id for _ in range(40)]
    seen: list[str] = []
    variables: dict[str, Any] = {"numRequestedThreads": 15}
    more = True
    while more:
        answer = wire.list(**variables)
        seen += [node["id"] for node in edges(answer)]
        info = answer["data"]["node"]["messagingInbox"]["inboxItems"]["pageInfo"]
        more, variables["beforeCursor"] = info["hasNextPage"], info["endCursor"]
    assert sorted(seen) == sorted(wanted)
    assert len(seen) == len(set(seen))
    assert json.loads(base64.b64decode(variables["beforeCursor"]))["direction"] == "BACKWARDS"


def test_a_cursor_of_somebody_else_is_refused(site: SimulatedSite, wire: Wire):
    assert wire.query("ViaductInboxData", {"beforeCursor": "abc"}).status_code == 400


def test_a_thread_is_paged_backwards(make_site: MakeSite):
    site = make_site(message_page_size=4)
    wire = Wire(site)
    thread = site.inbox.add_thread()
    for number in range(10):
        site.inbox.guest_writes(thread, str(number))
    part = wire.thread(thread.id)["data"]["threadData"]["messageData"]
    assert [entry["hydratedContent"]["content"]["body"] for entry in part["messages"]] == ["6", "7", "8", "9"]
    assert (part["hasOlder"], part["hasNewer"]) == ("YES", "NO")
    assert part["expandedMessagesSegment"]["earliestMessageId"] == str(thread.messages[6].number)
    older = wire.thread(thread.id, earliestCursor=part["expandedCursorsSegment"]["earliestCursor"])
    bodies = [entry["hydratedContent"]["content"]["body"] for entry in messages(older)]
    assert bodies == ["2", "3", "4", "5"]
    wire.client.close()


def test_the_other_shapes_that_were_seen_are_available(make_site: MakeSite):
    site = make_site(list_shape="threads", has_older_as_bool=True)
    thread = site.inbox.add_thread(says="Hello")
    wire = Wire(site)
    inbox = wire.list()["data"]["node"]["messagingInbox"]
    assert "inboxItems" not in inbox
    assert inbox["threads"]["edges"][0]["node"]["id"] == thread.id
    assert wire.thread(thread.id)["data"]["threadData"]["messageData"]["hasOlder"] is False
    wire.client.close()


def test_an_unsent_message_has_no_content_but_still_a_preview(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread(says="secret")
    site.inbox.unsend(thread.messages[0])
    node = edges(wire.list())[0]
    message = node["messageData"]["messages"][0]
    assert message["hydratedContent"] is None
    assert message["isSoftDelete"] is True
    assert message["contentType"] == "TEXT_CONTENT"
    assert node["messages"]["edges"][0]["node"]["contentPreview"]["content"] == "secret"


@pytest.mark.parametrize("sub_type", [*CARDS, "SOMETHING_NEW"])
def test_every_card_has_its_sub_type_and_is_no_text(site: SimulatedSite, wire: Wire, sub_type: str):
    thread = site.inbox.add_thread()
    site.inbox.card(thread, sub_type)
    (message,) = messages(wire.thread(thread.id))
    assert message["contentSubType"] == sub_type
    assert message["contentType"] in {"TEMPLATE_CONTENT", "VIEWER_BASED_CONTENT"}
    assert message["hydratedContent"]["contentType"] in {"MESSAGING_DLS_ACTION_CARD", "TEMPLATE"}


def test_bulletins_media_and_unheard_kinds(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread()
    site.inbox.service_bulletin(thread)
    site.inbox.static_bulletin(thread)
    site.inbox.media(thread)
    site.inbox.strange(thread)
    found = [
        (entry["contentType"], entry["hydratedContent"]["contentType"], entry["account"]["accountType"])
        for entry in messages(wire.thread(thread.id))
    ]
    assert found == [
        ("VIEWER_BASED_CONTENT", "BULLETIN", "SERVICE"),
        ("STATIC_BULLETIN_CONTENT", "BULLETIN", "SERVICE"),
        ("MEDIA_CONTENT", "MEDIA", "USER"),
        ("HOLOGRAM_CONTENT", "HOLOGRAM", "USER"),
    ]


def test_threads_that_must_not_be_answered_can_be_told_apart(site: SimulatedSite, wire: Wire):
    inbox = site.inbox
    kinds = {
        inbox.support_thread().id: "SUPPORT",
        inbox.announcement_thread().id: "WELCOME_ANNOUNCEMENT",
        inbox.cohost_direct_thread().id: "STAY_COHOST_DIRECT",
        inbox.ambassador_thread().id: "AMBASSADOR",
    }
    trip = inbox.own_trip_thread()
    nodes = {node["id"]: node for node in edges(wire.list())}
    assert {key: nodes[key]["messageThreadType"] for key in kinds} == kinds
    roles = {
        edge["node"]["accountId"]: edge["node"]["participantRole"]
        for edge in nodes[trip.id]["participants"]["edges"]
    }
    assert roles[str(inbox.viewer.account_id)] == "GUEST"
    assert "hosting" not in {tag["userThreadTagName"] for tag in nodes[trip.id]["userThreadTags"]}


def test_edits_reactions_and_translations_are_on_the_wire(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread()
    message = site.inbox.guest_writes(thread, "Hallo", translated="Hello")
    site.inbox.edit(message, "Hallo!")
    site.inbox.react(thread, "👍", by=site.inbox.viewer)
    (entry,) = messages(wire.thread(thread.id))
    assert entry["editedAtMs"] is not None
    assert entry["hydratedContent"]["content"] == {
        "__typename": "MessagingRichText",
        "body": "Hallo!",
        "bodyTranslated": "Hello",
    }
    assert entry["reactionSummary"]["reactionCounts"][0]["emoji"] == "👍"
    assert entry["reactionSummary"]["reactionByCurrentAccount"]["emoji"] == "👍"


def test_a_send_makes_a_message_that_knows_its_request(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread(says="Hello")
    answer = wire.send(thread.number, "Hi\nthere").json()
    message = thread.messages[-1]
    (entry,) = site.log.sends(thread.number)
    assert message.text == "Hi\nthere"
    assert (message.sent_in, message.uuid) == (entry.seq, entry.uuid)
    assert entry.accepted
    assert answer["data"]["createBulkMessages"]["messages"][0]["id"] == message.id


def test_the_same_uuid_twice_makes_one_message_and_two_entries(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread(says="Hello")
    wire.send(thread.number, "Hi")
    wire.send(thread.number, "Hi")
    assert [entry.accepted for entry in site.log.sends()] == [True, False]
    assert site.inbox.texts(thread) == ["Hello", "Hi"]


@pytest.mark.parametrize(("style", "keys"), [("ids", {"__typename", "id", "uuid"}), ("empty", None)])
def test_a_send_may_answer_with_less(make_site: MakeSite, style: str, keys: set[str] | None):
    site = make_site(send_response=style)
    thread = site.inbox.add_thread()
    wire = Wire(site)
    data = wire.send(thread.number, "Hi").json()["data"]
    wire.client.close()
    assert (set(data["createBulkMessages"]["messages"][0]) if keys else data) == (keys or {})


def test_a_call_without_the_public_key_is_refused(site: SimulatedSite, wire: Wire):
    del wire.client.headers["X-Airbnb-API-Key"]
    assert wire.query("ViaductInboxData", {}).status_code == 400


def test_another_hash_is_not_found(site: SimulatedSite, wire: Wire):
    answer = wire.client.get("/api/v3/ViaductInboxData/00", params={"variables": "{}", "extensions": "{}"})
    assert answer.status_code == 400
    assert answer.json() == {"error": "persisted_query_not_found"}
