"""The positive gate: a message is answered only if everything here says yes (field guide, section 7)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from src.model.blank import is_blank
from src.model.inbox import GUEST_SIDE, HOST_SIDE, AuthorRole, MessageKind, SeenConversation, SeenMessage


class Refusal(StrEnum):
    """Why a message, or a whole conversation, is not answered. Stored as ``messages.skip_reason``."""

    NOT_A_STAY = "not_a_stay"
    """The conversation is of another type: support, announcement, between co-hosts, unknown."""
    NOT_HOSTING = "not_hosting"
    """The site does not file the conversation under the account's hosting."""
    VIEWER_IS_NOT_HOST = "viewer_is_not_host"
    """The account takes part as a guest (an own trip) or in no role we know."""
    FROM_HOST = "from_host"
    """Written by the host or the host's team."""
    FROM_SITE = "from_site"
    """Written by the site: a service, support, an announcement."""
    CARD = "card"
    """A card or template (a request, an alteration, a claim), by any author."""
    BULLETIN = "bulletin"
    MEDIA = "media"
    """A photo or a file without text."""
    UNSUPPORTED = "unsupported"
    """A kind of content that is not known."""
    REACTION = "reaction"
    """A mark on another message, or a note of the service: it asks for nothing."""
    DELETED = "deleted"
    """Taken back by its author."""
    EMPTY = "empty"
    """No text in it."""
    TOO_OLD = "too_old"
    """Older than MAX_MESSAGE_AGE_HOURS: history, not work."""
    HOST_ANSWERED = "host_answered"
    """Somebody of the host's side wrote after it."""
    NOT_THE_NEWEST = "not_the_newest"
    """What follows it is not a guest's text, so a reply would stand under something else."""
    CROSSED_OUR_REPLY = "crossed_our_reply"
    """It arrived in the instant in which our reply to an earlier message was sent; a person should look."""
    CANNOT_BE_OPENED = "cannot_be_opened"
    """The list shows it, but the site does not open its conversation; a person should look."""
    MODE_OFF = "mode_off"
    """REPLY_MODE or a mode set for the conversation or its listing is `off`."""


_KIND_REFUSALS = {
    MessageKind.MEDIA: Refusal.MEDIA,
    MessageKind.CARD: Refusal.CARD,
    MessageKind.BULLETIN: Refusal.BULLETIN,
    MessageKind.UNSUPPORTED: Refusal.UNSUPPORTED,
    MessageKind.REACTION: Refusal.REACTION,
}


def conversation_refusal(conversation: SeenConversation) -> Refusal | None:
    """Why nothing in this conversation is answered, or None if its messages may be looked at."""
    if not conversation.is_stay:
        return Refusal.NOT_A_STAY
    if not conversation.is_hosting:
        return Refusal.NOT_HOSTING
    if not conversation.viewer_is_host:
        return Refusal.VIEWER_IS_NOT_HOST
    return None


def message_refusal(message: SeenMessage, *, now: datetime, max_age: timedelta) -> Refusal | None:
    """Why this message by itself is not answered, or None. Looks at nothing around it."""
    if message.role in HOST_SIDE:
        return Refusal.FROM_HOST
    if message.role is AuthorRole.SITE:
        return Refusal.FROM_SITE
    if message.role not in GUEST_SIDE:
        return Refusal.UNSUPPORTED
    if message.deleted:
        return Refusal.DELETED
    if message.kind is not MessageKind.TEXT and not message.is_voice:
        return _KIND_REFUSALS[message.kind]
    if is_blank(message.text) and not message.is_voice:
        return Refusal.EMPTY
    if now - message.sent_at > max_age:
        return Refusal.TOO_OLD
    return None


def newest_refusal(conversation: SeenConversation, *, now: datetime, max_age: timedelta) -> Refusal | None:
    """Why the conversation is not answered as it stands now, judged by its newest message; None if it may be."""
    refused = conversation_refusal(conversation)
    if refused is not None:
        return refused
    if conversation.newest is None:
        return Refusal.EMPTY
    return message_refusal(conversation.newest, now=now, max_age=max_age)
