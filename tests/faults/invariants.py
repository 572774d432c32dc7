"""What must never be true, one list for every level. The site's own log is the judge, never our tables.

Each line begins with its number: I1 nothing lost · I2 never twice · I3 ``sent`` means the site has it · I4 never in
the wrong conversation · I5 nothing stuck · I6 ``unconfirmed`` only after an arm, and not what the site shows ·
I8 in order, and nothing stale · I13 our own message is not taken for the host's. I7 (walls), I9 (callbacks), I10
(processes), I11 (secrets) and I12 (caps) are about more than a site and its replies; the tests that need them ask
for them where they happen.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from src.db import conversations, inbox_queue, outbox_views
from src.db.engine import Database
from src.model.inbox import GUEST_SIDE, HOST_SIDE, MessageKind
from src.model.rows import Job, StoredMessage
from src.model.same_reply import same_reply
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.services.intake import Rules
from tests.support.site import FakeConversation, FakeMessage, FakeSite, Press

_ASKED_ANEW = {
    CancelReason.GUEST_WROTE_AGAIN,
    CancelReason.GUEST_CHANGED_MESSAGE,
    CancelReason.GUEST_UNSENT_MESSAGE,
}


class Judged(Protocol):
    """What is judged: the product's database, and the site as the site knows itself."""

    db: Database
    account: str
    rules: Rules
    asked: dict[str, dict[str, str | None]]
    """For each request that the AI got: the texts of its messages, by the site's id."""

    @property
    def site(self) -> FakeSite: ...

    def now(self) -> datetime: ...

    def jobs(self) -> list[Job]: ...


def broken_promises(house: Judged, *, settled: bool = True) -> list[str]:
    """What is wrong. ``settled``: the trouble is over, and SEND and SYNC have looked since."""
    jobs = house.jobs()
    wrong = [line for job in jobs for line in _wrong_with_job(house, job, settled=settled)]
    if len({job.text for job in jobs}) == len(jobs):
        wrong += [line for press in house.site.presses for line in _wrong_with_press(house, jobs, press)]
        wrong += _wrong_with_order(jobs, house.site.presses)
    if settled:
        for where in house.site.conversations.values():
            wrong += _wrong_with_messages(house, where, jobs)
    return wrong


def _wrong_with_job(house: Judged, job: Job, *, settled: bool) -> Iterator[str]:
    presses = sum(press.text == job.text for press in house.site.presses)
    if presses > 1:
        yield f"I2 {job.text!r} was pressed {presses} times"
    if presses and job.arm_count == 0:
        yield f"I2 {job.text!r} was pressed without an arm that lasts"
    if settled and job.status is OutboxStatus.PROCESSING:
        yield f"I5 {job.text!r} is stuck in processing"
    if job.status not in (OutboxStatus.SENT, OutboxStatus.UNCONFIRMED):
        return
    with house.db.read() as conn:
        where = house.site.conversations.get(conversations.get(conn, job.conversation_id).external_id)
    there = [m for m in where.messages if m.role in HOST_SIDE and m.pressed] if where else []
    if job.status is OutboxStatus.SENT and job.receipt_external_id not in [m.external_id for m in there]:
        yield f"I3 {job.text!r} is called sent, but the site has it not (there)"
    if settled and job.status is OutboxStatus.UNCONFIRMED:
        if job.arm_count != 1:
            yield f"I6 {job.text!r} is unconfirmed without an arm"
        shown = [m for m in there if not m.hidden_for and not m.deleted]
        if any(same_reply(job.text, m.text) for m in shown):
            yield f"I6 {job.text!r} is unconfirmed, but the site shows it"
        if job.receipt_external_id in [m.external_id for m in shown]:
            yield f"I6 {job.text!r} is unconfirmed, but the site named its message and shows it"


