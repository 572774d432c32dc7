"""Alerts and the heartbeat: to a receiver on this machine, by a clock that is moved, on each kind of database."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import json
import socket
import threading
import time
from datetime import timedelta

import httpx
import pytest
from pytest_httpserver import HTTPServer

from src.db import accounts, conversations, inbox_queue, outbox_queue
from src.errors import ExitCode, SettingsError
from src.model.inbox import AuthorRole
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.services import notify
from src.services.after_halt import end_halt
from src.services.alert_words import words_of_test
from src.settings import Settings
from src.workers.alert_worker import AlertWorker
from tests.support.api import ACCOUNT, inbox, thread_id  # noqa: F401

HOUR = 3600
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is the same on every kind of database."""
AI = "ai_webhook"


@pytest.fixture(scope="module")
def receiver():
    with HTTPServer() as server:
        yield server


@pytest.fixture
def hook(receiver):
    receiver.clear()
    receiver.expect_request("/hook").respond_with_data("ok")
    return receiver


@pytest.fixture
def told(hook):
    """What the receiver was told since the last look: (event, kind, how many)."""
    seen = [0]

    def look():
        new = hook.log[seen[0] :]
        seen[0] = len(hook.log)
        return [json.loads(request.get_data()) for request, _ in new if request.path == "/hook"]

    return look


@pytest.fixture
def make_worker(db, clock, hook):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())

    def make(heartbeat=False, **settings):
        given = {"alert_webhook_url": hook.url_for("/hook"), "dashboard_url": "https://door.example.org"}
        made = Settings(**{**given, **settings})
        return AlertWorker(made, made.accounts, db, heartbeat=heartbeat, clock=clock)

    return make


@pytest.fixture
def worker(make_worker):
    return make_worker()


def in_short(told):
    return [(one["event"], one["kind"], one["count"]) for one in told]


def halt(db, clock, code=ExitCode.HALTED_PERSON_NEEDED, kind="challenge"):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, kind, "the page shows #arkose", int(code), None, clock())


def cycle(db, clock, worker="sync", *, ok=True, outcome=""):
    with db.write() as conn:
        accounts.beat(conn, ACCOUNT, worker, process_id=1, hostname="here", now=clock())
        accounts.cycle_done(conn, ACCOUNT, worker, outcome=outcome, duration_ms=5, ok=ok, now=clock())


def a_reply(db, clock, number=1, status=OutboxStatus.PENDING, text="Yes, gladly"):
    clock.advance(1)  # each is younger than the one before it
    with db.write() as conn:
        conversation = conversations.ensure_named(conn, ACCOUNT, thread_id(number), clock())
        job, _ = outbox_queue.enqueue(
            conn,
            ACCOUNT,
            conversation.id,
            text,
            request_id=None,
            idempotency_key=f"k{number}",
            status=status,
            reason="approval_required" if status is OutboxStatus.DRAFT else None,
            now=clock(),
        )
    return job


def press(db, clock, job):
    """Claimed, armed, and no proof."""
    with db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())
        outbox_queue.arm(conn, job.id, "w", after_external_id=None, now=clock())
        outbox_queue.unconfirmed(conn, job.id, "no_proof", clock())


def test_a_halt_is_told_once_then_after_hours_and_its_end_once(worker, told, db, clock):
    halt(db, clock)
    worker.run_once()
    first = told()
    assert in_short(first) == [("alert", "halted", 1)]
    assert first[0]["link"] == "https://door.example.org/reconnect"
    assert "a person is needed" in first[0]["title"]
    assert "human" in first[0]["message"]
    for _ in range(20):
        clock.advance(15 * 60)
        worker.run_once()
    assert told() == []
    clock.advance(HOUR)
    worker.run_once()
    assert in_short(told()) == [("reminder", "halted", 1)]
    end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=clock())
    worker.run_once()
    assert in_short(told()) == [("recovered", "halted", 1)]
    clock.advance(24 * HOUR)
    worker.run_once()
    assert told() == []
    halt(db, clock, ExitCode.HALTED_PAGE_CHANGED, "page_changed")
    worker.run_once()
    assert in_short(told()) == [("alert", "page_changed", 1)]


