"""A topic of a listing earns to go out by itself, and loses it at once."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import accounts, autonomy, conversations, outbox_queue, outbox_views
from src.db.wakeup import Wakeup
from src.model.answer import Action, Answer
from src.model.autonomy import NEEDS_APPROVAL
from src.model.inbox import AuthorRole
from src.model.rows import Said
from src.model.statuses import OutboxStatus
from src.model.values import Direction, ReplyMode
from src.services import outbox_moves
from src.services.answers import take_answer
from src.settings import Settings
from tests.support.api import ACCOUNT, inbox, is_conversation_id, thread_id  # noqa: F401

LISTING = "listing-1"
BOOKED = {"reservation_status": "ACCEPTED"}


@pytest.fixture
def wakeup(db):
    made = Wakeup(db)
    yield made
    made.close()


class Host:
    """Lets the AI answer in conversation after conversation, and judges its drafts."""

    def __init__(self, inbox, db, clock, wakeup):
        self.inbox, self.db, self.clock, self.wakeup = inbox, db, clock, wakeup
        self.number = 0

    def answered(
        self, where=None, *, mode="draft", topic="parking", text="In the yard.", stay=BOOKED, **settings
    ):
        """The job of an answer about the topic; in a conversation of its own without ``where``."""
        self.number += 1
        self.clock.advance(1)
        home = thread_id(where or self.number)
        request = self.inbox.waiting(home, f"Question {self.number}?", listing_id=LISTING, stay=stay)
        answer = Answer(home, request.id, message=text, said=Said(topic=topic))
        return self.take(answer, reply_mode=mode, **settings).job

    def take(self, answer, **settings):
        return take_answer(
            self.db,
            self.wakeup,
            answer,
            accounts=Settings(**settings).accounts_by_name,
            now=self.clock(),
            is_conversation_id=is_conversation_id,
        )

    def approve(self, job, text=None):
        """Approved, and gone to the guest."""
        outbox_moves.approve(self.db, self.wakeup, job.id, text, now=self.clock())
        self.send(job)

    def send(self, job):
        with self.db.write() as conn:
            outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=self.clock.later(60), now=self.clock())
            outbox_queue.arm(conn, job.id, "w", after_external_id=None, now=self.clock())
            outbox_queue.sent(conn, job.id, [OutboxStatus.PROCESSING], "m", None, self.clock())

    def reject(self, job):
        outbox_moves.reject(self.db, job.id, None, now=self.clock())

    def earn(self, times=10, conversations=5):
        for number in range(times):
            self.approve(self.answered(1000 + number % conversations))

    def allow(self, level="auto", stage="stay", topic="parking"):
        with self.db.write() as conn:
            autonomy.set_level(
                conn, autonomy.Key(ACCOUNT, LISTING, topic, stage), level, "host", self.clock()
            )

    def record(self, topic="parking", stage="stay"):
        with self.db.read() as conn:
            return autonomy.get(conn, autonomy.Key(ACCOUNT, LISTING, topic, stage))


@pytest.fixture
def host(inbox, db, clock, wakeup):
    return Host(inbox, db, clock, wakeup)


def counts(record):
    return (
        record.unchanged,
        record.edited,
        record.rewritten,
        record.rejected,
        record.in_a_row,
        record.conversations,
    )


def test_what_a_person_makes_of_drafts_is_counted(host):
    host.approve(host.answered())
    host.approve(host.answered(), "In the yard!")
    assert counts(host.record()) == (1, 1, 0, 0, 0, 0)
    host.approve(host.answered())
    assert counts(host.record()) == (2, 1, 0, 0, 1, 1)
    host.approve(host.answered(), "There is none here, sorry.")
    host.reject(host.answered())
    assert counts(host.record()) == (2, 1, 1, 1, 0, 0)
    assert host.record("wifi") is None


def test_a_topic_that_nobody_knows_is_not_counted(host):
    host.approve(host.answered(topic="the moon"))
    host.approve(host.answered(topic=None))
    assert host.record("the moon") is None


@pytest.mark.parametrize(("policy", "status"), [("ask", "draft"), ("earned", "pending")])
def test_after_ten_in_a_row_from_five_conversations_the_policy_decides(host, policy, status):
    host.earn()
    assert counts(host.record())[-2:] == (10, 5)
    assert host.answered(assistant_autonomy=policy).status == status


def test_ten_in_a_row_from_four_conversations_are_not_enough(host):
    host.earn(conversations=4)
    assert host.answered(assistant_autonomy="earned").status == "draft"


def test_a_topic_that_the_host_allowed_goes_out_by_itself_in_the_mode_draft(host):
    host.allow()
    assert host.answered().status == "pending"
    assert host.answered(topic="wifi").status == "draft"


def test_nothing_is_let_out_that_the_ai_held(host):
    host.allow()
    home = thread_id(7)
    request = host.inbox.waiting(home, listing_id=LISTING, stay=BOOKED)
    job = host.take(
        Answer(home, request.id, message="In the yard.", hold="promise", said=Said(topic="parking")),
        reply_mode="draft",
    ).job
    assert (job.status, job.reason) == ("draft", "promise")


@pytest.mark.parametrize("scope", ["account", "listing"])
def test_a_mode_that_a_person_has_set_stands_above_an_allowed_topic(host, db, clock, scope):
    host.allow()
    with db.write() as conn:
        accounts.set_mode(
            conn, ACCOUNT, scope, "" if scope == "account" else LISTING, ReplyMode.DRAFT, clock()
        )
    assert host.answered().reason == "approval_required"


def test_the_first_answer_to_an_inquiry_is_earned_for_itself(host):
    host.allow()
    assert host.answered(stay={"reservation_status": "INQUIRY"}).status == "draft"
    host.allow(stage="inquiry")
    assert host.answered(stay={"reservation_status": "INQUIRY"}).status == "pending"


def test_a_holding_text_is_no_first_answer_to_an_inquiry(host, inbox, db, clock, make_message):
    home, inquiry = thread_id(77), {"reservation_status": "INQUIRY"}
    request = inbox.waiting(home, "Is there a crane?", listing_id=LISTING, stay=inquiry)
    said = Answer(home, request.id, action=Action.ESCALATE, holding_message="We have your message.")
    host.allow()
    holding = host.take(said, reply_mode="auto").job
    host.send(holding)
    with db.write() as conn:
        seen = make_message(holding.text, role=AuthorRole.HOST, sent_at=clock())
        ours = conversations.insert_message(
            conn,
            ACCOUNT,
            holding.conversation_id,
            seen,
            direction=Direction.OUTBOUND,
            origin="assistant",
            skip_reason=None,
            now=clock(),
        )
        conversations.attach_receipt(conn, ours.id, holding)
    clock.advance(60)
    assert host.answered(77, stay=inquiry).status == "draft"


def test_in_the_mode_auto_nothing_has_to_be_earned(host):
    assert host.answered(mode="auto").status == "pending"


@pytest.mark.parametrize("mode", ["draft", "auto"])
def test_a_rewrite_takes_a_topic_back_to_draft_in_every_mode(host, mode):
    host.approve(host.answered(), "There is none here, sorry.")
    job = host.answered(mode=mode)
    assert job.status == "draft"
    assert (host.record().level, host.record().reason) == ("draft", "rewritten")


def test_a_rejection_takes_a_topic_back_to_draft_and_what_was_on_its_way_waits(host):
    host.allow()
    going = host.answered()
    with host.db.write() as conn:
        draft = outbox_queue.enqueue(
            conn, ACCOUNT, going.conversation_id, "No.", request_id=None, idempotency_key="k",
            status=OutboxStatus.DRAFT, said=Said(topic="parking"), now=host.clock(),
        )[0]  # fmt: skip
    host.reject(draft)
    assert host.record().reason == "rejected"
    (held,) = [job for job in host.inbox.jobs() if job.id == going.id]
    assert (held.status, held.reason) == (OutboxStatus.DRAFT, NEEDS_APPROVAL)


def test_a_recall_takes_a_topic_back_to_draft(host):
    host.allow()
    outbox_moves.cancel(host.db, host.answered().id, now=host.clock())
    assert host.record().reason == "recalled"
    assert host.answered(mode="auto").reason == NEEDS_APPROVAL


def test_a_complaint_as_the_next_message_takes_a_topic_back_to_draft(host):
    host.allow()
    host.send(host.answered(5))
    home = thread_id(5)
    request = host.inbox.waiting(home, "That is wrong!", listing_id=LISTING, stay=BOOKED)
    host.take(Answer(home, request.id, action=Action.ESCALATE, hard_class="refund"))
    assert host.record().level == "auto"
    request = host.inbox.waiting(home, "It is dirty here!", listing_id=LISTING, stay=BOOKED)
    host.take(Answer(home, request.id, action=Action.ESCALATE, hard_class="complaint"))
    assert host.record().reason == "complaint"


def test_a_draft_counts_once_even_if_it_comes_back(host):
    job = host.answered()
    outbox_moves.approve(host.db, host.wakeup, job.id, None, now=host.clock())
    with host.db.write() as conn:
        outbox_queue.hold(conn, job.id, [OutboxStatus.PENDING], "composer_busy")
    outbox_moves.approve(host.db, host.wakeup, job.id, None, now=host.clock())
    assert counts(host.record())[0] == 1


def test_an_approval_that_is_taken_back_does_not_count(host):
    before = host.answered()
    host.approve(before)
    job = host.answered()
    outbox_moves.approve(host.db, host.wakeup, job.id, None, now=host.clock(), undo_sec=5)
    assert counts(host.record()) == (2, 0, 0, 0, 2, 2)
    outbox_moves.take_back(host.db, job.id, now=host.clock())
    with host.db.read() as conn:
        draft = outbox_views.get(conn, job.id)
    assert (draft.status, draft.reason, draft.judged) == (OutboxStatus.DRAFT, job.reason, job.judged)
    assert counts(host.record()) == (1, 0, 0, 0, 1, 1)
    outbox_moves.reject(host.db, job.id, None, now=host.clock())
    assert counts(host.record()) == (1, 0, 0, 1, 0, 0)


def test_what_answers_only_the_easy_part_is_not_judged(host):
    home = thread_id(9)
    request = host.inbox.waiting(home, listing_id=LISTING, stay=BOOKED)
    host.take(
        Answer(home, request.id, action=Action.ESCALATE, draft="In the yard.", said=Said(topic="parking"))
    )
    (job,) = host.inbox.jobs()
    host.reject(job)
    assert host.record() is None


@pytest.mark.parametrize(("minutes", "reason"), [(29, "corrected"), (31, None)])
async def test_a_persons_correction_within_30_minutes_takes_a_topic_back_to_draft(house, minutes, reason):
    where = house.site.conversation("Where do we park?", listing_id=LISTING)
    request = house.request_for(where)
    take_answer(
        house.db,
        house.wakeup,
        Answer(where.external_id, request.id, message="In the yard.", said=Said(topic="parking")),
        accounts=house.settings.accounts_by_name,
        now=house.clock(),
        is_conversation_id=lambda *_: True,
    )
    await house.sent()
    assert [job.status for job in house.jobs()] == [OutboxStatus.SENT]
    house.clock.advance(minutes * 60)
    house.site.host_writes(where, "Sorry, not in the yard: in the street.")
    await house.synced()
    with house.db.read() as conn:
        found = autonomy.listed(conn, ACCOUNT)
    assert [one.reason for one in found] == ([reason] if reason else [])
