"""Anything may happen in any order: guests, the host, the site, the AI, crashes. The promises hold all the same.

A state machine of Hypothesis makes up the stories; the site's own log judges them (``broken_promises``).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from src.db.statements import ACCOUNTS, CONVERSATIONS, INBOX, MESSAGES, OUTBOX
from src.errors import BrowserGone, TransientError
from src.model.inbox import AuthorRole
from src.model.statuses import InboxStatus, OutboxStatus
from src.services import outbox_moves
from src.services.refusals import Conflict
from tests.fakes.channel import Crash, FakeChannel
from tests.fakes.house import House, TroubledDatabase, broken_promises
from tests.fakes.site import Acceptance, FakeConversation, FakeMessage

METHODS = ["read", "write", "reread", "press_send", "follow"]
MOMENTS = [("before", method) for method in METHODS] + [("after", method) for method in METHODS]
ACCEPTANCES = [
    Acceptance(),
    Acceptance(),
    Acceptance(hidden_for=3),
    Acceptance(hidden_for=12),
    Acceptance(taken=False),
]


class Inbox(RuleBasedStateMachine):
    """One account with up to three conversations."""

    house: House
    number = 0

    def run(self, work: Any) -> Any:
        return asyncio.run(work)

    @initialize(stretch=st.sampled_from([3, 50]))
    def an_empty_inbox(self, stretch: int) -> None:
        self.house.asked.clear()
        self.house.begin_anew()
        self.house.site.stretch = stretch
        self.house.site.acceptance = Acceptance()
        self.house.site.conversation(self.text())

    def text(self) -> str:
        self.number += 1
        return f"Text {self.number} " + "abcdefghij"[self.number % 10] * (20 + self.number % 7)

    def where(self, pick: int) -> FakeConversation:
        places = list(self.house.site.conversations.values())
        return places[pick % len(places)]

    def message(self, pick: int, which: int, roles: set[AuthorRole]) -> FakeMessage | None:
        found = [m for m in self.where(pick).messages if m.role in roles and m.text and not m.deleted]
        return found[-1 - which % len(found)] if found else None

    def people_do(self, what: str, pick: int, which: int) -> None:
        site, where = self.house.site, self.where(pick)
        guests, hosts = {AuthorRole.GUEST, AuthorRole.COTRAVELLER}, {AuthorRole.HOST, AuthorRole.TEAM}
        if what in {"guest", "cotraveller", "host", "cohost"}:
            getattr(site, f"{what}_writes")(where, self.text())
        elif what in {"card", "photo", "bulletin"}:
            getattr(site, what)(where)
        elif what == "edit":
            if message := self.message(pick, which, guests):
                site.edit(message, self.text())
        elif what == "unsend":
            if message := self.message(pick, which, guests):
                site.unsend(message)
        elif what == "host_unsends":
            message = self.message(pick, which, hosts)
            if message is not None and not message.pressed:
                site.unsend(message)
        elif len(site.conversations) < 3:
            site.conversation(self.text())

    happenings = st.sampled_from(
        ["guest"] * 6
        + [
            "host",
            "cohost",
            "cotraveller",
            "edit",
            "unsend",
            "host_unsends",
            "card",
            "photo",
            "bulletin",
            "new",
        ]
    )
    numbers = st.integers(0, 3)

    @rule(what=happenings, pick=numbers, which=numbers)
    def something_happens(self, what: str, pick: int, which: int) -> None:
        self.people_do(what, pick, which)

    @rule(seconds=st.sampled_from([1, 10, 20, 70, 600, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.house.clock.advance(seconds)

    @rule()
    def sync(self) -> None:
        self.run(self.house.synced())

    @rule()
    def the_ai_is_asked(self) -> None:
        self.house.ask_ai()

    @rule(pick=numbers, draft=st.booleans())
    def the_ai_answers(self, pick: int, draft: bool) -> None:
        waiting = [
            request
            for request in map(self.house.request, list(self.house.asked))
            if request.status is InboxStatus.WAITING or pick == 3
        ]
        if waiting:
            with suppress(Conflict):
                self.house.answer(
                    waiting[pick % len(waiting)], self.text(), mode="draft" if draft else "auto"
                )

    @rule()
    def everything_is_answered(self) -> None:
        """What makes most stories short: all that is there is read, asked about and answered."""
        self.run(self.house.synced())
        self.house.clock.advance(70)
        for request in self.house.ask_ai():
            with suppress(Conflict):
                self.house.answer(request, self.text())

    @rule(pick=numbers)
    def the_ai_writes_unasked(self, pick: int) -> None:
        with suppress(Conflict):
            self.house.answer_unasked(self.where(pick).external_id, self.text())

    @rule()
    def a_person_approves(self) -> None:
        for job in self.house.jobs():
            if job.status is OutboxStatus.DRAFT:
                outbox_moves.approve(self.house.db, self.house.wakeup, job.id, None, now=self.house.clock())

    @rule(acceptance=st.sampled_from(ACCEPTANCES))
    def the_site_takes_messages_so(self, acceptance: Acceptance) -> None:
        self.house.site.acceptance = acceptance

    @rule()
    def send(self) -> None:
        self.run(self.house.sent())

    @rule(moment=st.sampled_from(MOMENTS), what=happenings, pick=numbers, which=numbers)
    def send_while_something_happens(self, moment: tuple[str, str], what: str, pick: int, which: int) -> None:
        when, method = moment
        self.house.channel = FakeChannel(self.house.site)
        getattr(self.house.channel, when)(method, lambda: self.people_do(what, pick, which))
        self.run(self.house.sent())

    @rule(moment=st.sampled_from(MOMENTS), error=st.sampled_from([Crash, BrowserGone, TransientError]))
    def send_with_trouble(self, moment: tuple[str, str], error: type[BaseException]) -> None:
        when, method = moment
        self.house.channel.fail(method, error(), after=when == "after")
        with suppress(Crash, TransientError):
            self.run(self.house.sent())
        self.house.start_anew()

    @rule(nth=st.integers(1, 8), error=st.sampled_from([Crash, TransientError]), committed=st.booleans())
    def send_with_trouble_in_the_database(
        self, nth: int, error: type[BaseException], committed: bool
    ) -> None:
        db = TroubledDatabase(self.house.db, nth, error(), committed=committed)
        with suppress(Crash, TransientError):
            self.run(self.house.new_send(db).run_once(self.house.channel))
        self.house.start_anew()

    @rule(nth=st.integers(1, 3), committed=st.booleans())
    def sync_dies(self, nth: int, committed: bool) -> None:
        db = TroubledDatabase(self.house.db, nth, Crash(), committed=committed)
        with suppress(Crash):
            self.run(self.house.new_sync(db).run_once(self.house.channel))
        self.house.start_anew()

    @invariant()
    def no_promise_is_broken(self) -> None:
        assert broken_promises(self.house, settled=False) == []

    def teardown(self) -> None:
        """The trouble is over: everything is looked after, and nothing is lost or stuck."""
        house = self.house
        for where in house.site.conversations.values():
            for message in where.messages:
                message.hidden_for = 0
        house.start_anew()
        for _ in range(3):
            self.run(house.sent())
            self.run(house.synced())
        assert broken_promises(house) == []
        for job in house.jobs():
            if job.status is OutboxStatus.PENDING:
                assert job.due_at > house.clock() or not house.send.has_work()
        _forget_everything(house)


def _forget_everything(house: House) -> None:
    with house.db.write() as conn:
        conn.execute(MESSAGES.delete())
        conn.execute(OUTBOX.delete())
        conn.execute(INBOX.delete())
        conn.execute(CONVERSATIONS.delete())
        conn.execute(ACCOUNTS.update().values(swept_through=None))


@pytest.mark.parametrize(
    ("database_url", "stories"),
    [("sqlite", 25), pytest.param("postgresql", 5, marks=pytest.mark.postgres)],
    indirect=["database_url"],
)
def test_whatever_happens_in_whatever_order_the_promises_hold(db, clock, stories):
    with House(db, clock) as house:

        class Story(Inbox):
            pass

        Story.house = house
        run_state_machine_as_test(
            Story,
            settings=settings(
                max_examples=stories,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
