"""A message's way through other queues, in the benchmark's own virtual environment.

    peer_ways.py procrastinate prepare <where>                makes its tables
    peer_ways.py <name> work <where>                          a worker, until it is killed; says "ready"
    peer_ways.py <name> produce <where> <messages> <callers>  prints the seconds until all of them were through

A message is a job ``ask``; its work makes a job ``send``; its work leaves a mark. No AI and no rows of messages.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

AT_ONCE = 16
DONE = "bench:done"
TEXT = "Is it free at the weekend?"


# --- rq: one job at a time, in the worker's own process; it finds the functions by their names --------------------


def rq_ask(number: int, text: str) -> None:
    from rq import Queue, get_current_job

    job = get_current_job()
    assert job is not None
    Queue("ways", connection=job.connection).enqueue("peer_ways.rq_send", number, text, result_ttl=60)


def rq_send(number: int, _text: str) -> None:
    from rq import get_current_job

    job = get_current_job()
    assert job is not None
    job.connection.rpush(DONE, number)


def rq_work(where: str) -> None:
    from redis import Redis
    from rq import Queue, SimpleWorker

    connection = Redis.from_url(where)
    print("ready", flush=True)
    SimpleWorker([Queue("ways", connection=connection)], connection=connection).work(logging_level="ERROR")


def rq_produce(where: str, messages: int, callers: int) -> float:
    from redis import Redis
    from rq import Queue

    connection = Redis.from_url(where)
    queue = Queue("ways", connection=connection)
    began = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(lambda n: queue.enqueue("peer_ways.rq_ask", n, TEXT, result_ttl=60), range(messages)))
    for _ in range(messages):
        connection.blpop([DONE])
    return time.perf_counter() - began


# --- arq ---------------------------------------------------------------------------------------------------------


async def ask(context: dict[str, Any], number: int, text: str) -> None:
    await context["redis"].enqueue_job("send", number, text)


async def send(context: dict[str, Any], number: int, _text: str) -> None:
    await context["redis"].rpush(DONE, number)


async def _arq_work(where: str) -> None:
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker

    pool = await create_pool(RedisSettings.from_dsn(where))
    worker = Worker(
        functions=[ask, send], redis_pool=pool, max_jobs=AT_ONCE, poll_delay=0.01, handle_signals=False
    )
    print("ready", flush=True)
    await worker.async_run()


async def _arq_produce(where: str, messages: int, callers: int) -> float:
    from arq import create_pool
    from arq.connections import RedisSettings

    pool = await create_pool(RedisSettings.from_dsn(where))
    left = list(range(messages))

    async def caller() -> None:
        while left:
            await pool.enqueue_job("ask", left.pop(), TEXT)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    for _ in range(messages):
        await pool.blpop([DONE])
    return time.perf_counter() - began


# --- procrastinate ---------------------------------------------------------------------------------------------


def _procrastinate(where: str) -> Any:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=where, max_size=AT_ONCE + 4))

    @app.task(name="send")
    async def send_it(number: int, text: str) -> None:
        del text
        await app.connector.execute_query_async("INSERT INTO bench_done VALUES (%(n)s)", n=number)

    @app.task(name="ask")
    async def ask_it(number: int, text: str) -> None:
        await send_it.defer_async(number=number, text=text)

    return app, ask_it


async def _procrastinate_work(where: str) -> None:
    app, _ = _procrastinate(where)
    async with app.open_async():
        print("ready", flush=True)
        await app.run_worker_async(
            concurrency=AT_ONCE, install_signal_handlers=False, fetch_job_polling_interval=1
        )


async def _procrastinate_prepare(where: str) -> None:
    app, _ = _procrastinate(where)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await app.connector.execute_query_async("CREATE TABLE bench_done (n integer)")


async def _procrastinate_produce(where: str, messages: int, callers: int) -> float:
    app, ask_it = _procrastinate(where)
    left = list(range(messages))

    async def caller() -> None:
        while left:
            await ask_it.defer_async(number=left.pop(), text=TEXT)

    async with app.open_async():
        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        while True:
            found = await app.connector.execute_query_one_async("SELECT count(*) AS n FROM bench_done")
            if found["n"] >= messages:
                return time.perf_counter() - began
            await asyncio.sleep(0.02)


def main() -> None:
    logging.disable(logging.WARNING)
    name, what, where, *rest = sys.argv[1:]
    if what == "prepare":
        asyncio.run(_procrastinate_prepare(where))
        return
    if what == "work":
        if name == "rq":
            rq_work(where)
        else:
            asyncio.run({"arq": _arq_work, "procrastinate": _procrastinate_work}[name](where))
        return
    messages, callers = int(rest[0]), int(rest[1])
    if name == "rq":
        seconds = rq_produce(where, messages, callers)
    else:
        produce = {"arq": _arq_produce, "procrastinate": _procrastinate_produce}[name]
        seconds = asyncio.run(produce(where, messages, callers))
    print(seconds)


if __name__ == "__main__":
    main()
