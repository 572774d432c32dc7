"""An answer of the AI, by the callback or in the response to the webhook, becomes a reply in the outbox.

    token ─▶ its request ───────────────────┬─ open ──────────▶ answered + job | escalated | ignored
    no token ─▶ the conversation's request ─┘─ final ─────────▶ the same again: as before; else Conflict
                └─ it never had one ─────────────────────────▶ a job without request

One transaction: the request is closed if and only if its reply is in the outbox.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from loguru import logger

from src.account import Account
from src.channels import registry
from src.db import accounts as account_rows
from src.db import conversations, inbox_queue, outbox_queue, outbox_views
from src.db.engine import Connection, Database, after_commit
from src.db.shared_writes import SharedWrites
from src.db.wakeup import Wakeup
from src.errors import StaleJob, TransientError
from src.model.autonomy import NEEDS_APPROVAL
from src.model.blank import is_blank
from src.model.rows import NOTHING_SAID, Job, Request, Said, StoredConversation
from src.model.secrets import NO_SECRETS, Secrets
from src.model.statuses import OPEN_INBOX, InboxStatus, OutboxStatus
from src.model.values import ANSWER, HOLDING, ReplyMode
from src.services import autonomy
from src.services.caps import caps_of, hold_before_enqueue
from src.services.refusals import Conflict, Malformed

LONGEST_MESSAGE = 4_000
LONGEST_REASON = 500
_TRIES = 3
_AGAIN_AND_AGAIN = "the request is being settled by others again and again"


class Action(StrEnum):
    """What the AI may say instead of an answer."""

    ESCALATE = "escalate"
    IGNORE = "ignore"


class Result(StrEnum):
    """What became of an answer."""

    ENQUEUED = "enqueued"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the AI says: ``message`` or ``action``, not both. ``request_id`` only if it is known beyond doubt."""

    conversation_external_id: str
    request_id: str | None = None
    message: str | None = None
    action: Action | None = None
    reason: str | None = None
    hold: str | None = None
    """Why the message waits for a person, whatever the mode."""
    said: Said = NOTHING_SAID
    hard_class: str | None = None
    """With an escalation: what the message is about."""
    holding_message: str | None = None
    """With an escalation: what the guest is told meanwhile. It goes out as a reply of its own."""
    draft: str | None = None
    """With an escalation: what a person might answer. It waits as a draft."""
    account: str | None = None
    """The account that the sender names; only needed where an id could be one of several."""
    webhook_id: str | None = None
    """The sender's own id of this delivery: the same id means the same delivery."""


IsConversationId = Callable[[str, str], bool]
"""Whether a channel (its name) could have a conversation of this id."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. ``job`` is the reply in the outbox: the answer, or the holding text of an escalation."""

    result: Result
    conversation_external_id: str
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class _Setting:
    """What every step needs."""

    wakeup: Wakeup
    accounts: Mapping[str, Account]
    is_conversation_id: IsConversationId
    now: datetime
    secrets: Secrets


def take_answer(
    db: Database,
    wakeup: Wakeup,
    answer: Answer,
    *,
    accounts: Mapping[str, Account],
    now: datetime,
    is_conversation_id: IsConversationId,
    secrets: Secrets = NO_SECRETS,
) -> Outcome:
    """Settle an answer and wake the SEND worker. Repeatable: the first answer to a request stands.

    Raises ``Malformed`` (nothing happened), ``Conflict`` (not wanted any more; nothing was enqueued) and
    ``TransientError`` (the database; nothing happened, or it did and repeating it is safe).
    """
    work = _work(wakeup, answer, accounts, now, is_conversation_id, secrets)
    for _ in range(_TRIES):
        try:
            with db.write() as conn:
                settled = work(conn)
        except StaleJob:
            continue  # another process settled the same request in this instant: look again
        return _wanted(settled)
    raise TransientError(_AGAIN_AND_AGAIN)


async def take_answer_with_others(
    writes: SharedWrites,
    wakeup: Wakeup,
    answer: Answer,
    *,
    accounts: Mapping[str, Account],
    now: datetime,
    is_conversation_id: IsConversationId,
    secrets: Secrets = NO_SECRETS,
) -> Outcome:
    """The same, in a transaction that is shared with the answers that come in at the same time."""
    work = _work(wakeup, answer, accounts, now, is_conversation_id, secrets)
    for _ in range(_TRIES):
        try:
            settled = await writes.write(work)
        except StaleJob:
            continue
        return _wanted(settled)
    raise TransientError(_AGAIN_AND_AGAIN)


