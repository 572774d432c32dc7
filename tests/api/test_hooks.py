"""A service calls: what is stored, in which order, once; who is not let in; what is kept of what is not known."""

from __future__ import annotations

import asyncio
import itertools
import json
import stat

import httpx
import pytest
from httpx import ASGITransport
from loguru import logger

from src.api.hooks import LARGEST_CALL
from src.commands.serving import make_app
from src.db import accounts, conversations, inbox_queue, incidents, outbox_queue, outbox_views
from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.model.answer import Answer
from src.model.sending import Receipt
from src.model.statuses import InboxStatus, OutboxStatus
from src.services.answers import take_answer
from src.services.hearing import Hearing
from src.services.own_messages import store_sent
from src.services.retention import forget
from src.settings import Settings
from tests.support.hearing import WORD, ListeningChannel, said, told
from tests.support.house import RULES, SETTINGS

ACCOUNT = "default"


class Listener:
    """The API with one account whose service calls it, and a look at what became of a call."""

    def __init__(self, db, clock, folder, *, personal: bool = False) -> None:
        self.db, self.clock, self.folder = db, clock, folder
        self.wakeup = Wakeup(db)
        with db.write() as conn:
            accounts.ensure(conn, ACCOUNT, clock())
        hearing = Hearing(ACCOUNT, ListeningChannel(personal=personal), RULES, folder)
        app = make_app(
            Settings(),
            db,
            self.wakeup,
            is_conversation_id=lambda *_: True,
            clock=clock,
            hearing={ACCOUNT: hearing},
        )
        transport = ASGITransport(app, client=("192.0.2.7", 50_000))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")

    async def call(self, body: bytes, word: str = WORD, account: str = ACCOUNT) -> httpx.Response:
        return await self.client.post(f"/hooks/{account}", content=body, headers={"x-word": word})

    def requests(self):
        with self.db.read() as conn:
            found = [inbox_queue.latest_request(conn, one.id) for one in self.conversations()]
        return [one for one in found if one]

    def conversations(self):
        with self.db.read() as conn:
            return conversations.list_recent(conn, ACCOUNT, 100)

    def messages(self):
        with self.db.read() as conn:
            return [m for c in self.conversations() for m in conversations.messages_of(conn, c.id, 1000)]

    def texts_of(self, request):
        with self.db.read() as conn:
            return [m.text for m in conversations.messages_of_request(conn, request.id)]

    def ask(self):
        """What is due goes to the AI, which accepts it."""
        self.clock.advance(61)
        with self.db.write() as conn:
            later = self.clock.later(60)
            due = inbox_queue.claim_due(
                conn, ACCOUNT, owner="ai", lease_until=later, now=self.clock(), limit=9
            )
            return [inbox_queue.accepted(conn, one.id, "ai", self.clock()) for one in due]

    def answer(self, request, text="Yes."):
        with self.db.read() as conn:
            home = conversations.get(conn, request.conversation_id).external_id
        done = take_answer(
            self.db,
            self.wakeup,
            Answer(home, request.id, message=text),
            accounts=SETTINGS.accounts_by_name,
            now=self.clock(),
            is_conversation_id=lambda *_: True,
        )
        return done.job

    def press(self, job, receipt="r1", *, sent=True):
        """SEND presses; the remote gives a receipt, or its answer is lost."""
        with self.db.write() as conn:
            later = self.clock.later(60)
            outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=later, now=self.clock())
            outbox_queue.arm(conn, job.id, "w", after_external_id="m1", now=self.clock())
            if sent:
                return store_sent(
                    conn, job, Receipt(receipt, self.clock()), [OutboxStatus.PROCESSING], self.clock()
                )
            return outbox_queue.unconfirmed(conn, job.id, "no_answer", self.clock())

    def job(self, job):
        with self.db.read() as conn:
            return outbox_views.get(conn, job.id)


@pytest.fixture
async def listener(db, clock, tmp_path):
    made = Listener(db, clock, tmp_path / "evidence")
    yield made
    await made.client.aclose()
    made.wakeup.close()


async def test_a_message_is_stored_and_queued_before_the_service_hears_200(listener):
    response = await listener.call(told(said("Is it free?")))
    assert (response.status_code, response.text) == (200, "ok")
    (request,) = listener.requests()
    assert (request.status, listener.texts_of(request)) == (InboxStatus.PENDING, ["Is it free?"])
    assert listener.conversations()[0].guest_name == "Person 4670000"


async def test_copies_at_the_same_instant_make_one_message_and_one_request(listener):
    body = told(said("Is it free?"))
    answers = await asyncio.gather(*(listener.call(body) for _ in range(6)))
    assert {one.status_code for one in answers} == {200}
    assert len(listener.messages()) == 1
    assert len(listener.requests()) == 1


async def test_a_copy_of_what_was_forgotten_is_neither_stored_nor_asked_about_again(listener):
    body = told(said("Is it free?"))
    await listener.call(body)
    forget(listener.db, ACCOUNT, "4670000", now=listener.clock(), personal_ids=True)
    assert (await listener.call(body)).status_code == 200
    assert [m.text for m in listener.messages()] == [None]
    assert listener.ask() == []
    await listener.call(told(said("And the price?", 1, number="m2")))
    (request,) = listener.ask()
    assert listener.texts_of(request) == ["And the price?"]


