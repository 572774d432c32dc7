"""What the API says about itself: health, metrics, documentation, errors."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import json
import re
import shutil
from pathlib import Path

from loguru import logger
from prometheus_client.parser import text_string_to_metric_families

from src import logs
from src.db import accounts, outbox_queue
from src.db.engine import Database
from src.errors import ExitCode, TransientError
from src.model.statuses import InboxStatus, OutboxStatus
from tests.support.api import ACCOUNT, CALLBACK, KEY, body, client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]


async def a_reply(one, inbox):
    request = inbox.waiting()
    await one.post(inbox.url(request), json=body())
    return inbox.jobs()[0]


def beat_all(db, clock, names=("sync", "send")):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
        for name in names:
            accounts.beat(conn, ACCOUNT, name, process_id=1, hostname="here", now=clock(), started=True)


AI = {"ai_webhook_url": "http://127.0.0.1:9/hook"}


async def test_healthy_is_said_only_when_everything_runs(client, db, clock):
    one = client(**AI, browser_state=lambda: "ready")
    degraded = (await one.get("/health")).json()
    assert degraded["status"] == "degraded"
    assert degraded["problems"] == ["sync_never_ran", "send_never_ran"]
    beat_all(db, clock)
    healthy = await one.get("/health")
    assert healthy.status_code == 200
    told = healthy.json()
    assert told["status"] == "healthy"
    assert (told["product"], told["database"], told["database_id"]) == ("nightporter", "ok", db.database_id)
    assert told["browser"] == "ready"
    assert told["ai_webhook"]["state"] == "not_called_yet"
    assert told["halt"] is None
    assert set(told["outbox"]) == {str(status) for status in OutboxStatus}
    assert set(told["inbox"]) == {str(status) for status in InboxStatus}


async def test_workers_that_fell_silent_or_stopped_degrade_it(client, db, clock):
    one = client(**AI, scrape_interval_sec=10, send_worker_interval_sec=60)
    beat_all(db, clock)
    clock.advance(31)
    assert (await one.get("/health")).json()["problems"] == ["sync_silent"]
    with db.write() as conn:
        accounts.worker_stopped(conn, ACCOUNT, "send", process_id=1, now=clock())
    assert (await one.get("/health")).json()["problems"] == ["sync_silent", "send_stopped"]


async def test_an_ai_that_fails_again_and_again_degrades_it(client, db, clock):
    one = client(**AI)
    beat_all(db, clock, ("sync", "send", "ai_webhook"))
    for failures in range(1, 4):
        with db.write() as conn:
            accounts.cycle_done(
                conn, ACCOUNT, "ai_webhook", outcome="timeout", duration_ms=1, ok=False, now=clock()
            )
        assert (await one.get("/health")).json()["status"] == ("degraded" if failures == 3 else "healthy")
    assert (await one.get("/health")).json()["ai_webhook"]["last_outcome"] == "timeout"


async def test_an_unconfirmed_reply_degrades_it(client, db, clock, inbox):
    one = client(**AI)
    beat_all(db, clock)
    job = await a_reply(one, inbox)
    with db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())
        outbox_queue.arm(conn, job.id, "w", after_external_id=None, now=clock())
        outbox_queue.unconfirmed(conn, job.id, "no_proof", clock())
    told = (await one.get("/health")).json()
    assert (told["status"], told["problems"], told["outbox"]["unconfirmed"]) == (
        "degraded",
        ["unconfirmed_replies"],
        1,
    )


async def test_a_halt_says_what_a_person_needs_to_know(client, db, clock):
    with db.write() as conn:
        accounts.halt(
            conn,
            ACCOUNT,
            "challenge",
            "a challenge was met",
            ExitCode.HALTED_PERSON_NEEDED,
            "/x.png",
            clock(),
        )
    response = await client(**AI).get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "halted"
    assert response.json()["halt"] == {
        "kind": "challenge",
        "detail": "a challenge was met",
        "exit_code": 10,
        "since": clock().isoformat(),
    }


async def test_without_the_database_health_is_503_and_an_answer_is_to_be_sent_again(
    client, db, inbox, monkeypatch
):
    request = inbox.waiting()
    one = client()

    def gone(*_):
        raise TransientError("the connection to the database was lost")

    monkeypatch.setattr(Database, "check", gone)
    monkeypatch.setattr(Database, "write", gone)
    health = await one.get("/health")
    assert (health.status_code, health.json()["database"]) == (503, "unreachable")
    assert health.json()["database_id"] == db.database_id
    assert (await one.get("/health/live")).status_code == 200
    assert (await one.get("/health/ready")).status_code == 503
    assert (await one.get("/metrics")).status_code == 503
    failed = await one.post(inbox.url(request), json=body())
    assert (failed.status_code, failed.json()["success"]) == (503, False)
    monkeypatch.undo()
    assert (await one.get("/health/ready")).status_code == 200
    assert (await one.post(inbox.url(request), json=body())).status_code == 200


async def test_a_bug_is_500_without_details_and_the_next_call_works(client, inbox, monkeypatch):
    request = inbox.waiting()
    one = client()

    def bug(*_, **__):
        raise RuntimeError("canary-3141")

    monkeypatch.setattr("src.services.answers.taking.settle", bug)
    response = await one.post(inbox.url(request), json=body())
    assert response.status_code == 500
    assert response.json()["success"] is False
    assert "canary-3141" not in response.text
    monkeypatch.undo()
    assert (await one.post(inbox.url(request), json=body())).status_code == 200


async def test_metrics_tell_the_queues(client, inbox, db, clock):
    one = client()
    beat_all(db, clock)
    await a_reply(one, inbox)
    text = (await one.get("/metrics")).text
    assert 'nightporter_outbox_jobs{status="pending"} 1.0' in text
    assert 'nightporter_inbox_requests{status="answered"} 1.0' in text
    assert 'nightporter_callbacks_total{result="enqueued"} 1.0' in text
    assert 'nightporter_worker_beat_age_seconds{worker="sync"}' in text


async def test_metrics_are_read_by_the_parser_of_prometheus_itself(client, inbox, db, clock):
    one = client(**AI)
    beat_all(db, clock)
    with db.write() as conn:
        accounts.cycle_done(conn, ACCOUNT, "sync", outcome="", duration_ms=1, ok=True, now=clock())
        accounts.halt(conn, ACCOUNT, "challenge", "x", int(ExitCode.HALTED_PERSON_NEEDED), None, clock())
    await a_reply(one, inbox)
    clock.advance(30)
    response = await one.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    assert all(family.documentation for family in families.values())
    assert all(name.startswith("nightporter_") for name in families)
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert told["nightporter_halted",] == 1
    assert told["nightporter_needs_person", "halted"] == 1
    assert told["nightporter_needs_person", "draft"] == 0
    assert told["nightporter_last_good_read_age_seconds",] == 30
    dashboard = json.loads((ROOT / "ops" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
        for name in re.findall(r"nightporter_\w+", target["expr"])
    }
    assert asked
    # A counter's family goes without its ending.
    assert asked - {name for name, *_ in told} == set()


async def test_health_and_docs_are_open_and_say_nothing_of_a_guest(client, inbox):
    inbox.waiting()
    outside = client(api_key=KEY, peer="203.0.113.9")
    for path in ("/health", "/health/live", "/health/ready", "/docs", "/openapi.json"):
        response = await outside.get(path)
        assert response.status_code == 200
        assert "Gerda" not in response.text
        assert "cot?" not in response.text
        assert response.headers["cache-control"] == "no-store"


async def test_the_docs_need_nothing_from_elsewhere_and_name_every_endpoint(client):
    page = (await client().get("/docs")).text
    assert "//" not in page.replace("http://", "")
    assert "<script" not in page
    openapi = (await client().get("/openapi.json")).json()
    for path in openapi["paths"]:
        assert path in page
    public = {
        CALLBACK,
        "/health",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/api/outbox",
        "/api/conversations",
        "/api/pause",
        "/api/resume",
        "/api/mode",
        "/api/ai/verify",
    }
    assert public <= set(openapi["paths"])
    assert "message" in page


async def test_errors_of_the_framework_look_like_all_others(client):
    assert (await client().get("/nothing")).json() == {"success": False, "error": "Not Found"}
    wrong = await client().get(CALLBACK)
    assert (wrong.status_code, wrong.json()["success"]) == (405, False)


async def test_logs_that_cannot_be_written_degrade_it(client, db, clock, tmp_path):
    beat_all(db, clock)
    logs.set_up_logs(tmp_path / "logs", "api", terminal=False)
    try:
        shutil.rmtree(tmp_path / "logs")
        (tmp_path / "logs").write_text("a file is in the way")
        logger.info("lost")
        said = (await client().get("/health")).json()
        assert said["status"] == "degraded"
        assert "app.log_not_written" in said["problems"]
        (tmp_path / "logs").unlink()
        logger.info("written")
        assert "app.log_not_written" not in (await client().get("/health")).json()["problems"]
    finally:
        logs.close_logs()