def _wrong_with_press(house: Judged, jobs: list[Job], press: Press) -> Iterator[str]:
    job = next((j for j in jobs if j.text == press.text), None)
    if job is None:
        yield f"I4 {press.text!r} was pressed and is nobody's reply"
        return
    with house.db.read() as conn:
        own = conversations.get(conn, job.conversation_id).external_id
        request = inbox_queue.get(conn, job.request_id) if job.request_id else None
    if press.conversation.external_id != own:
        yield f"I4 {press.text!r} was pressed in the wrong conversation"
    if press.shown is not None and job.written_after is not None:
        with house.db.read() as conn:
            newest = press.shown.messages[-1] if press.shown.messages else None
            known = newest and conversations.message_by_external_id(conn, job.account, newest.external_id)
        unread = known is None or (known.sequence or 0) > job.written_after
        if newest is not None and newest.role in GUEST_SIDE and unread:
            yield f"I8 {press.text!r} was pressed under a message that its author had not read"
        return
    if press.shown is None or request is None:
        return
    group = [one for one in jobs if one.group_id == job.group_id and one.part < job.part]
    before = {one.receipt_external_id for one in group}
    shown_to_answer = [m for m in press.shown.messages if m.external_id not in before]
    newest = shown_to_answer[-1] if shown_to_answer else None
    if newest is None or newest.external_id != request.newest_external_id:
        yield f"I8 {press.text!r} was pressed under another message than it answers"
    if request.id in house.asked:
        shown = {m.external_id: m.text for m in press.shown.messages}
        for external_id, text in house.asked[request.id].items():
            if external_id in shown and shown[external_id] != text:
                yield f"I8 {press.text!r} was pressed though its guest's message had changed"


def _wrong_with_order(jobs: list[Job], presses: list[Press]) -> Iterator[str]:
    """The replies of a conversation leave it in the order in which they came."""
    made = {job.text: (job.created_at, job.id) for job in jobs}
    last: dict[str, Press] = {}
    for press in presses:
        before = last.get(press.conversation.external_id)
        both = before is not None and press.text in made and before.text in made
        if before is not None and both and made[press.text] < made[before.text]:
            yield f"I8 {press.text!r} was pressed after a later reply"
        last[press.conversation.external_id] = press


def _wrong_with_messages(house: Judged, where: FakeConversation, jobs: list[Job]) -> Iterator[str]:
    """Nothing lost: each message of the guest's side is stored, and has a place or a reason."""
    with house.db.read() as conn:
        known = conversations.by_external_id(conn, house.account, where.external_id)
        rows = conversations.messages_of(conn, known.id, 10_000) if known else []
    own_id = known.id if known else None
    stored = {row.external_id: row for row in rows}
    unasked = any(job.request_id is None and job.conversation_id == own_id for job in jobs)
    answered = False
    newest = [m for m in where.messages if not m.hidden_for][-1:]
    for message in reversed(where.messages):
        if _is_answer(message):
            answered = True
        mine = stored.get(message.external_id)
        if message.answered and not message.hidden_for and mine is not None and mine.outbox_id is None:
            yield f"I13 {message.text!r} is ours by the site's own word, but counts as the host's answer"
        if message.role not in GUEST_SIDE or message.hidden_for:
            continue
        row = stored.get(message.external_id)
        if row is None:
            if not answered and house.now() - message.sent_at <= house.rules.max_age:
                yield f"I1 {message.text!r} is not stored"
            continue
        if row.request_id is None and row.skip_reason is None and not row.deleted_at and not unasked:
            yield f"I1 {message.text!r} has neither a request nor a reason"
        if [message] == newest and message.kind is MessageKind.TEXT and not message.deleted:
            yield from _wrong_with_newest(house, row)


def _is_answer(message: FakeMessage) -> bool:
    kinds = (MessageKind.TEXT, MessageKind.MEDIA)
    return message.role in HOST_SIDE and message.kind in kinds and not message.deleted


def _wrong_with_newest(house: Judged, row: StoredMessage) -> Iterator[str]:
    """A text of the guest that is the newest message is on its way, or its last request says why not."""
    if row.request_id is None:
        return
    with house.db.read() as conn:
        request = inbox_queue.get(conn, row.request_id)
        jobs = outbox_views.for_request(conn, row.request_id)
    assert request is not None
    if request.status is InboxStatus.CANCELLED and request.reason != "mode_off":
        yield f"I1 {row.text!r} was left unanswered: its request was cancelled ({request.reason})"
    overtaken = [job.status is OutboxStatus.CANCELLED and job.reason in _ASKED_ANEW for job in jobs]
    if request.status is InboxStatus.ANSWERED and jobs and all(overtaken):
        yield f"I1 {row.text!r} was left unanswered: its reply was cancelled ({jobs[-1].reason})"
