"""The built-in assistant's own time: one decision beside three bare calls of the model client to the same server.

The server answers at once and is a process of its own, so that what is left is the program's own work. Both ways
run in this process, in turn. ``python -m benchmarks.assistant`` is the server.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.house import ROOT, environment
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
_PEOPLE = ("my aunt", "our children", "the whole family", "my colleague", "an old friend")


def steps(_size: Size) -> int:
    return 1


def run(_size: Size, results: Results, tick: Callable[[str], None]) -> None:
    tick(f"assistant: {CASE}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _server() as base_url:
        spent = asyncio.run(_measure(Path(folder), base_url))
    for who, (wall, cpu) in spent.items():
        results.add(GROUP, CASE, who, "ms", wall)
        results.add(GROUP, CASE, who, "ms CPU", cpu)


@contextmanager
def _server() -> Iterator[str]:
    """The models, in a process of their own; yields their address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.assistant"], cwd=ROOT, env=environment(), stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().decode().strip()
    finally:
        server.terminate()
        server.wait(20)


async def _measure(folder: Path, base_url: str) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds (wall, CPU) of each answer, ours and the bare calls in turn; the first few are not counted."""
    import openai

    assistant = _assistant(folder, base_url)
    client = openai.AsyncOpenAI(
        base_url=base_url,
        api_key="none",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    )
    asked = await _asked(folder / "look")

    async def ours(number: int) -> None:
        await assistant.decide(_payload(number))

    async def floor(_number: int) -> None:
        for body in asked:
            await client.chat.completions.create(**body)

    ways: dict[str, Callable[[int], Awaitable[None]]] = {"ours": ours, FLOOR: floor}
    spent: dict[str, tuple[list[float], list[float]]] = {who: ([], []) for who in ways}
    try:
        for number in range(_WARM + _ROUNDS):
            for who, way in ways.items():
                began, used = time.perf_counter(), time.process_time()
                await way(number)
                if number >= _WARM:
                    spent[who][0].append((time.perf_counter() - began) * 1000)
                    spent[who][1].append((time.process_time() - used) * 1000)
    finally:
        await assistant.close()
        await client.close()
    return spent


def _assistant(folder: Path, base_url: str) -> LiveAssistant:
    return LiveAssistant(
        AssistantSettings(
            assistant_base_url=base_url,
            assistant_model="main",
            assistant_knowledge_dir=write_folder(folder / "knowledge", FILES),
            assistant_agents_dir=folder / "agents",
            assistant_embeddings="off",
        )
    )


def _payload(number: int) -> dict[str, Any]:
    """Another text each time: nothing that is kept of a guest's text helps the next answer."""
    whom = f"It is for {_PEOPLE[number % len(_PEOPLE)]} and {number} others."
    return {
        "conversation_id": "benchmark",
        "sender": "Camille",
        "message": f"Hello, where is the kettle in the kitchen please? {whom}",
        "property_id": "4711",
        "stay": {"stage": "booked"},
    }


async def _asked(folder: Path) -> list[dict[str, Any]]:
    """The three requests of one answer, for the bare client."""
    with ModelServer() as server:
        assistant = _assistant(folder, server.base_url)
        decision = await assistant.decide(_payload(0))
        await assistant.close()
        if decision.message is None:
            raise RuntimeError(f"the assistant did not answer: {decision.reason}")
        return [_as_asked(call.body) for call in server.calls[-len(_STEPS) :]]


def _as_asked(body: dict[str, Any]) -> dict[str, Any]:
    """The same request for the bare client."""
    known = {"model", "messages", "response_format", "temperature", "max_tokens"}
    extra = {name: value for name, value in body.items() if name not in known}
    return {name: value for name, value in body.items() if name in known} | {"extra_body": extra}


def _serve() -> None:
    with ModelServer() as server:
        print(server.base_url, flush=True)
        signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    _serve()
