"""What is said to the AI, what becomes of its response, and when it is asked again."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import json
import random
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from standardwebhooks import Webhook

from src.db import accounts, inbox_queue
from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.model.inbox import AuthorRole
from src.model.listings import NO_LISTINGS
from src.model.retry import AI
from src.model.statuses import InboxStatus, OutboxStatus
from src.model.values import ReplyMode
from src.services import tokens
from src.services.ai_exchange import Response, parse_answer, seconds_asked_for
from src.services.ai_webhook import AiWebhook
from src.services.http_asker import look_for_ai, verify
from src.settings import Settings
from tests.support.api import ACCOUNT, WEBHOOK_SECRET, inbox, is_conversation_id, thread_id  # noqa: F401

URL = "http://ai.test/hook"


class FakeAi(httpx.AsyncBaseTransport):
    """Answers after a script: a response, an exception, or a function of the request."""

    def __init__(self):
        self.script = []
        self.calls = []

    async def handle_async_request(self, request):
        await request.aread()
        self.calls.append(request)
        said = self.script.pop(0) if self.script else httpx.Response(202)
        if isinstance(said, Exception):
            raise said
        return await said(request) if callable(said) else said

    def payload(self, number=-1):
        return json.loads(self.calls[number].content)


@pytest.fixture
def ai():
    return FakeAi()


@pytest.fixture
async def webhook(db, clock, ai):
    made = []
    wakeup = Wakeup(db)

    def make(listings=NO_LISTINGS, **given):
        settings = Settings(**{"ai_webhook_url": URL, **given})
        made.append(
            AiWebhook(
                db,
                wakeup,
                settings.accounts_by_name,
                callback_base_url=settings.callback_base_url,
                secret=settings.webhook_secret,
                owner="w",
                is_conversation_id=is_conversation_id,
                clock=clock,
                rng=random.Random(7),
                transport=ai,
                listings=listings,
            )
        )
        return made[-1]

    yield make
    for one in made:
        await one.close()
    wakeup.close()


async def test_a_due_request_is_posted_with_all_fields_and_waits(webhook, inbox, ai, db, clock, make_message):
    inbox.conversation(
        thread_id(), make_message("Hi"), make_message("Welcome!", role=AuthorRole.HOST, author_name="Henk")
    )
    request = inbox.request(thread_id(), "Is there a cot?", "And a bath?", stay={"check_in": "2026-12-01"})
    assert (await webhook().run_once()).total() == 1

    payload = ai.payload()
    assert payload["conversation_id"] == thread_id()
    assert payload["sender"] == "Gerda Guest"
    assert payload["message"] == "Is there a cot?\nAnd a bath?"
    assert payload["property_id"] == "listing-1"
    url, _, token = payload["callback_url"].partition("?token=")
    assert url == "http://localhost:8000/api/ai/webhook-simple"
    assert tokens.verify(db.secret, token) == request.id
    assert payload["request_id"] == request.id
    assert [m["text"] for m in payload["messages"]] == ["Is there a cot?", "And a bath?"]
    assert set(payload["messages"][0]) == {"id", "text", "sent_at"}
    assert [(m["role"], m["text"]) for m in payload["history"]] == [("guest", "Hi"), ("host", "Welcome!")]
    assert payload["guest"] == {"name": "Gerda Guest"}
    assert payload["stay"] == {"stage": "inquiry", "check_in": "2026-12-01"}
    assert datetime.fromisoformat(payload["reply_by"]) == request.reply_by
    now = inbox.now_of(request)
    assert (now.status, now.accepted_at, now.attempts) == (InboxStatus.WAITING, clock(), 1)
    assert (await webhook().run_once()).total() == 0


async def test_history_is_the_last_sixty_texts_before_the_message(webhook, inbox, ai, make_message):
    inbox.conversation(thread_id(), *(make_message(f"old {n}") for n in range(70)))
    inbox.request(thread_id(), "new")
    await webhook().run_once()
    assert [m["text"] for m in ai.payload()["history"]] == [f"old {n}" for n in range(10, 70)]


async def test_a_request_that_is_not_due_is_not_posted(webhook, inbox, ai, clock):
    request = inbox.request(due_in=15)
    assert (await webhook().run_once()).total() == 0
    assert await webhook().next_event_at() == request.due_at
    clock.advance(15)
    assert (await webhook().run_once()).total() == 1
    assert len(ai.calls) == 1


async def test_a_post_is_signed_with_the_same_id_in_every_try(webhook, inbox, ai, clock, db):
    clock._now = datetime.now(UTC).replace(microsecond=0)  # the library compares with the real time
    request = inbox.request()
    ai.script = [httpx.Response(503)]
    await webhook(webhook_secret=WEBHOOK_SECRET).run_once()
    clock.advance(10)
    await webhook(webhook_secret=WEBHOOK_SECRET).run_once()
    assert [call.headers["webhook-id"] for call in ai.calls] == [request.id] * 2
    for call in ai.calls:
        Webhook(WEBHOOK_SECRET).verify(call.content, dict(call.headers))
        with pytest.raises(Exception, match="signature"):
            Webhook(WEBHOOK_SECRET).verify(call.content + b" ", dict(call.headers))


async def test_without_a_secret_nothing_is_signed(webhook, inbox, ai):
    inbox.request()
    await webhook().run_once()
    assert not any(name.startswith("webhook-") for name in ai.calls[0].headers)


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Yes, there is."},
        {"reply": "Yes, there is."},
        {"message": "", "reply": " Yes, there is. "},
    ],
)
async def test_an_answer_in_the_response_is_enqueued(webhook, inbox, ai, body):
    request = inbox.request()
    ai.script = [httpx.Response(200, json=body)]
    await webhook().run_once()
    assert inbox.now_of(request).status is InboxStatus.ANSWERED
    assert [(job.text, job.status) for job in inbox.jobs()] == [("Yes, there is.", OutboxStatus.PENDING)]


@pytest.mark.parametrize(("action", "status"), [("escalate", "escalated"), ("ignore", "ignored")])
async def test_an_action_in_the_response_closes_the_request(webhook, inbox, ai, action, status):
    request = inbox.request()
    ai.script = [httpx.Response(200, json={"action": action, "reason": "because"})]
    await webhook().run_once()
    assert (inbox.now_of(request).status, inbox.now_of(request).reason) == (status, "because")


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200),
        httpx.Response(202, text="Accepted"),
        httpx.Response(200, json={"message": "Workflow was started"}),
        httpx.Response(200, json={"message": 5, "status": "ok"}),
        httpx.Response(200, json={"message": "x" * 4001}),
        httpx.Response(200, json={"message": "a\0b"}),
        httpx.Response(200, json=[{"message": "Yes"}]),
        httpx.Response(200, content=b"[" * 50_000),
        httpx.Response(200, content=b'{"message": "' + b"x" * 70_000 + b'"}'),
    ],
)
async def test_a_response_without_a_usable_answer_means_that_it_is_still_to_come(
    webhook, inbox, ai, response
):
    request = inbox.request()
    ai.script = [response]
    await webhook().run_once()
    assert inbox.now_of(request).status is InboxStatus.WAITING
    assert inbox.jobs() == []


RETRIED = [
    httpx.ConnectError("no"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("odd"),
    301,
    302,
    408,
    425,
    429,
    500,
    502,
    503,
    504,
]


@pytest.mark.parametrize("said", RETRIED, ids=str)
async def test_what_may_pass_is_tried_again_later_and_survives_a_restart(webhook, inbox, ai, clock, said):
    request = inbox.request()
    ai.script = [
        httpx.Response(said, headers={"location": "http://elsewhere.test/"})
        if isinstance(said, int)
        else said
    ]
    await webhook().run_once()
    now = inbox.now_of(request)
    assert (now.status, now.attempts) == (InboxStatus.PENDING, 1)
    assert timedelta(seconds=4) <= now.due_at - clock() <= timedelta(seconds=6)
    assert now.last_error
    assert len(ai.calls) == 1, "a redirect was followed"
    clock.advance(6)
    await webhook().run_once()
    assert inbox.now_of(request).status is InboxStatus.WAITING
    assert ai.calls[0].content == ai.calls[1].content


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
async def test_a_refusal_is_final_and_says_why(webhook, inbox, ai, status):
    request = inbox.request()
    ai.script = [httpx.Response(status)]
    await webhook().run_once()
    now = inbox.now_of(request)
    assert (now.status, now.reason) == (InboxStatus.FAILED, f"ai_refused_{status}")


async def test_waits_grow_from_five_seconds_to_five_minutes():
    waits = [AI.pause(attempt, rng=random.Random(attempt)) for attempt in range(1, 12)]
    for wait, middle in zip(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300], strict=True):
        assert middle * 0.8 <= wait <= min(middle * 1.2, 300)
    assert len(set(waits)) > 6, "no jitter"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        ("0", 1),
        ("999999", 3600),
        (format_datetime(datetime(2026, 11, 20, 0, 2, tzinfo=UTC), usegmt=True), 120),
        (format_datetime(datetime(2026, 11, 19, tzinfo=UTC), usegmt=True), 1),
    ],
)
async def test_retry_after_is_obeyed_up_to_an_hour(header, seconds):
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert AI.pause(1, asked=seconds_asked_for(header, now)) == seconds


@pytest.mark.parametrize("header", ["soon", "", "-5", "1e9", "Fri, 99 Nov"])
async def test_a_retry_after_that_makes_no_sense_is_left_out(header):
    assert seconds_asked_for(header, datetime(2026, 11, 20, tzinfo=UTC)) is None


async def test_retry_after_becomes_the_due_time(webhook, inbox, ai, clock):
    request = inbox.request()
    ai.script = [httpx.Response(429, headers={"retry-after": "90"})]
    await webhook().run_once()
    assert inbox.now_of(request).due_at == clock.later(90)


async def test_an_ai_that_is_never_there_ends_in_a_named_state(webhook, inbox, ai, clock):
    request = inbox.request(reply_in=600)
    ai.script = [httpx.ConnectError("no")] * 50
    while inbox.now_of(request).status is InboxStatus.PENDING:
        await webhook().run_once()
        clock.advance(30)
    now = inbox.now_of(request)
    assert (now.status, now.reason) == (InboxStatus.EXPIRED, "not_accepted_in_time")
    assert 3 < len(ai.calls) < 12


async def test_an_answer_that_never_comes_ends_in_a_named_state(webhook, inbox, clock):
    request = inbox.request(reply_in=600)
    await webhook().run_once()
    clock.advance(601)
    await webhook().run_once()
    now = inbox.now_of(request)
    assert (now.status, now.reason) == (InboxStatus.EXPIRED, "no_answer_in_time")


async def test_a_request_that_is_cancelled_while_it_is_posted_is_dropped_quietly(
    webhook, inbox, ai, db, clock
):
    request = inbox.request()

    async def cancel(_):
        with db.write() as conn:
            inbox_queue.finish(
                conn, request.id, [InboxStatus.PROCESSING], InboxStatus.CANCELLED, "host_answered", clock()
            )
        return httpx.Response(200, json={"message": "Yes"})

    ai.script = [cancel]
    assert (await webhook().run_once()).total() == 1
    assert inbox.now_of(request).reason == "host_answered"
    assert inbox.jobs() == []


async def test_in_mode_off_the_ai_is_not_asked(webhook, inbox, ai, db, clock):
    request = inbox.request()
    with db.write() as conn:
        accounts.set_mode(conn, ACCOUNT, "listing", "listing-1", ReplyMode.OFF, clock())
    await webhook().run_once()
    assert ai.calls == []
    assert (inbox.now_of(request).status, inbox.now_of(request).reason) == (InboxStatus.CANCELLED, "mode_off")


async def test_four_are_posted_at_once_and_no_more(webhook, inbox, ai):
    for number in range(1, 10):
        inbox.request(thread_id(number))
    inside, most, gate = 0, 0, asyncio.Event()

    async def slow(_):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if most == 4:
            gate.set()
        await gate.wait()
        inside -= 1
        return httpx.Response(202)

    ai.script = [slow] * 9
    assert (await webhook().run_once()).total() == 9
    assert most == 4
    assert len({call.content for call in ai.calls}) == 9


async def test_stopping_gives_back_what_is_in_hand_and_counts_the_try_since_the_ai_may_have_it(
    webhook, inbox, ai
):
    request = inbox.request()
    posting = asyncio.Event()

    async def hang(_):
        posting.set()
        await asyncio.Event().wait()

    ai.script = [hang]
    running = asyncio.create_task(webhook().run_once())
    await posting.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    now = inbox.now_of(request)
    assert (now.status, now.attempts, now.claimed_by) == (InboxStatus.PENDING, 1, None)


async def test_what_a_dead_process_had_in_hand_is_posted_again(webhook, inbox, ai, db, clock):
    request = inbox.request()
    with db.write() as conn:
        inbox_queue.claim_due(conn, ACCOUNT, owner="dead", lease_until=clock.later(180), now=clock(), limit=1)
    assert (await webhook().run_once()).total() == 0
    clock.advance(181)
    assert (await webhook().run_once()).total() == 1
    assert inbox.now_of(request).status is InboxStatus.WAITING


async def test_successes_and_failures_are_kept_for_everybody_to_see(webhook, inbox, ai, db, clock):
    inbox.request()
    ai.script = [httpx.ConnectError("no"), httpx.Response(500)]
    for failures, outcome in ((1, "no_connection"), (2, "http_500"), (0, "http_202")):
        await webhook().run_once()
        clock.advance(20)
        with db.read() as conn:
            (beat,) = accounts.workers(conn, ACCOUNT)
        assert (beat.worker, beat.failures_in_a_row, beat.last_outcome) == ("ai_webhook", failures, outcome)


async def test_without_an_address_nothing_is_claimed(webhook, inbox, ai):
    request = inbox.request()
    assert (await webhook(ai_webhook_url=None).run_once()).total() == 0
    assert inbox.now_of(request).status is InboxStatus.PENDING
    assert ai.calls == []


async def test_a_test_message_shows_whether_the_ai_is_there_and_stores_nothing(ai, db, clock, inbox):
    ai.script = [httpx.Response(200, json={"message": "Hello!"}), httpx.ConnectError("no")]
    (account,) = Settings(ai_webhook_url=URL).accounts
    (nobody,) = Settings().accounts
    rest = {"callback_base_url": "http://127.0.0.1:8000", "secret": None, "now": clock(), "transport": ai}
    found = await verify(db, account, **rest)
    assert (found.ok, found.outcome) == (True, "http_200")
    assert set(ai.payload()) >= {"conversation_id", "sender", "message", "property_id", "callback_url"}
    assert not is_conversation_id(ai.payload()["conversation_id"])
    assert (await verify(db, account, **rest)).outcome == "no_connection"
    assert (await verify(db, nobody, **rest)).outcome == "not_configured"
    assert inbox.jobs() == []


def test_no_response_body_breaks_the_parser():
    bodies = [
        b"",
        b"null",
        b"5",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"message": null}',
        b"{}",
        b"[" * 100_000,
        b'{"action": "dance"}',
        b'{"action": ["escalate"]}',
        b'{"message": ["a"]}',
        b"NaN",
    ]
    assert all(parse_answer(body, thread_id(), "r") is None for body in bodies)


@pytest.mark.parametrize("status", [200, 301, 401, 404, 405, 500, 501, 503])
async def test_any_answer_shows_that_the_ai_is_there_and_nothing_is_posted_to_find_out(ai, status):
    ai.script = [httpx.Response(status)]
    address = f"{URL}?key=canary"
    assert await look_for_ai(address, transport=ai) == status
    assert [(call.method, str(call.url), call.content) for call in ai.calls] == [("HEAD", URL, b"")]


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout("slow"), httpx.ReadError("reset"), httpx.RemoteProtocolError("closed")]
)
async def test_an_ai_that_takes_connections_is_there_even_if_it_knows_post_alone(ai, error):
    ai.script = [error]
    assert await look_for_ai(URL, transport=ai) is None


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("nobody")])
async def test_where_nothing_takes_connections_there_is_no_ai(ai, error):
    ai.script = [error]
    with pytest.raises(TransientError, match=type(error).__name__):
        await look_for_ai(URL, transport=ai)


# --- an AI that lives in this process ---------------------------------------------------------------------------


class InProcess:
    """Answers in this process, and counts."""

    in_process = True

    def __init__(self):
        self.asked = []

    async def ask(self, payload, request_id):
        self.asked.append(request_id)
        return Response(200, json.dumps({"message": "Yes, in the wardrobe."}).encode())

    async def work_beside(self):
        pass

    async def close(self):
        pass


@pytest.fixture
async def in_process(db, clock):
    asker, wakeup = InProcess(), Wakeup(db)
    made = AiWebhook(
        db,
        wakeup,
        Settings().accounts_by_name,
        callback_base_url="http://127.0.0.1:8000",
        secret=None,
        owner="w",
        is_conversation_id=is_conversation_id,
        clock=clock,
        askers={ACCOUNT: asker},
    )
    yield made, asker
    await made.close()
    wakeup.close()


async def test_an_ai_in_this_process_answers_without_any_address(in_process, inbox):
    webhook, asker = in_process
    request = inbox.request(thread_id(), "Is there a cot?")
    assert (await webhook.run_once()).total() == 1
    assert asker.asked == [request.id]
    assert inbox.now_of(request).status is InboxStatus.ANSWERED


async def test_what_a_dead_process_held_is_asked_again_at_once_and_not_after_its_lease(
    in_process, inbox, db, clock
):
    webhook, asker = in_process
    request = inbox.request(thread_id(), "Is there a cot?")
    with db.write() as conn:
        dead = f"{socket.gethostname()}-{2**22 + 7}-abcd"
        lease = clock.later(180)
        inbox_queue.claim_due(conn, ACCOUNT, owner=dead, lease_until=lease, now=clock(), limit=1)
    assert await webhook.next_event_at() <= clock()
    assert (await webhook.run_once()).total() == 1
    assert asker.asked == [request.id]


async def test_trouble_behind_an_answer_is_counted_against_the_ai(in_process, inbox, db):
    webhook, asker = in_process
    body = json.dumps({"action": "escalate", "reason": "model_key_refused"}).encode()

    async def ask(payload, request_id):
        return Response(200, body, trouble="model_key_refused")

    asker.ask = ask
    request = inbox.request(thread_id(), "Is there a cot?")
    await webhook.run_once()
    assert inbox.now_of(request).status is InboxStatus.ESCALATED
    with db.read() as conn:
        (beat,) = accounts.workers(conn, ACCOUNT)
    assert (beat.last_outcome, beat.failures_in_a_row) == ("model_key_refused", 1)


async def test_what_the_hosts_files_say_of_the_stay_goes_to_the_ai(webhook, inbox, ai):
    class Files:
        def name_of(self, _):
            return "The Attic"

        def add_to(self, stay, listing_id):
            return {"listing_name": f"Attic {listing_id}", "check_in": "2026-12-04", **stay}

    stay = {"confirmation_code": "HMABCDEFGH", "trip_stage": "UPCOMING_RESERVATIONS"}
    inbox.request(thread_id(), "Is there a cot?", stay=stay)
    await webhook(Files()).run_once()
    assert ai.payload()["stay"] == {
        "stage": "booked",
        "listing_name": "Attic listing-1",
        "check_in": "2026-12-04",
        **stay,
    }
