"""What a site's visitor is shown of a conversation, by the numbers of its messages (``messages.sequence``).

Every writer of a message holds the lock of its conversation's row, so who has seen a number has seen all before it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, func, select

from src.db.conversations import MESSAGE
from src.db.statements import CONVERSATIONS, MESSAGES, OUTBOX, rows
from src.model.rows import StoredMessage
from src.model.values import JOINED, LEFT

_C, _M, _Q = CONVERSATIONS.c, MESSAGES.c, OUTBOX.c
_AT_A_TIME = 500


def stored_after(conn: Connection, conversation_id: str, after: int, limit: int) -> list[StoredMessage]:
    """The first ``limit`` messages with a higher number, in their order; deleted ones included."""
    values = {"p_conversation": conversation_id, "p_after": after, "p_limit": limit}
    return rows(conn, _AFTER, MESSAGE, values)


_AFTER = (
    MESSAGE.select.where(
        _M.conversation_id == bindparam("p_conversation"), _M.sequence > bindparam("p_after")
    )
    .order_by(_M.sequence)
    .limit(bindparam("p_limit"))
)


def notes_of(conn: Connection, conversation_id: str) -> list[StoredMessage]:
    """When people of our side took the conversation over and gave it back, in their order."""
    found = MESSAGE.select.where(_M.conversation_id == conversation_id, _M.detail.in_([JOINED, LEFT]))
    return rows(conn, found.order_by(_M.sequence), MESSAGE)


def confidences(conn: Connection, job_ids: Collection[str]) -> dict[str, float | None]:
    """How sure the AI was of each of these replies (our ids)."""
    if not job_ids:
        return {}
    found = conn.execute(select(_Q.id, _Q.confidence).where(_Q.id.in_(list(job_ids))))
    return {row[0]: row[1] for row in found}


def last_numbers(conn: Connection, account: str, names: Sequence[str]) -> dict[str, int]:
    """The number of the message that was stored last, by the conversation's name; left out where there is none."""
    newest = select(func.max(_M.sequence)).where(_M.conversation_id == _C.id).scalar_subquery()
    wanted = select(_C.external_id, newest).where(_C.account == account)
    found: dict[str, int] = {}
    for start in range(0, len(names), _AT_A_TIME):
        some = wanted.where(_C.external_id.in_(names[start : start + _AT_A_TIME]))
        found.update({row[0]: row[1] for row in conn.execute(some) if row[1] is not None})
    return found
