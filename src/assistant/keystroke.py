"""The host's secrets for SEND and for all that stores a text: the port ``model.secrets.Secrets`` on the folder."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.errors import SecretWithheld
from src.model.secrets import NO_SECRETS, PLACEHOLDER

if TYPE_CHECKING:
    from src.assistant.knowledge import LiveFolder


class KeystrokeSecrets:
    """The secrets of the knowledge folder, as it is now. Loads nothing while there is no such folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._live: LiveFolder | None = None

    def fill(self, text: str, listing_id: str | None, stay: Mapping[str, Any], now: datetime) -> str:
        """As the port says. The folder is looked at again, so a window that was changed just now counts."""
        if not PLACEHOLDER.search(text):
            return text
        live = self.live()
        if live is None:
            return NO_SECRETS.fill(text, listing_id, stay, now)
        from src.assistant.burst import read_stay  # noqa: PLC0415
        from src.assistant.secrets import NotDue, UnknownPlaceholder, fill  # noqa: PLC0415
        from src.assistant.stay import with_dates  # noqa: PLC0415

        listing = live.current(at_once=True).listing(listing_id)
        try:
            return fill(text, listing, with_dates(read_stay(stay), listing), now)
        except NotDue:
            raise SecretWithheld(reason="secret_not_due") from None
        except UnknownPlaceholder:
            raise SecretWithheld(reason="unknown_placeholder") from None

    def mask(self, text: str, listing_id: str | None) -> str:
        """As the port says. Values that were changed since this process began are masked, too."""
        live = self.live()
        if live is None or not text:
            return text
        from src.assistant.secrets import mask  # noqa: PLC0415

        return mask(text, live.ever_secret(listing_id))

    def live(self) -> LiveFolder | None:
        """The folder; None while there is none. Blocking."""
        with self._lock:
            if self._live is None and self._folder.is_dir():
                # What reads the files takes 50 ms to load, and most who bring an AI of their own have no folder.
                from src.assistant.knowledge import LiveFolder  # noqa: PLC0415

                self._live = LiveFolder(self._folder)
            return self._live
