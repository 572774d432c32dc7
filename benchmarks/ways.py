"""The floor of a message's way, each a process: ``ways.py <url> <messages> <threads>``; workers of other queues.

The rows and the commits of a message in the chat, in plain ``sqlite3`` or ``psycopg``:

    1 the conversation, the message, the request                on the disk
    2 the request is claimed                                    not waited for
    3 the request is answered, the reply is in the outbox       on the disk
    4 the reply is armed and sent, and is a message             on the disk
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psutil
import psycopg

from benchmarks.house import ROOT, environment

_HEARD = """
INSERT INTO conversations (id, account, external_id, user_id, stay, created_at, updated_at)
VALUES (:home, 'chat', :home, :home, '{}', :now, :now);
INSERT INTO queue_inbox (id, account, conversation_id, newest_external_id, due_at, burst_until, reply_by,
    attempts, created_at)
VALUES (:request, 'chat', :home, :message, :now, :now, :now, 0, :now);
INSERT INTO messages (id, account, conversation_id, external_id, direction, origin, kind, detail, text, sent_at,
    seen_at, request_id)
VALUES (:message, 'chat', :home, :message, 'inbound', 'guest', 'text', 'text', :text, :now, :now, :request)
"""
_CLAIMED = """
UPDATE queue_inbox SET status = 'processing', claimed_by = 'floor', attempts = 1 WHERE id = :request
"""
_ANSWERED = """
UPDATE queue_inbox SET status = 'answered', processed_at = :now, claimed_by = NULL WHERE id = :request;
INSERT INTO queue_outbox (id, account, conversation_id, request_id, text, idempotency_key, due_at, attempts,
    arm_count, created_at)
VALUES (:job, 'chat', :home, :request, :text, :job, :now, 0, 0, :now)
"""
_SENT = """
UPDATE queue_outbox SET status = 'sent', attempts = 1, arm_count = 1, armed_at = :now, processed_at = :now,
    receipt_external_id = :reply WHERE id = :job;
INSERT INTO messages (id, account, conversation_id, external_id, direction, origin, kind, detail, text, sent_at,
    seen_at, outbox_id)
VALUES (:reply, 'chat', :home, :reply, 'outbound', 'assistant', 'text', 'text', :text, :now, :now, :job)
"""
_TRANSACTIONS = tuple(
    (tuple(statements.split(";")), durable)
    for statements, durable in ((_HEARD, True), (_CLAIMED, False), (_ANSWERED, True), (_SENT, True))
)


def go(url: str, messages: int, threads: int) -> dict[str, Any]:
    """So many messages by so many connections."""
    doing = _sqlite if url.startswith("sqlite") else _postgres
    shares = [messages // threads + (n < messages % threads) for n in range(threads)]
    hands = [threading.Thread(target=doing, args=(url, share)) for share in shares]
    print("ready", flush=True)
    sys.stdin.readline()
    began, used = time.perf_counter(), time.process_time()
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    return {
        "done": messages,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - used,
    }


def _values() -> dict[str, Any]:
    names = ("home", "message", "request", "job", "reply")
    return {name: str(uuid4()) for name in names} | {
        "text": "Is it free at the weekend?",
        "now": datetime.now(UTC),
    }


def _sqlite(url: str, messages: int) -> None:
    conn = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=60)
    conn.execute("PRAGMA journal_mode=WAL")
    for _ in range(messages):
        values = _values()
        values["now"] = f"{values['now']:%Y-%m-%d %H:%M:%S.%f}"
        for statements, durable in _TRANSACTIONS:
            conn.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            conn.execute("BEGIN IMMEDIATE")
            for statement in statements:
                conn.execute(statement, values)
            conn.execute("COMMIT")
    conn.close()


def _postgres(url: str, messages: int) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as conn:
        for _ in range(messages):
            values = _values()
            for statements, durable in _TRANSACTIONS:
                if not durable:
                    conn.execute("SET LOCAL synchronous_commit TO off")
                for statement in statements:
                    conn.execute(re.sub(r":(\w+)", r"%(\1)s", statement).encode(), values)
                conn.commit()


def start_together(workers: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """What each of them tells in its last line, after all of them were ready."""
    for one in workers:
        assert one.stdout is not None
        one.stdout.readline()
    for one in workers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    return [json.loads(one.communicate(timeout=600)[0].splitlines()[-1]) for one in workers]


@contextmanager
def workers_of(command: list[str], address: str, number: int) -> Iterator[list[psutil.Process]]:
    """So many workers of another queue, ready."""
    started = [
        subprocess.Popen(
            [*command, "work", address], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(number)
    ]
    try:
        for one in started:
            assert one.stdout is not None
            one.stdout.readline()
        yield [psutil.Process(one.pid) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait(20)


if __name__ == "__main__":
    print(json.dumps(go(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
