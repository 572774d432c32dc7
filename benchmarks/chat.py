"""Question and answer in one call: what it takes over the AI's own time, and beside a relay that stores nothing.

The AI thinks for AI_SEC and calls back. ``python -m benchmarks.chat <ai url> <port>`` is the relay.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.house import ROOT, InstantAI, Product, environment, free_port, http_post, read_http
from benchmarks.results import Results
from benchmarks.sizes import Size

GROUP = "Chat"
AI_SEC = 0.1
AT_ONCE = 100
ONE_BY_ONE = "one caller after the other, over the AI's time"
TOGETHER = f"{AT_ONCE} callers at once, over the AI's time"
THREADS = "threads of the process"
_KEY = "benchmark-key-of-enough-letters"


def steps(_size: Size) -> int:
    return 2


def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Ours is the real command with the chat as its only account; each kind is a process of its own."""
    for who in ("ours", "a relay without storage"):
        tick(f"chat: {who}")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, InstantAI(think_sec=AI_SEC) as ai:
            if who == "ours":
                _ours(size, results, Path(folder), ai)
            else:
                _relay(size, results, ai)


def _ours(size: Size, results: Results, folder: Path, ai: InstantAI) -> None:
    accounts = folder / "accounts.toml"
    accounts.write_text('[[account]]\nname = "chat"\nchannel = "chat"\n')
    product = Product(
        folder,
        "http://127.0.0.1:9",
        ai.url,
        ACCOUNTS_FILE=str(accounts),
        API_KEY=_KEY,
        CHAT_WAIT_SEC="60",
        AI_CONCURRENCY="64",
    )
    process = product.start("syncsend")
    try:
        asyncio.run(_measure(size, results, "ours", product.port, process.pid))
    finally:
        product.stop()


def _relay(size: Size, results: Results, ai: InstantAI) -> None:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.chat", ai.url, str(port)], cwd=ROOT, env=environment()
    )
    try:
        asyncio.run(_measure(size, results, "a relay without storage", port, server.pid))
    finally:
        server.terminate()
        server.wait(20)


async def _measure(size: Size, results: Results, who: str, port: int, pid: int) -> None:
    await _until_open(port)
    await _ask(port, "first of all")
    calls = max(20, size.calls // 20)
    alone = [await _ask(port, f"alone-{n}") for n in range(calls)]
    results.add(GROUP, ONE_BY_ONE, who, "ms", [_over(took) for took in alone])
    together, threads = await asyncio.gather(
        asyncio.gather(*(_ask(port, f"together-{n}") for n in range(AT_ONCE))), _most_threads(pid)
    )
    results.add(GROUP, TOGETHER, who, "ms", [_over(took) for took in together])
    results.add(GROUP, f"{THREADS}, {AT_ONCE} callers waiting", who, "threads", [threads])


def _over(took: float) -> float:
    return (took - AI_SEC) * 1000


async def _most_threads(pid: int) -> int:
    process, most = psutil.Process(pid), 0
    for _ in range(20):
        most = max(most, process.num_threads())
        await asyncio.sleep(AI_SEC / 10)
    return most


async def _ask(port: int, user: str) -> float:
    body = json.dumps({"user_id": user, "message": f"Is it free? ({user})"}).encode()
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(http_post("/chat", body, port, f"X-API-KEY: {_KEY}\r\n"))
    status, _ = await read_http(reader)
    took = time.perf_counter() - began
    writer.close()
    if status != 200:
        raise RuntimeError(f"a call was answered {status}")
    return took


async def _until_open(port: int) -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError("the server did not start")


# --- the relay -------------------------------------------------------------------------------------------


def _serve_relay(ai_url: str, port: int) -> None:
    """It asks the AI, waits for its callback, and hands the answer on. A crash loses all of it."""
    import httpx
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    waiting: dict[str, asyncio.Future[str]] = {}
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=AT_ONCE))

    async def chat(request: Request) -> JSONResponse:
        said = await request.json()
        user = said["user_id"]
        waiting[user] = asyncio.get_running_loop().create_future()
        callback = f"http://127.0.0.1:{port}/callback"
        await client.post(ai_url, json={"conversation_id": user, "callback_url": callback, **said})
        reply = await waiting[user]
        del waiting[user]
        return JSONResponse({"user_id": user, "reply": reply, "turns": 1})

    async def callback(request: Request) -> JSONResponse:
        said = await request.json()
        waiting[said["conversation_id"]].set_result(said["message"])
        return JSONResponse({"success": True})

    routes = [Route("/chat", chat, methods=["POST"]), Route("/callback", callback, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    _serve_relay(sys.argv[1], int(sys.argv[2]))