async def test_after_the_database_was_away_the_same_calls_are_taken_in_once(listener, monkeypatch):
    calls = [told(said(f"Message {n}", n, number=f"m{n}")) for n in range(3)]
    with monkeypatch.context() as away:
        away.setattr(listener.db, "write", _out_of_reach)
        assert {(await listener.call(one)).status_code for one in calls} == {503}
    assert listener.messages() == []
    for one in [*calls, *reversed(calls)]:  # the service comes again, also with what was taken by then
        assert (await listener.call(one)).status_code == 200
    (request,) = listener.ask()
    assert listener.texts_of(request) == ["Message 0", "Message 1", "Message 2"]


def _out_of_reach():
    raise TransientError("out of reach")


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
async def test_messages_in_any_order_are_one_burst_in_the_order_of_the_service(listener, order):
    written = [said("One", 1, number="m1"), said("Two", 2, number="m2"), said("Three", 3, number="m3")]
    for place in order:
        assert (await listener.call(told(written[place]))).status_code == 200
    (request,) = listener.ask()
    assert listener.texts_of(request) == ["One", "Two", "Three"]
    assert listener.answer(request).status is OutboxStatus.PENDING


async def test_a_late_message_overtakes_what_was_asked_without_it(listener):
    await listener.call(told(said("Two", 20, number="m2")))
    (first,) = listener.ask()
    await listener.call(told(said("One", 10, number="m1")))
    (second,) = listener.ask()
    assert second.id != first.id
    assert listener.texts_of(second) == ["One", "Two"]
    await listener.call(told(said("One", 10, number="m1")))  # a copy of it changes nothing
    assert listener.answer(second).status is OutboxStatus.PENDING


async def test_a_message_that_comes_after_our_reply_is_asked_about_whatever_its_date(listener):
    await listener.call(told(said("Two", 20, number="m2")))
    (request,) = listener.ask()
    listener.press(listener.answer(request))
    await listener.call(told(said("One", 10, number="m1")))
    (later,) = listener.ask()
    assert listener.texts_of(later) == ["One"]


async def test_a_backfill_of_old_messages_is_history_and_disturbs_nothing(listener):
    await listener.call(told(said("Is it free?", 100, number="m9")))
    (request,) = listener.ask()
    old = [said(f"old {number}", -200_000 + number, number=f"o{number}") for number in range(70)]
    assert (await listener.call(told(*old))).status_code == 200
    assert len(listener.messages()) == 71
    job = listener.answer(request)
    await listener.call(told(*old))
    assert listener.job(job).status is OutboxStatus.PENDING
    assert [one.status for one in listener.requests()] == [InboxStatus.ANSWERED]


async def test_a_persons_answer_from_another_device_cancels_the_reply(listener):
    await listener.call(told(said("Is it free?", 1)))
    (request,) = listener.ask()
    job = listener.answer(request)
    await listener.call(told(said("It is, welcome!", 50, number="h1", ours=True)))
    assert (listener.job(job).status, listener.job(job).reason) == (OutboxStatus.CANCELLED, "host_answered")


async def test_our_own_reply_told_back_is_not_taken_for_a_persons(listener):
    await listener.call(told(said("Is it free?", 1)))
    (request,) = listener.ask()
    listener.press(listener.answer(request), "r1")
    await listener.call(told(said("Yes.", 90, number="r1", ours=True)))
    await listener.call(told(said("Thanks, and parking?", 100, number="m2")))
    (later,) = listener.ask()
    assert listener.texts_of(later) == ["Thanks, and parking?"]


async def test_a_late_message_dated_before_fifty_others_is_asked_about_all_the_same(listener):
    await listener.call(told(*[said(f"{number}", number, number=f"m{number}") for number in range(60)]))
    await listener.call(told(said("One more", -60, number="late")))
    (request,) = listener.requests()
    await listener.call(
        told(said("59", 59, number="m59"))
    )  # a copy: looked at again, without the late one's date
    assert listener.requests() == [request]
    assert "One more" in listener.texts_of(listener.ask()[0])


async def test_while_the_database_is_away_the_service_is_told_to_come_again(listener, monkeypatch):
    write = type(listener.db).write

    def away(self):
        raise TransientError("the database is locked")

    monkeypatch.setattr(type(listener.db), "write", away)
    refused = await listener.call(told(said("Is it free?")))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    monkeypatch.setattr(type(listener.db), "write", write)
    assert listener.messages() == []
    for _ in range(2):
        assert (await listener.call(told(said("Is it free?")))).status_code == 200
    assert len(listener.messages()) == 1


async def test_who_is_not_let_in_leaves_no_row(listener):
    response = await listener.call(told(said("Is it free?")), word="wrong")
    assert (response.status_code, response.json()["success"]) == (401, False)
    assert listener.conversations() == []
    counted = (await listener.client.get("/metrics", headers={"host": "127.0.0.1"})).text
    assert counted is not None


