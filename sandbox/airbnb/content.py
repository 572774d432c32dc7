"""What a message contains on the wire: ``hydratedContent`` for each kind (field guide, section 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.airbnb import ids
from sandbox.airbnb.model import Message

Json = dict[str, Any]


@dataclass(frozen=True)
class CardKind:
    """How a card of one ``contentSubType`` is made, and who its author is said to be."""

    content_type: str
    layout: Literal["tombstone", "reservation", "link", "sections"]
    author: Literal["guest", "host", "external", "service"]
    title: str


CARDS: dict[str, CardKind] = {
    "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_PENDING": CardKind(
        "TEMPLATE_CONTENT", "tombstone", "guest", "Change request"
    ),
    "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_ACCEPTED": CardKind(
        "VIEWER_BASED_CONTENT", "reservation", "host", "Change accepted"
    ),
    "TRUST_CONTACT_CARD": CardKind("VIEWER_BASED_CONTENT", "link", "guest", "Contact details"),
    "STAYS_ACH_HDP_CLAIM_CLOSED": CardKind("VIEWER_BASED_CONTENT", "link", "guest", "Claim closed"),
    "STAYS_RTB_CARD_CONFIRMED": CardKind(
        "VIEWER_BASED_CONTENT", "reservation", "external", "Request accepted"
    ),
    "REQUEST_STAY_ALTERATION_CARD": CardKind(
        "VIEWER_BASED_CONTENT", "link", "external", "Suggestion: Change reservation"
    ),
    "STAYS_RTB_CARD_REQUEST": CardKind("TEMPLATE_CONTENT", "sections", "guest", "Request to book"),
    # Named by what people see (field guide, section 7); the sub-types of these four are guesses.
    "STAYS_PREAPPROVAL_CARD": CardKind("TEMPLATE_CONTENT", "sections", "host", "Pre-approval sent"),
    "STAYS_SPECIAL_OFFER_CARD": CardKind("TEMPLATE_CONTENT", "sections", "host", "Special offer sent"),
    "STAYS_INVITATION_TO_BOOK_CARD": CardKind("VIEWER_BASED_CONTENT", "link", "host", "Invitation to book"),
    "STAYS_INVITE_EXPIRED_CARD": CardKind("VIEWER_BASED_CONTENT", "link", "service", "Invite expired"),
}


def hydrated(message: Message) -> Json | None:
    """A message's ``hydratedContent``; None for an unsent one, whose preview still has the text."""
    if message.deleted:
        return None
    kind, content = _content(message)
    return {
        "__typename": "RichMessage",
        "contentType": kind,
        "content": content,
        "captionText": None,
        "suggestionConfig": None,
        "loggingExtras": None,
        "plainText": None,
    }


def _content(message: Message) -> tuple[str, Json]:
    if message.content_type == "TEXT_CONTENT":
        return "TEXT", _rich_text(message.text, message.translated)
    if message.content_type == "MEDIA_CONTENT":
        return "MEDIA", _media(message)
    if message.sub_type == "STAYS_INSTANT_BOOKED":
        return "BULLETIN", _bulletin(message)
    if message.content_type == "STATIC_BULLETIN_CONTENT":
        return "BULLETIN", {
            "__typename": "Bulletin",
            "body": message.text,
            "linkText": None,
            "linkAction": None,
        }
    if message.content_type not in ("TEMPLATE_CONTENT", "VIEWER_BASED_CONTENT"):
        return message.content_type.removesuffix("_CONTENT"), {
            "__typename": "Unheard",
            "payload": message.text,
        }
    kind = CARDS.get(message.sub_type or "", CARDS["STAYS_ACH_HDP_CLAIM_CLOSED"])
    wire_kind = "TEMPLATE" if kind.layout == "sections" else "MESSAGING_DLS_ACTION_CARD"
    return wire_kind, _LAYOUTS[kind.layout](message)


def _rich_text(body: str, translated: str | None = None) -> Json:
    return {"__typename": "MessagingRichText", "body": body, "bodyTranslated": translated}


def _media(message: Message) -> Json:
    image = {
        "__typename": "ImageEntity",
        "id": ids.global_id("ImageEntity", message.number % 10**10),
        "uri": "/pictures/photo.svg",
        "assetMetadata": {"__typename": "ImageAssetMetadata", "originalHeight": 900, "originalWidth": 1200},
    }
    return {"__typename": "Media", "mediaItems": [image]}


def _event(message: Message, **facts: Any) -> Json:
    return {"message_thread_id": message.thread.number, "message_unique_identifier": message.uuid, **facts}


def _logging(event: Json, typename: str = "LoggingEventData") -> Json:
    return {
        "__typename": typename,
        "eventData": event,
        "eventDataSchemaName": "Messaging.V2.InnerMessageAction",
        "loggingId": "messaging.message.action",
    }


def _open_reservation(message: Message, event: Json) -> Json:
    return {
        "__typename": "HomesHostOpenReservationDetailsAction",
        "loggingData": _logging(event),
        "url": f"/hosting/reservations/details/{message.thread.stay.code}",
        "urlNewWindowPreference": None,
        "confirmationCodeMA": message.thread.stay.code,
        "threadId": str(message.thread.number),
        "isPending": None,
    }


