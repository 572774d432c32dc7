"""``/metrics`` for Prometheus: what the database says at this moment, and what this process has counted."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Iterator

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.health import Moment, look
from src.logs import lost_lines
from src.model.incidents import IncidentKind
from src.model.values import AI_WORKER
from src.services.alerts import find

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of this process; a registry of its own, so that several applications can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.callbacks = Counter(
            "nightporter_callbacks", "Calls of the AI's callback", ["result"], registry=self.registry
        )
        self.hooks = Counter(
            "nightporter_hooks",
            "Calls of the services of channels",
            ["account", "result"],
            registry=self.registry,
        )


def metrics_routes(context: Context, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
    async def show(request: Request) -> Response:
        await context.doors.operator(request)
        moment, needs_person = await run_in_threadpool(_look, context)
        moments = CollectorRegistry()
        moments.register(_Once(moment, needs_person))
        return Response(
            generate_latest(metrics.registry) + generate_latest(moments), media_type=_CONTENT_TYPE
        )

    return router


def _look(context: Context) -> tuple[Moment, Counted[IncidentKind]]:
    moment = look(context.db, context.accounts.values(), context.clock())
    with context.db.read() as conn:
        found = [one.kind for account in context.accounts.values() for one in find(conn, account, moment.now)]
    return moment, Counted(found)


class _Once:
    """A collector that tells one moment."""

    def __init__(self, moment: Moment, needs_person: Counted[IncidentKind]) -> None:
        self._moment = moment
        self._needs_person = needs_person

    def collect(self) -> Iterator[Metric]:
        overview, verdicts = self._moment.overview, self._moment.verdicts.values()
        for name, what, counts in (
            ("outbox_jobs", "Replies by status", overview.outbox),
            ("inbox_requests", "Requests to the AI by status", overview.inbox),
        ):
            family = GaugeMetricFamily(f"nightporter_{name}", what, labels=["status"])
            for status, number in counts.items():
                family.add_metric([str(status)], number)
            yield family
        for name, what, value in (
            ("sent_today", "Replies sent this UTC day", overview.sent_today),
            ("received_today", "Guests' messages of this UTC day", overview.received_today),
            ("answered_today", "Requests that the AI answered this UTC day", overview.answered_today),
            ("oldest_request_age_seconds", "Of the open requests", overview.oldest_request_age_sec),
            ("oldest_pending_age_seconds", "Of the replies on their way", overview.oldest_pending_age_sec),
            (
                "oldest_draft_age_seconds",
                "Of the replies that wait for a person",
                overview.oldest_draft_age_sec,
            ),
            ("halted", "1 if a person is needed", any(one.halted for one in verdicts)),
            ("paused", "1 if a person has paused sending", any(one.paused for one in verdicts)),
            ("log_lines_lost", "Log lines of this process that could not be written", lost_lines()),
        ):
            yield GaugeMetricFamily(f"nightporter_{name}", what, value=float(value or 0))
        yield from self._workers()
        if len(verdicts) > 1:
            yield from self._accounts()
        yield from self._incidents()

    def _workers(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "nightporter_worker_beat_age_seconds", "Since the last sign of life", labels=["worker"]
        )
        failures = GaugeMetricFamily(
            "nightporter_worker_failures_in_a_row", "Failed cycles since the last good one", labels=["worker"]
        )
        running = GaugeMetricFamily(
            "nightporter_worker_running", "1 if it was heard of lately and has not ended", labels=["worker"]
        )
        verdicts = self._moment.verdicts.values()  # of several accounts the worst is told
        running.add_metric(["sync"], float(all(one.sync.lives for one in verdicts)))
        running.add_metric(["send"], float(all(one.send.lives for one in verdicts)))
        beats = {
            "sync": [one.sync.beat for one in verdicts],
            "send": [one.send.beat for one in verdicts],
            AI_WORKER: [one.ai for one in verdicts],
        }
        for name, several in beats.items():
            there = [beat for beat in several if beat is not None]
            if there:
                age.add_metric([name], (self._moment.now - min(b.beat_at for b in there)).total_seconds())
                failures.add_metric([name], max(beat.failures_in_a_row for beat in there))
        yield running
        yield age
        yield failures
        read = [one.last_good_at for one in verdicts if one.last_good_at is not None]
        if read:
            yield GaugeMetricFamily(
                "nightporter_last_good_read_age_seconds",
                "Since the inbox was last read well",
                value=(self._moment.now - min(read)).total_seconds(),
            )

    def _accounts(self) -> Iterator[Metric]:
        """What tells several accounts apart."""
        halted = GaugeMetricFamily(
            "nightporter_account_halted", "1 if a person is needed", labels=["account"]
        )
        paused = GaugeMetricFamily(
            "nightporter_account_paused", "1 if a person has paused sending", labels=["account"]
        )
        working = GaugeMetricFamily(
            "nightporter_account_working", "1 if a worker was heard of lately", labels=["account"]
        )
        waiting = GaugeMetricFamily(
            "nightporter_account_outbox_jobs", "Replies by status", labels=["account", "status"]
        )
        for name, verdict in self._moment.verdicts.items():
            halted.add_metric([name], float(verdict.halted))
            paused.add_metric([name], float(verdict.paused))
            working.add_metric([name], float(verdict.short == "working"))
            for status, number in self._moment.overviews[name].outbox.items():
                waiting.add_metric([name, str(status)], number)
        yield from (halted, paused, working, waiting)

    def _incidents(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "nightporter_needs_person",
            "What a person should know now, by kind, as in alerts",
            labels=["kind"],
        )
        for kind in IncidentKind:
            family.add_metric([kind], self._needs_person[kind])
        yield family