def _work(
    wakeup: Wakeup,
    answer: Answer,
    accounts: Mapping[str, Account],
    now: datetime,
    is_conversation_id: IsConversationId,
    secrets: Secrets,
) -> Callable[[Connection], Outcome | Conflict]:
    """What is to be done in the transaction, which may be tried more than once. Raises Malformed."""
    answer = _checked(answer)
    around = _Setting(wakeup, accounts, is_conversation_id, now, secrets)
    if answer.request_id is None:
        _could_be(around, answer)
    return lambda conn: _settle(conn, around, answer)


def _wanted(settled: Outcome | Conflict) -> Outcome:
    if isinstance(settled, Conflict):  # raised only here, so that an expiry that was found is committed
        raise settled
    return settled


def clean_text(field: str, text: str, longest: int) -> str:
    """The text as it is stored: one kind of line end, nothing around it, empty if it shows nothing.

    Malformed if it cannot be typed.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > longest:
        raise Malformed(field, f"is longer than {longest} characters")
    for char in "" if text.isprintable() else text:
        if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t":
            raise Malformed(field, "has a character that cannot be typed")
    return "" if is_blank(text) else text


def clean_message(text: str, field: str = "message") -> str:
    """A reply as it will be typed. Malformed if it is empty, invisible, too long or cannot be typed."""
    text = clean_text(field, text, LONGEST_MESSAGE)
    if not text:
        raise Malformed(field, "is empty")
    return text


def _checked(answer: Answer) -> Answer:
    answer = replace(
        answer,
        reason=clean_text("reason", answer.reason or "", LONGEST_REASON) or None,
        hold=clean_text("hold", answer.hold or "", LONGEST_REASON) or None,
    )
    if answer.action is not None:
        if not is_blank(answer.message):
            raise Malformed("action", "comes with a message; send one of them")
        holding, draft = answer.holding_message, answer.draft
        return replace(
            answer,
            message=None,
            holding_message=clean_message(holding, "holding_message") if holding else None,
            draft=clean_message(draft, "draft") if draft else None,
        )
    if answer.message is None:
        raise Malformed("message", "is missing")
    return replace(answer, message=clean_message(answer.message))


def _could_be(around: _Setting, answer: Answer) -> list[Account]:
    """The accounts that could have this conversation, by the form of its id. Malformed if none could."""
    if answer.account is not None and answer.account not in around.accounts:
        raise Malformed("account", "is not an account")
    found = [
        account
        for account in around.accounts.values()
        if (answer.account == account.name or (answer.account is None and account.listed))
        and around.is_conversation_id(account.channel, answer.conversation_external_id)
    ]
    if not found:
        raise Malformed("conversation_id", "is not a conversation id")
    return found


def _account_of(conn: Connection, around: _Setting, answer: Answer) -> Account:
    """Whose conversation is meant, where no request says it. Malformed naming account if it could be several."""
    possible = _could_be(around, answer)
    if len(possible) == 1:
        return possible[0]
    external_id = answer.conversation_external_id
    known = [one for one in possible if conversations.by_external_id(conn, one.name, external_id)]
    if len(known) != 1:
        raise Malformed("account", "is needed: several accounts could have a conversation of this id")
    return known[0]


def _settle(conn: Connection, around: _Setting, answer: Answer) -> Outcome | Conflict:
    external_id = answer.conversation_external_id
    if answer.request_id is not None:
        request = inbox_queue.get(conn, answer.request_id)
        if request is None or request.account not in around.accounts:
            return Conflict("unknown_request", "this request is not known here any more")
        conversation = conversations.get(conn, request.conversation_id)
        if conversation.external_id != external_id:
            raise Malformed("conversation_id", "is not the conversation of this request")
    else:
        account = _account_of(conn, around, answer)
        known = conversations.by_external_id(conn, account.name, external_id)
        request = _request_of(conn, known) if known else None
        if request is None:
            return _unasked(conn, around, answer, account)
        assert known is not None  # noqa: S101 - else there were no request
        conversation = known
        if request.status is InboxStatus.PENDING and request.attempts == 0:
            # The AI has not even been given the newest message, so this answers something older.
            return Conflict("not_asked_yet", "the guest's newest message has not been given to the AI yet")
    if request.status in OPEN_INBOX:
        return _close(conn, around, answer, request, conversation)
    return _again(conn, around, answer, request)


def _request_of(conn: Connection, conversation: StoredConversation) -> Request | None:
    return inbox_queue.open_request(conn, conversation.id) or inbox_queue.latest_request(
        conn, conversation.id
    )


def _close(
    conn: Connection, around: _Setting, answer: Answer, request: Request, conversation: StoredConversation
) -> Outcome | Conflict:
    """The answer to an open request."""
    answer = replace(answer, request_id=request.id)
    now, sources, external_id = around.now, [request.status], conversation.external_id
    about = {"conversation_id": _shown(around, conversation), "request_id": request.id}
    if request.is_too_late(now):
        inbox_queue.expired(conn, request.id, sources, "no_answer_in_time", now)
        _say(conn, "WARNING", "the AI's answer came too late to be of use", **about)
        return Conflict("no_answer_in_time", "the answer comes too late to be of use")
    if answer.action is Action.ESCALATE:
        why = answer.reason or "escalated_by_ai"
        inbox_queue.escalated(conn, request.id, sources, why, now, hard_class=answer.hard_class)
        around.wakeup.notify_in(conn, "outbox")
        _say(conn, "WARNING", "the AI asks a person to answer", **about)
        if answer.hard_class == "complaint":
            autonomy.note_complaint(conn, conversation, now)
        return Outcome(Result.ESCALATED, external_id, _enqueue_meanwhile(conn, around, answer, conversation))
    if answer.action is Action.IGNORE:
        inbox_queue.ignored(conn, request.id, sources, answer.reason or "no_answer_needed", now)
        around.wakeup.notify_in(conn, "outbox")  # who waits for a reply hears that none will come
        _say(conn, "INFO", "the AI says that no answer is needed", **about)
        return Outcome(Result.IGNORED, external_id)
    mode = _mode(conn, around, conversation)
    if mode is ReplyMode.OFF:
        return Conflict("mode_off", "the mode of this conversation is off: nothing is answered")
    inbox_queue.answered(conn, request.id, sources, None, now)
    job, _ = _enqueue(conn, around, answer, conversation, mode, f"request:{request.id}")
    return Outcome(Result.ENQUEUED, external_id, job)


def _enqueue_meanwhile(
    conn: Connection, around: _Setting, answer: Answer, conversation: StoredConversation
) -> Job | None:
    """What an escalation brings along: the holding text, under every rule of a reply, and a draft for the host."""
    mode = _mode(conn, around, conversation)
    if mode is ReplyMode.OFF:
        return None
    if answer.draft is not None:
        note = replace(answer, message=answer.draft, hold=autonomy.WITH_AN_ESCALATION)
        _enqueue(conn, around, note, conversation, mode, f"draft:{answer.request_id}")
    if answer.holding_message is None:
        return None
    holding = replace(answer, message=answer.holding_message, hold=None)
    job, _ = _enqueue(conn, around, holding, conversation, mode, f"holding:{answer.request_id}", HOLDING)
    return job


def _again(conn: Connection, around: _Setting, answer: Answer, request: Request) -> Outcome | Conflict:
    """An answer to a request that is settled already: the same as before, or not wanted any more."""
    status, external_id = request.status, answer.conversation_external_id
    if status is InboxStatus.ANSWERED and answer.message is not None:
        job = outbox_views.by_key(conn, request.account, f"request:{request.id}")
        same = job is not None and job.text == around.secrets.mask(answer.message, None)
        # Without a token, another text may be meant for another message; with it, it is a second thought.
        if job is not None and (same or answer.request_id is not None):
            if not same:
                about = {
                    "conversation_id": request.conversation_id,
                    "request_id": request.id,
                    "job_id": job.id,
                }
                _say(
                    conn, "WARNING", "the AI answered again and differently; its first answer stands", **about
                )
            return Outcome(Result.REPEATED, external_id, job)
    if status is InboxStatus.ESCALATED and answer.action is Action.ESCALATE:
        holding = outbox_views.by_key(conn, request.account, f"holding:{request.id}")
        return Outcome(Result.ESCALATED, external_id, holding)
    if status is InboxStatus.IGNORED and answer.action is Action.IGNORE:
        return Outcome(Result.IGNORED, external_id)
    told = (
        request.reason if status in {InboxStatus.CANCELLED, InboxStatus.EXPIRED, InboxStatus.FAILED} else None
    )
    return Conflict(told or str(status), f"an answer is not wanted any more: the request is {status}")


def _unasked(conn: Connection, around: _Setting, answer: Answer, account: Account) -> Outcome | Conflict:
    """A message for a conversation in which the AI was never asked; SEND checks the thread before it types."""
    external_id = answer.conversation_external_id
    if answer.message is None:
        return Conflict("no_request", "nothing was asked in this conversation")
    if answer.webhook_id is not None:
        key = f"webhook:{answer.webhook_id}"
    else:
        key = f"text:{hashlib.sha256(f'{external_id} {answer.message}'.encode()).hexdigest()}"
    conversation = conversations.ensure_named(conn, account.name, external_id, around.now)
    mode = _mode(conn, around, conversation)
    if mode is ReplyMode.OFF:
        return Conflict("mode_off", "the mode of this conversation is off: nothing is answered")
    job, created = _enqueue(conn, around, answer, conversation, mode, key)
    if job.conversation_id != conversation.id:
        return Conflict("webhook_id_used", "this webhook-id was used for another conversation")
    return Outcome(Result.ENQUEUED if created else Result.REPEATED, external_id, job)


def _mode(conn: Connection, around: _Setting, conversation: StoredConversation) -> ReplyMode:
    default = ReplyMode(around.accounts[conversation.account].settings.reply_mode)
    return account_rows.mode_for(
        conn, conversation.account, conversation.id, conversation.listing_id, default
    )


def _held_by_mode(
    conn: Connection,
    around: _Setting,
    answer: Answer,
    conversation: StoredConversation,
    mode: ReplyMode,
    kind: str,
) -> str | None:
    """Why an answer waits that nothing else holds: the mode, and what is allowed for its topic.

    An allowed topic goes out where the mode is the account's default; a mode that a person has set stands above it.
    """
    allowed = None
    if kind == ANSWER:
        policy = around.accounts[conversation.account].settings.assistant_autonomy
        allowed = autonomy.find_permission(conn, conversation, answer.said.topic, policy, around.now)
    if mode is not ReplyMode.DRAFT:
        return NEEDS_APPROVAL if allowed is False else None
    set_by_person = account_rows.rule_for(
        conn, conversation.account, conversation.id, conversation.listing_id
    )
    return None if allowed and set_by_person is None else "approval_required"


def _enqueue(
    conn: Connection,
    around: _Setting,
    answer: Answer,
    conversation: StoredConversation,
    mode: ReplyMode,
    key: str,
    kind: str = ANSWER,
) -> tuple[Job, bool]:
    text = around.secrets.mask(answer.message or "", conversation.listing_id)
    reason = answer.hold or _held_by_mode(conn, around, answer, conversation, mode, kind)
    if reason is None:
        reason = hold_before_enqueue(
            conn,
            caps_of(around.accounts[conversation.account].settings),
            conversation.account,
            conversation.id,
            text,
            around.now,
        )
    job, created = outbox_queue.enqueue(
        conn,
        conversation.account,
        conversation.id,
        text,
        request_id=answer.request_id,
        idempotency_key=key,
        status=OutboxStatus.DRAFT if reason else OutboxStatus.PENDING,
        reason=reason,
        kind=kind,
        said=answer.said,
        now=around.now,
    )
    if created:
        around.wakeup.notify_in(conn, "outbox")
        shown = _shown(around, conversation)
        about = {"conversation_id": shown, "job_id": job.id, "request_id": job.request_id}
        waits = f"waits for a person ({reason})" if reason else "is on its way"
        level = "WARNING" if reason and mode is not ReplyMode.DRAFT else "INFO"
        _say(conn, level, f"an answer of {len(text)} characters {waits}", **about)
    return job, created


def _shown(around: _Setting, conversation: StoredConversation) -> str:
    """The conversation's name in the log: ours, where the remote's is a person's number or address."""
    channel = registry.find(around.accounts[conversation.account].channel)
    return conversation.id if channel.CAPABILITIES.ids_are_personal else conversation.external_id


def _say(conn: Connection, level: str, line: str, **about: str | None) -> None:
    """A log line that is written only if the transaction is committed."""
    after_commit(conn, lambda: logger.bind(**about).log(level, line))
