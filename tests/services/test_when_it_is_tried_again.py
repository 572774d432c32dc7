"""The pauses as the rows get them: what a person waits for, whichever module says how long."""

import asyncio
from datetime import timedelta

import pytest

from src.db import incidents
from src.errors import ComposerBusy, NotPressed, TransientError
from src.model.asking import Asked
from src.model.incidents import Found, IncidentKind
from src.model.statuses import OutboxStatus
from src.services import alerts
from src.services.late_answers import LateAnswers
from tests.support.house import ACCOUNT

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def pauses_of_reply(house, where, error):
    """Seconds from each try to the next, and why it is held in the end."""
    job = house.reply_for(where, "Yes, there is a cot.")
    pauses: list[float] = []
    rows = house.send._rows
    for _ in range(50):
        (claimed,) = rows.claim()
        rows.write_back(claimed, error)
        now = house.job(job)
        if now.status is not OutboxStatus.PENDING:
            return pauses, now.reason
        pauses.append((now.due_at - house.clock()).total_seconds())
        house.clock.advance(pauses[-1])
    raise AssertionError("It was never held.")


@on_sqlite
@pytest.mark.parametrize(
    ("error", "pauses", "reason"),
    [
        (TransientError(), [5, 10, 20, 40], "could_not_be_sent"),
        (NotPressed(), [5, 10, 20, 40], "could_not_be_sent"),
        (ComposerBusy(), [60] * 9, "composer_busy"),
    ],
    ids=["transient", "not pressed", "busy"],
)
def test_a_reply_is_tried_again_after_these_seconds(house, error, pauses, reason):
    where = house.site.conversation("Is there a cot?")
    assert pauses_of_reply(house, where, error) == (pauses, reason)


@on_sqlite
def test_a_reply_that_the_remote_wants_later_is_tried_as_often_as_that_takes(house):
    job = house.reply_for(house.site.conversation("Is there a cot?"), "Yes, there is a cot.")
    for _ in range(50):
        (claimed,) = house.send._rows.claim()
        house.send._rows.write_back(claimed, NotPressed(retry_after=7.0))
        waits = house.job(job)
        assert (waits.status, waits.attempts) == (OutboxStatus.PENDING, 0)
        assert (waits.due_at - house.clock()).total_seconds() == 7
        house.clock.advance(7)


@on_sqlite
def test_an_alert_that_nobody_takes_is_tried_again_after_these_minutes(house, db, clock):
    with db.write() as conn:
        found = Found(IncidentKind.UNCONFIRMED, "job")
        incidents.opened(conn, ACCOUNT, found, tell_at=clock(), now=clock())
    minutes = []
    for _ in range(9):
        (notice,) = alerts.due(db, ACCOUNT, clock())
        alerts.not_told(db, [notice], clock())
        with db.read() as conn:
            (one,) = incidents.open_ones(conn, ACCOUNT)
        minutes.append((one.tell_at - clock()) / timedelta(minutes=1))
        clock.advance(minutes[-1] * 60)
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_a_question_no_model_answers_is_asked_again_after_these_seconds(monkeypatch):
    answers = [*[Asked(None, "later")] * 7, Asked(None, "later", 33.0), Asked({"message": "Yes."})]

    class Assistant:
        async def respond(self, _):
            return answers.pop(0)

        async def keep_words(self, _):
            pass

        async def drop_words(self, _):
            over.set()

        async def kept_words(self):
            return [{"request_id": "r-1", "callback_url": "http://127.0.0.1:9/"}]

    async def hand_in(*_):
        return True

    pauses, over = [], asyncio.Event()

    async def note(seconds):
        pauses.append(seconds)

    monkeypatch.setattr("src.services.late_answers.asyncio.sleep", note)
    late = LateAnswers(Assistant(), hand_in)
    await late.take_up()
    await over.wait()
    assert pauses == [5, 10, 20, 40, 80, 120, 120, 33]
    await late.close()
