"""What settling an answer needs, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from loguru import logger

from src.account import Account
from src.channels import registry
from src.db import accounts as account_rows
from src.db.engine import Connection, after_commit
from src.db.wakeup import Wakeup
from src.model.rows import StoredConversation
from src.model.secrets import Secrets
from src.model.values import ReplyMode

IsConversationId = Callable[[str, str], bool]
"""Whether a channel (its name) could have a conversation of this id."""


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What settling an answer needs."""

    wakeup: Wakeup
    accounts: Mapping[str, Account]
    is_conversation_id: IsConversationId
    now: datetime
    secrets: Secrets


def mode_of(conn: Connection, context: AnswerContext, conversation: StoredConversation) -> ReplyMode:
    default = ReplyMode(context.accounts[conversation.account].settings.reply_mode)
    return account_rows.mode_for(
        conn, conversation.account, conversation.id, conversation.listing_id, default
    )


def shown_id(context: AnswerContext, conversation: StoredConversation) -> str:
    """The conversation's name in the log: ours, where the remote's is a person's number or address."""
    channel = registry.find(context.accounts[conversation.account].channel)
    return conversation.id if channel.CAPABILITIES.ids_are_personal else conversation.external_id


def say_after_commit(conn: Connection, level: str, line: str, **about: str | None) -> None:
    """A log line that is written only if the transaction is committed."""
    after_commit(conn, lambda: logger.bind(**about).log(level, line))
