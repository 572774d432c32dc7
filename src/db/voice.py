"""What the host's side has written itself: whole messages, and drafts that a person changed. Read-only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select

from src.db.statements import CONVERSATIONS, MESSAGES, OUTBOX, Unindexed, literal
from src.model.stages import stage_of
from src.model.values import Direction

_C, _M, _O = CONVERSATIONS.c, MESSAGES.c, OUTBOX.c
_PEOPLE = ("host", "team")


@dataclass(frozen=True, slots=True)
class HostText:
    """A text that a person of the host's side wrote. Values of secrets are placeholders in it."""

    text: str
    guest_name: str | None
    """Of the conversation: whom the text may name."""
    stage: str
    """Of the stay as it is now (``model/stages.py``)."""


def host_texts(
    conn: Connection, account: str, listing_id: str, *, but: str, since: datetime, until: datetime, limit: int
) -> list[HostText]:
    """Those of a listing's conversations (the site's ids), newest first. ``but``: not of this conversation."""
    wanted = (
        select(_M.text, _C.guest_name, _C.stay)
        .select_from(
            MESSAGES.join(CONVERSATIONS, _C.id == _M.conversation_id).outerjoin(
                OUTBOX, OUTBOX.c.id == _M.outbox_id
            )
        )
        .where(
            _C.account == account,
            _C.listing_id == listing_id,
            _C.external_id != but,
            _M.direction == literal(Direction.OUTBOUND),
            _M.sent_at >= since,
            _M.sent_at <= until,
            _M.text.is_not(None),
            _M.deleted_at.is_(None),
            _M.purged_at.is_(None),
            or_(_M.origin.in_(_PEOPLE), _O.drafted_text.is_not(None)),
        )
        .order_by(Unindexed(_M.sent_at).desc())
        .limit(limit)
    )
    return [
        HostText(row.text, row.guest_name, stage_of(json.loads(row.stay or "{}")))
        for row in conn.execute(wanted)
    ]
