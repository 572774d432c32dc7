"""An assistant on a model server of tests, with a small folder and looks that are as simple as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from src.assistant.agents import load_agents
from src.assistant.answer import Assistant
from src.assistant.burst import read_burst
from src.assistant.knowledge.loading import load
from src.assistant.models import Ladder
from src.assistant.parts import Around, Drafted, Later, Parts
from src.assistant.retrieve import Chosen
from src.assistant.values import Decision, Fact, HardClass
from src.assistant_settings import AssistantSettings
from tests.support.model_server import ModelServer

NOW = datetime(2027, 3, 2, 9, 0, tzinfo=UTC)
HOLDING = "We have your message; a person reads it."
FILES = {
    "house.md": "# Parking\nYou can park in the yard behind the house.\n",
    "listings/4711-attic/listing.toml": 'name = "Attic"\ntime_zone = "Europe/Paris"\nemergency = "112"\n',
    "listings/4711-attic/attic.md": (
        "# Kettle\nThe kettle stands in the kitchen cupboard.\n\n# Check-in\nCheck-in is from 15:00.\n"
    ),
    "listings/4711-attic/booked.md": "---\naudience: booked\n---\n# Bikes\nBicycles stand in the cellar.\n",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """What the gate of tests finds."""

    reason: str
    detail: str = "leave it out"
    mendable: bool = False


def write_folder(folder: Path, files: Mapping[str, str] = FILES) -> Path:
    """The files below the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def find_classes(text: str, _: str | None) -> Sequence[HardClass]:
    """A class is hit by its own name."""
    return [one for one in HardClass if one.value in text.lower().split()]


def inspect(draft: Drafted, around: Around) -> Hit | None:
    """A hit is asked for by its name: BAD(reason), or MEND(reason) for one that a second try may mend."""
    for mark, mendable in (("BAD(", False), ("MEND(", True)):
        if mark in draft.message:
            return Hit(draft.message.partition(mark)[2].partition(")")[0], mendable=mendable)
    return None if around.cited else Hit("no_source")


async def choose(facts: Sequence[Fact], _: Sequence[Mapping[str, str]]) -> Chosen:
    """All of them."""
    return Chosen(tuple(facts))


PARTS = Parts(
    find_classes=find_classes,
    is_closing=lambda text, _: text.strip().lower() in {"thanks!", "👍"},
    inspect=inspect,
    choose=choose,
    holding_text=lambda hard_class, *_: "Call 112." if hard_class is HardClass.SAFETY else HOLDING,
    is_holding_text=lambda text: text in {HOLDING, "Call 112."},
    disclosure=lambda _: "Automatic reply.",
)


def settings_for(server: ModelServer, **given: Any) -> AssistantSettings:
    """The assistant's settings on that server."""
    return AssistantSettings(
        **{
            "assistant_base_url": server.base_url,
            "assistant_model": "main",
            "assistant_timeout_sec": 5.0,
            "assistant_disclosure": "off",
            **given,
        }
    )


class Trial:
    """Asks the assistant as an AI webhook is asked."""

    def __init__(self, server: ModelServer, folder: Path, parts: Parts = PARTS, **given: Any) -> None:
        self.server = server
        self.settings = settings_for(server, **given)
        self.ladder = Ladder(timeout_sec=self.settings.assistant_timeout_sec)
        self.assistant = Assistant(self.settings, self.ladder, parts)
        self.folder = folder

    async def ask(
        self, message: str, *, over_budget: bool = False, now: datetime = NOW, **payload: Any
    ) -> Any:
        """The decision, or Later."""
        given = {"message": message, "sender": "Camille", "property_id": "4711", **payload}
        found: Decision | Later = await self.assistant.answer(
            read_burst(given),
            knowledge=load(self.folder),
            agents=load_agents(self.folder / "agents"),
            now=now,
            over_budget=over_budget,
        )
        return found


def parts_with(**changed: Any) -> Parts:
    """The simple looks, some of them other."""
    return replace(PARTS, **changed)
