"""The assistant's voices: ``agents/<name>.md``. Read again for each answer: they are few and short.

---
name: host            # by default the file's name
for: everything       # what it answers, for the one who routes
default: true
model: vendor/name    # its own model, tried first
---
Friendly and short. We say "vous".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.assistant.knowledge.documents import FileError, Finding, unknown_key
from src.assistant.knowledge.front_matter import split_front_matter
from src.languages import sentence as _

_KEYS = ("name", "for", "default", "model")
_LONGEST_VOICE = 4_000
_RESERVED = frozenset({"all", "escalate"})  # all agents' facts; the agent of an escalation in the chat's API


@dataclass(frozen=True, slots=True)
class Agent:
    """One voice. ``model`` is '' where it has none of its own."""

    name: str
    answers: str = ""
    is_default: bool = False
    model: str = ""
    voice: str = "Friendly, plain and short, as a good host writes from a phone."


ONLY = Agent("host", is_default=True)
"""The agent where the host has written none."""


@dataclass(frozen=True, slots=True)
class Agents:
    """All voices there are; at least one. ``findings`` says which files were left out and why."""

    all: tuple[Agent, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(agent.name for agent in self.all)

    @property
    def default(self) -> Agent:
        return next((agent for agent in self.all if agent.is_default), self.all[0])

    def by_name(self, name: str | None) -> Agent:
        """The agent of this name, else the default one."""
        return next((agent for agent in self.all if agent.name == name), self.default)


def load_agents(folder: Path) -> Agents:
    """Read the folder. Never raises for what is in it: a file that fails is left out and named."""
    agents: dict[str, Agent] = {}
    findings = []
    for path in sorted(folder.glob("*.md")) if folder.is_dir() else ():
        try:
            agent = _read(path)
        except FileError as error:
            findings.append(Finding.unreadable(path.name, error))
            continue
        if agent.name in agents:
            same = FileError(_("another file is the agent %(name)s, too; rename one"), name=agent.name)
            findings.append(Finding.unreadable(path.name, same))
        else:
            agents[agent.name] = agent
    return Agents(_in_order(list(agents.values())) or (ONLY,), tuple(findings))


def _in_order(agents: Sequence[Agent]) -> tuple[Agent, ...]:
    return tuple(sorted(agents, key=lambda agent: (not agent.is_default, agent.name)))


def _read(path: Path) -> Agent:
    try:
        text = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        raise FileError(_("cannot be read; it must be a readable text file in UTF-8")) from None
    given, lines, body, _first = split_front_matter(text)
    unknown = next((str(key) for key in given if key not in _KEYS), None)
    if unknown is not None:
        raise unknown_key(unknown, _KEYS, lines.get(unknown))
    name = str(given.get("name") or path.stem).strip()
    if name in _RESERVED or not name.replace("-", "").replace("_", "").isalnum():
        raise FileError(
            _("%(name)s cannot be an agent's name; use letters, digits, - and _"),
            lines.get("name"),
            name=name,
        )
    voice = body.strip()
    if len(voice) > _LONGEST_VOICE:
        raise FileError(
            _("the voice is longer than %(longest)s characters; facts belong into knowledge/"),
            longest=_LONGEST_VOICE,
        )
    return Agent(
        name=name,
        answers=str(given.get("for") or "").strip(),
        is_default=given.get("default") is True,
        model=str(given.get("model") or "").strip(),
        voice=voice or ONLY.voice,
    )
