"""Level A, many stories: see ``story.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from src.channels.pgnotify.settings import PgnotifySettings
from src.db.engine import Database
from src.model.answer import Outcome
from src.model.rows import Request
from tests.conftest import Clock
from tests.faults.plan import Plan
from tests.faults.stage import Stage, in_one_thread
from tests.faults.story import play
from tests.faults.tally import Tally
from tests.support.channel import FakeChannel
from tests.support.house import House
from tests.support.site import FakeSite


def trials(
    plan: Plan, make_channel: Callable[[FakeSite], FakeChannel] = FakeChannel, *, parts: int = 1
) -> Iterator[Tally]:
    """A story for each seed. ``parts``: so many messages make an answer, where people are told of the AI."""
    db = Database.open(plan.fresh())
    with in_one_thread(), asyncio.Runner() as runner:
        stage = Stage(db, Clock(), make_channel)
        if parts > 1:
            answer_in_parts(stage.house, parts)
        try:
            for seed in plan.seeds:
                yield runner.run(play(stage, seed))
        finally:
            stage.close()
            db.close()


def answer_in_parts(house: House, parts: int) -> None:
    """From now on each answer of the AI is so many messages."""
    house.account_changes = {
        "channel": "pgnotify",
        "own": PgnotifySettings(),
        "disclosure": "first_message",
    }
    really = house.answer

    def answer(request: Request, text: str = "", **said: Any) -> Outcome:
        return really(request, parts=[f"{text} {number}" for number in range(1, parts + 1)], **said)

    vars(house)["answer"] = answer
