"""Level H: anything may happen in any order: guests, the host, the site, the AI, crashes. The promises hold all the same.

A state machine of Hypothesis makes up the stories; the site's own log judges them (``broken_promises``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from src.db.engine import Database
from src.errors import ChannelGone, TransientError
from src.model.statuses import InboxStatus, OutboxStatus
from src.services import outbox_moves
from src.services.refusals import Conflict
from tests.conftest import Clock
from tests.faults import people
from tests.faults.invariants import broken_promises
from tests.faults.plan import Plan
from tests.faults.stage import forget_everything, in_one_thread
from tests.faults.story import replay_line
from tests.faults.tally import Tally
from tests.support.channel import Crash
from tests.support.house import House, TroubledDatabase
from tests.support.site import Acceptance, FakeConversation

METHODS = ["read", "write", "reread", "press_send", "follow"]
MOMENTS = [("before", method) for method in METHODS] + [("after", method) for method in METHODS]
ACCEPTANCES = [
    Acceptance(),
    Acceptance(),
    Acceptance(hidden_for=3),
    Acceptance(hidden_for=12),
    Acceptance(taken=False),
]
LOT = 20


class Inbox(RuleBasedStateMachine):
    """One account with up to three conversations."""

    house: House
    text: people.Texts

    def run(self, work: Any) -> Any:
        return asyncio.run(work)

    @initialize(stretch=st.sampled_from([3, 50]))
    def an_empty_inbox(self, stretch: int) -> None:
        self.text = people.Texts()
        house = self.house
        forget_everything(house.db)
        house.asked.clear()
        house.clock.set(Clock()())
        house.begin_anew()
        house._since = datetime.min.replace(tzinfo=UTC)  # the clock jumps here: every job counts
        self.house.site.stretch = stretch
        self.house.site.acceptance = Acceptance()
        self.house.site.conversation(self.text())

    def where(self, pick: int) -> FakeConversation:
        places = list(self.house.site.conversations.values())
        return places[pick % len(places)]

    def people_do(self, what: str, pick: int, which: int) -> None:
        people.do(self.house.site, what, pick, which, self.text)

    happenings = st.sampled_from(people.HAPPENINGS)
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

    @rule(seconds=st.sampled_from([-3_600, 3_600, 86_400]))
    def the_clock_jumps(self, seconds: int) -> None:
        self.house.clock.advance(seconds)

    @rule(moment=st.sampled_from(MOMENTS))
    def send_while_a_second_worker_does_too(self, moment: tuple[str, str]) -> None:
        """As if no lock kept it out: it takes the first one, which is only slow, for dead."""
        when, method = moment
        first, second = self.house.channel, self.house.make_channel(self.house.site)
        if first.is_open:

            def the_other() -> None:
                with ThreadPoolExecutor(1) as thread, suppress(TransientError):
                    thread.submit(asyncio.run, self.house.new_send().run_once(second)).result()

            getattr(first, when)(method, the_other)
        with suppress(TransientError):
            self.run(self.house.sent())
        self.house.start_anew()

    @rule(acceptance=st.sampled_from(ACCEPTANCES))
    def the_site_takes_messages_so(self, acceptance: Acceptance) -> None:
        self.house.site.acceptance = acceptance

    @rule()
    def send(self) -> None:
        self.run(self.house.sent())

    @rule(moment=st.sampled_from(MOMENTS), what=happenings, pick=numbers, which=numbers)
    def send_while_something_happens(self, moment: tuple[str, str], what: str, pick: int, which: int) -> None:
        when, method = moment
        self.house.channel = self.house.make_channel(self.house.site)
        getattr(self.house.channel, when)(method, lambda: self.people_do(what, pick, which))
        self.run(self.house.sent())

    @rule(moment=st.sampled_from(MOMENTS), error=st.sampled_from([Crash, ChannelGone, TransientError]))
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
        _none(broken_promises(self.house, settled=False))

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
        _none(broken_promises(house))
        for job in house.jobs():
            if job.status is OutboxStatus.PENDING:
                assert job.due_at > house.clock() or not house.send.has_work()


def _none(broken: list[str]) -> None:
    if broken:
        raise AssertionError(broken[0])


def play(house: House, stories: int, seed: int) -> None:
    """So many stories, made up from the seed. AssertionError with the shortest one that breaks a promise."""

    class Story(Inbox):
        pass

    Story.house = house
    hypothesis.seed(seed)(Story)
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=stories,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def trials(plan: Plan) -> Iterator[Tally]:
    """A trial is a story; they are told in whole lots, each of which has a seed of its own that tells it again."""
    db = Database.open(plan.fresh())
    with in_one_thread(), House(db, Clock()) as house:
        for number in range(-(-plan.trials // LOT)):
            tally = Tally(LOT)
            try:
                play(house, LOT, plan.seed + number)
            except AssertionError as error:
                line = f"I0 {str(error).splitlines()[0] if str(error) else 'a promise was broken'}"
                tally.judge([line], replay_line("H", plan.seed + number, plan.database))
            tally.count("stories", LOT)
            yield tally
    db.close()
