"""Whom a guest's message is put to: the port, and the AI that lives in this process.

``ai_webhook.py`` does the rest (claims, leases, retries, what becomes of an answer) and does not know which it is.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Collection
from typing import Any, Protocol

from loguru import logger

from src.logs import safe_error
from src.model.asking import Asked
from src.services.ai_exchange import Response


class Asker(Protocol):
    """Puts one payload to an AI."""

    @property
    def in_process(self) -> bool:
        """It works in this process: what a dead one held in hand is asked again at once."""
        ...

    async def ask(self, payload: dict[str, Any], request_id: str) -> Response:
        """What the AI's webhook responds. Never raises for what the AI does; may be cancelled; repeatable."""
        ...

    async def work_beside(self) -> None:
        """What it does beside its requests, until it is cancelled or there is no more. Raises nothing else."""
        ...

    async def close(self) -> None:
        """Let go of what it holds. May be called twice."""
        ...


class Answering(Protocol):
    """The built-in assistant, as far as it is known here."""

    async def respond(self, payload: dict[str, Any]) -> Asked: ...

    async def work_beside(self) -> None: ...

    async def close(self) -> None: ...


class BuiltInAsker:
    """Asks the assistant in this process. Its answer is the response: a crash loses nothing but the lease."""

    in_process = True

    def __init__(self, assistant: Answering) -> None:
        self._assistant = assistant

    async def ask(self, payload: dict[str, Any], request_id: str) -> Response:
        """As the port says. An error of our own is a response, too: the request is tried again."""
        begun = time.monotonic()
        try:
            said = await self._assistant.respond(payload)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request must not be lost
            logger.bind(request_id=request_id).error("the assistant failed: {}", safe_error(error))
            return Response(500, error="assistant_failed", duration_ms=_since(begun))
        if said.body is None:
            wait = None if said.retry_after is None else str(int(said.retry_after) + 1)
            return Response(None, retry_after=wait, error=said.trouble or "later", duration_ms=_since(begun))
        body = json.dumps(said.body).encode()
        return Response(200, body, duration_ms=_since(begun), trouble=said.trouble)

    async def work_beside(self) -> None:
        """The assistant reads the host's knowledge while nobody asks."""
        await self._assistant.work_beside()

    async def close(self) -> None:
        """Close the assistant."""
        await self._assistant.close()


def find_dead(owners: Collection[str], *, own: str, one_machine: bool) -> list[str]:
    """Who of these (``host-pid-…``, as claims are signed) cannot be at work any more.

    ``one_machine``: the database is a file, so that every owner was on this machine, whatever its name was then (a
    container gets another one each time). On a shared database only processes of this host are judged.
    """
    host = socket.gethostname()
    dead = []
    for owner in owners:
        if owner == own:
            continue
        here = owner.startswith(f"{host}-")
        pid = owner.removeprefix(f"{host}-").partition("-")[0]
        if (here and not _is_alive(pid)) or (one_machine and not here):
            dead.append(owner)
    return dead


def _is_alive(pid: str) -> bool:
    """Whether another process has this number. Our own number under another name is of a process before us."""
    if not pid.isdecimal() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _since(begun: float) -> int:
    return int((time.monotonic() - begun) * 1000)
