"""The AI behind the address of a webhook: asked by POST, tried with a test message, looked for by HEAD."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from loguru import logger
from pydantic import SecretStr

from src.account import Account
from src.db.engine import Database
from src.errors import TransientError
from src.logs import safe_error
from src.model.values import utc_now
from src.services import tokens
from src.services.ai_exchange import (
    CALLBACK_PATH,
    Response,
    signature,
)

_LARGEST_RESPONSE = 64 * 1024
_CONNECT_SEC, _READ_SEC, _WHOLE_SEC = 5.0, 30.0, 60.0


class HttpAsker:
    """Posts to the address of a webhook."""

    in_process = False

    def __init__(
        self,
        address: str,
        secret: SecretStr | None,
        clock: Callable[[], datetime] = utc_now,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._address = address
        self._secret = secret
        self._clock = clock
        self._client = _client(transport)

    async def ask(self, payload: dict[str, Any], request_id: str) -> Response:
        """Never raises for what the network does."""
        return await post(self._client, self._address, self._secret, payload, request_id, self._clock())

    async def work_beside(self) -> None:
        """Nothing: the AI is elsewhere."""

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        await self._client.aclose()


def _client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=httpx.Timeout(_READ_SEC, connect=_CONNECT_SEC),
        follow_redirects=False,
        # Calls are rare: a connection that was kept would mostly be one that the other side has closed.
        limits=httpx.Limits(max_keepalive_connections=0),
        trust_env=False,  # a proxy of the environment has no business with guests' messages
        transport=transport,
    )


async def post(
    client: httpx.AsyncClient,
    url: str,
    secret: SecretStr | None,
    payload: dict[str, Any],
    message_id: str,
    now: datetime,
) -> Response:
    """POST a payload to the AI, signed if there is a secret. Never raises for what the network does."""
    body = json.dumps(payload)
    headers = {
        "content-type": "application/json",
        "user-agent": "Nightporter",
        # What arrives is counted before it is unpacked, so it must not be packed.
        "accept-encoding": "identity",
        **signature(secret, body, message_id, now),
    }
    begun = time.monotonic()
    response = await _exchange(client, url, body, headers)
    return replace(response, duration_ms=int((time.monotonic() - begun) * 1000))


async def _exchange(client: httpx.AsyncClient, url: str, body: str, headers: dict[str, str]) -> Response:
    try:
        async with (
            asyncio.timeout(_WHOLE_SEC),
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            content = await _read(response)
            return Response(response.status_code, content, response.headers.get("retry-after"))
    except (TimeoutError, httpx.TimeoutException):
        return Response(None, error="timeout")
    except httpx.ConnectError:
        return Response(None, error="no_connection")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        logger.debug("the AI was not reached: {}", safe_error(error))
        return Response(None, error="network_error")


async def _read(response: httpx.Response) -> bytes:
    """The body if it is short and plain; otherwise nothing: an answer is never that long."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return b""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > _LARGEST_RESPONSE:
            return b""
    return bytes(content)


# --- is it there? ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verified:
    """How a test call went. ``outcome`` is a short stable word."""

    ok: bool
    outcome: str
    status: int | None
    duration_ms: int


async def verify(
    db: Database,
    account: Account,
    *,
    callback_base_url: str,
    secret: SecretStr | None,
    now: datetime,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Verified:
    """Post a test message, as real ones are posted. Nothing is stored; an answer to it is refused.

    Its ``conversation_id`` has no site's form and its token no request, so nothing can come of it but a status.
    """
    url = account.settings.ai_webhook_url
    if url is None or account.ai != "webhook":
        return Verified(ok=False, outcome="not_configured", status=None, duration_ms=0)
    request_id = f"test-{uuid4()}"
    token = tokens.make(db.secret, request_id)
    payload: dict[str, Any] = {
        "conversation_id": "connection-test",
        "sender": "Nightporter",
        "message": "This is a connection test. No answer is needed.",
        "property_id": None,
        "callback_url": f"{callback_base_url}{CALLBACK_PATH}?token={token}",
        "request_id": request_id,
        "test": True,
        "messages": [],
        "history": [],
        "guest": {},
        "stay": {},
        "reply_by": (now + timedelta(minutes=1)).isoformat(),
        "account": account.name,
        "channel": account.channel,
        "event": "message",
        "disclosed": False,
    }
    async with _client(transport) as client:
        response = await post(client, url.get_secret_value(), secret, payload, request_id, now)
    return Verified(response.accepted, response.outcome, response.status, response.duration_ms)


async def look_for_ai(address: str, *, transport: httpx.AsyncBaseTransport | None = None) -> int | None:
    """Whether somebody is at the address of a webhook. By HEAD, without the query: a real AI might answer a POST.

    The status of its answer, whatever that is: an AI needs to know POST alone, and many servers say 405 or 501
    to the rest. None if the connection was made but HEAD was not answered. TransientError if there is no
    connection. Repeatable.
    """
    try:
        url = httpx.URL(address).copy_with(query=None, fragment=None)
        async with _client(transport) as client:
            response = await client.head(url, timeout=_CONNECT_SEC)
            return response.status_code
    except (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError):
        return None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TransientError(f"does not answer ({type(error).__name__})") from error
