"""The product's services on a made-up site: what a test does in one line, and what must never be true."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Self

from src.account import Account
from src.db import accounts, conversations, inbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.model.answer import Answer, Outcome
from src.model.caps import Caps
from src.model.inbox import SeenConversation
from src.model.rows import Job, Request, StoredConversation, StoredMessage
from src.model.statuses import OutboxStatus
from src.model.values import ReplyMode
from src.services.answers import take_answer
from src.services.intake import Intake, Rules, take_in
from src.services.send import Pace, Send
from src.services.sync import Sync, SyncReport
from src.settings import Settings
from tests.support.channel import FakeChannel
from tests.support.site import FakeConversation, FakeSite

ACCOUNT = "default"
RULES = Rules(
    max_age=timedelta(hours=24),
    grouping_delay=timedelta(seconds=15),
    grouping_max=timedelta(seconds=60),
    human_pause=timedelta(minutes=15),
    default_mode=ReplyMode.AUTO,
    # Most tests make many replies in no time; the caps have tests of their own.
    caps=Caps(*[1_000_000] * 5),
)
SETTINGS = Settings(**{f"reply_cap_{name}": number for name, number in asdict(RULES.caps).items()})


class House:
    """One account on one database, its inbox on ``site``, read and written through ``channel``."""

    account = ACCOUNT

    def __init__(
        self,
        db: Database,
        clock: Any,
        *,
        rules: Rules = RULES,
        settings: Settings = SETTINGS,
        make_channel: Callable[[FakeSite], FakeChannel] = FakeChannel,
    ) -> None:
        self.db = db
        self.settings = settings
        self.clock = clock
        self.rules = rules
        self.make_channel = make_channel
        self.site = self.make_site()
        self.channel = make_channel(self.site)
        self.wakeup = Wakeup(db)
        self._owners = itertools.count(1)
        self._answers = itertools.count(1)
        self.account_changes: dict[str, Any] = {}
        """What the account has that the settings of this house do not say: its channel, how people are told."""
        self.asked: dict[str, dict[str, str | None]] = {}
        """For each request that the AI got: the texts of its messages, by the site's id."""
        self._since = clock()
        with db.write() as conn:
            accounts.ensure(conn, ACCOUNT, clock())
        self.send = self.new_send()
        self.sync = self.new_sync()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wakeup.close()

    def make_site(self) -> FakeSite:
        """The remote, on which nothing has happened yet."""
        return FakeSite(self.clock)

    async def begin_again(self) -> None:
        """The database was set back to a moment at which everything that the remote has was known."""

    # --- the product -----------------------------------------------------------------------------------------

    def new_send(self, db: Any = None, **fields: Any) -> Send:
        """SEND as a process has it that has just started."""
        given: dict[str, Any] = {
            "account": ACCOUNT,
            "owner": f"worker-{next(self._owners)}",
            "rules": self.rules,
            "wakeup": self.wakeup,
            "clock": self.clock,
            "pace": Pace(proof=0.0),
        }
        return Send(db or self.db, **{**given, **fields})

    def new_sync(self, db: Any = None) -> Sync:
        """SYNC, the same."""
        return Sync(db or self.db, account=ACCOUNT, rules=self.rules, wakeup=self.wakeup, clock=self.clock)

    def start_anew(self) -> None:
        """The process ended, however it did; the next one knows only the database and the site."""
        self._forget_answers()
        self.channel = self.make_channel(self.site)
        self.send = self.new_send()
        self.sync = self.new_sync()

    def _forget_answers(self) -> None:
        """What a process heard of a press, and had no time to store, is lost with it."""
        cut_off = (OutboxStatus.PROCESSING, OutboxStatus.UNCONFIRMED)
        lost = {job.text for job in self.jobs() if job.status in cut_off and job.reason != "no_proof"}
        for press in self.site.presses:
            if press.message is not None and press.text in lost:
                press.message.answered = False

    def begin_anew(self) -> None:
        """For one trial after another on the same database: what was before is not looked at any more."""
        self.site.conversations.clear()
        self.site.presses.clear()
        self._since = self.clock.advance(1)
        self.start_anew()

    async def synced(self) -> SyncReport:
        """One SYNC cycle."""
        return await self.sync.run_once(self.channel)

    async def sent(self) -> int:
        """One run of SEND."""
        return await self.send.run_once(self.channel)

    async def recovered(self) -> None:
        """A new process looks after everything once."""
        self.start_anew()
        await self.sent()
        await self.synced()

    def take_in(
        self, where: FakeConversation | SeenConversation, *, opened: bool = True, **fields: Any
    ) -> Intake:
        """Take in how a conversation stands now."""
        seen = self.site.look(where, opened=opened) if isinstance(where, FakeConversation) else where
        with self.db.write() as conn:
            return take_in(conn, ACCOUNT, seen, rules=self.rules, now=self.clock(), **fields)

    # --- the AI ----------------------------------------------------------------------------------------------

    def ask_ai(self) -> list[Request]:
        """Everything that is due goes to the AI, which accepts it."""
        with self.db.write() as conn:
            lease = self.clock() + timedelta(seconds=60)
            due = inbox_queue.claim_due(
                conn, ACCOUNT, owner="ai", lease_until=lease, now=self.clock(), limit=100
            )
            for request in due:
                carried = conversations.messages_of_request(conn, request.id)
                self.asked[request.id] = {m.external_id: m.text for m in carried}
            return [inbox_queue.accepted(conn, request.id, "ai", self.clock()) for request in due]

    def accounts(self, mode: str = "auto") -> dict[str, Account]:
        """The account as the callback is given it."""
        made = self.settings.model_copy(update={"reply_mode": mode}).accounts_by_name
        return {name: replace(account, **self.account_changes) for name, account in made.items()}

    def answer(
        self, request: Request, text: str = "", *, mode: str = "auto", parts: Sequence[str] = (), **said: Any
    ) -> Outcome:
        """The AI calls back."""
        with self.db.read() as conn:
            external_id = conversations.get(conn, request.conversation_id).external_id
        given = text or "\n\n".join(parts) or f"Answer number {next(self._answers)}, with kind regards."
        return take_answer(
            self.db,
            self.wakeup,
            Answer(external_id, request.id, message=given, parts=tuple(parts), **said),
            accounts=self.accounts(mode),
            now=self.clock(),
            is_conversation_id=lambda _, external_id: self.channel.is_conversation_id(external_id),
        )

    def answer_unasked(self, external_id: str, text: str) -> Job:
        """The AI writes in a conversation in which it was never asked."""
        outcome = take_answer(
            self.db,
            self.wakeup,
            Answer(external_id, message=text),
            accounts=self.accounts(),
            now=self.clock(),
            is_conversation_id=lambda _, external_id: self.channel.is_conversation_id(external_id),
        )
        assert outcome.job is not None
        return outcome.job

    def request_for(self, where: FakeConversation) -> Request:
        """Take the conversation in; the request that comes of it goes to the AI."""
        queued = self.take_in(where).queued
        assert queued is not None
        self.clock.advance(max(60.0, (queued.due_at - self.clock()).total_seconds()))
        (request,) = [r for r in self.ask_ai() if self.stored(where).id == r.conversation_id]
        return request

    def reply_for(self, where: FakeConversation, text: str = "") -> Job:
        """The same, and the AI's answer is in the outbox."""
        outcome = self.answer(self.request_for(where), text)
        assert outcome.job is not None
        return outcome.job

    # --- looking ---------------------------------------------------------------------------------------------

    def stored(self, where: FakeConversation) -> StoredConversation:
        with self.db.read() as conn:
            found = conversations.by_external_id(conn, ACCOUNT, where.external_id)
        assert found is not None
        return found

    def messages(self, where: FakeConversation) -> dict[str, StoredMessage]:
        """What is stored of a conversation, by the site's id."""
        with self.db.read() as conn:
            return {m.external_id: m for m in conversations.messages_of(conn, self.stored(where).id, 10_000)}

    def request(self, request: Request | str | None) -> Request:
        """A request as it stands now."""
        with self.db.read() as conn:
            found = inbox_queue.get(conn, request.id if isinstance(request, Request) else str(request))
        assert found is not None
        return found

    def job(self, job: Job) -> Job:
        """A job as it stands now."""
        with self.db.read() as conn:
            found = outbox_views.get(conn, job.id)
        assert found is not None
        return found

    def jobs(self) -> list[Job]:
        """Every job, oldest first."""
        with self.db.read() as conn:
            found = outbox_views.list_jobs(conn, ACCOUNT, None, 10_000)
        recent = [job for job in found if job.created_at >= self._since]
        return sorted(recent, key=lambda job: (job.created_at, job.id))

    def open_request(self, where: FakeConversation) -> Request | None:
        with self.db.read() as conn:
            return inbox_queue.open_request(conn, self.stored(where).id)

    def now(self) -> datetime:
        return self.clock()

    def presses_of(self, job: Job) -> int:
        """How often Send was pressed for a job (the texts of a test are all different)."""
        return sum(press.text == job.text for press in self.site.presses)

    def set_mode(self, mode: ReplyMode, scope: str = "account", scope_id: str = "") -> None:
        with self.db.write() as conn:
            accounts.set_mode(conn, ACCOUNT, scope, scope_id, mode, self.clock())


class TroubledDatabase:
    """A database of which the nth transaction fails: one that writes, before it is committed or after, or a read."""

    def __init__(
        self,
        db: Database,
        nth: int,
        error: BaseException | Callable[[], object],
        *,
        committed: bool = False,
        kind: str = "write",
    ) -> None:
        """``error`` is raised there, or called."""
        self._db = db
        self._nth = nth
        self._error = error
        self._committed = committed
        self._kind = kind
        self.count = 0
        """So many transactions of this kind there were."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def _is_mine(self, kind: str) -> bool:
        self.count += kind == self._kind
        return kind == self._kind and self.count == self._nth

    def _fail(self) -> None:
        if isinstance(self._error, BaseException):
            raise self._error
        self._error()

    @contextmanager
    def write(self, **how: Any) -> Iterator[Connection]:
        mine = self._is_mine("write")
        with self._db.write(**how) as conn:
            yield conn
            if mine and not self._committed:
                self._fail()
        if mine:
            self._fail()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self._is_mine("read"):
            self._fail()
        with self._db.read() as conn:
            yield conn
