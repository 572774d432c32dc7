"""Level A, many stories: see ``story.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from src.channels.pgnotify.settings import PgnotifySettings
from src.db.engine import Database
from src.model.answer import Outcome
from src.model.rows import Request
from tests.conftest import Clock
from tests.faults.plan import Plan
from tests.faults.remotes.chat import ChatSite
from tests.faults.remotes.mail import MailSite
from tests.faults.remotes.remote import RemoteHouse, RemoteSite
from tests.faults.remotes.spoiled import time_of_the_story
from tests.faults.remotes.whatsapp import CloudSite, EvolutionSite, WahaSite
from tests.faults.remotes.widget import WidgetSite
from tests.faults.stage import Stage, in_one_thread
from tests.faults.story import play
from tests.faults.tally import Tally
from tests.support.channel import FakeChannel
from tests.support.house import House
from tests.support.site import FakeSite

REMOTES: dict[str, type[RemoteSite]] = {
    "A-cloud": CloudSite,
    "A-evolution": EvolutionSite,
    "A-waha": WahaSite,
    "A-chat": ChatSite,
    "A-mail": MailSite,
    "A-widget": WidgetSite,
}
"""The levels with a real channel."""


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


def trials_of_a_channel(plan: Plan, level: str) -> Iterator[Tally]:
    """The same with a real channel, its remote in memory."""
    db = Database.open(plan.fresh())
    clock = Clock()
    kind = REMOTES[level]
    with kind.made_once() as shared, in_one_thread(), time_of_the_story(clock), asyncio.Runner() as runner:
        make_house = partial(RemoteHouse, kind=kind, folder=plan.folder, shared=shared)
        stage = Stage(db, clock, make_house=make_house, level=level)
        try:
            for seed in plan.seeds:
                yield runner.run(play(stage, seed))
        finally:
            stage.close()
            db.close()


CHANNELS = {level: partial(trials_of_a_channel, level=level) for level in REMOTES}


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
