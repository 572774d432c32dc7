"""Which messages of the host's side answer a guest. A holding text only says that the message has arrived."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, exists, not_

from src.db.statements import OUTBOX, alias, literal
from src.model.values import HOLDING, Direction


def is_answer(messages: FromClause) -> ColumnElement[bool]:
    """That a message (of this table or alias) is one of the host's side, and not a holding text of ours."""
    reply = alias(OUTBOX, f"reply_of_{getattr(messages, 'name', 'message')}")
    holding = exists().where(reply.c.id == messages.c.outbox_id, reply.c.kind == HOLDING)
    return and_(messages.c.direction == literal(Direction.OUTBOUND), not_(holding))
