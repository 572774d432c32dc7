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
    moment = look(context.db, context.settings, context.clock())
    with context.db.read() as conn:
        found = find(conn, context.settings, moment.now)
    return moment, Counted(one.kind for one in found)


class _Once:
    """A collector that tells one moment."""

    def __init__(self, moment: Moment, needs_person: Counted[IncidentKind]) -> None:
        self._moment = moment
        self._needs_person = needs_person

    def collect(self) -> Iterator[Metric]:
        overview, verdict = self._moment.overview, self._moment.verdict
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
            ("halted", "1 if a person is needed", verdict.halted),
            ("paused", "1 if a person has paused sending", verdict.paused),
            ("log_lines_lost", "Log lines of this process that could not be written", lost_lines()),
        ):
            yield GaugeMetricFamily(f"nightporter_{name}", what, value=float(value or 0))
        yield from self._workers()
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
        verdict = self._moment.verdict
        for name, worker in (("sync", verdict.sync), ("send", verdict.send)):
            running.add_metric([name], float(worker.lives))
        beats = {"sync": verdict.sync.beat, "send": verdict.send.beat, AI_WORKER: verdict.ai}
        for name, beat in beats.items():
            if beat is not None:
                age.add_metric([name], (self._moment.now - beat.beat_at).total_seconds())
                failures.add_metric([name], beat.failures_in_a_row)
        yield running
        yield age
        yield failures
        if verdict.last_good_at is not None:
            read = (self._moment.now - verdict.last_good_at).total_seconds()
            yield GaugeMetricFamily(
                "nightporter_last_good_read_age_seconds", "Since the inbox was last read well", value=read
            )

    def _incidents(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "nightporter_needs_person",
            "What a person should know now, by kind, as in alerts",
            labels=["kind"],
        )
        for kind in IncidentKind:
            family.add_metric([kind], self._needs_person[kind])
        yield family
