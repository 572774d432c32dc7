"""A message as a JSON node (field guide, section 2.6)."""

from __future__ import annotations

from sandbox.airbnb import ids
from sandbox.airbnb.content import Json, hydrated
from sandbox.airbnb.labels import Labels
from sandbox.airbnb.model import Message, Person, Reaction


def account(person: Person) -> Json:
    """A ``ParticipantAccount``; ids are strings on the wire."""
    return {
        "__typename": "ParticipantAccount",
        "accountId": str(person.account_id),
        "accountType": person.account_type,
    }


def message_node(message: Message, labels: Labels) -> Json:
    """One message, in full."""
    cursor = message.thread.sync_cursor
    return {
        "__typename": "Message",
        "uuid": message.uuid,
        "threadId": str(message.thread.number),
        "id": message.id,
        "opaqueId": ids.opaque_id(message.number, message.created_at_ms),
        "correlationIdentifier": None,
        "contentType": message.content_type,
        "contentSubType": message.sub_type,
        "hydratedContent": hydrated(message),
        "account": account(message.author),
        "captionType": None,
        "userFlagByViewer": {"__typename": "MessageUserFlag", "flagId": None, "redacted": None},
        "updatedAtMs": str(message.updated_at_ms),
        "createdAtMs": str(message.created_at_ms),
        "deletedAtMs": ms(message.deleted_at_ms),
        "editedAtMs": ms(message.edited_at_ms),
        "isSoftDelete": True if message.deleted else None,
        "localClientData": None,
        "syncCursor": cursor,
        "contextualConfig": _menu(message, labels),
        "reactionSummary": _reactions(message, cursor),
        "parentMessageId": None,
        "senderInfoOverride": None,
    }


def ms(value: int | None) -> str | None:
    """A time as the wire has it: a string, or null."""
    return None if value is None else str(value)


def _menu(message: Message, labels: Labels) -> Json:
    """What the three dots offer: an answer to texts, "report translation" on those of others."""
    first = []
    if message.content_type == "TEXT_CONTENT":
        first.append(_menu_item(message, "Reply", "REPLY32", labels["menu_reply"], "reply", None))
        if message.author != message.thread.viewer:
            condition = {"__typename": "MessagingSectionTranslationConditionData", "_unused": None}
            text, event = labels["menu_report"], "report_translation_issue"
            first.append(_menu_item(message, "ReportTranslation", "FLAG16", text, event, condition))
    receipt = {"__typename": "MessagingSectionReadReceiptConditionData", "messageId": None}
    last = [_menu_item(message, "ReadReceipt", "EYE16", labels["menu_read_by"], "readReceipts", receipt)]
    sections = [
        {"__typename": "ContextualConfigMenuSection", "items": items} for items in (first, last) if items
    ]
    return {
        "__typename": "MessageContextualConfig",
        "menuSections": sections,
        "showReactionsTray": not message.deleted and message.author.account_type == "USER",
    }


def _menu_item(
    message: Message, action: str, icon: str, text: str, event: str, condition: Json | None
) -> Json:
    typenames = {
        "Reply": "MessagingReplyToMessageAction",
        "ReportTranslation": "MessagingReportTranslationIssueAction",
        "ReadReceipt": "MessagingReadReceiptAction",
    }
    logging_id = (
        "messaging.thread.readReceipts.menu"
        if action == "ReadReceipt"
        else f"messaging.thread.message.{event}"
    )
    return {
        "__typename": "ContextualConfigMenuItem",
        "showIf": condition,
        "icon": {"__typename": "MessagingIcon", "name": icon, "accessibilityText": text},
        "text": {"__typename": "I18nText", "localizedString": text},
        "messagingAction": {
            "__typename": typenames[action],
            "loggingData": {
                "__typename": "LoggingEventData",
                "eventData": {"message_id": str(message.number), "thread_id": str(message.thread.number)},
                "eventDataSchemaName": "Messaging.v1.MessageData",
                "loggingId": logging_id,
            },
            "url": "",
            "urlNewWindowPreference": None,
        },
    }


def reaction_node(reaction: Reaction) -> Json:
    """A ``MessageReaction``."""
    preview = f"{reaction.by.name} reacted {reaction.emoji}"
    return {
        "__typename": "MessageReaction",
        "creator": account(reaction.by),
        "emoji": reaction.emoji,
        "updatedAtMs": str(reaction.at_ms),
        "reactionPreview": {
            "__typename": "ReactionPreview",
            "previewContent": preview,
            "previewContentWithAutoTranslatedUGC": preview,
        },
    }


def _reactions(message: Message, cursor: str) -> Json:
    counts: dict[str, int] = {}
    for reaction in message.reactions:
        counts[reaction.emoji] = counts.get(reaction.emoji, 0) + 1
    own = [reaction for reaction in message.reactions if reaction.by == message.thread.viewer]
    return {
        "__typename": "ReactionSummary",
        "modalData": [reaction_node(reaction) for reaction in message.reactions],
        "reactionByCurrentAccount": {"__typename": "CurrentUserReaction", "emoji": own[-1].emoji}
        if own
        else None,
        "reactionCounts": [
            {"__typename": "ReactionCount", "count": count, "emoji": emoji} for emoji, count in counts.items()
        ],
        "deletedReactions": [],
        "syncCursor": cursor,
    }
