"""A thread as a JSON node (field guide, section 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.airbnb import ids
from sandbox.airbnb.content import Json
from sandbox.airbnb.labels import Labels
from sandbox.airbnb.message_nodes import account, message_node, ms, reaction_node
from sandbox.airbnb.model import ROLE_FACTS, Message, Participant, Thread

PICTURE = "/pictures/person.svg"


def _participant(entry: Participant, labels: Labels) -> Json:
    product_role, logging_role = ROLE_FACTS[entry.role]
    name = entry.person.name
    return {
        "__typename": "UserMessageThreadParticipantV2",
        "accountId": str(entry.person.account_id),
        "accountType": entry.person.account_type,
        "participantRole": entry.role,
        "userRoleForLogging": logging_role,
        "status": "ACTIVE",
        "roleDescription": labels[f"role_{entry.role}"],
        "isRealUser": True,
        "enrichedParticipantInfo": {
            "__typename": "EnrichedParticipantInfo",
            "name": name,
            "threadDisplayName": name,
            "userProfilePicture": {"__typename": "UserProfilePicture", "thumbnailUrlMedium": PICTURE},
            "userProfileIcon": None,
        },
        "productRole": product_role,
        "contextualUser": {
            "__typename": "ContextualUser",
            "id": ids.global_id("ContextualUser", entry.person.account_id * 7),
        },
    }


def _tags(thread: Thread) -> list[Json]:
    found: list[tuple[str, list[str]]] = []
    if thread.unread:
        found.append(("unread", []))
    if thread.stay.listing_id is not None:
        found.append(("stay_listing_ids", [thread.stay.listing_id]))
    if thread.trip_stage is not None:
        found.append(("trip_stages", [thread.trip_stage]))
    for tag in ("priority", "hosting", "starred"):
        if getattr(thread, tag):
            found.append((tag, []))
    return [
        {"__typename": "UserThreadTag", "additionalValues": values, "userThreadTagName": name}
        for name, values in found
    ]


def _text(text: str) -> Json:
    return {
        "__typename": "StandardText",
        "components": [{"__typename": "StandardTextComponent", "text": text, "type": None}],
        "accessibilityText": text,
    }


def _chip(thread: Thread, chip: str, labels: Labels) -> Json:
    url = f"/hosting/reviews/{thread.number}/edit"
    return {
        "__typename": "ThreadViewChip",
        "title": labels["chip_review"],
        "iconURL": "/pictures/chip.svg",
        "icon": None,
        "action": {
            "__typename": "StandardActionData",
            "parameters": {"url": url},
            "type": "stay_host_write_review",
            "url": url,
            "urlNewWindowPreference": None,
            "loggingEventData": None,
        },
        "id": f"Thread {thread.number} {chip}",
        "renderingType": "STANDARD",
        "chipType": chip,
    }


def _newest(message: Message) -> Json:
    """The short form in ``messages.edges``; its preview keeps the text of an unsent message."""
    node = {
        "__typename": "Message",
        "id": message.id,
        "uuid": message.uuid,
        "createdAtMs": str(message.created_at_ms),
        "updatedAtMs": str(message.updated_at_ms),
        "deletedAtMs": ms(message.deleted_at_ms),
        "isSoftDelete": True if message.deleted else None,
        "account": account(message.author),
        "contentPreview": {
            "__typename": "MessageContentPreview",
            "translatedContent": message.translated,
            "content": message.text,
        },
    }
    return {"__typename": "MessageThreadToMessagesEdge", "node": node}


def _images(thread: Thread) -> list[Json]:
    return [
        {
            "__typename": "InboxProfileImage",
            "image": {
                "__typename": "InboxImage",
                "iconName": None,
                "accessibilityText": person.name,
                "sourceUrl": PICTURE,
            },
        }
        for person in thread.others[:2]
    ]


def thread_node(thread: Thread, segment: Json, labels: Labels) -> Json:
    """A thread with the given ``messageData`` (see ``segment``)."""
    names = thread.title or ", ".join(person.name for person in thread.others) or "Airbnb"
    reactions = [reaction for message in thread.messages for reaction in message.reactions]
    latest = max(reactions, key=lambda reaction: reaction.at_ms, default=None)
    return {
        "__typename": "MessageThread",
        "id": thread.id,
        "messageThreadType": thread.kind,
        "localizationData": {
            "__typename": "MessageThreadLocalizationData",
            "autoTranslateLocale": labels["locale"],
            "isThreadAutoTranslateEnabled": True,
            "isThreadTranslationEligible": True,
        },
        "userThreadTags": _tags(thread),
        "inboxTitle": _text(names),
        "inboxDescription": _text(_description(thread, labels)),
        "priority": {"__typename": "ThreadPriority", "title": _text(labels["priority"])},
        "inboxListingImageUrl": "/pictures/listing.svg",
        "inboxProfileImages": _images(thread),
        "inboxChips": [_chip(thread, chip, labels) for chip in thread.chips],
        "inboxAccessibilityTemplateText": labels["row"],
        "inboxItemHighlight": "POSITIVE" if thread.trip_stage in _POSITIVE else None,
        "mostRecentInboxActivityAtMsFromROS": str(thread.activity_ms),
        "inboxVisibility": "VISIBLE",
        "participants": {
            "__typename": "MessageThreadToMessageThreadParticipantsV2Connection",
            "edges": [
                {
                    "__typename": "MessageThreadToMessageThreadParticipantsV2Edge",
                    "node": _participant(entry, labels),
                }
                for entry in thread.participants
            ],
        },
        "messages": {
            "__typename": "MessageThreadToMessagesConnection",
            "edges": [_newest(message) for message in thread.messages[-1:]],
        },
        "lastReactionV2": reaction_node(latest) if latest else None,
        "messageData": segment,
    }


_POSITIVE = ("CURRENTLY_HOSTING", "UPCOMING_RESERVATIONS")


def _description(thread: Thread, labels: Labels) -> str:
    stay = thread.stay
    dates = labels.dates(stay.check_in, stay.check_out) if thread.trip_stage else ""
    city = stay.city if stay.listing_id else ""
    return " · ".join(part for part in (labels.status(stay.status), dates, city) if part)


def segment(messages: Sequence[Message], labels: Labels, older: bool, newer: bool, as_bool: bool) -> Json:
    """A ``MessagesSegment``. ``hasOlder`` is a string, or a boolean as some describe it (section 2.6)."""
    first, last = (messages[0], messages[-1]) if messages else (None, None)

    def flag(value: bool) -> Any:
        return value if as_bool else ("YES" if value else "NO")

    return {
        "__typename": "MessagesSegment",
        "messages": [message_node(message, labels) for message in messages],
        "expandedMessagesSegment": {
            "__typename": "ThreadMessagesSegment",
            "earliestMessageId": str(first.number) if first else None,
            "latestMessageId": str(last.number) if last else None,
        },
        "expandedCursorsSegment": {
            "__typename": "ThreadCursorsSegment",
            "earliestCursor": ids.message_cursor(first.number) if first else None,
            "latestCursor": ids.message_cursor(last.number) if last else None,
        },
        "upToDate": False,
        "hasOlder": flag(older),
        "hasNewer": flag(newer),
    }
