"""Confirmations: asked for by the host's own programs, sent like every reply, answered by nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from loguru import logger

from src.db import conversations, outbox_queue
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.notices import BadNotice, Fill, Value
from src.model.rows import Job
from src.model.values import NOTICE, PERSON, new_id
from src.services.refusals import Malformed


def enqueue_notice(
    db: Database,
    wakeup: Wakeup,
    account: str,
    *,
    fill: Fill,
    template: str,
    to: str,
    data: Mapping[str, Value],
    key: str | None,
    now: datetime,
) -> Job:
    """A job for one confirmation, due at once; its words are made now. Blocks.

    Repeatable by ``key``: the same job again, whatever the rest says; without one, each call is another mail.
    Raises Malformed naming the field.
    """
    try:
        notice = fill(template, data)
    except BadNotice as error:
        raise Malformed(error.field, str(error)) from None
    with db.write() as conn:
        conversation = conversations.ensure_named(conn, account, to, now)
        job, made = outbox_queue.enqueue(
            conn,
            account,
            conversation.id,
            notice.text,
            request_id=None,
            idempotency_key=f"notice:{key or new_id()}",
            approved=True,
            kind=NOTICE,
            written_by=PERSON,
            html=notice.html,
            now=now,
        )
        if made:
            wakeup.notify_in(conn, "outbox")
    if made:
        logger.bind(job_id=job.id).info("A confirmation ({}) is to go out", template)
    return job
