"""What the endpoints share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from src.api.doors import Doors
from src.api.remote.view import RemoteView
from src.api.streams import Streams
from src.db.engine import Database
from src.db.shared_writes import SharedWrites
from src.db.wakeup import Wakeup
from src.model.secrets import NO_SECRETS, Secrets
from src.settings import Settings


@dataclass(frozen=True)
class Context:
    """Made once by ``create_app``."""

    settings: Settings
    db: Database
    wakeup: Wakeup
    doors: Doors
    is_conversation_id: Callable[[str], bool]
    clock: Callable[[], datetime]
    browser_state: Callable[[], str] | None
    writes: SharedWrites
    remote: RemoteView | None = None
    streams: Streams = field(default_factory=Streams)
    secrets: Secrets = NO_SECRETS
