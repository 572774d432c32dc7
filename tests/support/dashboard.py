"""What the tests of the pages share: a draft, a form as a browser sends it, the words of a page."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

from src.db import accounts, outbox_queue
from src.model.statuses import OutboxStatus
from tests.support.api import ACCOUNT, body, thread_id

HERE = f"/conversations/{quote(thread_id(), safe='')}"


async def a_draft(one, inbox, *texts, **fields):
    request = inbox.waiting("", *texts, **fields)
    assert (await one.post(inbox.url(request), json=body())).status_code == 200
    return inbox.jobs()[0]


async def form_of(one, path):
    """What a browser would send with every form of this page."""
    page = await one.get(path)
    return {"form_token": re.findall(r'name="form_token" value="(\w+)"', page.text)[0], "next": path}


async def press(one, job, move, path="/outbox", **fields):
    return await one.post(f"/outbox/{job.id}/{move}", data={**await form_of(one, path), **fields})


def words_of(page):
    """The text of a page as a person reads it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.text)))


def at_work(db, clock, *workers):
    """These workers have just gone round, by default SYNC and SEND."""
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
        for worker in workers or ("sync", "send"):
            accounts.beat(conn, ACCOUNT, worker, process_id=1, hostname="h", now=clock(), started=True)
            accounts.cycle_done(
                conn, ACCOUNT, worker, outcome="0 changed", duration_ms=5, ok=True, now=clock()
            )


def in_state(db, clock, job, state):
    """Bring a pending reply to where a worker would have brought it."""
    with db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())
        if state == "failed":
            return outbox_queue.failed(conn, job.id, "no_such_conversation", clock())
        outbox_queue.arm(conn, job.id, "w", after_external_id=None, now=clock())
        if state == "sent":
            seen = ("theirs-1", "Oui, bien  sûr.")
            return outbox_queue.sent(conn, job.id, [OutboxStatus.PROCESSING], *seen, clock())
        return outbox_queue.unconfirmed(conn, job.id, "no_proof", clock())
