"""``/ai/results``: how the answers did, by topic and week, and what they cost, by day against the budget."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.ai import words
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.charts import Chart
from src.api.dashboard.memory import Remembered, Span
from src.api.dashboard.page import Page, open_page, page_routes
from src.db import results
from src.db.engine import Connection
from src.db.results import ALONE, ESCALATED, HELD, Counts, Spent
from src.languages import Language

HERE = "/ai/results"
WEEKS, TOLD_WEEKS, DAYS = 8, 4, 14
BECAME = ("unchanged", "edited", "rewritten", "rejected", ALONE, HELD, ESCALATED)
_JUDGED = BECAME[:4]
_DRAWN = (("unchanged", ALONE), ("edited", "rewritten", "rejected"), (HELD, ESCALATED))


@dataclass(frozen=True, slots=True)
class TopicLine:
    """What became of a topic's answers in the last weeks."""

    code: str
    name: str
    counts: Counter[str]

    @property
    def judged(self) -> int:
        """How many drafts a person judged."""
        return sum(self.counts[one] for one in _JUDGED)


def result_pages(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))
    weeks: dict[str, Remembered[Counts]] = defaultdict(Remembered)
    days: Remembered[Spent] = Remembered()

    @router.get(HERE)
    async def show(request: Request) -> Response:
        page = await open_page(context, request)
        return page.show(
            "ai/results.html", **await run_in_threadpool(_read, page, side, weeks[page.account.name], days)
        )

    return router


def last_weeks(now: datetime, zone: tzinfo, number: int) -> list[Span]:
    """The last weeks in the host's time zone, from Monday, oldest first; the last one goes on."""
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    starts = [
        datetime.combine(monday - timedelta(weeks=back), time.min, zone) for back in range(number - 1, -2, -1)
    ]
    return list(pairwise(starts))


def _read(
    page: Page, side: AiSide, known_weeks: Remembered[Counts], known_days: Remembered[Spent]
) -> dict[str, Any]:
    account, lang = page.account.name, page.lang
    weeks = last_weeks(page.now, page.zone, WEEKS)
    midnight = page.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    spans = [(day, day + timedelta(days=1)) for day in days]
    payers = {*page.context.accounts, *page.context.asked}
    with page.context.db.read() as conn:
        by_week = known_weeks.of(weeks, page.now, lambda week: _count(conn, account, week))
        spent = known_days.of(spans, page.now, lambda day: results.spent(conn, payers, *day))
    topics = _topics(lang, by_week[-TOLD_WEEKS:])
    asked = page.request.query_params.get("topic", "")
    chosen = asked if any(one.code == asked for one in topics) else None
    total = sum((one.counts for one in topics), Counter[str]())
    return {
        "topics": topics,
        "total": total,
        "judged": sum(total[one] for one in _JUDGED),
        "chosen": chosen,
        "chosen_name": words.topic(lang, chosen) if chosen is not None else None,
        "weeks": _weeks(lang, page.zone, weeks, by_week, chosen),
        "money": _money(lang, days, spent) if page.has_assistant else [],
        "today": spent[-1],
        "fortnight": [day.cost for day in spent if day.cost is not None],
        "budget": side.settings.assistant_tokens_day,
        "told_weeks": TOLD_WEEKS,
        "became": BECAME,
    }


def _count(conn: Connection, account: str, week: Span) -> Counts:
    """What became of the answers of a week, by persons and by the assistant itself."""
    return {**results.judged(conn, account, *week), **results.left(conn, account, *week)}


def _topics(lang: Language, weeks: Iterable[Counts]) -> list[TopicLine]:
    """The topics that there was anything about, the most asked first."""
    found: dict[str, Counter[str]] = {}
    for (topic, what), number in (pair for week in weeks for pair in week.items()):
        code = topic if topic in words.TOPICS else "other"
        found.setdefault(code, Counter())[what] += number
    lines = [TopicLine(code, words.topic(lang, code), counts) for code, counts in found.items()]
    return sorted(lines, key=lambda one: (-one.counts.total(), one.name))


def _weeks(
    lang: Language,
    zone: tzinfo,
    weeks: list[Span],
    by_week: list[Counts],
    topic: str | None,
) -> Chart:
    """Three bars a week: good as it was, changed by a person, left to a person."""
    titles = (lang.say("good as it was"), lang.say("changed or rejected"), lang.say("held or left to you"))
    series = [
        (title, [float(_sum(week, kinds, topic)) for week in by_week])
        for title, kinds in zip(titles, _DRAWN, strict=True)
    ]
    names = [lang.day(begin, zone, "d MMM") for begin, _ in weeks]
    full = [lang.say("week from %(day)s", day=lang.day(begin, zone, "d MMMM")) for begin, _ in weeks]
    return Chart.of(lang.say("Answers by week"), names, full, series, lang.number)


def _sum(week: Counts, kinds: Iterable[str], topic: str | None) -> int:
    def fits(code: str) -> bool:
        return topic is None or (code if code in words.TOPICS else "other") == topic

    return sum(number for (code, what), number in week.items() if what in kinds and fits(code))


def _money(lang: Language, days: list[datetime], spent: list[Spent]) -> list[Chart]:
    """Tokens by day, and dollars where the service says them. Days are those of the budget: UTC."""
    names = [lang.day(day, UTC, "d") for day in days]
    full = [lang.day(day, UTC) for day in days]
    tokens: list[float | None] = [float(day.tokens) for day in spent]
    charts = [Chart.of(lang.say("Tokens by day"), names, full, [(lang.say("tokens"), tokens)], lang.number)]
    costs = [day.cost for day in spent]
    if any(costs):
        charts.append(
            Chart.of(lang.say("Cost by day"), names, full, [(lang.say("cost"), costs)], lang.dollars)
        )
    return charts
