"""Why a message was answered, or not: what is known about a stretch of a conversation, put in order. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from src.account import Account
from src.api.dashboard import words
from src.db.timeline import Stretch
from src.languages import Language, sentence
from src.model.rows import Job, Request, Rule, StoredConversation, StoredMessage
from src.model.statuses import InboxStatus, OutboxStatus
from src.services.status import Verdict, watches, what_hinders


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened: when (None: not yet, or not known), a sentence with its values, and a reason."""

    at: datetime | None
    said: str
    values: dict[str, object] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A message of the conversation, or a reply that is not a message yet; with its history."""

    at: datetime
    message: StoredMessage | None
    job: Job | None
    request: Request | None
    steps: list[Step]
    carried: list[StoredMessage]
    """What was given to the AI."""

    @property
    def side(self) -> str:
        """Whose bubble it is: mine, theirs or nobody's."""
        if self.message is None:
            return "mine"
        return {"inbound": "theirs", "outbound": "mine"}.get(str(self.message.direction), "site")

    @property
    def origin(self) -> str:
        if self.job is not None and self.job.is_from_person:
            return "host"
        return self.message.origin if self.message else "assistant"


def entries(
    part: Stretch,
    carried: Mapping[str, list[StoredMessage]],
    conversation: StoredConversation,
    *,
    newest: bool,
) -> list[Entry]:
    """In the order of time. A reply that waits stands at the end if this is the ``newest`` stretch."""
    jobs = {job.id: job for job in part.jobs}
    by_request: dict[str, list[Job]] = {}
    for job in part.jobs:
        if job.request_id:
            by_request.setdefault(job.request_id, []).append(job)
    shown = {m.outbox_id for m in part.messages if m.outbox_id}
    found = [_of_message(m, part, jobs, by_request, carried) for m in part.messages]
    for entry in found:
        entry.steps.extend(_seen_to(entry.message, conversation))
    # Also a sent one: a person says so, and the site's message was never seen.
    found += [_of_reply(job.created_at, None, job, part, carried) for job in part.jobs if job.id not in shown]
    waits = {OutboxStatus.DRAFT, OutboxStatus.PENDING, OutboxStatus.PROCESSING}
    return sorted(
        found,
        key=lambda e: (newest and e.message is None and e.job is not None and e.job.status in waits, e.at),
    )


def _of_message(
    message: StoredMessage,
    part: Stretch,
    jobs: Mapping[str, Job],
    by_request: Mapping[str, list[Job]],
    carried: Mapping[str, list[StoredMessage]],
) -> Entry:
    if message.outbox_id and message.outbox_id in jobs:
        return _of_reply(message.sent_at, message, jobs[message.outbox_id], part, carried)
    request = part.requests.get(message.request_id or "")
    if request is None:
        return Entry(message.sent_at, message, None, None, _skipped(message), [])
    steps = request_steps(message, request, by_request.get(request.id, []))
    return Entry(message.sent_at, message, None, request, steps, carried.get(request.id, []))


def _of_reply(
    at: datetime,
    message: StoredMessage | None,
    job: Job,
    part: Stretch,
    carried: Mapping[str, list[StoredMessage]],
) -> Entry:
    request = part.requests.get(job.request_id or "")
    return Entry(at, message, job, request, reply_steps(job), carried.get(request.id, []) if request else [])


def _skipped(message: StoredMessage) -> list[Step]:
    if message.direction != "inbound":
        return []
    steps = [Step(message.seen_at, sentence("Seen in the inbox."))]
    if message.skip_reason:
        steps.append(Step(None, sentence("Not given to the AI."), reason=message.skip_reason))
    return steps


def _seen_to(message: StoredMessage | None, conversation: StoredConversation) -> list[Step]:
    """Said under the newest of what a person has seen to; what is older went with it."""
    if message is None or message.direction != "inbound" or message.written_at != conversation.seen_to_until:
        return []
    return [Step(conversation.seen_to_at, sentence("A person saw to it: no answer was needed."))]


_ENDS = {
    InboxStatus.ANSWERED: sentence("The AI answered."),
    InboxStatus.IGNORED: sentence("The AI says that no answer is needed."),
    InboxStatus.ESCALATED: sentence("Left to a person."),
    InboxStatus.CANCELLED: sentence("No answer is wanted any more."),
    InboxStatus.EXPIRED: sentence("Given up: no answer came in time."),
    InboxStatus.FAILED: sentence("The AI did not take it."),
}


