"""What the endpoints share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from src.account import Account
from src.api.doors import Doors
from src.api.remote.view import RemoteView
from src.api.streams import Streams
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.listings import NO_LISTINGS, Listings
from src.model.secrets import NO_SECRETS, Secrets
from src.services.answers import IsConversationId
from src.services.hearing import Hearing
from src.settings import AlertSettings


@dataclass(frozen=True)
class Context:
    """Made once by ``create_app``."""

    settings: AlertSettings
    db: Database
    wakeup: Wakeup
    doors: Doors
    accounts: Mapping[str, Account]
    """By name, in the order of the configuration; never empty."""
    is_conversation_id: IsConversationId
    clock: Callable[[], datetime]
    browser_state: Callable[[], str] | None
    remote: RemoteView | None = None
    streams: Streams = field(default_factory=Streams)
    secrets: Secrets = NO_SECRETS
    listings: Listings = NO_LISTINGS
    """What the host's files say of listings and stays."""
    asked: Mapping[str, Account] = field(default_factory=dict)
    """Every account that is served, by name: those of the configuration, the chat and the mail."""
    hearing: Mapping[str, Hearing] = field(default_factory=dict)
    """The accounts whose service calls us, by name."""
