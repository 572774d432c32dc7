"""Telling a person, and a dead man's switch: Apprise, a plain webhook, a heartbeat. Never raises, always ends.

What goes out is what ``alert_words`` says: no guest's name, no guest's words, no key. Apprise is loaded only where
NOTIFY_URLS names somebody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
from loguru import logger

from src.errors import SettingsError
from src.logs import safe_error
from src.services.alert_words import Told, Words
from src.services.alerts import Notice
from src.settings import AlertSettings

PATIENCE_SEC = 15.0
"""A service that takes longer is left to its thread."""
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)


def check(settings: AlertSettings) -> None:
    """Raise SettingsError if Apprise does not know an address of NOTIFY_URLS. Sends nothing."""
    problems = [
        f"NOTIFY_URLS: address {number} is not known to Apprise; see https://github.com/caronc/apprise/wiki"
        for number, address in enumerate(settings.alert_addresses, 1)
        if _apprise(address) is None
    ]
    if problems:
        raise SettingsError(problems)


def anybody(settings: AlertSettings) -> bool:
    """Whether there is somebody to tell."""
    return bool(settings.alert_addresses) or settings.alert_webhook_url is not None


def tell(settings: AlertSettings, words: Words, notice: Notice | None, account: str) -> bool:
    """Tell everybody at once; True if at least one took it. ``notice`` None: a test. Blocks up to PATIENCE_SEC."""
    payload = _payload(words, account) | (_of(notice) if notice is not None else {"event": "test"})
    return _tell(settings, words, payload, urgent=notice is not None and notice.urgent)


def tell_together(settings: AlertSettings, words: Words, several: Sequence[Told]) -> bool:
    """The same for several alerts in one, none of which is urgent; in the JSON each stands under ``alerts``."""
    alerts = [
        {"account": one.account, "title": one.words.title, "link": one.words.link, **_of(one.notice)}
        for one in several
    ]
    names = {one.account for one in several}
    payload = _payload(words, names.pop() if len(names) == 1 else None)
    payload |= {"event": "summary", "count": len(alerts), "alerts": alerts}
    return _tell(settings, words, payload, urgent=False)


def _tell(settings: AlertSettings, words: Words, payload: dict[str, Any], *, urgent: bool) -> bool:
    ways: list[tuple[str, Callable[[], bool]]] = [
        (f"address {number} of NOTIFY_URLS", partial(_by_apprise, address, words, urgent=urgent))
        for number, address in enumerate(settings.alert_addresses, 1)
    ]
    if settings.alert_webhook_url is not None:
        url = settings.alert_webhook_url.get_secret_value()
        ways.append(("ALERT_WEBHOOK_URL", partial(_post, url, {**payload, "urgent": urgent})))
    took = _all_bounded([way for _, way in ways], PATIENCE_SEC)
    for (name, _), ok in zip(ways, took, strict=True):
        if not ok:
            logger.warning("An alert was not taken by {}", name)
    return any(took)


def beat(url: str) -> bool:
    """Tell a dead man's switch that the inbox is read. True if it took it. Blocks a few seconds at most."""

    def call() -> bool:
        with _client() as client:
            return client.get(url).is_success

    return bounded(call, PATIENCE_SEC)


def bounded(work: Callable[[], bool], seconds: float) -> bool:
    """What ``work`` returns, or False if it raises or takes longer.

    On a thread that the end of the program does not wait for: a service that hangs must not keep a worker.
    """
    return _all_bounded([work], seconds)[0]


def _all_bounded(works: Sequence[Callable[[], bool]], seconds: float) -> list[bool]:
    """The same for several side by side: one that hangs takes no time from the others."""
    results = [False] * len(works)

    def run(place: int) -> None:
        try:
            results[place] = works[place]()
        except Exception as error:  # noqa: BLE001 (whatever a service makes of it: it is no reason to stop)
            logger.debug("A service that gets alerts: {}", safe_error(error))

    threads = [
        threading.Thread(target=run, args=[place], name="notify", daemon=True) for place in range(len(works))
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return [ok and not thread.is_alive() for ok, thread in zip(results, threads, strict=True)]


def _payload(words: Words, account: str | None) -> dict[str, Any]:
    return {
        "account": account,
        "title": words.title,
        "message": words.text,
        "link": words.link,
        "sent_at": datetime.now(UTC).isoformat(),
    }


def _of(notice: Notice) -> dict[str, Any]:
    return {
        "event": "recovered" if notice.over else "reminder" if notice.again else "alert",
        "kind": str(notice.kind),
        "detail": notice.incidents[0].detail,
        "count": len(notice.incidents),
        "since": min(one.opened_at for one in notice.incidents).isoformat(),
        "incidents": [one.id for one in notice.incidents],
    }


def _client() -> httpx.Client:
    # A proxy of the environment is used: an alert may have to leave a closed network, and carries nothing private.
    return httpx.Client(timeout=_TIMEOUT, follow_redirects=False, headers={"user-agent": "Nightporter"})


def _post(url: str, payload: dict[str, Any]) -> bool:
    with _client() as client:
        return client.post(url, json=payload).is_success


def _by_apprise(address: str, words: Words, *, urgent: bool) -> bool:
    service = _apprise(address)
    if service is None:
        return False
    # Apprise's own words for how grave it is; services show them as a colour, a sign or a priority.
    kind = "failure" if urgent else "info"
    return bool(service.notify(title=words.title, body=f"{words.text}\n{words.link}", notify_type=kind))


def _apprise(address: str) -> Any:
    """The service at an address; None if Apprise knows none of that kind."""
    # Imported here: it takes a third of a second, and most have nobody to tell.
    import apprise  # noqa: PLC0415

    logging.getLogger("apprise").disabled = True  # its lines quote addresses with their keys
    service = apprise.Apprise()
    return service if service.add(address) else None