@on_sqlite
def test_it_speaks_french_where_french_is_asked_for(make_worker, told, db, clock):
    halt(db, clock, kind="logged_out")
    make_worker(dashboard_language="fr").run_once()
    (one,) = told()
    assert one["title"] == "Nightporter s'est arrêté : il faut une personne"
    assert one["message"].startswith("Airbnb a mis fin à la connexion.")


def test_many_processes_tell_of_an_incident_once(make_worker, told, db, clock):
    halt(db, clock)
    workers = [make_worker() for _ in range(6)]
    threads = [threading.Thread(target=one.run_once) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_short(told()) == [("alert", "halted", 1)]


@on_sqlite
def test_a_receiver_that_is_down_is_tried_again_and_less_and_less_often(make_worker, told, hook, db, clock):
    halt(db, clock)
    hook.clear_all_handlers()
    hook.expect_request("/hook").respond_with_data("no", status=503)
    worker = make_worker()
    worker.run_once()
    assert len(told()) == 1
    worker.run_once()
    assert told() == []
    clock.advance(61)
    worker.run_once()
    assert len(told()) == 1
    clock.advance(61)
    worker.run_once()
    assert told() == []
    hook.clear_all_handlers()
    hook.expect_request("/hook").respond_with_data("ok")
    clock.advance(61)
    worker.run_once()
    assert in_short(told()) == [("alert", "halted", 1)], "still the first alert: nobody has heard of it"


@on_sqlite
def test_a_process_that_died_while_it_told_gives_way_to_another(worker, told, db, clock, monkeypatch):
    halt(db, clock)
    monkeypatch.setattr(notify, "tell", lambda *_: (_ for _ in ()).throw(MemoryError))
    worker.run_once()
    monkeypatch.undo()
    worker.run_once()
    assert told() == []
    clock.advance(181)
    worker.run_once()
    assert in_short(told()) == [("alert", "halted", 1)]


@on_sqlite
def test_a_quiet_inbox_is_none_and_a_blind_reader_is_one(worker, told, db, clock):
    worker.run_once()
    assert told() == [], "nobody ever read here"
    for _ in range(60):
        cycle(db, clock, outcome="0 changed")
        clock.advance(60)
        worker.run_once()
    assert told() == []
    for _ in range(15):
        cycle(db, clock, ok=False)
        clock.advance(60)
        worker.run_once()
    (one,) = told()
    assert (one["kind"], one["detail"]) == ("nothing_read", "failing")
    cycle(db, clock)
    worker.run_once()
    assert told() == [], "one good look is not the end of it yet"
    for _ in range(6):
        clock.advance(60)
        cycle(db, clock)
        worker.run_once()
    assert in_short(told()) == [("recovered", "nothing_read", 1)]
    halt(db, clock)
    clock.advance(HOUR)
    worker.run_once()
    assert in_short(told()) == [("alert", "halted", 1)], "a halt explains that nothing is read"


@on_sqlite
def test_an_ai_that_comes_and_goes_is_one_incident(worker, told, db, clock):
    for ok in (False, False, True, False, False, False):
        cycle(db, clock, AI, ok=ok, outcome="http_503")
        worker.run_once()
    (one,) = told()
    assert (one["event"], one["kind"], one["detail"]) == ("alert", "ai_unreachable", "http_503")
    for _ in range(5):
        cycle(db, clock, AI)
        clock.advance(60)
        worker.run_once()
        for _ in range(3):
            cycle(db, clock, AI, ok=False)
        clock.advance(60)
        worker.run_once()
    assert told() == []
    cycle(db, clock, AI)
    clock.advance(301)
    worker.run_once()
    assert in_short(told()) == [("recovered", "ai_unreachable", 1)]


@on_sqlite
def test_drafts_of_one_look_are_one_alert_and_their_approval_is_none(worker, told, db, clock):
    jobs = [a_reply(db, clock, number, OutboxStatus.DRAFT) for number in (1, 2)]
    worker.run_once()
    (one,) = told()
    assert (one["event"], one["kind"], one["count"]) == ("alert", "draft", 2)
    assert one["title"] == "2 replies wait for you"
    assert one["link"].endswith("/outbox?state=draft")
    a_reply(db, clock, 3, OutboxStatus.DRAFT)
    worker.run_once()
    assert in_short(told()) == [("alert", "draft", 1)]
    with db.write() as conn:
        for job in jobs:
            outbox_queue.approve(conn, job.id, None, clock())
    worker.run_once()
    assert told() == []


def test_a_reply_without_proof_that_settles_soon_is_never_told(worker, told, db, clock):
    settled, lasting = (a_reply(db, clock, number) for number in (1, 2))
    press(db, clock, settled)
    press(db, clock, lasting)
    worker.run_once()
    clock.advance(5 * 60)
    with db.write() as conn:
        outbox_queue.sent(conn, settled.id, [OutboxStatus.UNCONFIRMED], None, None, clock())
    worker.run_once()
    assert told() == []
    clock.advance(5 * 60)
    worker.run_once()
    assert in_short(told()) == [("alert", "unconfirmed", 1)]
    with db.write() as conn:
        outbox_queue.sent(conn, lasting.id, [OutboxStatus.UNCONFIRMED], None, None, clock())
    worker.run_once()
    assert in_short(told()) == [("recovered", "unconfirmed", 1)]


def test_a_guest_whose_24_hours_run_out_is_told_of_unless_answered(
    worker,
    told,
    db,
    clock,
    inbox,
    make_message,
):
    asked = clock()
    booked = {"reservation_status": "ACCEPTED"}
    inbox.conversation(thread_id(1), make_message("Is it free?", sent_at=asked), stay=booked)
    inbox.conversation(
        thread_id(2),
        make_message("And in May?", sent_at=asked),
        make_message("Yes", role=AuthorRole.HOST, sent_at=asked + timedelta(hours=1)),
    )
    thanks = inbox.request(thread_id(3), "Thanks!")
    with db.write() as conn:
        inbox_queue.finish(
            conn, thanks.id, [InboxStatus.PENDING], InboxStatus.IGNORED, "no_answer_needed", clock()
        )
    clock.advance(19 * HOUR)
    worker.run_once()
    assert told() == []
    clock.advance(1.5 * HOUR)
    worker.run_once()
    (one,) = told()
    assert (one["kind"], one["count"]) == ("inquiry", 1)
    assert "Is it free" not in json.dumps(one)
    clock.advance(4 * HOUR)
    worker.run_once()
    assert in_short(told()) == [("recovered", "inquiry", 1)], "the clock has run out: no alert helps any more"


def test_a_reply_that_does_not_get_out_is_told_of_but_not_while_it_is_meant_to_wait(worker, told, db, clock):
    job = a_reply(db, clock)
    with db.write() as conn:
        accounts.pause(conn, ACCOUNT, clock())
    clock.advance(HOUR)
    worker.run_once()
    clock.advance(11 * 60)
    worker.run_once()
    assert told() == []
    with db.write() as conn:
        accounts.resume(conn, ACCOUNT, clock())
    worker.run_once()
    clock.advance(11 * 60)
    worker.run_once()
    assert in_short(told()) == [("alert", "stuck", 1)]
    with db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())
        outbox_queue.failed(conn, job.id, "no_such_conversation", clock(), owner="w")
    worker.run_once()
    assert sorted(in_short(told())) == [("alert", "failed", 1), ("recovered", "stuck", 1)]


