"""Level A: a random story of replies, troubles and people, played with the real services on a real database.

A crash is an exception that nobody catches; afterwards only the database and the site are left. Whatever was made
up comes from the seed, so a story can be told again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

from src.errors import ChannelGone, Halt, TransientError, WallHit
from src.model.statuses import OutboxStatus
from src.services.refusals import Conflict
from tests.faults import people
from tests.faults.invariants import broken_promises
from tests.faults.people import Texts
from tests.faults.stage import Stage, ids_from
from tests.faults.tally import Tally
from tests.support.channel import Crash, FakeChannel
from tests.support.house import House, TroubledDatabase
from tests.support.site import Acceptance

CALLS_OF_A_SEND = 6
WRITES_OF_A_SEND = 6
ROUNDS_TO_SETTLE = 8
"""So many looks, a minute apart, must be enough for everything that is left."""
ACCEPTANCES = (
    Acceptance(),
    Acceptance(),
    Acceptance(hidden_for=4),
    Acceptance(hidden_for=20),
    Acceptance(taken=False),
    Acceptance(change=lambda text: text.replace(" ", "  ")),
    Acceptance(change=lambda _: "Rewritten from end to end.", named=True, hidden_for=4),
)
PAUSES_SEC = (0, 0, 1, 10, 60, 300, 3_600)
JUMPS_SEC = (-3_600, 3_600, 86_400)


def replay_line(level: str, seed: int, database: str) -> str:
    """The command that shows a trial again."""
    return f"python -m tests.faults.replay {level} --seed {seed} --database {database}"


async def play(stage: Stage, seed: int) -> Tally:
    """One story. Raises nothing for a broken promise: they are in the tally."""
    tally = Tally()
    house = await stage.set(1 + seed % 2)
    with ids_from(seed):
        await _play(_Story(random.Random(seed), house, stage, tally), seed)
    return tally


async def _play(story: _Story, seed: int) -> None:
    stage, tally = story.stage, story.tally
    story.house.site.dice = story.rng
    for _ in range(story.rng.randint(1, 3)):
        await story.trouble()
    lines = broken_promises(story.house, settled=False)
    if not lines:
        late = await settle(story.house, stage.text)
        lines = [*story.wrong, *late, *broken_promises(story.house), *story.house.site.complaints()]
    tally.judge(lines, replay_line(stage.level, seed, stage.house.db.dialect))
    jobs = story.house.jobs()
    tally.count("stories")
    tally.counts.update(story.house.site.counts)
    tally.count("replies", len(jobs))
    tally.count("presses", len(story.house.site.presses))
    for job in jobs:
        tally.count(f"ended {job.status}")


class _Story:
    def __init__(self, rng: random.Random, house: House, stage: Stage, tally: Tally) -> None:
        self.rng = rng
        self.house = house
        self.stage = stage
        self.tally = tally
        self.wrong: list[str] = []

    async def trouble(self) -> None:
        """SEND or SYNC, with something that goes wrong, or somebody who writes in the middle of it."""
        rng, house = self.rng, self.house
        house.site.acceptance = rng.choice(house.site.ways or ACCEPTANCES)
        error = self._error()
        db = None
        if rng.random() < 0.5:
            committed, kind = rng.random() < 0.5, "write" if rng.random() < 0.85 else "read"
            number = rng.randint(1, WRITES_OF_A_SEND)
            db = TroubledDatabase(house.db, number, error, committed=committed, kind=kind)
        else:
            self._spoil_a_call(error)
        if rng.random() < house.site.share_of_people:
            self._somebody_acts(house.channel)
        channel = house.channel
        before = len(channel.calls)
        step = self._send if rng.random() < house.site.share_of_sends else self._sync
        await self._under(step, db, error)
        self.tally.count("troubles")
        if isinstance(error, WallHit) and channel.calls[before:] and self._met is error:
            self._nothing_after_the_wall(channel)
        if self._met is not None or rng.random() < 0.5:
            house.start_anew()
        house.clock.advance(rng.choice(PAUSES_SEC))
        if rng.random() < 0.05:
            house.clock.advance(rng.choice(JUMPS_SEC))
        if rng.random() < 0.15:
            self._answers()

    def _error(self) -> BaseException:
        kinds: list[Callable[[], BaseException]] = [
            *[Crash] * 7,
            ChannelGone,
            TransientError,
            lambda: WallHit("captcha", "a challenge is shown"),
        ]
        return self.rng.choice(kinds)()

    def _spoil_a_call(self, error: BaseException) -> None:
        number = self.rng.randint(1, CALLS_OF_A_SEND)
        after = self.rng.random() < 0.5
        if self.rng.random() < 0.15:

            def die() -> None:
                raise error

            self.house.channel.during("write", die)
        else:
            self.house.channel.fail_call(len(self.house.channel.calls) + number, error, after=after)

    def _somebody_acts(self, channel: FakeChannel) -> None:
        rng, site = self.rng, self.house.site
        what, pick, which = (
            rng.choice(site.happenings or people.HAPPENINGS),
            rng.randint(0, 3),
            rng.randint(0, 3),
        )
        method = rng.choice(("read", "write", "reread", "press_send", "follow"))
        moment = channel.before if rng.random() < 0.5 else channel.after
        moment(method, lambda: people.do(site, what, pick, which, self.stage.text))

    async def _send(self, db: TroubledDatabase | None) -> None:
        await self.house.new_send(db).run_once(self.house.channel)

    async def _sync(self, db: TroubledDatabase | None) -> None:
        await self.house.new_sync(db).run_once(self.house.channel)

    async def _under(self, step: Callable[..., object], db: object, error: BaseException) -> None:
        self._met: BaseException | None = None
        try:
            await step(db)  # type: ignore[misc]
        except (Crash, TransientError, Halt) as met:
            self._met = met
            self.tally.count("crashes", isinstance(met, Crash))

    def _nothing_after_the_wall(self, channel: FakeChannel) -> None:
        self.tally.count("walls")
        if channel.touched_after_halt:
            self.wrong.append(f"I7 after the wall the site was asked for {channel.touched_after_halt}")

    def _answers(self) -> None:
        answer_all(self.house, self.stage.text)


def answer_all(house: House, text: Texts) -> None:
    """Everything that is due goes to the AI, and is answered."""
    house.clock.advance(70)
    for request in house.ask_ai():
        with suppress(Conflict):
            house.answer(request, text())


async def settle(house: House, text: Texts) -> list[str]:
    """The trouble is over: new processes look after everything, as the clocks of the workers would have it."""
    house.site.acceptance = (house.site.ways or ACCEPTANCES)[0]
    house.start_anew()
    for _ in range(ROUNDS_TO_SETTLE):
        house.clock.advance(60)
        if not house.send.has_work():
            break
        with suppress(TransientError):
            await house.sent()
    house.site.show_what_is_late()
    for _ in range(2):
        await house.synced()
    answer_all(house, text)
    for _ in range(3):
        house.clock.advance(300)
        await house.sent()
    for _ in range(2):
        await house.synced()
    waiting = [job for job in house.jobs() if job.status is OutboxStatus.PENDING]
    if waiting and house.send.has_work():
        return [f"I5 {waiting[0].text!r} is due and nobody sends it"]
    return []
