"""The app's rows as conversations. Pure; strict about what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from src.channels.pgnotify.mapping import Mapping
from src.errors import NotUnderstood
from src.model.inbox import AuthorRole, MessageKind, SeenConversation, SeenMessage, SeenPerson

LEAST_DIFFERENCE = timedelta(seconds=2)
"""Less between their clock and ours is the way there and back."""
_MEDIA = frozenset(
    {"image", "photo", "picture", "gif", "video", "audio", "voice", "file", "sticker", "media"}
)
_AFTER_MEMBERS = 8
"""Columns at the end of each row: seven of a message, and when the conversation began."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the conversation's people, as far as there is a profile."""

    id: str | None
    name: str | None
    is_ours: bool
    is_there: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """A conversation as it was read, and what the press needs of it."""

    view: SeenConversation
    version: str
    sender: str | None
    """In whose name we write there; None: there is no profile of ours in it."""
    is_open: bool


def conversations(
    mapping: Mapping, rows: list[tuple[Any, ...]], *, compared: bool, now: datetime, starts: bool = False
) -> list[Whole]:
    """``statements.whole``'s rows, in their order. ``now`` is our clock at the time of the look.

    Times are told by our clock: the ages of messages are judged by it. ``starts``: we write first where nobody has
    written. NotUnderstood for rows that make no sense.
    """
    return [
        _conversation(mapping, list(of_one), compared, now, starts)
        for _, of_one in groupby(rows, key=lambda row: row[0])
    ]


def _conversation(
    mapping: Mapping, rows: list[tuple[Any, ...]], compared: bool, now: datetime, starts: bool
) -> Whole:
    external_id, their_now, is_open, version = rows[0][:4]
    members = list(_members(mapping, rows[0][4:-_AFTER_MEMBERS]))
    behind = now - their_now
    shift = behind if abs(behind) >= LEAST_DIFFERENCE else timedelta(0)
    ours = [one for one in members if one.is_ours and one.id is not None]
    theirs = [one for one in members if not one.is_ours]
    messages = tuple(
        _message(mapping, row[-_AFTER_MEMBERS:-1], members, shift)
        for row in rows
        if row[-_AFTER_MEMBERS] is not None
    )
    began = rows[0][-1]
    started_at = began + shift if starts and began is not None and not messages else None
    complete = bool(ours) and bool(theirs) and all(one.is_there for one in members)
    view = SeenConversation(
        external_id=external_id,
        kind="conversation",
        is_stay=True,
        is_hosting=is_open and complete,
        viewer_id=mapping.viewer,
        viewer_is_host=bool(ours),
        people=tuple(
            SeenPerson(one.id, AuthorRole.HOST if one.is_ours else AuthorRole.GUEST, one.name)
            for one in members
            if one.id is not None
        ),
        messages=messages,
        last_activity_at=max(
            (m.sent_at for m in messages), default=started_at or datetime.fromtimestamp(0, UTC)
        ),
        opened=True,
        has_older=int(version.partition(":")[0]) > len(messages),
        version=version,
        compared=compared,
        started_at=started_at,
    )
    return Whole(view, version, ours[0].id if ours else None, is_open and complete)


def _members(mapping: Mapping, columns: tuple[Any, ...]) -> Iterator[Member]:
    ids, facts = columns[: len(mapping.members)], columns[len(mapping.members) :]
    if len(facts) != 3 * len(ids):
        raise NotUnderstood("The rows of the app's database are not as they were asked for.")
    for number, member in enumerate(ids):
        name, is_ours, is_there = facts[3 * number : 3 * number + 3]
        yield Member(member, name, is_ours, is_there)


def _message(mapping: Mapping, row: tuple[Any, ...], members: list[Member], shift: timedelta) -> SeenMessage:
    external_id, sender, text, sent_at, edited_at, deleted, kind = row
    if not isinstance(sent_at, datetime):
        raise NotUnderstood("A message of the app's database has no time.")
    author = next((one for one in members if one.id == sender), None) if sender is not None else None
    what = _kind(mapping, kind)
    return SeenMessage(
        external_id=external_id,
        author_id=sender,
        author_name=author.name if author else None,
        role=_role(sender, author),
        kind=what,
        detail=kind or "text",
        text=text if what is MessageKind.TEXT and not deleted else None,
        sent_at=sent_at + shift,
        edited_at=edited_at + shift if edited_at is not None and edited_at != sent_at else None,
        deleted=deleted,
    )


def _role(sender: str | None, author: Member | None) -> AuthorRole:
    if sender is None:
        return AuthorRole.SITE
    if author is None:
        return AuthorRole.TEAM  # somebody who is not of the conversation: a moderator, an administrator
    return AuthorRole.HOST if author.is_ours else AuthorRole.GUEST


def _kind(mapping: Mapping, kind: str | None) -> MessageKind:
    if mapping.kind is None or kind in mapping.text_kinds:
        return MessageKind.TEXT
    return MessageKind.MEDIA if (kind or "").lower() in _MEDIA else MessageKind.UNSUPPORTED
