"""The workers' signs of life, written to the database for `status`, `/health` and the dashboard."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from datetime import datetime

from loguru import logger

from src.db import accounts, starts
from src.db.engine import Database
from src.errors import NightporterError


class Heartbeats:
    """Writes for one account. A database in trouble never stops a worker from here."""

    def __init__(
        self, db: Database, account: str, clock: Callable[[], datetime], *, proof: str = "sync"
    ) -> None:
        """``proof``: the worker whose first good cycle ends the crash-loop count."""
        self._db = db
        self._proof: str | None = proof
        self._account = account
        self._clock = clock

    def started(self, worker: str) -> None:
        """A worker of this process begins. Blocking."""
        with self._db.write() as conn:
            accounts.beat(
                conn,
                self._account,
                worker,
                process_id=os.getpid(),
                hostname=socket.gethostname(),
                now=self._clock(),
                started=True,
            )

    async def cycle(
        self, worker: str, *, outcome: str, seconds: float, ok: bool, rows_seen: int | None = None
    ) -> None:
        """A worker has gone round once; ``rows_seen`` is how many conversations the list showed."""
        await asyncio.to_thread(self._write, worker, outcome, round(seconds * 1000), ok, rows_seen)

    def stopped(self, worker: str) -> None:
        """A worker of this process ends. Blocking; never raises."""
        try:
            with self._db.write() as conn:
                accounts.worker_stopped(
                    conn, self._account, worker, process_id=os.getpid(), now=self._clock()
                )
        except NightporterError as error:
            logger.debug("The end of {} was not noted: {}", worker, error)

    def _write(self, worker: str, outcome: str, duration_ms: int, ok: bool, rows_seen: int | None) -> None:
        try:
            with self._db.write(durable=False) as conn:
                accounts.cycle_done(
                    conn,
                    self._account,
                    worker,
                    outcome=outcome,
                    duration_ms=duration_ms,
                    ok=ok,
                    rows_seen=rows_seen,
                    now=self._clock(),
                )
                if ok and worker == self._proof:
                    starts.clear(conn, self._account)
                    self._proof = None
        except NightporterError as error:
            logger.warning("A cycle of {} was not noted: {}", worker, error)
