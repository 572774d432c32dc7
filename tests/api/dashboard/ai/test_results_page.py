"""How the answers did and what they cost, on its page."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from src.api.dashboard.ai.results import last_weeks
from src.db.statements import OUTBOX
from tests.support.api import client, inbox  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.assistant_runs import add_run, with_assistant
from tests.support.dashboard import a_draft, words_of

HERE = "/ai/results"


def became(db, job, **values):
    with db.write() as conn:
        conn.execute(OUTBOX.update().where(OUTBOX.c.id == job.id).values(**values))


async def test_what_became_of_drafts_is_counted_by_topic(client, inbox, db, clock, tmp_path):
    one = client(**with_assistant(tmp_path))
    job = await a_draft(one, inbox)
    became(db, job, topic="parking", judged="unchanged", approved_at=clock())
    add_run(db, clock(), "r1", topic="parking", hold="low_confidence")
    add_run(db, clock(), "r2", topic="wifi", action="escalate", reason="refund")
    add_run(db, clock(), "r3", topic="wifi", kind="replay", action="escalate")
    said = words_of(await one.get(HERE))
    assert "You judged 1 draft: 100 % of them went out as they were." in said
    assert "Parking 1 approved unchanged · 1 held by a check 100 % unchanged" in said
    assert "Wi-Fi 1 left to you" in said
    chosen = words_of(await one.get(f"{HERE}?topic=wifi"))
    assert "By week: Wi-Fi" in chosen
    assert "By week: " not in words_of(await one.get(f"{HERE}?topic=moon"))


async def test_what_went_out_without_a_person_is_counted_apart(client, inbox, db, clock):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    became(db, job, topic=None, status="sent", processed_at=clock())
    assert "Everything else 1 sent without you" in words_of(await one.get(HERE))


async def test_tokens_and_cost_stand_against_the_budget_of_the_day(client, db, clock, tmp_path):
    one = client(**with_assistant(tmp_path, assistant_tokens_day=5_000))
    add_run(db, clock(), "r1")
    add_run(db, clock() - timedelta(days=1), "r2")
    said = words_of(await one.get(HERE))
    assert "Today 1,000 of 5,000 tokens." in said
    assert "The last 14 days cost US$0.0042." in said
    assert "used up" not in said
    add_run(db, clock(), "r3", kind="try", prompt_tokens=4_000, completion_tokens=0, cost=None)
    assert "The budget is used up" in words_of(await one.get(HERE))


async def test_a_service_that_does_not_say_the_cost_is_said_not_to(client, db, clock, tmp_path):
    add_run(db, clock(), "r1", cost=None)
    said = words_of(await client(**with_assistant(tmp_path)).get(HERE))
    assert "The model service does not say what they cost." in said
    assert "Cost by day" not in said


async def test_with_another_ai_there_is_no_word_of_tokens(client):
    said = words_of(await client().get(HERE))
    assert "Nothing was answered in this time." in said
    assert "tokens" not in said


def test_weeks_begin_on_monday_in_the_hosts_time_zone():
    paris = ZoneInfo("Europe/Paris")
    weeks = last_weeks(datetime(2027, 3, 28, 22, 30, tzinfo=UTC), paris, 2)  # Monday already, in summer time
    assert [begin.isoformat() for begin, _ in weeks] == [
        "2027-03-22T00:00:00+01:00",
        "2027-03-29T00:00:00+02:00",
    ]
    assert weeks[0][1] == weeks[1][0]
