"""One worker asks the AIs of all accounts: fair, and each with its own address, mode and caps."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from src.account import Account, AccountSettings
from src.db import inbox_queue
from src.db.wakeup import Wakeup
from src.model.answer import Answer
from src.model.statuses import InboxStatus
from src.services.ai_webhook import AiWebhook
from src.services.answers import take_answer
from src.services.refusals import Malformed
from tests.support.api import Inbox
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def account(name, **settings):
    made = AccountSettings(ai_webhook_url=f"http://{name}.test/ai", **settings)
    return Account(name, "airbnb", Path("session") / name, made, ai="webhook")


ACCOUNTS = {name: account(name) for name in ("busy", "calm")}


class SlowAi(httpx.AsyncBaseTransport):
    """Keeps every call until it is let go."""

    def __init__(self):
        self.asked = []
        self.go = asyncio.Event()
        self._alone = []

    def let_go(self, how_many):
        """End so many of the calls that came first."""
        for one in self._alone[:how_many]:
            one.set()

    async def handle_async_request(self, request):
        self.asked.append(request.url.host.partition(".")[0])
        self._alone.append(mine := asyncio.Event())
        ends = [asyncio.ensure_future(one.wait()) for one in (self.go, mine)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for one in ends:
            one.cancel()
        return httpx.Response(202)


@pytest.fixture
def ai():
    return SlowAi()


@pytest.fixture
async def webhook(db, clock, ai):
    wakeup = Wakeup(db)
    made = AiWebhook(
        db,
        wakeup,
        ACCOUNTS,
        callback_base_url="http://127.0.0.1:8000",
        secret=None,
        owner="w",
        is_conversation_id=lambda *_: True,
        at_once=8,
        clock=clock,
        rng=random.Random(7),
        transport=ai,
    )
    yield made
    await made.close()
    wakeup.close()


@pytest.fixture
def inbox(db, clock, make_message, make_conversation):
    return Inbox(db, clock, make_message, make_conversation)


@pytest.fixture
def requests_of(inbox):
    """``requests_of("busy", 3)``: three requests of this account that are due."""
    number = iter(range(1_000))

    def make(name, how_many=1):
        inbox.account = name
        return [inbox.request(f"thread-{name}-{next(number)}") for _ in range(how_many)]

    return make


async def test_an_account_with_many_messages_leaves_room_for_the_others(webhook, ai, requests_of):
    requests_of("busy", 12)
    requests_of("calm", 12)
    running = asyncio.create_task(webhook.run_once())
    await until(lambda: len(ai.asked) >= 8)
    assert sorted(ai.asked) == ["busy"] * 4 + ["calm"] * 4, "never more than half while others wait"
    ai.go.set()
    assert await running == {"busy": 12, "calm": 12}


async def test_an_account_alone_with_its_messages_was_given_only_half_of_the_posts(webhook, ai, requests_of):
    requests_of("busy", 12)
    running = asyncio.create_task(webhook.run_once())
    await until(lambda: len(ai.asked) >= 7)
    assert ai.asked == ["busy"] * 7, "all but the place for who comes next"
    requests_of("calm", 2)  # they come while the others are with a slow AI
    await until(lambda: ai.asked.count("calm") == 1)
    assert ai.asked.count("busy") == 7
    ai.go.set()
    assert await running == {"busy": 12, "calm": 2}


async def test_who_waits_goes_before_an_account_that_has_more_than_half(webhook, ai, requests_of):
    requests_of("busy", 12)
    running = asyncio.create_task(webhook.run_once())
    await until(lambda: len(ai.asked) >= 7)
    requests_of("calm", 4)
    await until(lambda: ai.asked.count("calm") == 1)
    ai.let_go(3)
    await until(lambda: len(ai.asked) >= 11)
    assert ai.asked.count("calm") == 4, "each place that became free went to who had waited"
    ai.go.set()
    assert await running == {"busy": 12, "calm": 4}


async def test_an_account_that_is_not_at_work_is_not_asked_for(db, clock, ai, requests_of, inbox):
    wakeup = Wakeup(db)
    ai.go.set()
    webhook = AiWebhook(
        db,
        wakeup,
        ACCOUNTS,
        callback_base_url="http://127.0.0.1:8000",
        secret=None,
        owner="w",
        is_conversation_id=lambda *_: True,
        is_at_work=lambda name: name == "calm",
        clock=clock,
        transport=ai,
    )
    (halted,), (other,) = requests_of("busy"), requests_of("calm")
    assert await webhook.run_once() == {"calm": 1}
    assert inbox.now_of(halted).status is InboxStatus.PENDING
    assert inbox.now_of(other).status is InboxStatus.WAITING
    await webhook.close()
    wakeup.close()


async def test_a_request_in_hand_is_kept_by_renewing_its_lease(
    webhook, ai, requests_of, db, clock, monkeypatch
):
    (request,) = requests_of("calm")
    monkeypatch.setattr(webhook, "_lease", timedelta(milliseconds=1))
    running = asyncio.create_task(webhook.run_once())
    await until(lambda: ai.asked)
    clock.advance(60)

    def lease():
        with db.read() as conn:
            return inbox_queue.get(conn, request.id).lease_until

    await until(lambda: lease() > clock())
    ai.go.set()
    assert await running == {"calm": 1}


async def test_what_another_process_has_in_hand_is_left_to_it_until_its_lease_is_over(
    webhook, ai, requests_of, db, clock
):
    (request,) = requests_of("calm")
    ai.go.set()
    with db.write() as conn:
        inbox_queue.claim_due(conn, "calm", owner="other", lease_until=clock.later(30), now=clock(), limit=1)
    clock.advance(29)
    assert await webhook.run_once() == {}
    clock.advance(2)
    assert await webhook.run_once() == {"calm": 1}
    with db.read() as conn:
        assert inbox_queue.get(conn, request.id).attempts == 2


@pytest.fixture
def answer(db, clock):
    wakeup = Wakeup(db)

    def give(external_id, **more):
        return take_answer(
            db,
            wakeup,
            Answer(external_id, message="Yes.", **more),
            accounts=ACCOUNTS,
            now=clock(),
            is_conversation_id=lambda _, one: one.startswith("thread-"),
        )

    yield give
    wakeup.close()


def test_an_answer_without_token_finds_the_account_that_has_the_conversation(answer, inbox):
    inbox.account = "calm"
    inbox.waiting("thread-1")
    assert answer("thread-1").job.account == "calm"


def test_an_answer_for_an_id_that_two_accounts_have_must_name_the_account(answer, inbox):
    for name in ACCOUNTS:
        inbox.account = name
        inbox.waiting("thread-1")
    with pytest.raises(Malformed) as caught:
        answer("thread-1")
    assert caught.value.field == "account"
    assert answer("thread-1", account="busy").job.account == "busy"
    with pytest.raises(Malformed, match="is not an account"):
        answer("thread-1", account="nobody")
