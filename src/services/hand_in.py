"""Handing in an answer at another Nightporter's ``callback_url``: tried again while that side is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import httpx
from loguru import logger
from pydantic import SecretStr

from src.logs import safe_error
from src.model.retry import HAND_IN_SEC
from src.model.values import utc_now
from src.services.ai_exchange import signature
from src.setting_types import http_url

_TIMEOUT_SEC = 30.0
_PASSING = frozenset({408, 425, 429})


class HandIn:
    """Posts answers, signed where there is a ``secret``. The token in the address lets in as well."""

    def __init__(
        self,
        secret: SecretStr | None,
        *,
        clock: Callable[[], datetime] = utc_now,
        pauses_sec: Sequence[float] = HAND_IN_SEC,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._pauses = pauses_sec
        self._client = httpx.AsyncClient(
            timeout=_TIMEOUT_SEC, follow_redirects=False, trust_env=False, transport=transport
        )

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        await self._client.aclose()

    async def __call__(self, callback_url: str, request_id: str, body: dict[str, Any]) -> bool:
        """Whether the other side has taken it, or needs it no more. Repeatable: the first one counts."""
        try:
            http_url(callback_url)
        except ValueError:
            logger.bind(request_id=request_id).warning(
                "an answer has nowhere to go: callback_url is no address"
            )
            return False
        for pause in (*self._pauses, None):
            status = await self._post(callback_url, request_id, json.dumps(body))
            line = logger.bind(request_id=request_id, status=status)
            if status is not None and (200 <= status < 300 or status == 409):
                line.info("an answer was handed in")
                return True
            if status is not None and 400 <= status < 500 and status not in _PASSING:
                line.warning("an answer was refused by our own callback")
                return False
            if pause is not None:
                await asyncio.sleep(pause)
        logger.bind(request_id=request_id).warning("an answer could not be handed in")
        return False

    async def _post(self, url: str, request_id: str, body: str) -> int | None:
        headers = {
            "content-type": "application/json",
            "user-agent": "Nightporter",
            **signature(self._secret, body, request_id, self._clock()),
        }
        try:
            return (await self._client.post(url, content=body, headers=headers)).status_code
        except httpx.HTTPError as error:
            logger.debug("an answer was not handed in: {}", safe_error(error))
            return None
