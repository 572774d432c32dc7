"""The other end of ``worker_process.py``: keeps the site, answers, and kills or freezes whoever speaks at a point."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

from src.model.values import utc_now
from tests.support.site import FakeSite

AtPoint = Callable[[str, int], None]
"""Given the point's name and its number, counted from 1 over the process; runs before the process may go on."""


class SiteServer:
    """One site and at most a few processes that use it. ``points`` are what they announced, in order."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "site")
        Path(self.address).unlink(missing_ok=True)
        self.turn = threading.RLock()
        """Held while the site is used; people take it too."""
        self.site = FakeSite(utc_now)
        self.points: list[str] = []
        self.at_point: AtPoint = lambda _name, _number: None
        self._listener = Listener(self.address, "AF_UNIX")
        threading.Thread(target=self._accept, daemon=True).start()

    def set_anew(self, at_point: AtPoint) -> None:
        """A process is about to start; this happens at its points."""
        with self.turn:
            self.points = []
            self.at_point = at_point

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                line = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: Connection[Any, Any]) -> None:
        try:
            while True:
                what, *details = line.recv()
                with self.turn:
                    answer = getattr(self, f"_{what}")(*details)
                line.send(answer)
        except (EOFError, OSError):  # it was killed, or ended
            return
        finally:
            line.close()

    # --- what may be asked -------------------------------------------------------------------------------------

    def _version(self) -> int:
        return self.site.version

    def _conversations(self) -> Any:
        return dict(self.site.conversations)

    def _look(self, external_id: str, opened: bool, oldest: str | None) -> Any:
        where = self.site.conversations[external_id]
        first = next((m for m in where.messages if m.external_id == oldest), None)
        return self.site.look(where, opened=opened, oldest=first)

    def _press(self, external_id: str, text: str, shown: Any) -> None:
        self.site.press(self.site.conversations[external_id], text, shown)

    def _point(self, name: str) -> None:
        self.points.append(name)
        self.at_point(name, len(self.points))


def kill(process_id: int | None) -> None:
    """Kill -9."""
    assert process_id
    os.kill(process_id, signal.SIGKILL)
