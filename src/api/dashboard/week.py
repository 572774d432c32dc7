"""The numbers of the last days, day by day in the host's time zone, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from itertools import pairwise
from statistics import median

from src.api.dashboard.charts import Chart
from src.api.dashboard.memory import Span
from src.db import activity
from src.db.engine import Connection
from src.languages import Language


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on one day."""

    since: datetime
    received: int
    answered: int
    median_sec: float | None
    """Of the replies that were sent, from the guest's message to the proof; None if there were none."""


def read_day(conn: Connection, account: str, span: Span) -> Day:
    """The numbers of one day."""
    times = [seconds for _, seconds in activity.answer_times(conn, account, *span)]
    middle = median(times) if times else None
    return Day(span[0], activity.received(conn, account, *span), len(times), middle)


def last_days(now: datetime, zone: tzinfo, number: int) -> list[Span]:
    """The last days in the host's time zone, oldest first; the last one is today and goes on until tomorrow."""
    today = now.astimezone(zone).date()
    starts = [
        datetime.combine(today - timedelta(days=back), time.min, zone) for back in range(number - 1, -2, -1)
    ]
    return list(pairwise(starts))


def charts_of_week(lang: Language, zone: tzinfo, days: list[Day]) -> list[Chart]:
    """How many messages and answers, and how long the answers took."""
    names = [lang.day(day.since, zone, "EEE") for day in days]
    full = [lang.day(day.since, zone) for day in days]
    received = [float(day.received) for day in days]
    answered = [float(day.answered) for day in days]
    waits = [day.median_sec for day in days]
    counts = [(lang.say("received"), received), (lang.say("answered"), answered)]
    return [
        Chart.of(lang.say("Messages and answers"), names, full, counts, lang.number),
        Chart.of(lang.say("Median time to answer"), names, full, [(lang.say("time"), waits)], lang.duration),
    ]
