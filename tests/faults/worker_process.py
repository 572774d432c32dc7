"""What runs in the processes that level B kills: the product's real commands, on a site that another process keeps.

The product's parts are passed in: a channel that speaks to that other process, and a database and a channel that
announce each step to it (``point``), so that it can kill or freeze this process exactly there.
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

from src.channels import airbnb
from src.channels.airbnb.settings import AirbnbSettings
from src.channels.base import Place
from src.cli import main as command_line
from src.commands import run
from src.commands.edge import to_the_end
from src.db.engine import Database
from src.model.inbox import SeenConversation
from src.model.retry import Backoff, SendRetries
from src.services import ai_webhook, send
from src.workers.parts import Parts
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


class _BrowserFolder:
    """The real channel, each call of which is announced."""

    SETTINGS = AirbnbSettings
    CAPABILITIES = airbnb.CAPABILITIES
    is_conversation_id = staticmethod(airbnb.is_conversation_id)

    def __init__(self, site: FarSite) -> None:
        self._site = site

    def build(self, settings: AirbnbSettings, place: Place) -> Any:
        channel = airbnb.build(settings, place)
        for name in ("open", "glance", "read", "write", "reread", "press_send", "follow"):
            setattr(channel, name, self._told(name, getattr(channel, name)))
        return channel

    def _told(self, name: str, method: Callable[..., Any]) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            self._site.ask("point", f"before {name}")
            done = await method(*arguments, **named)
            self._site.ask("point", f"after {name}")
            return done

        return call


def _announcing(ask: Callable[..., Any]) -> type[Database]:
    class Told(Database):
        """Announces each transaction's end."""

        @contextmanager
        def write(self, **how: Any) -> Iterator[Any]:
            with super().write(**how) as conn:
                yield conn
                ask("point", "before commit")
            ask("point", "after commit")

    return Told


def _parts(site: FarSite, *, browser: bool) -> Parts:
    soon = SendRetries(Backoff(0.1, 300.0))
    pace = send.Pace(press_within=PRESS_WITHIN_SEC, retries=soon)
    folder: Any = _Folder(site)
    if browser:
        pace = send.Pace(proof=BROWSER_PROOF_SEC, retries=soon)
        folder = _BrowserFolder(site)
    return Parts(
        find_channel=lambda *_: folder,
        make_send=partial(send.Send, pace=pace),
        make_webhook=partial(ai_webhook.AiWebhook, lease=timedelta(seconds=AI_LEASE_SEC)),
        open_database=_announcing(site.ask).open,
    )


COMMANDS: dict[str, Callable[[Parts], int]] = {
    "syncsend": lambda parts: run.run_workers(sync=True, send=True, api=True, parts=parts),
    "sync": lambda parts: run.run_workers(sync=True, send=False, api=False, parts=parts),
    "send": lambda parts: run.run_workers(sync=False, send=True, api=False, parts=parts),
    "api": run.run_api,
}
"""As ``src/cli.py`` has them."""


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
    sys.argv = [str(Path("src") / "main.py"), *arguments]
    if address is None:
        code = command_line()
    else:
        parts = _parts(FarSite(address), browser=browser)
        code = to_the_end(lambda: COMMANDS[arguments[0]](parts))
    sys.stdout.flush()
    os._exit(code)
