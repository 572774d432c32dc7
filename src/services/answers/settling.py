"""Which request an answer is for, and what becomes of the two: everything within the transaction."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from src.account import Account
from src.db import conversations, inbox_queue, outbox_views
from src.db.engine import Connection
from src.model.answer import Action, Answer, Outcome, Result
from src.model.rows import Request, StoredConversation
from src.model.statuses import OPEN_INBOX, InboxStatus
from src.model.values import ReplyMode
from src.services import autonomy
from src.services.answers.context import AnswerContext, mode_of, say_after_commit, shown_id
from src.services.answers.outgoing import says_same
from src.services.answers.replies import enqueue, enqueue_holding, enqueue_meanwhile
from src.services.refusals import Conflict, Malformed


def settle(conn: Connection, context: AnswerContext, answer: Answer) -> Outcome | Conflict:
    external_id = answer.conversation_external_id
    if answer.request_id is not None:
        request = inbox_queue.get(conn, answer.request_id)
        if request is None or request.account not in context.accounts:
            return Conflict("unknown_request", "this request is not known here any more")
        conversation = conversations.get(conn, request.conversation_id)
        if conversation.external_id != external_id:
            raise Malformed("conversation_id", "is not the conversation of this request")
    else:
        account = _account_of(conn, context, answer)
        known = conversations.by_external_id(conn, account.name, external_id)
        request = _request_of(conn, known) if known else None
        if request is None:
            return _unasked(conn, context, answer, account)
        assert known is not None  # noqa: S101 - else there were no request
        conversation = known
        if request.status is InboxStatus.PENDING and request.attempts == 0:
            # The AI has not even been given the newest message, so this answers something older.
            return Conflict("not_asked_yet", "the guest's newest message has not been given to the AI yet")
    if request.status in OPEN_INBOX:
        closed = _close(conn, context, answer, request, conversation)
        if isinstance(closed, Outcome) and answer.said.agent is not None:
            conversations.note_agent(conn, request.id, answer.said.agent)
        return closed
    return _again(conn, context, answer, request)


def accounts_that_could_be_meant(context: AnswerContext, answer: Answer) -> list[Account]:
    """The accounts that could have this conversation, by the form of its id. Malformed if none could."""
    if answer.account is not None and answer.account not in context.accounts:
        raise Malformed("account", "is not an account")
    found = [
        account
        for account in context.accounts.values()
        if (answer.account == account.name or (answer.account is None and account.listed))
        and context.is_conversation_id(account.channel, answer.conversation_external_id)
    ]
    if not found:
        raise Malformed("conversation_id", "is not a conversation id")
    return found


def _account_of(conn: Connection, context: AnswerContext, answer: Answer) -> Account:
    """Whose conversation is meant, where no request says it. Malformed naming account if it could be several."""
    possible = accounts_that_could_be_meant(context, answer)
    if len(possible) == 1:
        return possible[0]
    external_id = answer.conversation_external_id
    known = [one for one in possible if conversations.by_external_id(conn, one.name, external_id)]
    if len(known) != 1:
        raise Malformed("account", "is needed: several accounts could have a conversation of this id")
    return known[0]


def _request_of(conn: Connection, conversation: StoredConversation) -> Request | None:
    return inbox_queue.open_request(conn, conversation.id) or inbox_queue.latest_request(
        conn, conversation.id
    )


def _close(
    conn: Connection,
    context: AnswerContext,
    answer: Answer,
    request: Request,
    conversation: StoredConversation,
) -> Outcome | Conflict:
    """The answer to an open request."""
    answer = replace(answer, request_id=request.id)
    now, sources, external_id = context.now, [request.status], conversation.external_id
    about = {"conversation_id": shown_id(context, conversation), "request_id": request.id}
    if request.is_too_late(now):
        inbox_queue.finish(conn, request.id, sources, InboxStatus.EXPIRED, "no_answer_in_time", now)
        say_after_commit(conn, "WARNING", "the AI's answer came too late to be of use", **about)
        return Conflict("no_answer_in_time", "the answer comes too late to be of use")
    if answer.action is Action.ESCALATE:
        why = answer.reason or "escalated_by_ai"
        inbox_queue.finish(
            conn, request.id, sources, InboxStatus.ESCALATED, why, now, hard_class=answer.hard_class
        )
        context.wakeup.notify_in(conn, "outbox")
        say_after_commit(conn, "WARNING", "the AI asks a person to answer", **about)
        if answer.hard_class == "complaint":
            autonomy.note_complaint(conn, conversation, now)
        return Outcome(Result.ESCALATED, external_id, enqueue_meanwhile(conn, context, answer, conversation))
    if answer.action is Action.IGNORE:
        inbox_queue.finish(
            conn, request.id, sources, InboxStatus.IGNORED, answer.reason or "no_answer_needed", now
        )
        context.wakeup.notify_in(conn, "outbox")  # who waits for a reply hears that none will come
        say_after_commit(conn, "INFO", "the AI says that no answer is needed", **about)
        return Outcome(Result.IGNORED, external_id)
    mode = mode_of(conn, context, conversation)
    if mode is ReplyMode.OFF:
        return Conflict("mode_off", "the mode of this conversation is off: nothing is answered")
    inbox_queue.finish(conn, request.id, sources, InboxStatus.ANSWERED, None, now)
    job, _ = enqueue(conn, context, answer, conversation, mode, f"request:{request.id}")
    enqueue_holding(conn, context, answer, conversation, mode)
    return Outcome(Result.ENQUEUED, external_id, job)


def _again(conn: Connection, context: AnswerContext, answer: Answer, request: Request) -> Outcome | Conflict:
    """An answer to a request that is settled already: the same as before, or not wanted any more."""
    status, external_id = request.status, answer.conversation_external_id
    if status is InboxStatus.ANSWERED and answer.message is not None:
        job = outbox_views.by_key(conn, request.account, f"request:{request.id}")
        masked = context.secrets.mask(answer.message, None)
        same = job is not None and says_same(outbox_views.parts_of(conn, job), masked)
        # Without a token, another text may be meant for another message; with it, it is a second thought.
        if job is not None and (same or answer.request_id is not None):
            if not same:
                about = {
                    "conversation_id": request.conversation_id,
                    "request_id": request.id,
                    "job_id": job.id,
                }
                say_after_commit(
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


def _unasked(
    conn: Connection, context: AnswerContext, answer: Answer, account: Account
) -> Outcome | Conflict:
    """A message for a conversation in which the AI was never asked; SEND checks the thread before it types."""
    external_id = answer.conversation_external_id
    if answer.message is None:
        return Conflict("no_request", "nothing was asked in this conversation")
    if answer.webhook_id is not None:
        key = f"webhook:{answer.webhook_id}"
    else:
        key = f"text:{hashlib.sha256(f'{external_id} {answer.message}'.encode()).hexdigest()}"
    conversation = conversations.ensure_named(conn, account.name, external_id, context.now)
    mode = mode_of(conn, context, conversation)
    if mode is ReplyMode.OFF:
        return Conflict("mode_off", "the mode of this conversation is off: nothing is answered")
    job, created = enqueue(conn, context, answer, conversation, mode, key)
    if job.conversation_id != conversation.id:
        return Conflict("webhook_id_used", "this webhook-id was used for another conversation")
    return Outcome(Result.ENQUEUED if created else Result.REPEATED, external_id, job)
