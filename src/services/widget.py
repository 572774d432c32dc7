"""What a site's visitors say, and what they are shown.

POST messages ─▶ hear: let in by the limits, stored, queued, replies that it overtakes cancelled ─▶ 202
stream        ─▶ shown_after: everything of the conversation with a higher number
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.account import Account
from src.channels.widget.settings import WidgetSettings
from src.db import accounts, conversations, shown, visitors
from src.db.engine import Connection, Database, after_commit
from src.db.wakeup import Wakeup
from src.errors import NightporterError
from src.model.hearing import heard_conversation
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.retry import again_if_stale
from src.model.rows import StoredMessage
from src.model.secrets import NO_SECRETS, Secrets
from src.model.values import JOINED, LEFT, Direction
from src.services import visitors as names
from src.services.intake import Rules, take_view, tell
from src.services.refusals import Malformed
from src.services.visitors import Visitor

AT_A_TIME = 200
"""Messages that are shown at once; the rest is asked for with the number of the last."""
WRITES_FOR = timedelta(seconds=8)
"""How long a visitor counts as writing after the page said so."""
_SAID_EVERY = timedelta(seconds=2)
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


class TooMany(NightporterError):
    """Over a limit. ``retry_after``: seconds until the next one is let in."""

    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(f"too many {what}; try again later")
        self.retry_after = max(1, int(retry_after) + 1)


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as a visitor is shown it. ``role``: visitor, assistant, person, or note (who joined or left)."""

    id: str
    sequence: int
    role: str
    text: str | None
    sent_at: datetime
    name: str | None = None
    agent: str | None = None
    confidence: float | None = None
    client_id: str | None = None
    """The id that the page made for it."""
    note: str | None = None
    """Of a note: joined or left."""


