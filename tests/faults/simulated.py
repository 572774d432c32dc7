"""Level A, many stories: see ``story.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from src.db.engine import Database
from tests.conftest import Clock
from tests.faults.plan import Plan
from tests.faults.stage import Stage, in_one_thread
from tests.faults.story import play
from tests.faults.tally import Tally


def trials(plan: Plan) -> Iterator[Tally]:
    """A story for each seed."""
    db = Database.open(plan.fresh())
    with in_one_thread(), asyncio.Runner() as runner:
        stage = Stage(db, Clock())
        try:
            for seed in plan.seeds:
                yield runner.run(play(stage, seed))
        finally:
            stage.close()
            db.close()
