"""Whether people are told that an AI answers, and the sentence that tells them where we say it ourselves."""

from __future__ import annotations

from src.account import WIDGET, Account
from src.db import accounts, outbox_views
from src.db.engine import Connection
from src.model.disclosure import default_text


def is_disclosed(conn: Connection, account: Account) -> bool:
    """Whether people are told. A label of the app counts once its owner has confirmed that it is shown.

    The widget shows one itself.
    """
    if account.channel == WIDGET:
        return True
    if account.disclosure == "label":
        state = accounts.find(conn, account.name)
        return state is not None and state.disclosed_at is not None
    return account.disclosure is not None


def lacks_confirmation(conn: Connection, account: Account) -> bool:
    """Whether ``disclosure = "label"`` stands there, and nobody has confirmed yet that people see it."""
    return account.disclosure == "label" and not is_disclosed(conn, account)


def with_disclosure(conn: Connection, account: Account, conversation_id: str, text: str) -> str:
    """The text as it goes out: the first that we ever write in a conversation says that an AI answers.

    Only with ``disclosure = "first_message"``. What was pressed counts as written, also without proof.
    """
    if account.disclosure != "first_message" or outbox_views.was_ever_pressed(conn, conversation_id):
        return text
    sentence = getattr(account.own, "disclosure_text", None) or default_text(text)
    return text if text.startswith(sentence) else f"{sentence}\n\n{text}"