@dataclass(frozen=True, slots=True)
class Page:
    """What comes after a number. ``last``: the number to ask with for what comes next."""

    messages: tuple[Shown, ...]
    last: int
    more: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What was let in: our id of the message, and its number."""

    id: str
    sequence: int


class WidgetDesk:
    """One site's visitors, in this process. All of it blocks, and is called in a thread."""

    def __init__(
        self, db: Database, account: Account, clock: Callable[[], datetime], secrets: Secrets = NO_SECRETS
    ) -> None:
        self.account = account
        own = account.own
        self.settings = own if isinstance(own, WidgetSettings) else WidgetSettings()
        self._db = db
        self._clock = clock
        self._rules = Rules.of(account.settings, secrets)

    # --- who it is ---------------------------------------------------------------------------------------

    def visitor_of(self, token: str) -> Visitor | None:
        """The visitor whose token it is; None if it is forged, or another site's."""
        return names.of_token(self._db.secret, self.account.name, token)

    def token_of(self, visitor: Visitor) -> str:
        """What the visitor's page shows from then on."""
        return names.token_of(self._db.secret, self.account.name, visitor)

    def first_visitor(self, client_id: str) -> Visitor:
        """Whoever comes without a token, by the id of the first message: a repetition is the same visitor."""
        return names.by_first_message(self._db.secret, self.account.name, client_id)

    def identified(self, user: str, proof: str) -> Visitor | None:
        """The visitor whom the site knows by this name; None if the proof is not the site's."""
        key = self.settings.identify_key
        if key is None or not names.is_said_by_site(key.get_secret_value().encode(), user, proof):
            return None
        return names.by_user(self._db.secret, self.account.name, user)

    # --- coming in ---------------------------------------------------------------------------------------

    def hear(self, wakeup: Wakeup, visitor: Visitor, client_id: str, text: str, network: str) -> Heard:
        """Store and queue what a visitor says. Repeatable: the same ``client_id`` is one message.

        ``network``: where it comes from, for the limit of an address. TooMany, Malformed: nothing is stored.
        TransientError (the database): to be called again.
        """

        def hear() -> Heard:
            with self._db.write() as conn:
                return self._hear(conn, wakeup, visitor, client_id, text, network)

        return again_if_stale(hear)

    def _hear(
        self, conn: Connection, wakeup: Wakeup, visitor: Visitor, client_id: str, text: str, network: str
    ) -> Heard:
        account, now = self.account.name, self._clock()
        address = names.address_key(self._db.secret, account, network)
        accounts.ensure(conn, account, now)
        found = conversations.by_external_id(conn, account, visitor.name)
        if found is None:
            visitors.lock(conn, account, "new")
        visitors.lock(conn, account, address)  # always in this order, so that no two wait for each other
        if found is None:  # again, behind the lock
            found = conversations.by_external_id(conn, account, visitor.name)
        if found is not None:
            conversations.lock(conn, found.id)
        text = self._rules.secrets.mask(text, None)
        external_id = f"{visitor.name}.{client_id}"
        known = conversations.message_by_external_id(conn, account, external_id)
        if known is not None:
            if known.text is not None and known.text != text:
                raise Malformed("client_id", "was used with another text")
            return Heard(known.id, known.sequence or 0)
        if found is None:
            self._check_new(conn, now)
        self._check_address(conn, address, now)
        conversation = found or conversations.ensure_named(conn, account, visitor.name, now)
        self._check_visitor(conn, conversation.id, now)
        if visitor.user is not None and visitor.user != conversation.user_id:
            conversations.note_user(conn, conversation.id, visitor.user)
        visitors.note(conn, account, conversation.id, address, now)
        stored = conversations.messages_of(conn, conversation.id, 1)
        # Of one conversation each message is younger than the one before, whatever a clock does.
        at = max([now, *(one.sent_at + timedelta(microseconds=1) for one in stored)])
        message = SeenMessage(external_id, None, None, AuthorRole.GUEST, MessageKind.TEXT, "text", text, at)
        view = heard_conversation(visitor.name, visitor.user, (message,), at, kind="widget")
        intake = take_view(conn, account, view, rules=self._rules, clock=lambda: now)
        after_commit(conn, lambda: tell(intake, wakeup, personal_ids=True))
        wakeup.notify_in(conn, "messages")
        made = conversations.message_by_external_id(conn, account, external_id)
        assert made is not None  # noqa: S101 - it has just been stored
        return Heard(made.id, made.sequence or 0)

    def _check_visitor(self, conn: Connection, conversation_id: str, now: datetime) -> None:
        most = self.settings.rate_visitor_min
        times = conversations.inbound_since(conn, conversation_id, now - _MINUTE, most)
        _check("messages of one visitor", times, most, _MINUTE, now)

    def _check_address(self, conn: Connection, address: str, now: datetime) -> None:
        most = self.settings.rate_address_min
        times = visitors.written_from(conn, self.account.name, address, now - _MINUTE, most)
        _check("messages from this address", times, most, _MINUTE, now)

    def _check_new(self, conn: Connection, now: datetime) -> None:
        most = self.settings.rate_site_hour
        times = visitors.new_since(conn, self.account.name, now - _HOUR, most)
        _check("new visitors", times, most, _HOUR, now)

    def note_typing(self, visitor: Visitor) -> None:
        """The visitor is writing. Repeatable; nothing where nobody has written yet."""
        now = self._clock()
        with self._db.write(durable=False) as conn:
            visitors.note_typing(conn, self.account.name, visitor.name, now, now - _SAID_EVERY)

    # --- being shown -------------------------------------------------------------------------------------

    def shown_after(self, visitor: Visitor, after: int, limit: int = AT_A_TIME) -> Page:
        """What the visitor is shown of what was stored after the message with that number. Repeatable."""
        with self._db.read() as conn:
            found = conversations.by_external_id(conn, self.account.name, visitor.name)
            if found is None:
                return Page((), after, more=False)
            stored = shown.stored_after(conn, found.id, after, limit)
            notes = shown.notes_of(conn, found.id) if _has_person(stored) else []
            sure = shown.confidences(conn, [one.outbox_id for one in stored if one.outbox_id])
        told = [one for m in stored if (one := self._shown(m, notes, sure)) is not None]
        last = (stored[-1].sequence or after) if stored else after
        return Page(tuple(told), last, more=len(stored) == limit)

    def _shown(
        self, message: StoredMessage, notes: Sequence[StoredMessage], sure: dict[str, float | None]
    ) -> Shown | None:
        sequence = message.sequence or 0
        if message.detail in (JOINED, LEFT):
            name = message.sender_name or self.settings.person
            return Shown(message.id, sequence, "note", None, message.sent_at, name, note=message.detail)
        if message.kind != MessageKind.TEXT or message.text is None or message.deleted_at is not None:
            return None
        if message.direction is Direction.INBOUND:
            said = message.external_id.rpartition(".")[2]
            return Shown(message.id, sequence, "visitor", message.text, message.sent_at, client_id=said)
        if message.direction is not Direction.OUTBOUND:
            return None
        if message.role == "assistant":
            confidence = sure.get(message.outbox_id or "")
            return Shown(
                message.id,
                sequence,
                "assistant",
                message.text,
                message.sent_at,
                self.settings.title,
                message.agent,
                confidence,
            )
        name = message.sender_name or _joined_before(notes, sequence) or self.settings.person
        return Shown(message.id, sequence, "person", message.text, message.sent_at, name)


def sequences_of(db: Database, account: str, visitor_names: Sequence[str]) -> dict[str, int]:
    """The number of the message that was stored last, by visitor. Blocking."""
    with db.read() as conn:
        return shown.last_numbers(conn, account, visitor_names)


def _has_person(stored: Sequence[StoredMessage]) -> bool:
    return any(one.direction is Direction.OUTBOUND and one.role != "assistant" for one in stored)


def _joined_before(notes: Sequence[StoredMessage], sequence: int) -> str | None:
    joined = [one for one in notes if one.detail == JOINED and (one.sequence or 0) < sequence]
    return joined[-1].sender_name if joined else None


def _check(what: str, times: list[datetime], most: int, window: timedelta, now: datetime) -> None:
    if len(times) >= most:
        raise TooMany(what, (times[-1] + window - now).total_seconds())
