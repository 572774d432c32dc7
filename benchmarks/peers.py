"""Other queues at their own pace, in the benchmark's own virtual environment: ``peers.py <name> <where> <jobs>``.

Enqueues, then measures how long one consumer takes for all jobs. Prints a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any


def measured(work: Any, jobs: int, store: str) -> dict[str, Any]:
    began, used = time.perf_counter(), time.process_time()
    work()
    spent, cpu = time.perf_counter() - began, time.process_time() - used
    return {"seconds": spent, "cpu": cpu, "done": jobs, "store": store}


def huey(where: str, jobs: int) -> dict[str, Any]:
    """SQLite with fsync; the result is stored, which is its completion."""
    from huey import SqliteHuey

    Path(where).unlink(missing_ok=True)
    queue = SqliteHuey(filename=where, fsync=True, timeout=30)

    @queue.task()
    def reply(number: int) -> bool:
        return number >= 0

    for number in range(jobs):
        reply(number)

    def work() -> None:
        while (task := queue.dequeue()) is not None:
            queue.execute(task)

    return measured(work, jobs, "SQLite")


def procrastinate(where: str, jobs: int) -> dict[str, Any]:
    """PostgreSQL; one worker that ends when nothing is left."""
    import procrastinate as package

    app = package.App(connector=package.PsycopgConnector(conninfo=where))

    @app.task(name="reply")
    async def reply(number: int) -> None:
        del number

    async def whole() -> dict[str, Any]:
        async with app.open_async():
            if not await app.check_connection_async():
                await app.schema_manager.apply_schema_async()
            for first in range(0, jobs, 500):
                await reply.batch_defer_async(*({"number": n} for n in range(first, min(jobs, first + 500))))
            began, used = time.perf_counter(), time.process_time()
            await app.run_worker_async(
                wait=False, concurrency=1, listen_notify=False, install_signal_handlers=False
            )
            spent, cpu = time.perf_counter() - began, time.process_time() - used
            return {"seconds": spent, "cpu": cpu, "done": jobs, "store": "PostgreSQL"}

    return asyncio.run(whole())


def dramatiq(where: str, jobs: int) -> dict[str, Any]:
    """Redis that syncs every write; one worker with one thread."""
    import dramatiq as package
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=where)
    package.set_broker(broker)

    @package.actor
    def reply(number: int) -> None:
        del number

    for number in range(jobs):
        reply.send(number)
    worker = package.Worker(broker, worker_threads=1, worker_timeout=100)

    def work() -> None:
        worker.start()
        broker.join("default", timeout=300_000)
        worker.join()

    told = measured(work, jobs, "Redis")
    worker.stop()
    return told


def arq(where: str, jobs: int) -> dict[str, Any]:
    """Redis that syncs every write; one worker, one job at a time, that ends when nothing is left."""
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker

    async def reply(_context: dict[str, Any], number: int) -> bool:
        return number >= 0

    async def whole() -> dict[str, Any]:
        settings = RedisSettings.from_dsn(where)
        pool = await create_pool(settings)
        for number in range(jobs):
            await pool.enqueue_job("reply", number)
        worker = Worker(
            functions=[reply],
            redis_pool=pool,
            burst=True,
            max_jobs=1,
            poll_delay=0.01,
            handle_signals=False,
            max_burst_jobs=jobs,
        )
        began, used = time.perf_counter(), time.process_time()
        await worker.async_run()
        spent, cpu = time.perf_counter() - began, time.process_time() - used
        await worker.close()
        return {"seconds": spent, "cpu": cpu, "done": jobs, "store": "Redis"}

    return asyncio.run(whole())


if __name__ == "__main__":
    PEERS = {"huey": huey, "procrastinate": procrastinate, "dramatiq": dramatiq, "arq": arq}
    print(json.dumps(PEERS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))))
