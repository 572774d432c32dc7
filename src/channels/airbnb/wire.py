"""The JSON that the page fetches → values of the core. Pure; recognised by shape, never by name or hash.

Sources: field guide, sections 2.5 to 2.7, and the two captured responses it describes. A key that must be there
and is not raises ``PageChanged``; a kind of content that is not known is kept as unsupported, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from src.channels.airbnb import ids
from src.channels.airbnb.shapes import Json, dig, list_of, need, time_of, yes
from src.errors import PageChanged
from src.model.inbox import AuthorRole, MessageKind, SeenConversation, SeenMessage, SeenPerson

_IN_ORDER = ("inboxItems", "threads")
"""The list itself, latest activity first, under either name."""
_REPEATED = "priorityItems"
"""A few conversations of any age that the site puts before the list, with every stretch of it again."""
_ROLES = {"GUEST": AuthorRole.GUEST, "COTRAVELER": AuthorRole.COTRAVELLER}
_STAY_TYPES = frozenset({"HOME_BOOKING"})
_ABOUT_BOOKINGS = frozenset({MessageKind.BULLETIN, MessageKind.CARD})
_CODE = re.compile(r"[A-Z0-9]{6,20}")
"""A confirmation code: ten capital letters and digits wherever one was seen."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One response with a stretch of the list."""

    viewer_id: str
    conversations: tuple[SeenConversation, ...]
    stretch: tuple[SeenConversation, ...]
    """Those of them that stand in the list's order; without what the site repeats before it."""
    has_next: bool
    has_previous: bool = False


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """One response with a stretch of one conversation; ``node`` is parsed once the viewer is known."""

    external_id: str
    node: dict[str, Json]

    def has(self, message_id: str) -> bool:
        """Whether a message (the site's id) is in this stretch."""
        return any(
            isinstance(m, dict) and m.get("id") == message_id
            for m in dig(self.node, "messageData", "messages") or []
        )


@dataclass(frozen=True, slots=True)
class PartialThread:
    """Something about a conversation, but not its messages: enough for nothing, unless nothing else comes."""


@dataclass(frozen=True, slots=True)
class NoThread:
    """A response that says of the asked conversation only that there is none."""


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """A response that carries errors instead of data. ``kind``: validation, stale_query or other."""

    kind: str
    status: int | None


def recognise(payload: Json) -> ListPage | ThreadPage | PartialThread | NoThread | ErrorPage | None:
    """What a JSON response is, by its shape. None: something else, of no concern to us."""
    if not isinstance(payload, dict):
        return None
    data = payload.get("data")
    if isinstance(data, dict):
        inbox = dig(data, "node", "messagingInbox")
        if isinstance(inbox, dict) and any(name in inbox for name in (*_IN_ORDER, _REPEATED)):
            return _list_page(data["node"], inbox)
        node = data.get("threadData")
        if isinstance(node, dict):
            return _thread_page(node) if "messageData" in node else PartialThread()
        if "threadData" in data and node is None and not payload.get("errors"):
            return NoThread()
    errors = payload.get("errors")
    if isinstance(errors, list) and errors:
        return _error_page(errors)
    return None


def thread_view(page: ThreadPage, viewer_id: str) -> SeenConversation:
    """The conversation of a response, seen by this viewer."""
    return _conversation(page.node, viewer_id, opened=True)


