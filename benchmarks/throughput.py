"""Messages a second through the whole way of a channel without a browser, beside the floor and beside other queues.

    python -m benchmarks --only throughput

*Ours*: so many processes of ``syncsend`` share a database and serve the account ``chat``. Callers post messages,
each in a conversation of its own: stored with its request, claimed, put to an AI that answers at once, its answer
stored, claimed, armed and sent, the response on the wire.
*Floor*: the same rows with the same commits in plain drivers, by as many processes, without HTTP and without an AI.
*Queues*: a message is a job ``ask``, whose work makes a job ``send``, whose work leaves a mark (``peer_ways.py``).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from pathlib import Path
from uuid import uuid4

import psutil
from sqlalchemy import text

from benchmarks import ways
from benchmarks.house import ROOT, Product, environment, free_port, http_post, read_http, wait_for
from benchmarks.processes import cpu
from benchmarks.results import Results
from benchmarks.servers import Missing, new_database, postgres, redis
from benchmarks.sizes import Size
from src.db.engine import Database

GROUP = "Throughput: the whole way of a message"
OURS, FLOOR = "ours", "floor"
PROCESSES = (1, 2, 4)
CALLERS = 16
QUEUES = ("rq", "arq", "bullmq", "procrastinate")
RATE, CPU = "messages/s", "ms CPU a message"
ROUNDS = 2
_KEY = "benchmark-key-of-enough-letters"
_WARM = 32


def _messages(size: Size) -> int:
    return max(20, size.calls // 4)


def steps(_size: Size) -> int:
    return 2 * len(PROCESSES) * ROUNDS + len(QUEUES) * len(PROCESSES)


def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Ours and the floor in turn on both databases, then the queues."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder, server = Path(name), None
        try:
            server = stack.enter_context(postgres())
        except Missing as missing:
            results.troubles.append(f"throughput on PostgreSQL: {missing}")
        ai_url = stack.enter_context(_ai())
        for turn in range(ROUNDS):
            for dialect in ("SQLite", "PostgreSQL"):
                for processes in PROCESSES:
                    tick(f"throughput on {dialect}, {_case(processes)}")
                    if dialect == "PostgreSQL" and server is None:
                        continue
                    where, place = f"{dialect}, {_case(processes)}", f"way{turn}{processes}"
                    urls = [
                        f"sqlite:///{folder}/{place}{who}.db"
                        if dialect == "SQLite" or server is None
                        else new_database(server, f"{place}{who}")
                        for who in (FLOOR, OURS)
                    ]
                    _floor(size, results, where, urls[0], processes)
                    _ours(size, results, where, urls[1], processes, folder / f"{uuid4()}", ai_url)
        for queue in QUEUES:
            for processes in PROCESSES:
                tick(f"throughput of {queue}, {_case(processes)}")
                _queue(size, results, queue, processes, server)


def _case(processes: int) -> str:
    return f"{processes} processes" if processes > 1 else "one process"


# --- ours --------------------------------------------------------------------------------------------------


def _ours(
    size: Size, results: Results, where: str, url: str, processes: int, folder: Path, ai_url: str
) -> None:
    with ExitStack() as stack:
        products = [stack.enter_context(_product(folder / f"{n}", url, ai_url)) for n in range(processes)]
        started = [product.start("syncsend") for product in products]
        for product in products:
            wait_for(lambda port=product.port: _is_open(port), "the API")
        ports = [product.port for product in products]
        asyncio.run(_call(ports, _WARM))
        watched = [psutil.Process(one.pid) for one in started]
        used, began = cpu(watched), time.perf_counter()
        times = asyncio.run(_call(ports, _messages(size)))
        seconds, spent = time.perf_counter() - began, cpu(watched) - used
    _all_sent_once(url, _messages(size) + _WARM)
    results.add(GROUP, where, OURS, RATE, [_messages(size) / seconds])
    results.add(GROUP, where, OURS, CPU, [spent / _messages(size) * 1000])
    results.add(GROUP, f"{where}, each of {CALLERS} callers", OURS, "ms", times)


def _product(folder: Path, url: str, ai_url: str) -> Product:
    folder.mkdir(parents=True)
    accounts = folder / "accounts.toml"
    accounts.write_text('[[account]]\nname = "chat"\nchannel = "chat"\n')
    product = Product(
        folder,
        "http://127.0.0.1:9",
        ai_url,
        ACCOUNTS_FILE=str(accounts),
        API_KEY=_KEY,
        CHAT_WAIT_SEC="60",
        AI_CONCURRENCY=str(CALLERS),
    )
    product.environment["DATABASE_URL"] = url
    return product


def _is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


async def _call(ports: list[int], messages: int) -> list[float]:
    """So many messages by the callers, who keep their connections; milliseconds of each."""
    left, times = list(range(messages)), list[float]()

    async def caller(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left:
            left.pop()
            body = json.dumps({"user_id": f"u-{uuid4()}", "message": "Is it free at the weekend?"}).encode()
            began = time.perf_counter()
            writer.write(http_post("/chat", body, port, f"X-API-KEY: {_KEY}\r\n"))
            status, _ = await read_http(reader)
            if status != 200:
                raise RuntimeError(f"a call was answered {status}")
            times.append((time.perf_counter() - began) * 1000)
        writer.close()

    await asyncio.gather(*(caller(port) for port, _ in zip(cycle(ports), range(CALLERS), strict=False)))
    return times


def _all_sent_once(url: str, messages: int) -> None:
    db = Database.open(url)
    with db.read() as conn:
        sent, homes = conn.execute(
            text("SELECT count(*), count(DISTINCT conversation_id) FROM queue_outbox WHERE status = 'sent'")
        ).one()
    db.close()
    if sent != messages or homes != messages:
        raise RuntimeError(f"{messages} messages, {sent} replies sent to {homes}")


@contextmanager
def _ai() -> Iterator[str]:
    """An AI that answers at once in its response, in a process of its own; yields its address."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.throughput", "ai", str(port)], cwd=ROOT, env=environment()
    )
    try:
        wait_for(lambda: _is_open(port), "the AI")
        yield f"http://127.0.0.1:{port}/webhook"
    finally:
        server.terminate()
        server.wait(20)