async def test_an_unknown_account_is_404(listener):
    assert (await listener.call(told(said("Is it free?")), account="nobody")).status_code == 404


async def test_a_call_of_three_megabytes_is_read_and_a_larger_one_is_413(listener):
    padded = json.dumps({"messages": [said("Is it free?")], "padding": ""}).encode()
    padded = padded[:-2] + b"x" * (LARGEST_CALL - len(padded)) + b'"}'
    assert len(padded) == LARGEST_CALL
    assert (await listener.call(padded)).status_code == 200
    assert (await listener.call(padded + b" ")).status_code == 413
    assert (await listener.client.post("/api/pause", content=b"x" * 70_000)).status_code == 413


async def test_what_is_genuine_but_not_known_is_kept_for_a_person_and_answered_200(listener):
    body = told(said("Is it free?"), odd=["kind_hologram"])
    for _ in range(2):
        assert (await listener.call(body)).status_code == 200
    assert len(listener.messages()) == 1  # what is understood of it is taken in
    with listener.db.read() as conn:
        (incident,) = incidents.open_ones(conn, ACCOUNT)
    assert (incident.kind, incident.detail) == ("not_understood", "kind_hologram")
    kept = list(listener.folder.iterdir())
    assert {stat.S_IMODE(one.stat().st_mode) for one in kept} == {0o600}
    assert kept[0].read_bytes() == body


async def test_the_verification_of_an_address_is_answered_as_the_channel_says(listener):
    response = await listener.client.get(f"/hooks/{ACCOUNT}", params={"challenge": "1158201444"})
    assert (response.status_code, response.text) == (200, "1158201444")


async def test_a_deletion_that_is_told_later_stays_where_the_message_stood(listener):
    await listener.call(told(said("One", 1, number="m1"), said("Two", 2, number="m2")))
    await listener.call(told({**said("One", 50, number="m1"), "deleted": True}))
    stored = {m.external_id: m for m in listener.messages()}
    assert stored["m1"].deleted_at is not None
    (request,) = listener.ask()
    assert request.newest_external_id == "m2"


async def test_a_reaction_is_stored_and_changes_nothing(listener):
    await listener.call(told(said("Is it free?", 1)))
    await listener.call(told({**said("", 2, number="m2"), "reaction": True}))
    (request,) = listener.ask()
    assert (request.newest_external_id, len(listener.messages())) == ("m1", 2)
    assert listener.answer(request).status is OutboxStatus.PENDING


async def test_what_was_told_of_an_earlier_press_is_not_said_of_the_next_one(listener):
    await listener.call(told(said("Is it free?")))
    (request,) = listener.ask()
    job = listener.press(listener.answer(request))
    late = {"id": "another", "standing": "failed", "key": job.id, "error": "131047"}
    await listener.call(told(statuses=[late]))
    assert (listener.job(job).delivery, listener.job(job).delivery_error) == ("accepted", None)


async def test_a_late_status_settles_a_reply_without_proof(listener):
    await listener.call(told(said("Is it free?")))
    (request,) = listener.ask()
    job = listener.press(listener.answer(request), sent=False)
    status = {"id": "r1", "standing": "server", "key": job.id}
    for _ in range(2):
        assert (await listener.call(told(statuses=[status]))).status_code == 200
    done = listener.job(job)
    assert (done.status, done.delivery, done.receipt_external_id) == (OutboxStatus.SENT, "server", "r1")
    assert [m.outbox_id for m in listener.messages() if m.external_id == "r1"] == [job.id]


async def test_a_delivery_only_rises_whatever_the_order_of_its_statuses(listener):
    await listener.call(told(said("Is it free?")))
    (request,) = listener.ask()
    job = listener.press(listener.answer(request))
    for standing, then in [("delivered", "delivered"), ("server", "delivered"), ("read", "read")]:
        await listener.call(told(statuses=[{"id": "r1", "standing": standing}]))
        assert listener.job(job).delivery == then
    await listener.call(told(statuses=[{"id": "r1", "standing": "failed", "error": "131026"}]))
    assert (listener.job(job).delivery, listener.job(job).delivery_error) == ("read", None)


async def test_a_delivery_that_failed_names_the_services_code(listener):
    await listener.call(told(said("Is it free?")))
    (request,) = listener.ask()
    job = listener.press(listener.answer(request))
    await listener.call(told(statuses=[{"id": "r1", "standing": "failed", "error": "131026"}]))
    assert (listener.job(job).delivery, listener.job(job).delivery_error) == ("failed", "131026")
    assert listener.job(job).status is OutboxStatus.SENT  # never pressed again


async def test_no_log_line_names_a_person_by_their_number(db, clock, tmp_path):
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(f"{line} {line.record['extra']}"), level="INFO")
    made = Listener(db, clock, tmp_path, personal=True)
    await made.call(told(said("Is it free?", who="46700999")))
    await made.call(told(said("It is", 5, number="h1", who="46700999", ours=True)))
    await made.client.aclose()
    made.wakeup.close()
    logger.remove(sink)
    assert any("queued as" in line for line in lines)
    assert not [line for line in lines if "46700999" in line]
