"""A program of one's own behind the port: what was said is stored here, and what goes out is POSTed to it.

Only replies that nobody waits for come this way (CHAT_SEND_URL); a waiting caller at ``src/api/chat.py`` takes the
reply there.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

from src.channels.base import Place, Store
from src.channels.chat import CAPABILITIES, is_conversation_id
from src.channels.chat.settings import ChatSettings
from src.channels.reading import follow_by_reading, read_stored, stored_view
from src.errors import CannotWrite, ChannelGone, NotPressed, TransientError
from src.model.inbox import SeenConversation
from src.model.retry import SLOWER
from src.model.sending import Delivery, Finding, Press, Receipt

_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
_NOT_THERE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""No word of ours was said."""
_LATER = frozenset({425, 429, 503})
"""Refused for now, by the meaning of these codes (RFC 8470, RFC 6585, RFC 9110): nothing was taken."""
_MAYBE = frozenset({408, 499})
"""The program gave up in the middle: it may have taken the reply."""
_LOOK_SEC = 0.1


class ChatChannel:
    """One account's conversations, as its callers told them. The port says what each method promises."""

    name = "chat"
    capabilities = CAPABILITIES

    def __init__(self, settings: ChatSettings, place: Place) -> None:
        self._settings = settings
        self._place = place
        self._client: httpx.AsyncClient | None = None
        self._opened: str | None = None
        self._ready: str | None = None
        self._refusals = 0
        """How often in a row the program was away, or asked for time."""

    def is_conversation_id(self, external_id: str) -> bool:
        return is_conversation_id(external_id)

    async def open(self) -> None:
        """Nothing to reach: whether the program is there shows with the first reply."""
        if self._client is None:
            # A kept connection that has gone meanwhile would leave it open whether a reply was taken.
            limits = httpx.Limits(max_keepalive_connections=0)
            self._client = httpx.AsyncClient(timeout=_TIMEOUT, limits=limits)

    async def close(self) -> None:
        client, self._client = self._client, None
        self._opened = self._ready = None
        if client is not None:
            await client.aclose()

    @property
    def _store(self) -> Store:
        if self._client is None or self._place.store is None:
            raise ChannelGone("the channel is not open")
        return self._place.store

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,
        anew: bool = False,  # noqa: ARG002 - what is stored is always read anew
    ) -> SeenConversation:
        view = await read_stored(self._store, external_id, enough)
        self._opened, self._ready = external_id, None
        return view

    async def reread(self, external_id: str) -> SeenConversation:
        self._check_open(external_id)
        return await stored_view(self._store, external_id)

    def _check_open(self, external_id: str) -> None:
        if self._client is None:
            raise ChannelGone("the channel is not open")
        if external_id != self._opened:
            raise TransientError("the conversation was not read before")

    async def write(self, external_id: str, text: str) -> None:
        self._check_open(external_id)
        if self._settings.send_url is None:
            raise CannotWrite("CHAT_SEND_URL is not set: only a caller who waits gets a reply")
        self._ready = text

    async def clear(self, external_id: str) -> None:
        self._check_open(external_id)
        self._ready = None

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        """One POST. 2xx: the program has it; a plain refusal is one; after anything else it may have been taken."""
        self._check_open(external_id)
        text, self._ready = self._ready, None
        if text is None:
            raise NotPressed("nothing is ready to be sent")
        try:
            response = await self._post(external_id, text, press.key)
        except _NOT_THERE as error:
            raise self._later(f"the program is out of reach ({type(error).__name__})") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise TransientError(f"no answer came ({type(error).__name__})") from None
        if response.status_code in _LATER:
            wait = response.headers.get("retry-after", "")
            said = f"the program says {response.status_code}"
            raise self._later(said, float(wait) if wait.isdecimal() else None)
        self._refusals = 0
        return _judge(response.status_code, press.key)

    def _later(self, why: str, asked: float | None = None) -> NotPressed:
        self._refusals += 1
        return NotPressed(why, retry_after=SLOWER.pause(self._refusals, asked=asked))

    async def _post(self, external_id: str, text: str, key: str) -> httpx.Response:
        assert self._client is not None  # noqa: S101 - it was looked at
        assert self._settings.send_url is not None  # noqa: S101 - nothing can be ready else
        said = {"id": key, "conversation_id": external_id, "text": text}
        if external_id.isdecimal():
            said["number"] = external_id
        headers = {"idempotency-key": key}
        if self._settings.api_key is not None:
            headers["x-api-key"] = self._settings.api_key.get_secret_value()
        return await self._client.post(self._settings.send_url.get_secret_value(), json=said, headers=headers)

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        return await follow_by_reading(lambda: self.reread(external_id), until, timeout, _LOOK_SEC)

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:  # noqa: ARG002 - nobody can be asked
        """The program was told once; whether it took a reply without saying so, nobody knows."""
        return Finding.UNKNOWN


def _judge(status: int, key: str) -> Receipt:
    if 200 <= status < 300:
        return Receipt(f"reply-{key}")
    if status >= 500 or status in _MAYBE:
        raise TransientError(f"whether the program took it is not known: it says {status}")
    return Receipt("", standing=Delivery.FAILED, error=f"http_{status}")