def _bulletin(message: Message) -> Json:
    event = _event(
        message,
        message_type="BulletinContent",
        standard_action_type="HomesHostOpenReservationDetailsAction",
        reference_type=f"{message.sub_type}_host",
        reference_id=None,
        template_type=message.sub_type,
        position=0,
    )
    return {
        "__typename": "Bulletin",
        "body": message.text,
        "linkText": "Show reservation",
        "linkAction": None,
        "linkMessagingAction": _open_reservation(message, event),
    }


def _card(message: Message, header: Json, **parts: Any) -> Json:
    return {
        "__typename": "MessagingDLSActionCardV1",
        "accessibilityTextNonNull": message.text,
        "loggingReferenceType": parts.get("reference"),
        "imageryV1": None,
        "headerV2": {
            "__typename": "MessagingActionCardHeaderWrapperV2",
            "actionHeader": None,
            "tombstoneHeader": None,
            **header,
        },
        "subHeadersV2": parts.get("lists"),
        "actionPanel": parts.get("panel"),
        "dismissScenarios": parts.get("lists"),
    }


def _imagery() -> Json:
    icon = {
        "__typename": "MessagingIcon",
        "accessibilityText": "Guest",
        "name": "PERSONLARGE32",
        "backgroundColor": None,
    }
    return {"__typename": "MessagingActionCardHeaderImagery", "image": icon, "size": "SMALL"}


def _tombstone(message: Message) -> Json:
    header = {
        "__typename": "MessagingActionCardTombstoneHeader",
        "title": _rich_text(message.text),
        "kicker": _rich_text("Trip change"),
        "trailingImagery": _imagery(),
    }
    return _card(message, {"tombstoneHeader": header})


def _panel(text: str, action: Json, messaging_action: Json) -> Json:
    button = {
        "__typename": "MessagingButton",
        "text": text,
        "type": "SECONDARY",
        "disabled": False,
        "leadingIcon": None,
        "action": {"__typename": "StandardActionData", **action},
        "messagingAction": messaging_action,
    }
    return {"__typename": "MessagingButtonPanel", "type": "FULL_WIDTH", "buttons": [button]}


def _reservation(message: Message) -> Json:
    parameters = {"threadId": str(message.thread.number), "confirmationCode": message.thread.stay.code}
    common = {
        "message_type": "UNKNOWN",
        "reference_type": None,
        "reference_id": None,
        "template_type": message.sub_type,
    }
    kind = "homes__host__open_reservation_details"
    event = _event(message, position=0, standard_action_type=kind, extras=parameters, **common)
    action = {
        "parameters": parameters,
        "type": kind,
        "url": f"/hosting/reservations/details/{message.thread.stay.code}",
        "urlNewWindowPreference": None,
        "loggingEventData": _logging(event, "StandardActionLoggingEventData"),
    }
    event = _event(message, standard_action_type="HomesHostOpenReservationDetailsAction", **common)
    header = {
        "__typename": "MessagingActionCardHeader",
        "kicker": _rich_text("Trip change"),
        "title": _rich_text(message.text),
        "subtitle": None,
        "trailingImagery": _imagery(),
        "leadingImagery": None,
    }
    panel = _panel("Show reservation", action, _open_reservation(message, event))
    return _card(message, {"actionHeader": header}, panel=panel)


def _standard_text(text: str) -> Json:
    component = {
        "__typename": "StandardTextComponentData",
        "isClientMutable": None,
        "text": text,
        "type": None,
        "link": None,
        "linkMessagingAction": None,
    }
    return {"__typename": "StandardTextData", "accessibilityText": text, "components": [component]}


def _link(message: Message) -> Json:
    url = f"/hosting/messages/{message.thread.number}"
    common = {
        "message_type": "MessagingDLSActionCardContent",
        "reference_type": "aircover.achClaimGuardrailClosed",
        "reference_id": message.uuid,
        "template_type": message.sub_type,
        "position": 0,
    }
    event = _event(message, standard_action_type="messaging__open_url", extras={"url": url}, **common)
    action = {
        "parameters": {"url": url},
        "type": "messaging__open_url",
        "url": url,
        "urlNewWindowPreference": "CLIENT_DEFAULT",
        "loggingEventData": _logging(event, "StandardActionLoggingEventData"),
    }
    messaging_action = {
        "__typename": "MessagingOpenUrlAction",
        "loggingData": _logging(_event(message, standard_action_type="MessagingOpenUrlAction", **common)),
        "url": url,
        "urlNewWindowPreference": None,
        "deeplink": url,
    }
    header = {
        "__typename": "MessagingActionCardHeader",
        "kicker": _standard_text("Airbnb"),
        "title": _standard_text(message.text),
        "subtitle": None,
        "trailingImagery": None,
        "leadingImagery": None,
    }
    panel = _panel("Show details", action, messaging_action)
    return _card(message, {"actionHeader": header}, panel=panel, lists=[], reference=message.sub_type)


def _sections(message: Message) -> Json:
    return {
        "__typename": "MessagingCardV2",
        "sections": [{"__typename": "MessagingCardTextSection", "text": _rich_text(message.text)}],
    }


_LAYOUTS: dict[str, Callable[[Message], Json]] = {
    "tombstone": _tombstone,
    "reservation": _reservation,
    "link": _link,
    "sections": _sections,
}
