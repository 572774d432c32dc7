"""Runs of the assistant as they stand in the database: for the pages that show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from src.assistant_settings import AssistantSettings
from src.db import runs
from src.db.engine import Database
from src.model.rows import AssistantRun

LAID = "triage=0.95 draft=0.9"


def step(name: str, outcome: str = "ok", detail: str = "", **more: Any) -> dict[str, Any]:
    """One step as a run holds it."""
    return {"name": name, "outcome": outcome, "detail": detail, "model": None, "ms": 0, **more}


STEPS = (
    step("read", "de"),
    step("rules", "clear"),
    step("triage", model="small", ms=400),
    step("facts", "ok", "2 of 7"),
    step("draft", model="large", ms=1_500),
    step("gate", "clear"),
    step("check", detail="clear", model="small", ms=300),
    step("decide", "send", LAID),
)


def add_run(
    db: Database, now: Any, request_id: str | None, *, steps: Any = STEPS, kind: str = "live", **changes: Any
) -> AssistantRun:
    """A run that is done, of an answer unless ``changes`` say otherwise."""
    done = {
        "state": "done",
        "action": "answer",
        "topic": "kitchen",
        "language": "de",
        "confidence": 0.9,
        "steps": json.dumps(list(steps)),
        "prompt_tokens": 900,
        "completion_tokens": 100,
        "cost": 0.0021,
        "finished_at": now,
    }
    sources = changes.pop("sources", ())
    with db.write() as conn:
        run = runs.begin(conn, "default", kind=kind, request_id=request_id, conversation_id=None, now=now)
        finished = runs.finish(
            conn, run.id, {**done, "sources": json.dumps([dict(one) for one in sources]), **changes}
        )
    assert finished is not None
    return finished


def with_assistant(folder: Path, **given: Any) -> dict[str, Any]:
    """Settings of a program whose guests are answered by the built-in assistant; nothing is asked of the model."""
    assistant = AssistantSettings(
        **{
            "assistant_base_url": "http://127.0.0.1:9/v1",
            "assistant_model": "main",
            "assistant_knowledge_dir": folder / "knowledge",
            "assistant_agents_dir": folder / "agents",
            "assistant_embeddings": "off",
            **given,
        }
    )
    return {"assistant": assistant, "reply_mode": "draft"}
