"""What ``demo --once`` prints at its end: what the assistant decided and why, and what stands in each thread."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from src.api.dashboard.words import reason
from src.commands.demo_script import Scene
from src.db import conversations, runs
from src.db.engine import Connection, Database
from src.db.timeline import stretch
from src.errors import ExitCode
from src.languages import language
from src.model.rows import AssistantRun


def show_decisions(
    console: Console, db: Database, account: str, scenes: Sequence[Scene], kept: Mapping[str, str]
) -> None:
    """A line for each decision: what it rests on, or why a person was asked. ``kept``: answered questions."""
    table = Table(title="What the assistant decided, and why", title_justify="left")
    for title in ("Guest", "Decision", "Because", "Sure", "Model calls"):
        table.add_column(title, overflow="fold")
    with db.read() as conn:
        for scene in scenes:
            for run in _runs(conn, account, scene):
                table.add_row(scene.guest, *_in_words(run))
    console.print(table)
    for question, fact in kept.items():
        console.print(f"A missing fact: “{question}” The host answered it in one line; it is kept as {fact}.")


def show_scenes(console: Console, scenes: Sequence[Scene]) -> int:
    """0 if every thread is as expected, else 1."""
    table = Table(title="What happened", title_justify="left")
    for title in ("Guest", "What was played", "Expected", "In the thread", ""):
        table.add_column(title, overflow="fold")
    for scene in scenes:
        table.add_row(scene.guest, scene.story, scene.expected, scene.outcome, "ok" if scene.ok else "WRONG")
    console.print(table)
    replies = sum(scene.wanted for scene in scenes)
    if all(scene.ok for scene in scenes):
        console.print(
            f"All {replies} expected replies are in their threads, each once; nothing else was written."
        )
        return ExitCode.STOPPED
    console.print("[bold red]Not as expected.[/bold red]")
    return 1


def _runs(conn: Connection, account: str, scene: Scene) -> Iterator[AssistantRun]:
    """The runs of a thread, oldest first."""
    found = conversations.by_external_id(conn, account, scene.thread.id)
    if found is None:
        return
    part = stretch(conn, found.id, before=None, limit=50)
    wanted = {
        request_id for request_id in (*part.requests, *(job.request_id for job in part.jobs)) if request_id
    }
    yield from sorted(runs.of_requests(conn, wanted).values(), key=lambda run: run.created_at)


def _in_words(run: AssistantRun) -> tuple[str, str, str, str]:
    calls = [step["name"] for step in json.loads(run.steps) if step["model"]]
    sources = ", ".join(source["id"] for source in json.loads(run.sources))
    decision = {"answer": "an answer", "escalate": "handed over", "ignore": "no answer needed"}[
        run.action or ""
    ]
    if run.hold:
        decision = "held as a draft"
    because = sources
    if run.action != "answer" or run.hold:
        because = reason(language("en"), run.hold or run.hard_class or run.reason)
    return decision, because, f"{run.confidence:g}", ", ".join(calls) or "none"
