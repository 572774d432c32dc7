"""What runs in the processes that level B kills: the product's real commands, on a site that another process keeps.

The only door is here, in the tests: the registry is told of a channel that speaks to that other process, and each
step of the product is announced to it (``point``), so that it can kill or freeze this process exactly there.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from src.channels import registry
from src.channels.airbnb.settings import AirbnbSettings
from src.channels.base import Place
from src.commands import run as _run  # noqa: F401 - loaded here, once, before any process is forked
from src.db.engine import Database
from src.model.inbox import SeenConversation
from src.services import ai_webhook, send
from src.workers import lifecycle
from tests.support.channel import FakeChannel
from tests.support.site import VIEWER, FakeConversation, FakeMessage

PRESS_WITHIN_SEC = 2.0
"""Instead of ten seconds, so that a frozen worker need not be waited for so long."""
AI_LEASE_SEC = 3.0
"""Instead of three minutes: after so long a request is posted again that a killed worker was just posting."""
BROWSER_PROOF_SEC = 4.0
"""Instead of twenty."""


class FarSite:
    """The site of another process, with what a ``FakeChannel`` asks of a ``FakeSite``."""

    viewer_id = VIEWER
    list_complete = True
    stretch = 50

    def __init__(self, address: str) -> None:
        self._line: Connection[Any, Any] = Client(address, "AF_UNIX")
        self._turn = threading.Lock()

    def ask(self, what: str, *details: object) -> Any:
        """One question, one answer; whoever asks for a point may get none, being killed meanwhile."""
        with self._turn:
            self._line.send((what, *details))
            return self._line.recv()

    @property
    def version(self) -> int:
        return int(self.ask("version"))

    @property
    def conversations(self) -> dict[str, FakeConversation]:
        found: dict[str, FakeConversation] = self.ask("conversations")
        return found

    def look(
        self, where: FakeConversation, *, opened: bool = True, oldest: FakeMessage | None = None
    ) -> SeenConversation:
        seen: SeenConversation = self.ask(
            "look", where.external_id, opened, oldest.external_id if oldest else None
        )
        return seen

    def press(self, where: FakeConversation, text: str, shown: SeenConversation | None) -> None:
        self.ask("press", where.external_id, text, shown)


class ToldChannel(FakeChannel):
    """Announces the moments before, in the middle of and after each call."""

    def _strike(self, moment: str, method: str, own: int, number: int) -> None:
        if method != "wait_for_news":
            self.site.ask("point", f"{moment} {method}")  # type: ignore[attr-defined]
        super()._strike(moment, method, own, number)

    async def wait_for_news(self, timeout: float) -> bool:
        await asyncio.sleep(min(timeout, 0.05))
        return await super().wait_for_news(0)


class _Folder:
    """What the registry finds in place of ``src.channels.airbnb``."""

    SETTINGS = AirbnbSettings
    CAPABILITIES = FakeChannel.capabilities

    def __init__(self, site: FarSite) -> None:
        self._site = site

    def build(self, _settings: Any, _place: Place) -> FakeChannel:
        return ToldChannel(self._site)  # type: ignore[arg-type]

    def is_conversation_id(self, external_id: str) -> bool:
        return external_id.startswith("thread-")


def _announce_transactions(ask: Callable[..., Any]) -> None:
    write = Database.write

    @contextmanager
    def told(self: Database) -> Iterator[Any]:
        with write(self) as conn:
            yield conn
            ask("point", "before commit")
        ask("point", "after commit")

    Database.write = told  # type: ignore[method-assign]


def _announce_calls(ask: Callable[..., Any]) -> None:
    """The same for the calls of the real channel."""
    from src.channels.airbnb.channel import AirbnbChannel  # noqa: PLC0415 - only where a browser is driven

    def told(name: str) -> Any:
        method = getattr(AirbnbChannel, name)

        async def call(self: Any, *arguments: Any, **named: Any) -> Any:
            ask("point", f"before {name}")
            done = await method(self, *arguments, **named)
            ask("point", f"after {name}")
            return done

        return call

    for name in ("open", "glance", "read", "write", "reread", "press_send", "follow"):
        setattr(AirbnbChannel, name, told(name))


def main(
    arguments: list[str],
    environment: dict[str, str],
    address: str | None,
    output: str,
    browser: bool = False,
) -> None:
    """Become ``python src/main.py <arguments>`` with this environment. ``address`` None: nothing is announced.

    With ``browser`` the channel is the real one, and the proof is waited for less long.
    """
    os.environ.clear()
    os.environ.update(environment)
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    if address is not None:
        site = FarSite(address)
        pace = send.Pace(press_within=PRESS_WITHIN_SEC, first_retry=0.1)
        if browser:
            pace = send.Pace(proof=BROWSER_PROOF_SEC, first_retry=0.1)
            _announce_calls(site.ask)
        else:
            registry.find = lambda *_: _Folder(site)  # type: ignore[assignment,return-value]
        vars(ai_webhook)["_LEASE"] = timedelta(seconds=AI_LEASE_SEC)
        vars(lifecycle)["Send"] = partial(send.Send, pace=pace)
        _announce_transactions(site.ask)
    sys.argv = [str(Path("src") / "main.py"), *arguments]
    from src.cli import main as command  # noqa: PLC0415 - after the channel was put in its place

    code = command()
    sys.stdout.flush()
    os._exit(code)
