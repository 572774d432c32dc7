"""Killed at every step on WhatsApp, the chat and mail: the SEND worker ends (kill -9) at a random point, again and again.

    python -m tests.faults.services_killed [--channel cloud|chat|mail] [--kills 1000] [--seed 1]

A point is before and after each step of the channel and each commit. What people say is taken in by a process that
lives on, as the API does (it is killed in level D); statuses come late and in copies, and every third answer of the
service is lost. Judged at the end by the service's own log. An app's tables have a trial of their own, ``app_killed``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loguru import logger

from src.db.engine import Database
from src.model.statuses import OutboxStatus
from tests.faults.app_killed import Life
from tests.faults.killed_sides import SIDES, Side
from tests.faults.killed_worker import Worker, live

POINTS = 50


def kill_again_and_again(side: Side, folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Returns what the service's log says at the end."""
    dice, forks = random.Random(seed), multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([live.__module__])
    killed = 0
    while killed < kills:
        for _ in range(dice.randint(1, 2)):
            side.somebody_writes(dice)
        given = (side.name, side.url, folder, seed * 100_000 + killed, dice.randint(1, POINTS))
        child = forks.Process(target=live, args=given)
        child.start()
        while child.is_alive():
            child.join(0.05)
            if dice.random() < 0.05:
                side.somebody_writes(dice)
        killed += 1
    asyncio.run(_finish(side, folder, seed))
    return {"killed": killed, **judge(side)}


async def _finish(side: Side, folder: Path, seed: int) -> None:
    side.trouble_is_over()
    worker = Worker(side.name, side.url, folder, Life(None), seed * 100_000 + 99_999)
    await worker.channel.open()
    for _ in range(2_000):
        side.wait_until_told()
        worker.again()
        await worker.turn()
        side.wait_until_told()
        if worker.is_idle():
            break
    else:
        raise AssertionError("It does not come to rest.")
    await worker.channel.close()
    worker.close()


def judge(side: Side) -> dict[str, int]:
    """By the service's own log of what it took."""
    jobs = side.jobs()
    taken = Counter(side.taken())
    statuses = Counter(str(job.status) for job in jobs)
    return {
        "written": side.written,
        "taken by the service": taken.total(),
        **{f"ended {status}": number for status, number in sorted(statuses.items())},
        "twice": sum(number - 1 for number in taken.values()),
        "lost": side.lost(),
        "sent, and not there": sum(job.status is OutboxStatus.SENT and job.id not in taken for job in jobs),
        "there, and to be sent": sum(
            job.id in taken and job.status not in (OutboxStatus.SENT, OutboxStatus.UNCONFIRMED)
            for job in jobs
        ),
    }


BAD = ("twice", "lost", "sent, and not there", "there, and to be sent")


@contextmanager
def prepared(name: str, folder: Path) -> Iterator[Side]:
    """The other side of a channel, running, and a database of ours."""
    Database.open(f"sqlite:///{folder}/inbox.db").close()
    with SIDES[name](folder) as side:
        yield side


def main() -> int:
    """0 if nothing was lost or sent twice."""
    words = argparse.ArgumentParser()
    words.add_argument("--channel", choices=SIDES, action="append")
    words.add_argument("--kills", type=int, default=30)
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    logger.remove()
    wrong = 0
    for name in given.channel or SIDES:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, prepared(name, Path(folder)) as side:
            found = kill_again_and_again(side, Path(folder), given.kills, given.seed)
        print(json.dumps({"channel": name, **found, "seconds": round(time.monotonic() - began)}), flush=True)
        wrong += sum(found[one] for one in BAD)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