async def _serve_ai(port: int) -> None:
    body = json.dumps({"message": "Yes, it is free at the weekend."}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await read_http(reader)
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
    with suppress(asyncio.CancelledError):
        await server.serve_forever()
    os._exit(0)  # the connections that are kept open have nothing to finish


# --- the floor -----------------------------------------------------------------------------------------------


def _floor(size: Size, results: Results, where: str, url: str, processes: int) -> None:
    Database.open(url).close()  # the schema
    # SQLite has one writer: more threads would only wait. A server's connections wait for the disk side by side.
    threads = 1 if url.startswith("sqlite") else max(1, CALLERS // processes)
    share = _messages(size) // processes
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ways", url, str(share), str(threads)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    told = ways.start_together(workers)
    results.add(
        GROUP, where, FLOOR, RATE, [sum(one["done"] for one in told) / max(o["seconds"] for o in told)]
    )
    results.add(GROUP, where, FLOOR, CPU, [sum(o["cpu"] for o in told) / sum(o["done"] for o in told) * 1000])
    _all_sent_once(url, share * processes)


# --- the queues ------------------------------------------------------------------------------------------------


def _queue(size: Size, results: Results, queue: str, processes: int, server: str | None) -> None:
    command = _command(queue)
    if command is None:
        results.troubles.append(f"{queue}: its packages are not there")
        return
    with ExitStack() as stack:
        try:
            if queue != "procrastinate":
                address = stack.enter_context(redis())
            elif server is not None:
                address = new_database(server, "procrastinate").replace("+psycopg", "")
                subprocess.run([*command, "prepare", address], cwd=ROOT, check=True, timeout=60)
            else:
                return
        except Missing as missing:
            results.troubles.append(f"{queue}: {missing}")
            return
        store = "PostgreSQL" if queue == "procrastinate" else "Redis"
        with ways.workers_of(command, address, processes) as workers:
            used = cpu(workers)
            ended = subprocess.run(
                [*command, "produce", address, str(_messages(size)), str(CALLERS)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            spent = cpu(workers) - used
        if ended.returncode:
            results.troubles.append(f"{queue}: {ended.stderr.strip().splitlines()[-1:]}")
            return
        seconds = float(ended.stdout.splitlines()[-1])
        where = f"{store}, {_case(processes)}"
        results.add(GROUP, where, queue, RATE, [_messages(size) / seconds])
        results.add(GROUP, where, queue, CPU, [spent / _messages(size) * 1000], "the workers alone")


def _command(queue: str) -> list[str] | None:
    if queue == "bullmq":
        modules = os.environ.get("BENCH_NODE_MODULES", "")
        if not (Path(modules) / "bullmq").is_dir():
            return None
        return ["node", str(ROOT / "benchmarks" / "bullmq.js"), modules]
    python = os.environ.get("BENCH_PEERS_PYTHON", "")
    return [python, str(ROOT / "benchmarks" / "peer_ways.py"), queue] if Path(python).is_file() else None


if __name__ == "__main__":
    asyncio.run(_serve_ai(int(sys.argv[2])))
