"""An answer becomes a reply exactly once, or is refused with a reason; never half of it."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from concurrent.futures import ThreadPoolExecutor

import pytest

from src.db import accounts, conversations, inbox_queue, outbox_queue
from src.db.wakeup import Wakeup
from src.model.answer import Action, Answer, Result
from src.model.rows import Said
from src.model.statuses import InboxStatus, OutboxStatus
from src.model.values import ReplyMode
from src.services import outbox_moves, tokens
from src.services.answers import take_answer
from src.services.refusals import Conflict, Malformed, NotFound
from src.settings import Settings
from tests.support.api import ACCOUNT, inbox, is_conversation_id, thread_id  # noqa: F401


@pytest.fixture
def wakeup(db):
    made = Wakeup(db)
    yield made
    made.close()


@pytest.fixture
def take(db, wakeup, clock):
    def call(answer, **settings):
        return take_answer(
            db,
            wakeup,
            answer,
            accounts=Settings(**settings).accounts_by_name,
            now=clock(),
            is_conversation_id=is_conversation_id,
        )

    return call


def answer_to(request, message="Yes, there is one.", **fields):
    return Answer(thread_id(), request.id, message=message, **fields)


def refused(take, answer, **settings):
    with pytest.raises(Conflict) as caught:
        take(answer, **settings)
    return caught.value.reason


@pytest.mark.parametrize("state", ["pending", "processing", "waiting"])
def test_an_answer_closes_its_open_request_and_is_enqueued(inbox, take, db, clock, state):
    request = inbox.waiting() if state == "waiting" else inbox.request()
    if state == "processing":
        with db.write() as conn:
            inbox_queue.claim_due(conn, ACCOUNT, owner="w", lease_until=clock.later(9), now=clock(), limit=9)
    assert inbox.now_of(request).status == state

    outcome = take(answer_to(request, "  Yes,\r\nthere is one. \n"))
    assert outcome.result is Result.ENQUEUED
    assert inbox.now_of(request).status is InboxStatus.ANSWERED
    (job,) = inbox.jobs()
    assert outcome.job == job
    assert (job.status, job.text, job.request_id) == (OutboxStatus.PENDING, "Yes,\nthere is one.", request.id)


def test_a_second_callback_returns_the_same_job_also_with_another_text(inbox, take):
    request = inbox.waiting()
    first = take(answer_to(request))
    for text in ("Yes, there is one.", "No, I was wrong."):
        again = take(answer_to(request, text))
        assert again.result is Result.REPEATED
        assert again.job == first.job
    assert [job.text for job in inbox.jobs()] == ["Yes, there is one."]


def test_a_hundred_copies_at_once_make_one_row(inbox, take):
    request = inbox.waiting()
    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(lambda _: take(answer_to(request)), range(100)))
    assert len({outcome.job.id for outcome in outcomes}) == 1
    assert [outcome.result for outcome in outcomes].count(Result.ENQUEUED) == 1
    assert len(inbox.jobs()) == 1


def test_a_hundred_unasked_copies_at_once_make_one_row(inbox, take):
    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(lambda _: take(Answer(thread_id(5), message="Hello")), range(100)))
    assert len({outcome.job.id for outcome in outcomes}) == 1
    assert len(inbox.jobs()) == 1


@pytest.mark.parametrize(
    "how", [{"message": "At 3 pm."}, {"action": Action.ESCALATE}, {"action": Action.IGNORE}]
)
def test_a_message_knows_which_voice_of_the_ai_it_was_given_to(inbox, take, db, how):
    request = inbox.waiting()
    take(answer_to(request, said=Said(agent="anna"), **{"message": None} | how))
    with db.read() as conn:
        assert {one.agent for one in conversations.messages_of_request(conn, request.id)} == {"anna"}


def test_in_draft_mode_the_reply_waits_for_a_person(inbox, take):
    take(answer_to(inbox.waiting()), reply_mode="draft")
    (job,) = inbox.jobs()
    assert (job.status, job.reason) == (OutboxStatus.DRAFT, "approval_required")


def test_an_answer_that_the_ai_holds_waits_for_a_person_in_any_mode(inbox, take):
    said = Said("host", "kitchen", 0.9, '[{"title": "Kettle", "id": "a#kettle"}]')
    take(answer_to(inbox.waiting(), hold="number_not_in_facts", said=said))
    (job,) = inbox.jobs()
    assert (job.status, job.reason) == (OutboxStatus.DRAFT, "number_not_in_facts")
    assert (job.agent, job.topic, job.confidence, job.sources) == ("host", "kitchen", 0.9, said.sources)


def test_in_mode_off_nothing_is_enqueued_and_the_request_stays(inbox, take):
    request = inbox.waiting()
    assert refused(take, answer_to(request), reply_mode="off") == "mode_off"
    assert inbox.jobs() == []
    assert inbox.now_of(request).status is InboxStatus.WAITING


def test_the_narrowest_mode_wins(inbox, take, db, clock):
    request = inbox.waiting(listing_id="listing-9")
    with db.write() as conn:
        accounts.set_mode(conn, ACCOUNT, "listing", "listing-9", ReplyMode.DRAFT, clock())
    take(answer_to(request))
    assert inbox.jobs()[0].status is OutboxStatus.DRAFT


def test_an_escalation_keeps_its_reason_and_may_be_repeated(inbox, take):
    request = inbox.waiting()
    ask = Answer(thread_id(), request.id, action=Action.ESCALATE, reason=" asks for a refund ")
    assert [take(ask).result for _ in range(2)] == [Result.ESCALATED] * 2
    now = inbox.now_of(request)
    assert (now.status, now.reason) == (InboxStatus.ESCALATED, "asks for a refund")
    assert refused(take, answer_to(request)) == "escalated"
    assert inbox.jobs() == []


def test_ignoring_closes_the_request_and_a_later_message_is_not_wanted(inbox, take):
    request = inbox.waiting()
    assert take(Answer(thread_id(), request.id, action=Action.IGNORE)).result is Result.IGNORED
    assert inbox.now_of(request).reason == "no_answer_needed"
    assert refused(take, answer_to(request)) == "ignored"
    assert refused(take, Answer(thread_id(), request.id, action=Action.ESCALATE)) == "ignored"


def test_an_action_after_the_answer_is_not_wanted(inbox, take):
    request = inbox.waiting()
    take(answer_to(request))
    assert refused(take, Answer(thread_id(), request.id, action=Action.ESCALATE)) == "answered"


def test_a_request_that_was_cancelled_refuses_its_answer_with_the_reason(inbox, take, db, clock):
    request = inbox.waiting()
    with db.write() as conn:
        inbox_queue.finish(
            conn, request.id, [InboxStatus.WAITING], InboxStatus.CANCELLED, "host_answered", clock()
        )
    assert refused(take, answer_to(request)) == "host_answered"
    assert refused(take, Answer(thread_id(), message="Yes")) == "host_answered"
    assert inbox.jobs() == []


def test_an_answer_after_reply_by_is_refused_and_the_request_expires_visibly(inbox, take, clock):
    request = inbox.waiting(reply_in=60)
    clock.advance(61)
    assert refused(take, answer_to(request)) == "no_answer_in_time"
    now = inbox.now_of(request)
    assert (now.status, now.reason) == (InboxStatus.EXPIRED, "no_answer_in_time")
    assert refused(take, answer_to(request)) == "no_answer_in_time"
    assert inbox.jobs() == []


def test_another_conversation_than_the_requests_is_malformed(inbox, take):
    request = inbox.waiting()
    with pytest.raises(Malformed) as caught:
        take(Answer(thread_id(99), request.id, message="Yes"))
    assert caught.value.field == "conversation_id"
    assert inbox.now_of(request).status is InboxStatus.WAITING
    assert inbox.jobs() == []


def test_a_request_of_nobody_is_not_wanted(inbox, take):
    assert refused(take, Answer(thread_id(), "no-such-request", message="Yes")) == "unknown_request"


def test_without_a_token_the_open_request_of_the_conversation_is_answered(inbox, take):
    request = inbox.waiting()
    outcome = take(Answer(thread_id(), message="Yes"))
    assert outcome.job is not None
    assert outcome.job.request_id == request.id
    again = take(Answer(thread_id(), message=" Yes"))
    assert (again.result, again.job) == (Result.REPEATED, outcome.job)
    assert refused(take, Answer(thread_id(), message="Something else")) == "answered"
    assert len(inbox.jobs()) == 1


def test_without_a_token_a_message_that_the_ai_was_not_given_yet_is_not_answered(inbox, take):
    request = inbox.request()
    assert refused(take, Answer(thread_id(), message="Yes")) == "not_asked_yet"
    assert inbox.now_of(request).status is InboxStatus.PENDING
    assert take(answer_to(request)).result is Result.ENQUEUED


def test_a_well_formed_conversation_that_nobody_knows_is_accepted_once(inbox, take):
    first = take(Answer(thread_id(777), message="Hello"))
    assert first.result is Result.ENQUEUED
    assert first.job is not None
    assert first.job.request_id is None
    assert take(Answer(thread_id(777), message="Hello")).job == first.job
    assert take(Answer(thread_id(777), message="Another")).job != first.job
    assert take(Answer(thread_id(778), message="Hello")).job != first.job
    assert len(inbox.jobs()) == 3


def test_the_senders_id_makes_an_unasked_message_repeatable(inbox, take):
    first = take(Answer(thread_id(777), message="Hello", webhook_id="msg_1"))
    assert take(Answer(thread_id(777), message="Hello", webhook_id="msg_1")).job == first.job
    assert take(Answer(thread_id(777), message="Hello", webhook_id="msg_2")).job != first.job
    assert refused(take, Answer(thread_id(778), message="Hello", webhook_id="msg_1")) == "webhook_id_used"
    assert len(inbox.jobs()) == 2


def test_an_action_for_a_conversation_without_request_is_not_wanted(inbox, take):
    assert refused(take, Answer(thread_id(777), action=Action.IGNORE)) == "no_request"


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (Answer("nonsense", message="Yes"), "conversation_id"),
        (Answer(thread_id()), "message"),
        (Answer(thread_id(), message=""), "message"),
        (Answer(thread_id(), message=" \n\t "), "message"),
        (Answer(thread_id(), message="\u200b\u2060"), "message"),
        (Answer(thread_id(), message="\u3164"), "message"),
        (Answer(thread_id(), message="x" * 4001), "message"),
        (Answer(thread_id(), message="a\0b"), "message"),
        (Answer(thread_id(), message="a\ud800b"), "message"),
        (Answer(thread_id(), message="a\x1b[31mb"), "message"),
        (Answer(thread_id(), message="Yes", action=Action.IGNORE), "action"),
        (Answer(thread_id(), action=Action.IGNORE, reason="x" * 501), "reason"),
        (Answer(thread_id(), action=Action.IGNORE, reason="\0"), "reason"),
    ],
)
def test_what_cannot_be_used_names_its_field_and_changes_nothing(inbox, take, answer, field):
    request = inbox.waiting()
    with pytest.raises(Malformed) as caught:
        take(answer)
    assert caught.value.field == field
    assert inbox.jobs() == []
    assert inbox.now_of(request).status is InboxStatus.WAITING


def test_four_thousand_characters_and_every_script_are_taken_as_they_are(inbox, take):
    text = ("Voilà 👩‍👩‍👧 部屋 \u200dשלום" * 400)[:4000]
    job = take(answer_to(inbox.waiting(), text)).job
    assert job is not None
    assert job.text == text.strip()


def test_a_token_is_good_for_its_request_and_its_database_only(db):
    token = tokens.make(db.secret, "r-1")
    assert tokens.verify(db.secret, token) == "r-1"
    for forged in (
        "",
        ".",
        "r-1",
        "r-1.",
        "r-2." + token.partition(".")[2],
        token + "A",
        token[:-1],
        token.upper(),
        token + "é",
        "x" * 10_000,
        tokens.make(b"another secret", "r-1"),
        "." + token.partition(".")[2],
    ):
        assert tokens.verify(db.secret, forged) is None


# --- what a person may do --------------------------------------------------------------------------------


@pytest.fixture
def job_in(db, clock, inbox, take):
    """A job in each status, by the moves that lead there."""

    def make(status):
        request = inbox.waiting()
        job = take(answer_to(request), reply_mode="draft" if status == "draft" else "auto").job
        if status in {"draft", "pending"}:
            return job
        with db.write() as conn:
            if status == "cancelled":
                return outbox_queue.cancelled(conn, job.id, [OutboxStatus.PENDING], "host_answered", clock())
            outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())
            if status == "failed":
                return outbox_queue.failed(conn, job.id, "no_composer", clock())
            if status in {"sent", "unconfirmed"}:
                outbox_queue.arm(conn, job.id, "w", after_external_id=None, now=clock())
            if status == "unconfirmed":
                return outbox_queue.unconfirmed(conn, job.id, "no_proof", clock())
            if status == "sent":
                return outbox_queue.sent(conn, job.id, [OutboxStatus.PROCESSING], "m-9", None, clock())
        return job

    return make


MOVES = {
    "approve": ({"draft"}, "pending"),
    "reject": ({"draft"}, "cancelled"),
    "cancel": ({"draft", "pending"}, "cancelled"),
    "retry": ({"failed"}, "pending"),
    "confirm_sent": ({"unconfirmed"}, "sent"),
    "send_again": ({"unconfirmed", "cancelled"}, "pending"),
}


@pytest.mark.parametrize("status", [str(status) for status in OutboxStatus])
@pytest.mark.parametrize("name", MOVES)
def test_a_person_may_make_exactly_the_moves_that_the_status_allows(db, wakeup, clock, job_in, name, status):
    job = job_in(status)
    call = {
        "approve": lambda: outbox_moves.approve(db, wakeup, job.id, None, now=clock()),
        "reject": lambda: outbox_moves.reject(db, job.id, None, now=clock()),
        "cancel": lambda: outbox_moves.cancel(db, job.id, now=clock()),
        "retry": lambda: outbox_moves.retry(db, wakeup, job.id, now=clock()),
        "confirm_sent": lambda: outbox_moves.confirm_sent(db, job.id, now=clock()),
        "send_again": lambda: outbox_moves.send_again(db, wakeup, job.id, now=clock()),
    }[name]
    sources, target = MOVES[name]
    if status in sources:
        assert call().status == target
        return
    with pytest.raises(Conflict) as caught:
        call()
    assert caught.value.state == status


def test_an_approved_draft_may_be_edited(db, wakeup, clock, job_in):
    job = job_in("draft")
    with pytest.raises(Malformed):
        outbox_moves.approve(db, wakeup, job.id, "  ", now=clock())
    assert outbox_moves.approve(db, wakeup, job.id, " Better. ", now=clock()).text == "Better."


def test_a_rejection_keeps_the_persons_reason(db, clock, job_in):
    assert outbox_moves.reject(db, job_in("draft").id, "wrong price", now=clock()).reason == "wrong price"


def test_sending_again_makes_one_new_job_and_never_touches_the_old_one(db, wakeup, clock, job_in, inbox):
    old = job_in("unconfirmed")
    new = [outbox_moves.send_again(db, wakeup, old.id, now=clock()) for _ in range(2)]
    assert new[0] == new[1]
    assert (new[0].replaces_id, new[0].text, new[0].request_id) == (old.id, old.text, old.request_id)
    assert old in inbox.jobs()
    assert len(inbox.jobs()) == 2


def test_a_job_that_is_not_there_is_not_found(db, wakeup, clock):
    with pytest.raises(NotFound):
        outbox_moves.retry(db, wakeup, "nope", now=clock())
