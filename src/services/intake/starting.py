"""The first message of a conversation in which nobody has written yet: the AI is asked for it once."""

from __future__ import annotations

from src.db import accounts, inbox_queue
from src.model.pace import fraction
from src.model.statuses import InboxStatus
from src.model.values import START, ReplyMode
from src.services.intake.context import Intake, IntakeContext

TOO_OLD = "start_too_old"
"""Why nobody is greeted: the conversation had begun too long ago when it was first seen."""


def queue_start(context: IntakeContext, intake: Intake) -> None:
    """Ask the AI for the first message, due some random time after the beginning; once in a conversation's life.

    The time follows from the conversation's id, so it is the same in every process and after every restart. Where
    the beginning is too old the request expires at once: after an outage nobody is greeted late.
    """
    rules, seen, now = context.rules.start, context.seen, context.now
    if rules is None or seen.started_at is None or seen.messages or not seen.opened or context.refused:
        return
    conn, home = context.conn, context.conversation
    mode = accounts.mode_for(conn, context.account, home.id, home.listing_id, context.rules.default_mode)
    if mode is ReplyMode.OFF or not _are_told(context):
        return
    if inbox_queue.start_of(conn, home.id) is not None:
        return
    wait = rules.delay_min + (rules.delay_max - rules.delay_min) * fraction(f"start:{seen.external_id}")
    due = max(now, seen.started_at + wait)
    request = inbox_queue.create(
        conn,
        context.account,
        home.id,
        kind=START,
        newest_external_id="",
        due_at=due,
        burst_until=due,
        reply_by=due + rules.max_age,
        now=now,
    )
    if now - seen.started_at > rules.max_age:
        inbox_queue.finish(conn, request.id, [InboxStatus.PENDING], InboxStatus.EXPIRED, TOO_OLD, now)
    else:
        intake.queued = request


def _are_told(context: IntakeContext) -> bool:
    """Whether people are told that an AI answers: without that nothing is begun."""
    if context.rules.start is None or not context.rules.start.needs_confirmation:
        return True
    state = accounts.find(context.conn, context.account)
    return state is not None and state.disclosed_at is not None