@on_sqlite
def test_replies_that_wait_for_their_turn_after_a_halt_are_not_stuck(worker, told, db, clock):
    halt(db, clock)
    waiting = [a_reply(db, clock, number) for number in (1, 2, 3)]
    clock.advance(2 * HOUR)
    worker.run_once()
    done = end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=clock())
    assert [job.id for job in done.released] == [job.id for job in waiting]
    clock.advance(12 * 60)
    worker.run_once()
    assert in_short(told()) == [("alert", "halted", 1), ("recovered", "halted", 1)]


@on_sqlite
def test_nothing_of_a_guest_leaves_the_house(worker, told, db, clock, inbox, make_message):
    inbox.conversation(
        thread_id(7), make_message("My code is 4711", author_name="Gerda Guest", sent_at=clock())
    )
    clock.advance(21 * HOUR)
    a_reply(db, clock, 7, OutboxStatus.DRAFT, text="The key box says 4711")
    halt(db, clock)
    worker.run_once()
    everything = json.dumps(told())
    assert '"halted"' in everything
    assert '"draft"' in everything
    assert '"inquiry"' in everything
    for private in ("Gerda", "4711", thread_id(7), "#arkose"):
        assert private not in everything


def test_the_end_of_a_halt_judges_what_waited_and_spreads_the_rest(db, clock, inbox):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
    ages = {"young": 2, "late": 26, "old": 20}
    made = {}
    for number, (name, hours) in enumerate(ages.items(), 1):
        request = inbox.waiting(thread_id(number), "Hello?", reply_in=(24 - hours) * HOUR + 0.0)
        with db.write() as conn:
            made[name], _ = outbox_queue.enqueue(
                conn,
                ACCOUNT,
                request.conversation_id,
                "Yes",
                request_id=request.id,
                idempotency_key=name,
                now=clock(),
            )
    halt(db, clock)
    clock.advance(60)
    done = end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=clock())
    assert [job.id for job in done.stale] == [made["late"].id]
    assert done.stale[0].reason == CancelReason.EXPIRED
    assert [job.id for job in done.released] == [made["old"].id, made["young"].id]
    first, second = (job.due_at for job in done.released)
    assert clock() < first < second
    again = end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=clock.later(9))
    assert (again.cleared, again.released, again.stale) == (False, (), ())


