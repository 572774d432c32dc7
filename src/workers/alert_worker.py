"""The clock around alerts and the heartbeat. It runs beside the workers and never stops or slows one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from loguru import logger

from src.account import Account
from src.db.engine import Database
from src.logs import safe_error
from src.model.retry import WORKER
from src.model.values import utc_now
from src.services import alert_words, alerts, notify
from src.services.status import Intervals, read_verdict
from src.settings import AlertSettings
from src.workers import waits
from src.workers.loop import Loop

LOOK_EVERY_SEC = 15.0
HEARTBEAT_EVERY = timedelta(seconds=60)
LAST_LOOK_SEC = 35.0


class AlertWorker:
    """Tells of incidents, and beats while the inbox is really read. Nothing that it meets gets out of it."""

    def __init__(
        self,
        settings: AlertSettings,
        accounts: Sequence[Account],
        db: Database,
        *,
        heartbeat: bool,
        clock: Callable[[], datetime] = utc_now,
        every: float = LOOK_EVERY_SEC,
    ) -> None:
        """``heartbeat``: this process has the SYNC worker, so that it is the one to beat."""
        self._settings = settings
        self._accounts = accounts
        self._db = db
        self._clock = clock
        self._every = every
        self._wants_alerts = notify.anybody(settings)
        url = settings.heartbeat_url if heartbeat else None
        self._heartbeat = url.get_secret_value() if url else None
        self._beaten_at: datetime | None = None
        self._beats_failed = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until stopped. Ends at once then: what is being told is left to its thread."""
        if not (self._wants_alerts or self._heartbeat):
            await stop.wait()
            return
        loop = Loop(self._in_thread, backoff=WORKER)
        await waits.until_stop(loop.run(stop), stop)

    async def _in_thread(self, _stop: asyncio.Event) -> float:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def look() -> None:
            self.run_once()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        # A daemon thread of its own: the loop's executor is waited for when the program ends.
        threading.Thread(target=look, name="alerts", daemon=True).start()
        await done.wait()
        return self._every

    def run_once(self) -> None:
        """One look. Blocking; never raises."""
        try:
            if self._wants_alerts:
                self._tell()
            if self._heartbeat is not None:
                self._beat(self._heartbeat)
        except Exception as error:  # noqa: BLE001 (an alert that fails is no reason to fail for anything else)
            logger.warning("Alerts could not be seen to this time: {}", safe_error(error))

    def _tell(self) -> None:
        could_wait: list[alert_words.Told] = []
        for account in self._accounts:
            try:
                could_wait += self._tell_of(account)
            except Exception as error:  # noqa: BLE001 (the other accounts are told of, too)
                logger.warning("Alerts of {} could not be seen to: {}", account.name, safe_error(error))
        if len(could_wait) == 1:
            self._tell_one(could_wait[0])
        elif could_wait:
            words = alert_words.words_for_several(could_wait, self._settings)
            taken = notify.tell_together(self._settings, words, could_wait)
            self._note([one.notice for one in could_wait], taken=taken)

    def _tell_of(self, account: Account) -> list[alert_words.Told]:
        """What is left to be told together with other alerts: with quiet hours, all that could wait."""
        now = self._clock()
        alerts.take_note(self._db, account, now)
        quiet = alerts.quiet_until(self._settings, now) is not None
        several = sum(one.counts for one in self._accounts) > 1 or not account.counts
        found = [
            alert_words.Told(notice, self._words(notice, account, several=several), account.name)
            for notice in alerts.due(self._db, account.name, now, quiet=quiet)
        ]
        together = [one for one in found if self._settings.quiet_hours and not one.notice.crosses]
        for one in found:
            if one not in together:
                self._tell_one(one)
        return together

    def _words(self, notice: alerts.Notice, account: Account, *, several: bool) -> alert_words.Words:
        return alert_words.words_for(notice, self._settings, channel=account.channel, one_of_several=several)

    def _tell_one(self, one: alert_words.Told) -> None:
        taken = notify.tell(self._settings, one.words, one.notice, one.account)
        self._note([one.notice], taken=taken)

    def _note(self, notices: list[alerts.Notice], *, taken: bool) -> None:
        """How telling went: the next time is in the database."""
        if not taken:
            alerts.not_told(self._db, notices, self._clock())
            return
        repeat_after = timedelta(hours=self._settings.alert_repeat_hours)
        alerts.told(self._db, notices, self._clock(), repeat_after=repeat_after)
        for notice in notices:
            logger.info("Alert: {} ({})", notice.kind, "over" if notice.over else len(notice.incidents))

    def _beat(self, url: str) -> None:
        now = self._clock()
        if self._beaten_at is not None and now - self._beaten_at < HEARTBEAT_EVERY:
            return
        if not self._is_read(now):
            return
        self._beaten_at = now
        if notify.beat(url):
            self._beats_failed = 0
        else:
            self._beats_failed += 1
            if self._beats_failed == 1:
                logger.warning("The heartbeat was not taken by HEARTBEAT_URL")

    def _is_read(self, now: datetime) -> bool:
        """A process that only runs does not beat; one that read the inbox lately does, also while paused."""
        counted = [one for one in self._accounts if one.counts and not one.is_called_for]
        with self._db.read() as conn:
            return bool(counted) and all(
                read_verdict(conn, account.name, Intervals.of(account.settings), now).read_lately
                for account in counted
            )


def tell_of_the_end(settings: AlertSettings, accounts: Sequence[Account], db: Database) -> None:
    """A last look before a process ends at a halt, so that the alert does not wait for another one. Bounded."""
    if not notify.anybody(settings):
        return
    worker = AlertWorker(settings, accounts, db, heartbeat=False)

    def look() -> bool:
        worker.run_once()
        return True

    notify.bounded(look, LAST_LOOK_SEC)