def request_steps(message: StoredMessage, request: Request, replies: list[Job]) -> list[Step]:
    """What became of a guest's message that was meant for the AI."""
    steps = [Step(message.seen_at, sentence("Seen in the inbox, and kept for the AI."))]
    if request.attempts > 1 or (request.last_error and not request.accepted_at):
        values: dict[str, object] = {"tries": request.attempts, "error": request.last_error or "–"}
        steps.append(Step(None, sentence("Tried %(tries)s times; the last trouble: %(error)s."), values))
    if request.accepted_at:
        steps.append(Step(request.accepted_at, sentence("The AI accepted it.")))
    if request.status in _ENDS:
        steps.append(Step(request.processed_at, _ENDS[request.status], reason=request.reason))
    elif request.status is InboxStatus.PENDING:
        steps.append(Step(request.due_at, sentence("To be given to the AI, not before this time.")))
    elif request.status is InboxStatus.WAITING:
        steps.append(Step(request.reply_by, sentence("The AI's answer is awaited until then.")))
    for job in replies:
        means = words.OUTBOX_MEANS[str(job.status)]
        steps.append(Step(job.processed_at or job.created_at, means, reason=job.present_reason))
    return steps


def reply_steps(job: Job) -> list[Step]:
    """The way of a reply, as far as it has come."""
    made = (
        sentence("A person had it sent again.") if job.replaces_id else sentence("The AI's answer came in.")
    )
    if job.is_from_person and not job.replaces_id:
        made = sentence("A person wrote it here.")
    steps = [Step(job.created_at, made)]
    if job.approved_at and not (job.is_from_person and job.approved_at == job.created_at):
        edited = sentence("A person changed it and approved it.")
        as_it_was = sentence("A person approved it.")
        steps.append(Step(job.approved_at, edited if job.drafted_text else as_it_was))
    if job.last_error:
        values: dict[str, object] = {"tries": job.attempts, "error": job.last_error}
        steps.append(Step(None, sentence("Tried %(tries)s times; the last trouble: %(error)s."), values))
    if job.armed_at:
        steps.append(Step(job.armed_at, sentence("Everything was checked; Send was pressed, once.")))
    if job.status is OutboxStatus.SENT:
        proof = (
            sentence("Proven: it is in the conversation.")
            if job.receipt_external_id
            else sentence("A person says it was sent.")
        )
        steps.append(Step(job.processed_at, proof))
    else:
        steps.append(Step(job.processed_at, words.OUTBOX_MEANS[str(job.status)], reason=job.present_reason))
    return steps


def why_not_live(
    account: Account,
    conversation: StoredConversation,
    stands: Verdict,
    rule: Rule | None,
    now: datetime,
    *,
    lang: Language,
) -> list[Step]:
    """Every reason why an answer would not go out here by itself at this moment; empty if it would."""
    settings = account.settings
    found = _nobody_works(account, stands)
    if conversation.skip_reason:
        found.append(Step(None, sentence("Nothing is answered here."), reason=conversation.skip_reason))
    if settings.reply_mode == "off":
        found.append(Step(None, sentence("REPLY_MODE is off: nothing is answered, whatever is set here.")))
    elif rule is not None and rule.mode != "auto":
        where = {
            "conversation": sentence("You have set this conversation to “%(mode)s”."),
            "listing": sentence("You have set this listing to “%(mode)s”."),
            "account": sentence("You have set the whole account to “%(mode)s”."),
        }[rule.scope]
        found.append(Step(rule.updated_at, where, {"mode": words.of(lang, words.MODES, str(rule.mode))}))
    elif rule is None and settings.reply_mode != "auto":
        found.append(Step(None, sentence("You are asked first: every answer waits for you as a draft.")))
    wrote = conversation.host_wrote_at
    quiet_until = wrote + timedelta(minutes=settings.human_pause_min) if wrote else None
    if quiet_until is not None and now < quiet_until:
        found.append(Step(quiet_until, sentence("You wrote here: the AI keeps quiet until then.")))
    return found


def _nobody_works(account: Account, stands: Verdict) -> list[Step]:
    """What of a message's way to its answer is not done now, from one end to the other."""
    state, ai, found = stands.account, stands.ai, list[Step]()
    if state is not None and state.halted:
        found.append(Step(state.halted_at, sentence("Halted: nothing is read or sent.")))
    elif watches(account) and not stands.sync.lives:
        found.append(Step(None, sentence("Nobody reads the inbox: new messages are not seen.")))
    if account.ai is None:
        found.append(Step(None, sentence("No AI is set for this account, so nothing is answered.")))
    elif ai is not None and ai.stopped_at is not None:
        found.append(Step(ai.stopped_at, sentence("Nothing is given to the AI: what does it was stopped.")))
    elif stands.ai_fails:
        found.append(Step(None, sentence("The AI cannot be reached: guests' messages wait for it.")))
    if state is not None and state.paused:
        found.append(Step(state.paused_at, sentence("Sending is paused everywhere.")))
    if what_hinders(account, stands) == "nobody_sends":
        found.append(Step(None, words.HINDRANCES["nobody_sends"]))
    return found
