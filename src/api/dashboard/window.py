"""Until when a reply may go out, where the service allows it only for a time after the person's last message."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from src.account import Account
from src.channels import registry
from src.db import search
from src.db.engine import Connection


def windows(conn: Connection, account: Account, conversation_ids: Collection[str]) -> dict[str, datetime]:
    """When each of these conversations closes, by its id; empty where the service sets no such time."""
    within = registry.find(account.channel).CAPABILITIES.answers_within
    if within is None or not getattr(account.own, "has_window", True) or not conversation_ids:
        return {}
    return {one: heard + within for one, heard in search.last_heard(conn, conversation_ids).items()}
