"""Level A, many stories: see ``story.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from src.db.engine import Database
from tests.conftest import Clock
from tests.faults.plan import Plan
from tests.faults.stage import Stage, in_one_thread
from tests.faults.story import play
from tests.faults.tally import Tally
from tests.support.channel import FakeChannel
from tests.support.site import FakeSite


def trials(plan: Plan, make_channel: Callable[[FakeSite], FakeChannel] = FakeChannel) -> Iterator[Tally]:
    """A story for each seed."""
    db = Database.open(plan.fresh())
    with in_one_thread(), asyncio.Runner() as runner:
        stage = Stage(db, Clock(), make_channel)
        try:
            for seed in plan.seeds:
                yield runner.run(play(stage, seed))
        finally:
            stage.close()
            db.close()
