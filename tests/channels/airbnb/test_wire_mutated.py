"""Payloads that are wrong somewhere: they are read rightly, or named as changed; nothing else may happen."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.airbnb.inbox import Inbox
from sandbox.airbnb.labels import Labels
from sandbox.airbnb.responses import Responses
from src.channels.airbnb import wire
from src.errors import PageChanged
from src.model.inbox import GUEST_SIDE, MessageKind, SeenConversation, SeenMessage
from tests.support.mutated import JUNK, REMOVED, Json, Place, mutated, places

KEYS = [
    "data",
    "node",
    "messagingInbox",
    "inboxItems",
    "threads",
    "edges",
    "threadData",
    "messageData",
    "messages",
    "errors",
    "extensions",
    "id",
    "pageInfo",
    "account",
    "threadId",
    "contentType",
]


def _inbox() -> Inbox:
    inbox = Inbox()
    thread = inbox.add_thread(guest="Ana", cotravellers=["Ben"], cohost="Kim", priority=True, says="Hello")
    inbox.service_bulletin(thread)
    inbox.card(thread, "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_PENDING")
    inbox.card(thread, "TRUST_CONTACT_CARD")
    inbox.media(thread)
    inbox.strange(thread)
    inbox.cohost_writes(thread, "from the co-host")
    inbox.unsend(inbox.guest_writes(thread, "taken back"))
    inbox.host_writes(thread, "from the host")
    inbox.guest_writes(thread, "from Ben", by="Ben")
    inbox.guest_writes(inbox.add_thread(guest="Cleo"), "second")
    inbox.own_trip_thread()
    inbox.card(inbox.add_thread(guest="Dev"), "STAYS_RTB_CARD_REQUEST")
    return inbox


_INBOX = _inbox()
_RESPONSES = Responses(_INBOX, Labels("en"))
_VIEWER = str(_INBOX.viewer.account_id)
LIST = _RESPONSES.thread_list({}, 15, "inboxItems")
THREAD = _RESPONSES.thread(_INBOX.threads[-1], {}, page_size=50)
GENUINE = {
    message.id: message.text
    for thread in _INBOX.threads
    for message in thread.messages
    if message.content_type == "TEXT_CONTENT"
    and not message.deleted
    and message.author in thread.with_role("GUEST", "COTRAVELER")
    and message.author != _INBOX.viewer
}
"""The messages that really are texts by guests."""


def _seen(payload: Json) -> list[SeenMessage]:
    """All messages that the payload tells; raises PageChanged or nothing."""
    found = wire.recognise(payload)
    views: tuple[SeenConversation, ...] = ()
    if isinstance(found, wire.ListPage):
        views = found.conversations
    elif isinstance(found, wire.ThreadPage):
        views = (wire.thread_view(found, _VIEWER),)
    messages = [message for view in views for message in view.messages]
    for view in views:
        wire.is_filled(view)
        assert view.viewer_id == _VIEWER
        messages += [wire.message(node, _VIEWER, view.people) for node in wire.message_nodes(payload)]
    return messages


def _check(payload: Json, touched: list[Place], *, of_one: bool) -> None:
    try:
        messages = _seen(payload)
    except PageChanged:
        return
    for message in messages:
        if message.role in GUEST_SIDE and message.kind is MessageKind.TEXT and message.text is not None:
            assert not message.deleted
            if of_one or message.external_id in GENUINE:
                assert message.external_id in GENUINE
                excused = any("body" in place or "content" in place for place in touched)
                assert message.text == GENUINE[message.external_id] or excused


def test_the_payloads_themselves_are_understood():
    assert {m.external_id for m in _seen(THREAD) if m.role in GUEST_SIDE and m.text} <= set(GENUINE)
    assert len(_seen(LIST)) > len(_INBOX.threads)


def test_every_single_change_of_the_conversation_is_read_rightly_or_named():
    payload = copy.deepcopy(THREAD)
    for place in list(places(THREAD)):
        holder: Any = payload
        for key in place[:-1]:
            holder = holder[key]
        kept = copy.copy(holder)
        for junk in JUNK:
            if junk is REMOVED:
                del holder[place[-1]]
            else:
                holder[place[-1]] = junk
            _check(payload, [place], of_one=True)
            holder.clear()
            (holder.update if isinstance(holder, dict) else holder.extend)(kept)
    assert payload == THREAD


def _changes(payload: Json) -> st.SearchStrategy[list[tuple[Place, object]]]:
    change = st.tuples(st.sampled_from(list(places(payload))), st.sampled_from(JUNK))
    return st.lists(change, min_size=1, max_size=4)


@given(_changes(LIST))
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_changed_list_is_read_rightly_or_named(changes: list[tuple[Place, object]]):
    payload = LIST
    for place, junk in changes:
        payload = mutated(payload, place, junk)
    _check(payload, [place for place, _ in changes], of_one=len(changes) == 1)


@given(_changes(THREAD))
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_changed_conversation_is_read_rightly_or_named(changes: list[tuple[Place, object]]):
    payload = THREAD
    for place, junk in changes:
        payload = mutated(payload, place, junk)
    _check(payload, [place for place, _ in changes], of_one=len(changes) == 1)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_json_is_a_value_or_named(payload: Json):
    _check(payload, [], of_one=True)
