"""Takes due requests out of ``queue_inbox`` and posts them to the AI.

    pending ─▶ processing ─▶ POST ─┬─ 2xx ──────────────────────▶ waiting   (answered, if the body has the answer)
                                   ├─ 408 425 429 3xx 5xx, none ─▶ pending   again at a later due_at
                                   └─ any other 4xx ─────────────▶ failed

Nothing is kept in memory between two tries, so a restart loses none. Posting twice is harmless: the request id is
the same, and the first answer closes the request.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
from loguru import logger
from pydantic import SecretStr

from src.account import Account
from src.db import accounts as account_rows
from src.db import conversations, inbox_queue
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.errors import StaleJob
from src.model.listings import NO_LISTINGS, Listings
from src.model.retry import AI
from src.model.rows import Request
from src.model.secrets import NO_SECRETS, Secrets
from src.model.statuses import CancelReason, InboxStatus
from src.model.values import AI_WORKER, ReplyMode, utc_now
from src.services import tokens
from src.services.ai_claims import Claims
from src.services.ai_exchange import (
    CALLBACK_PATH,
    Response,
    build_payload,
    parse_answer,
    readable,
    seconds_asked_for,
)
from src.services.answers import IsConversationId, take_answer
from src.services.askers import Asker
from src.services.disclosing import is_disclosed
from src.services.http_asker import HttpAsker
from src.services.refusals import Conflict, Malformed
from src.services.transcribing import VoiceNotes

_LOOK_SEC = 0.5
"""While some are being posted and there is room for more, what becomes due is looked for so often."""
_NOTE_EVERY_SEC = 1.0
LEASE = timedelta(seconds=30)
"""The lease of a request. A living process renews it; after a death the request is taken back."""


class AiWebhook:
    """For all accounts together, fair: while others wait, none has more than half of what is posted at a time.

    The clock around it calls ``run_once`` when ``next_event_at`` is past. It also expires what is overdue and takes
    back what a dead process held.
    """

    def __init__(
        self,
        db: Database,
        wakeup: Wakeup,
        accounts: Mapping[str, Account],
        *,
        callback_base_url: str,
        secret: SecretStr | None,
        owner: str,
        is_conversation_id: IsConversationId,
        at_once: int = 8,
        is_at_work: Callable[[str], bool] = lambda _: True,
        clock: Callable[[], datetime] = utc_now,
        rng: random.Random | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        lease: timedelta = LEASE,
        askers: Mapping[str, Asker] | None = None,
        secrets: Secrets = NO_SECRETS,
        listings: Listings = NO_LISTINGS,
        voice: VoiceNotes | None = None,
    ) -> None:
        """``is_at_work`` says of an account's name whether its AI is to be asked now: not while it is halted.

        ``at_once``: how many posts at a time. Of several accounts one has at most half of them while others wait,
        and at most all but one while nobody does: who comes next need not wait for a slow AI of another account.
        ``askers`` by account: the built-in assistant of those that have no webhook. ``voice`` writes voice messages
        down before an AI is asked.
        """
        self._voice = voice
        self._db = db
        self._wakeup = wakeup
        self._accounts = accounts
        self._callback_base_url = callback_base_url
        self._owner = owner
        self._is_conversation_id = is_conversation_id
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - it only spreads retries
        self._askers: dict[str, Asker] = {}
        for account in accounts.values():
            url = account.settings.ai_webhook_url
            if account.ai == "webhook" and url is not None:
                self._askers[account.name] = HttpAsker(url.get_secret_value(), secret, clock, transport)
            elif askers is not None and account.name in askers:
                self._askers[account.name] = askers[account.name]
        self._noted_good: dict[str, float] = {}
        """When (``time.monotonic()``) a success was last noted, by account. None after a failure."""
        self._lease = lease
        self._secrets = secrets
        self._listings = listings
        self._claims = Claims(
            db,
            [account for account in accounts.values() if account.name in self._askers],
            owner=owner,
            at_once=at_once,
            is_at_work=is_at_work,
            in_process=[name for name, asker in self._askers.items() if asker.in_process],
            lease=lease,
            clock=clock,
        )

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        for asker in self._askers.values():
            await asker.close()

    async def next_event_at(self) -> datetime | None:
        """When a request becomes due, loses its lease or expires next, maybe in the past; None if none will.

        The first time it takes back what a dead process held in hand for an AI that lives in the process.
        """
        return await asyncio.to_thread(self._claims.next_event_at)

    async def run_once(self) -> Counter[str]:
        """Expire what is overdue and post all that is due, a few at a time. Returns how many of each account.

        Cancelling it gives back what is in hand. Raises ``TransientError`` for the database; repeatable.
        """
        posted: Counter[str] = Counter()
        if not self._claims.asked():
            return posted
        await asyncio.to_thread(self._claims.tidy)
        in_hand: dict[asyncio.Task[None], Request] = {}
        renewed = time.monotonic()
        try:
            while True:
                of_account = Counter(request.account for request in in_hand.values())
                for request in await asyncio.to_thread(self._claims.claim, of_account, first=not in_hand):
                    in_hand[asyncio.create_task(self._handle(request))] = request
                if not in_hand:
                    return posted
                done, _ = await asyncio.wait(in_hand, timeout=_LOOK_SEC, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    posted[in_hand.pop(task).account] += 1
                for task in done:
                    task.result()
                if in_hand and time.monotonic() - renewed > self._lease.total_seconds() / 3:
                    renewed = time.monotonic()
                    await asyncio.to_thread(self._claims.renew, [request.id for request in in_hand.values()])
        finally:
            for task in in_hand:
                task.cancel()
            await asyncio.gather(*in_hand, return_exceptions=True)

    # --- one request -------------------------------------------------------------------------------------

    async def _handle(self, request: Request) -> None:
        about = logger.bind(request_id=request.id)
        try:
            if self._voice is not None and not await self._voice.write_down(request):
                return
            payload = await asyncio.to_thread(self._payload, request)
            if payload is not None:
                response = await self._askers[request.account].ask(payload, request.id)
                await asyncio.to_thread(self._settle, request, response, payload["conversation_id"])
        except StaleJob:
            about.debug("the request was settled by others meanwhile")
        except asyncio.CancelledError:
            await asyncio.to_thread(self._claims.give_back, request)
            raise

    def _payload(self, request: Request) -> dict[str, Any] | None:
        """What the AI gets; None if the request was cancelled because it is not to be asked any more."""
        with self._db.read() as conn:
            conversation = conversations.get(conn, request.conversation_id)
            own = [m for m in conversations.messages_of_request(conn, request.id) if readable(m)]
            account = self._accounts[request.account]
            most = account.settings.history_messages
            others = conversations.messages_of(conn, conversation.id, 2 * most + len(own))
            disclosed = is_disclosed(conn, account)
            default = ReplyMode(account.settings.reply_mode)
            mode = account_rows.mode_for(
                conn, request.account, conversation.id, conversation.listing_id, default
            )
        reason: str | None = "mode_off" if mode is ReplyMode.OFF else None
        if reason is None and not own and not request.is_start:
            reason = CancelReason.GUEST_UNSENT_MESSAGE
        if reason is not None:
            with self._db.write() as conn:
                sources = [InboxStatus.PROCESSING]
                inbox_queue.finish(
                    conn, request.id, sources, InboxStatus.CANCELLED, str(reason), self._clock()
                )
            logger.bind(request_id=request.id, reason=str(reason)).info("the AI is not asked")
            return None
        in_hand = {message.id for message in own}
        since = self._clock() - account.history_from if account.history_from else None
        young = [m for m in others if since is None or m.sent_at >= since]
        history = [m for m in young if readable(m) and m.id not in in_hand][-most:]
        token = tokens.make(self._db.secret, request.id)
        callback_url = f"{self._callback_base_url}{CALLBACK_PATH}?token={token}"
        return build_payload(
            request,
            conversation,
            own,
            history,
            callback_url,
            account.channel,
            stay=self._listings.add_to(conversation.stay, conversation.listing_id),
            disclosed=disclosed,
        )

    def _settle(self, request: Request, response: Response, external_id: str) -> None:
        now = self._clock()
        line = logger.bind(request_id=request.id, outcome=response.outcome)
        try:
            self._move(request, response, external_id, now, line)
        finally:
            self._note(request.account, response)  # nobody's reply waits for it

    def _move(self, request: Request, response: Response, external_id: str, now: datetime, line: Any) -> None:
        if response.accepted:
            if not self._take(request, response.body, external_id):
                with self._db.write() as conn:
                    inbox_queue.accepted(conn, request.id, self._owner, now)
                line.info("the AI has accepted a request")
            return
        with self._db.write() as conn:
            if response.refused:
                why = f"ai_refused_{response.status}"
                inbox_queue.finish(conn, request.id, [InboxStatus.PROCESSING], InboxStatus.FAILED, why, now)
                wait = 0.0
            else:
                asked = seconds_asked_for(response.retry_after, now)
                wait = AI.pause(request.attempts, asked=asked, rng=self._rng)
                due_at = now + timedelta(seconds=wait)
                inbox_queue.release(conn, request.id, self._owner, due_at=due_at, error=response.outcome)
        if response.refused:
            line.error("the AI refused a request: a person should look")
        else:
            line.warning("the AI was not reached, try {}; again in {:.0f} s", request.attempts, wait)

    def _take(self, request: Request, body: bytes, external_id: str) -> bool:
        """Use the answer in the body, if there is one. False if the answer is still to come."""
        answer = parse_answer(body, external_id, request.id)
        if answer is None:
            return False
        try:
            take_answer(
                self._db,
                self._wakeup,
                answer,
                accounts=self._accounts,
                now=self._clock(),
                is_conversation_id=self._is_conversation_id,
                secrets=self._secrets,
            )
        except Malformed as error:
            line = logger.bind(request_id=request.id)
            line.warning("the AI's immediate answer cannot be used: {} {}", error.field, error)
            return False
        except Conflict as error:
            logger.bind(request_id=request.id).info("the AI's answer is not wanted: {}", error.reason)
            # Not wanted, for a reason that may leave the request open (mode off): it waits, then expires.
            return error.reason != "mode_off"
        return True

    def _note(self, account: str, response: Response) -> None:
        """Keep the success or failure where every process sees it (`/health`, `status`).

        Of a row of successes one a second says as much as each of them, and keeps fewer others waiting.
        """
        good, now = response.accepted and response.trouble is None, time.monotonic()
        if good and now - self._noted_good.get(account, -_NOTE_EVERY_SEC) < _NOTE_EVERY_SEC:
            return
        if good:
            self._noted_good[account] = now
        else:
            self._noted_good.pop(account, None)
        with self._db.write(durable=False) as conn:
            note_outcome(conn, account, response, self._clock())


def note_outcome(conn: Connection, account: str, response: Response, now: datetime) -> None:
    """Write how the last post went into the table ``workers``."""
    # An AI is no process: what the columns for one say here is nothing.
    account_rows.beat(conn, account, AI_WORKER, process_id=0, hostname="", now=now)
    ok = response.accepted and response.trouble is None
    account_rows.cycle_done(
        conn, account, AI_WORKER, outcome=response.outcome, duration_ms=response.duration_ms, ok=ok, now=now
    )
