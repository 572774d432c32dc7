"""Which message a press of ours made, by what the page itself sends and is told (docs/own-messages.md, ADR 0027).

It only listens. A site may rewrite a text beyond recognition; the page's own send, heard on the wire, still names
the message that came of it. Sources: field guide, sections 2.3 (the send carries the text, the number of the
conversation and an id that the page makes), 2.4 and 2.6 (a message keeps that id as its ``uuid``).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from src.channels.airbnb import ids
from src.channels.airbnb.shapes import Json
from src.model.inbox import AuthorRole, MessageKind, SeenConversation
from src.model.same_reply import mostly_same, normalised
from src.model.sending import Press

_UNIQUE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_BODY = 200_000
_KEPT = 20


@dataclass(slots=True)
class OwnSend:
    """One press, and what was heard of it since."""

    key: str
    conversation: str
    """The conversation's id on the site."""
    text: str
    """What the composer held."""
    known: frozenset[str]
    """The messages that were told before the press: none of them came of it."""
    page: object
    """Where it was pressed; in another page an empty composer says nothing."""
    pressed_at: float = field(default_factory=time.monotonic)
    unique_ids: set[str] = field(default_factory=set)
    """The ids that the page made for the message in its send."""
    refused: bool = False
    """The site answered the page's send with an error."""
    emptied: bool | None = None
    """Whether the composer was empty after the press; None: not looked at."""
    told_ids: dict[str, str] = field(default_factory=dict)
    """``uuid`` of the messages that were told since, by their id."""
    made: str | None = None
    """The message that came of it (the site's id), once that is known."""

    def hear_request(self, body: bytes | None) -> bool:
        """Whether this is the page's send of this press: our text, to this conversation."""
        request = _json_of(body)
        number = ids.thread_number(self.conversation)
        places = {number, str(number), self.conversation}
        if request is None or not any(value in places for value in _values(request)):
            return False
        found = list(_with_text(request, normalised(self.text)))
        self.unique_ids.update(one for owner in found if (one := _unique_id(owner)) is not None)
        return bool(found)

    def hear_answer(self, payload: Json) -> None:
        """The site's answer to the page's send: it may name the message."""
        if isinstance(payload, dict) and payload.get("errors"):
            self.refused = True
        if self.refused:
            return
        self.hear(payload)
        named = {
            value
            for value in _values(payload)
            if isinstance(value, str) and ids.message_number(value) is not None
        }
        new = named - self.known
        if len(new) > 1:
            new = {one for one in new if not self._is_anothers(one)}
        if self.made is None and len(new) == 1:
            self.made = new.pop()

    def hear(self, payload: Json) -> None:
        """Any answer: a message that carries the id which the page made in its send is the one."""
        for node in _messages(payload):
            self.told_ids[node["id"]] = node["uuid"].lower()
            if node["uuid"].lower() in self.unique_ids and node["id"] not in self.known:
                self.made = node["id"]

    def only_candidate(self, view: SeenConversation) -> str | None:
        """The one new message that can have come of the press, where the wire did not say; None if in doubt."""
        if self.made is not None or self.refused or self.emptied is False or not view.gapless:
            return None
        new = [m for m in view.messages if m.external_id not in self.known and m.role is AuthorRole.HOST]
        if len(new) != 1 or new[0].kind is not MessageKind.TEXT or new[0].deleted:
            return None
        message = new[0]
        if self._is_anothers(message.external_id) or not mostly_same(self.text, message.text):
            return None
        return message.external_id

    def _is_anothers(self, external_id: str) -> bool:
        """The page made an id for its message, and this message carries another one."""
        told = self.told_ids.get(external_id)
        return bool(self.unique_ids) and told is not None and told not in self.unique_ids


class OwnSends:
    """The last presses of one channel, the newest last. In memory: what is known is stored with the reply."""

    def __init__(self) -> None:
        self._all: list[OwnSend] = []

    @property
    def last(self) -> OwnSend | None:
        return self._all[-1] if self._all else None

    def begin(self, press: Press, view: SeenConversation, text: str, page: object) -> None:
        """Send is about to be pressed in the conversation that was last told as ``view``."""
        known = frozenset(m.external_id for m in view.messages)
        self._all = [*self._all[1 - _KEPT :], OwnSend(press.key, view.external_id, text, known, page)]

    def hear_request(self, body: Callable[[], bytes | None]) -> OwnSend | None:
        """The press that this request of the page carries out, if it does."""
        last = self.last
        return last if last is not None and last.made is None and last.hear_request(body()) else None

    def hear(self, payload: Json) -> None:
        for one in self._all:
            if one.made is None and one.unique_ids:
                one.hear(payload)

    def made_in(self, conversation: str) -> dict[str, str]:
        """The messages that came of our presses there, by the key of the press."""
        return {one.key: one.made for one in self._all if one.made and one.conversation == conversation}


def _json_of(body: bytes | None) -> Json:
    if not body or len(body) > _LONGEST_BODY:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None


def _values(part: Json) -> Iterator[Json]:
    """Every text and number anywhere in it."""
    if isinstance(part, dict):
        for value in part.values():
            yield from _values(value)
    elif isinstance(part, list):
        for value in part:
            yield from _values(value)
    elif isinstance(part, (str, int)) and not isinstance(part, bool):
        yield part


def _with_text(part: Json, text: str) -> Iterator[Json]:
    """The innermost objects with this text and an id that the page made; else the whole, if the text is in it."""
    if isinstance(part, dict):
        inner = [found for value in part.values() for found in _with_text(value, text)]
        if inner and any(_unique_id(one) is not None for one in inner):
            yield from inner
        elif inner:
            yield part
    elif isinstance(part, list):
        for value in part:
            yield from _with_text(value, text)
    elif isinstance(part, str) and text and normalised(part) == text:
        yield part


def _unique_id(owner: Json) -> str | None:
    if not isinstance(owner, dict):
        return None
    own = [v.lower() for v in owner.values() if isinstance(v, str) and _UNIQUE_ID.fullmatch(v)]
    return own[0] if len(own) == 1 else None


def _messages(part: Json) -> Iterator[dict[str, str]]:
    """Everything in an answer that has the id of a message and a ``uuid``."""
    if isinstance(part, dict):
        if ids.message_number(part.get("id")) is not None and isinstance(part.get("uuid"), str):
            yield part
        for value in part.values():
            yield from _messages(value)
    elif isinstance(part, list):
        for value in part:
            yield from _messages(value)