@on_sqlite
def test_the_heart_beats_only_while_the_inbox_is_really_read(make_worker, hook, db, clock):
    hook.expect_request("/beat").respond_with_data("ok")
    worker = make_worker(heartbeat=True, heartbeat_url=hook.url_for("/beat"), alert_webhook_url=None)

    def beats():
        return sum(request.path == "/beat" for request, _ in hook.log)

    worker.run_once()
    assert beats() == 0, "nothing has been read yet"
    cycle(db, clock)
    worker.run_once()
    worker.run_once()
    assert beats() == 1
    clock.advance(61)
    cycle(db, clock, ok=False)
    worker.run_once()
    assert beats() == 2, "one bad look does not stop it"
    clock.advance(136)
    cycle(db, clock, ok=False)
    worker.run_once()
    assert beats() == 2
    cycle(db, clock)
    halt(db, clock)
    worker.run_once()
    assert beats() == 2
    make_worker(heartbeat=False, heartbeat_url=hook.url_for("/beat")).run_once()
    assert beats() == 2


@on_sqlite
async def test_a_service_that_hangs_neither_blocks_nor_outlives_the_process(
    make_worker, db, clock, monkeypatch
):
    monkeypatch.setattr(notify, "_TIMEOUT", httpx.Timeout(5.0))
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        worker = make_worker(alert_webhook_url=f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        halt(db, clock)
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        connection, _ = await asyncio.to_thread(deaf.accept)
        began = time.monotonic()
        stop.set()
        await running
        assert time.monotonic() - began < 4
        connection.close()


def test_a_service_that_hangs_does_not_keep_the_next_one_from_being_told(monkeypatch):
    all_are_told = threading.Barrier(2)
    monkeypatch.setattr(notify, "_by_apprise", lambda *_, **__: all_are_told.wait(10) in {0, 1})
    settings = Settings(notify_urls="json://one json://two")
    assert notify.tell(settings, words_of_test(settings), None, ACCOUNT)


@on_sqlite
def test_apprise_delivers_and_refuses_what_it_does_not_know(make_worker, hook, db, clock):
    address = hook.url_for("/apprise").replace("http://", "json://")
    hook.expect_request("/apprise").respond_with_data("ok")
    halt(db, clock)
    make_worker(alert_webhook_url=None, notify_urls=f"{address} json://127.0.0.1:9/nobody").run_once()
    (body,) = [json.loads(request.get_data()) for request, _ in hook.log if request.path == "/apprise"]
    assert "a person is needed" in body["title"]
    assert "https://door.example.org/reconnect" in body["message"]
    with pytest.raises(SettingsError, match="NOTIFY_URLS: address 2"):
        notify.check(Settings(notify_urls="json://127.0.0.1 nosuchthing://x"))
