"""The built-in assistant's own time: one decision beside three bare calls of the model client to the same server.

The server answers at once, so that what is left is the program's own work. Both run in this process, in turn.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import Results
from benchmarks.sizes import Size
from src.assistant.live import LiveAssistant
from src.assistant_settings import AssistantSettings
from tests.support.assistant import FILES, write_folder
from tests.support.model_server import ModelServer

GROUP = "Assistant"
CASE = "one answer, a model that answers at once"
FLOOR = "three bare calls"
_ROUNDS, _WARM = 60, 5
_STEPS = ("triage", "draft", "check")


def steps(_size: Size) -> int:
    return 1


def run(_size: Size, results: Results, tick: Callable[[str], None]) -> None:
    tick(f"assistant: {CASE}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ModelServer() as server:
        ours, floor = asyncio.run(_measure(Path(folder), server))
    results.add(GROUP, CASE, "ours", "ms", ours)
    results.add(GROUP, CASE, FLOOR, "ms", floor)


async def _measure(folder: Path, server: ModelServer) -> tuple[list[float], list[float]]:
    """Milliseconds of each answer, ours and the bare calls in turn; the first few are not counted."""
    import openai

    settings = AssistantSettings(
        assistant_base_url=server.base_url,
        assistant_model="main",
        assistant_knowledge_dir=write_folder(folder / "knowledge", FILES),
        assistant_agents_dir=folder / "agents",
        assistant_embeddings="off",
    )
    assistant = LiveAssistant(settings)
    payload = {
        "conversation_id": "benchmark",
        "sender": "Camille",
        "message": "Hello, where is the kettle in the kitchen please?",
        "property_id": "4711",
        "stay": {"stage": "booked"},
    }
    client = openai.AsyncOpenAI(
        base_url=server.base_url,
        api_key="none",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    )
    ours_ms, floor_ms = [], []
    try:
        decision = await assistant.decide(payload)
        if decision.message is None:
            raise RuntimeError(f"the assistant did not answer: {decision.reason}")
        asked = [_as_asked(call.body) for call in server.calls[-len(_STEPS) :]]
        for _ in range(_WARM + _ROUNDS):
            began = time.perf_counter()
            await assistant.decide(payload)
            between = time.perf_counter()
            for body in asked:
                await client.chat.completions.create(**body)
            ours_ms.append((between - began) * 1000)
            floor_ms.append((time.perf_counter() - between) * 1000)
    finally:
        await assistant.close()
        await client.close()
    return ours_ms[_WARM:], floor_ms[_WARM:]


def _as_asked(body: dict[str, Any]) -> dict[str, Any]:
    """The same request for the bare client."""
    known = {"model", "messages", "response_format", "temperature", "max_tokens"}
    extra = {name: value for name, value in body.items() if name not in known}
    return {name: value for name, value in body.items() if name in known} | {"extra_body": extra}