def message_nodes(payload: Json) -> Iterator[dict[str, Json]]:
    """Every complete message node anywhere in a response, e.g. in the answer to a send."""
    if isinstance(payload, dict):
        if ids.message_number(payload.get("id")) is not None and {
            "threadId",
            "account",
            "contentType",
        } <= set(payload):
            yield payload
            return
        for value in payload.values():
            yield from message_nodes(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from message_nodes(value)


def message(node: dict[str, Json], viewer_id: str, people: tuple[SeenPerson, ...]) -> SeenMessage:
    """One message node, its author judged by the participants."""
    external_id = need(node, "id", str, "message")
    if ids.message_number(external_id) is None:
        raise PageChanged("a base64 message id", "message.id")
    account = need(node, "account", dict, "message")
    author_id, role = _author(account, viewer_id, people)
    deleted = bool(node.get("isSoftDelete")) or node.get("deletedAtMs") is not None
    content_type = need(node, "contentType", str, "message")
    hydrated = node.get("hydratedContent")
    if hydrated is not None and not isinstance(hydrated, dict):
        raise PageChanged("an object or null", "message.hydratedContent")
    kind = _kind(content_type, hydrated)
    edited = node.get("editedAtMs")
    sub_type = node.get("contentSubType")
    return SeenMessage(
        external_id=external_id,
        author_id=author_id,
        author_name=next((p.name for p in people if p.external_id == author_id), None),
        role=role,
        kind=kind,
        detail=f"{content_type}/{sub_type}" if sub_type else content_type,
        text=_body(hydrated) if kind is MessageKind.TEXT and not deleted else None,
        sent_at=time_of(need(node, "createdAtMs", (str, int), "message"), "message.createdAtMs"),
        edited_at=None if edited is None else time_of(edited, "message.editedAtMs"),
        deleted=deleted,
    )


def is_filled(view: SeenConversation) -> bool:
    """False while a response is still without its contents (2.6: sometimes filled by a second response)."""
    if view.opened and not view.messages:
        return False
    return all(m.deleted or m.kind is not MessageKind.TEXT or m.text is not None for m in view.messages)


def _list_page(node: dict[str, Json], inbox: dict[str, Json]) -> ListPage:
    number = ids.decode("Viewer", node.get("id"))
    if number is None:
        raise PageChanged("the viewer's id", "list.data.node.id")
    viewer_id = str(number)
    name = next((name for name in _IN_ORDER if inbox.get(name) is not None), None)
    if name is None:  # never to be taken for an empty list
        raise PageChanged(" or ".join(_IN_ORDER), "list.data.node.messagingInbox")
    stretch = _edges(inbox[name], f"list.{name}", viewer_id)
    repeated = inbox.get(_REPEATED)
    before = {} if repeated is None else _edges(repeated, f"list.{_REPEATED}", viewer_id)
    info = need(inbox[name], "pageInfo", dict, f"list.{name}")
    return ListPage(
        viewer_id,
        conversations=tuple((stretch | before).values()),
        stretch=tuple(stretch.values()),
        has_next=yes(info, "hasNextPage", f"list.{name}.pageInfo"),
        has_previous=yes(info, "hasPreviousPage", f"list.{name}.pageInfo"),
    )


def _edges(connection: Json, where: str, viewer_id: str) -> dict[str, SeenConversation]:
    found: dict[str, SeenConversation] = {}
    for edge in need(connection, "edges", list, where):
        conversation = _conversation(need(edge, "node", dict, f"{where}.edges"), viewer_id)
        found.setdefault(conversation.external_id, conversation)
    return found


def _thread_page(node: dict[str, Json]) -> ThreadPage:
    external_id = need(node, "id", str, "threadData")
    if ids.thread_number(external_id) is None:
        raise PageChanged("a base64 conversation id", "threadData.id")
    return ThreadPage(external_id, node)


def _error_page(errors: list[Json]) -> ErrorPage:
    words, status = "", None
    for error in errors:
        extensions = dig(error, "extensions") or {}
        words += f" {dig(error, 'message')} {dig(extensions, 'errorClass')} {dig(extensions, 'errorType')}"
        words += f" {dig(extensions, 'code')}"
        found = dig(extensions, "response", "statusCode")
        status = found if isinstance(found, int) else status
    lowered = words.lower().replace("_", "")
    if "validationrequired" in lowered or status in (420, 440):
        return ErrorPage("validation", status)
    if "persistedquerynotfound" in lowered:
        return ErrorPage("stale_query", status)
    return ErrorPage("other", status)


def _conversation(node: dict[str, Json], viewer_id: str, *, opened: bool = False) -> SeenConversation:
    external_id = need(node, "id", str, "conversation")
    if ids.thread_number(external_id) is None:
        raise PageChanged("a base64 conversation id", "conversation.id")
    people, viewer_role = _people(node, viewer_id)
    messages = _messages(node, viewer_id, people, opened=opened)
    tags = _tags(node)
    listings = tags.get("stay_listing_ids", [])
    kind = need(node, "messageThreadType", str, "conversation")
    activity = node.get("mostRecentInboxActivityAtMsFromROS")
    return SeenConversation(
        external_id=external_id,
        kind=kind,
        is_stay=kind in _STAY_TYPES,
        is_hosting="hosting" in tags,
        viewer_id=viewer_id,
        viewer_is_host=viewer_role == "HOST",
        people=people,
        messages=messages,
        last_activity_at=_activity(activity, messages),
        title=_text_of(node.get("inboxTitle")),
        listing_id=listings[0] if len(listings) == 1 else None,
        stay=_stay(node, tags, _confirmation_code(node, messages)),
        unread="unread" in tags,
        opened=opened,
        has_older=_has_older(node, opened=opened),
    )


def _people(node: dict[str, Json], viewer_id: str) -> tuple[tuple[SeenPerson, ...], str | None]:
    edges = need(need(node, "participants", dict, "conversation"), "edges", list, "conversation.participants")
    people: list[SeenPerson] = []
    viewer_role = None
    for edge in edges:
        person = need(edge, "node", dict, "conversation.participants.edges")
        account_id = str(need(person, "accountId", (str, int), "participant"))
        role_name = need(person, "participantRole", str, "participant")
        role = _ROLES.get(role_name, AuthorRole.TEAM)
        if account_id == viewer_id:
            viewer_role, role = role_name, AuthorRole.HOST
        elif str(person.get("accountType", "USER")).upper() != "USER":
            role = AuthorRole.SITE
        info = person.get("enrichedParticipantInfo")
        name = dig(info, "name") or dig(info, "threadDisplayName")
        people.append(SeenPerson(account_id, role, name if isinstance(name, str) else None))
    return tuple(people), viewer_role


def _messages(
    node: dict[str, Json], viewer_id: str, people: tuple[SeenPerson, ...], *, opened: bool
) -> tuple[SeenMessage, ...]:
    nodes = dig(node, "messageData", "messages")
    if nodes is None and not opened:  # a list without messageData names the newest only by its preview
        edges = list_of(dig(node, "messages", "edges"), "messages.edges")
        nodes = [{**need(e, "node", dict, "messages.edges"), "contentType": "PREVIEW"} for e in edges]
    if not isinstance(nodes, list):
        raise PageChanged("a list of messages", "messageData.messages")
    found = {m.external_id: m for m in (message(n, viewer_id, people) for n in nodes if n is not None)}
    return tuple(sorted(found.values(), key=order))


def _has_older(node: dict[str, Json], *, opened: bool) -> bool:
    """Only of an opened conversation does anything depend on it; the list may leave it out."""
    part = node.get("messageData")
    if opened or (isinstance(part, dict) and part.get("hasOlder") is not None):
        return yes(part, "hasOlder", "messageData")
    return False


def order(seen: SeenMessage) -> tuple[datetime, int]:
    """The order of messages in a conversation: by time, then by number."""
    return seen.sent_at, ids.message_number(seen.external_id) or 0


def _author(
    account: dict[str, Json], viewer_id: str, people: tuple[SeenPerson, ...]
) -> tuple[str, AuthorRole]:
    author_id = str(need(account, "accountId", (str, int), "message.account"))
    if need(account, "accountType", str, "message.account").upper() != "USER":
        return author_id, AuthorRole.SITE
    if author_id == viewer_id:
        return author_id, AuthorRole.HOST
    return author_id, next((p.role for p in people if p.external_id == author_id), AuthorRole.TEAM)


def _kind(content_type: str, hydrated: dict[str, Json] | None) -> MessageKind:
    inner = hydrated.get("contentType") if hydrated else None
    if content_type == "TEXT_CONTENT":
        return MessageKind.TEXT if inner in (None, "TEXT") else MessageKind.UNSUPPORTED
    if content_type == "MEDIA_CONTENT":
        return MessageKind.MEDIA
    if content_type == "STATIC_BULLETIN_CONTENT":
        return MessageKind.BULLETIN
    if content_type == "VIEWER_BASED_CONTENT":
        return MessageKind.BULLETIN if inner == "BULLETIN" else MessageKind.CARD
    if content_type == "TEMPLATE_CONTENT":
        return MessageKind.CARD
    return MessageKind.UNSUPPORTED


def _body(hydrated: dict[str, Json] | None) -> str | None:
    if hydrated is None:
        return None
    body = dig(hydrated, "content", "body")
    if body is not None and not isinstance(body, str):
        raise PageChanged("text", "message.hydratedContent.content.body")
    return body


def _tags(node: dict[str, Json]) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for tag in need(node, "userThreadTags", (list, type(None)), "conversation") or []:
        name = need(tag, "userThreadTagName", str, "conversation.userThreadTags")
        values = list_of(tag.get("additionalValues"), "conversation.userThreadTags.additionalValues")
        tags[name] = [str(v) for v in values]
    return tags


def _confirmation_code(node: dict[str, Json], messages: tuple[SeenMessage, ...]) -> str:
    """The booking's code, as the site's newest bulletin or card about it has it (field guide, 2.6); "" without one.

    Only the site's service counts: what a person writes or attaches names no booking.
    """
    nodes = {one["id"]: one for one in dig(node, "messageData", "messages") or [] if one is not None}
    for seen in reversed(messages):
        if seen.kind in _ABOUT_BOOKINGS and seen.role is AuthorRole.SITE and not seen.deleted:
            content = dig(nodes.get(seen.external_id), "hydratedContent", "content")
            if code := next(_codes_in(content), ""):
                return code
    return ""


def _codes_in(node: Json) -> Iterator[str]:
    """The codes that the actions of a bulletin or card lead to: its link's, or those of its buttons."""
    if isinstance(node, dict):
        code = node.get("confirmationCodeMA")
        if isinstance(code, str) and _CODE.fullmatch(code):
            yield code
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _codes_in(part)


def _stay(node: dict[str, Json], tags: dict[str, list[str]], code: str) -> dict[str, str]:
    facts = {
        "trip_stage": ", ".join(tags.get("trip_stages", [])),
        "reservation_status": ", ".join(tags.get("reservation_status", [])),
        "summary": _text_of(node.get("inboxDescription")) or "",
        "confirmation_code": code,
    }
    return {key: value for key, value in facts.items() if value}


def _text_of(node: Json) -> str | None:
    """A StandardText: what it is read aloud as, else its components joined."""
    if not isinstance(node, dict):
        return None
    spoken = node.get("accessibilityText")
    if isinstance(spoken, str) and spoken.strip():
        return spoken
    components = list_of(node.get("components"), "a text's components")
    parts = [dig(component, "text") for component in components]
    return " ".join(part for part in parts if isinstance(part, str)) or None


def _activity(value: Json, messages: tuple[SeenMessage, ...]) -> datetime:
    if value is not None:
        return time_of(value, "conversation.mostRecentInboxActivityAtMsFromROS")
    return messages[-1].sent_at if messages else datetime.fromtimestamp(0, UTC)
