"""Around the whole application: how much is read and for how long, and that no error shows what came in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from loguru import logger
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.logs import safe_error
from src.services.refusals import Malformed

LARGEST_BODY = 64 * 1024
DEEPEST_JSON = 32
SLOWEST_BODY_SEC = 20.0
_THROWN_AWAY = 1024 * 1024

Model = TypeVar("Model", bound=BaseModel)


def refusal(error: str, **more: Any) -> dict[str, Any]:
    """The JSON of every answer that is not a success."""
    return {
        "success": False,
        "error": error,
        **{name: value for name, value in more.items() if value is not None},
    }


_MOST_KEY = 255


def key_of_call(request: Request) -> str | None:
    """The ``Idempotency-Key`` of a call; None without one. Malformed if it cannot be one."""
    given = request.headers.get("idempotency-key", "").strip()
    if len(given) > _MOST_KEY or not given.isprintable():
        raise Malformed("idempotency-key", f"must be up to {_MOST_KEY} printable characters")
    return given or None


class Guard:
    """ASGI: reads the body first, up to ``largest`` bytes, then calls the application; turns its bugs into 500.

    Too much is answered with 413, whatever Content-Length says, too slow with 408. Nothing that came in is logged
    or sent back.
    """

    def __init__(
        self,
        app: ASGIApp,
        largest: int = LARGEST_BODY,
        slowest_sec: float = SLOWEST_BODY_SEC,
        instead: Mapping[str, int] | None = None,
    ) -> None:
        """``instead``: how much is read at paths that begin so."""
        self._app = app
        self._largest = largest
        self._instead = dict(instead or {})
        self._slowest_sec = slowest_sec

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with logger.contextualize(part="api"):
            begun = False

            async def sending(message: Message) -> None:
                nonlocal begun
                begun = True
                if message["type"] == "http.response.start":
                    given = message.get("headers", [])
                    names = {name for name, _ in given}
                    headers = [*given, *(one for one in _UNLESS_SAID if one[0] not in names)]
                    message = {**message, "headers": headers}
                await send(message)

            try:
                body = await self._read(scope, receive, sending)
                if body is not None:
                    await self._app(scope, _replay(body, receive), sending)
            except Exception as error:  # noqa: BLE001 - the edge of the application
                logger.bind(path=scope["path"]).opt(exception=error).error(
                    "a call failed: {}", safe_error(error)
                )
                if not begun:
                    await say_refusal(sending, 500, "something went wrong here; the log has more")

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """The whole body; None if it has been refused, or the client has gone."""
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        path = scope["path"]
        largest = next((n for begin, n in self._instead.items() if path.startswith(begin)), self._largest)
        too_much = any(not value.isdigit() or int(value[:18]) > largest for value in lengths)
        body, size = bytearray(), 0
        try:
            async with asyncio.timeout(self._slowest_sec):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    too_much = too_much or size > largest
                    if not too_much:
                        body += part
                    # A connection that is closed on data not yet read loses our answer: so some more is taken
                    # and thrown away.
                    ended = not message.get("more_body", False)
                    if too_much and (ended or size > _THROWN_AWAY):
                        await say_refusal(send, 413, f"the body is larger than {largest} bytes")
                        return None
                    if ended:
                        return bytes(body)
        except TimeoutError:
            await say_refusal(send, 408, "the body came too slowly")
            return None


_UNLESS_SAID: list[tuple[bytes, bytes]] = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand over the body that was read, once; after that, what the server says."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying() -> Message:
        return waiting.pop() if waiting else await receive()

    return replaying


async def say_refusal(send: Send, status: int, error: str, *more: tuple[bytes, bytes]) -> None:
    """Answer without the application, and close the connection. ``more``: further headers."""
    body = json.dumps(refusal(error)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # What was not read must not be taken for the next request.
        (b"connection", b"close"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_json(request: Request, model: type[Model], *, optional: bool = False) -> Model:
    """The body as a model. Raises ``Malformed`` naming the field; what was sent is not in the message.

    Only to be called after the caller was let in: nothing is parsed for strangers.
    """
    raw = await request.body()
    if optional and not raw.strip():
        raw = b"{}"
    if too_deep(raw):
        raise Malformed("body", "is nested too deeply")
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        raise Malformed("body", "is not JSON") from None
    if not isinstance(parsed, dict):
        raise Malformed("body", "must be a JSON object")
    try:
        return model.model_validate(parsed)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise Malformed(field_name(first["loc"]), _plain(first["msg"])) from None


def field_name(location: Iterable[int | str]) -> str:
    """``("body", "conversation_id")`` → ``conversation_id``."""
    parts = [str(part) for part in location if part not in ("body", "query", "path", "header")]
    return ".".join(parts) or "body"


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]


# As numbers: what collects the sentences for the catalogues takes ``count(b"…")`` for one.
_OPEN_LIST, _OPEN_OBJECT = ord("["), ord("{")


def too_deep(raw: bytes, deepest: int = DEEPEST_JSON) -> bool:
    """Whether JSON is nested deeper than that, without parsing it."""
    if raw.count(_OPEN_LIST) + raw.count(_OPEN_OBJECT) <= deepest:  # nearly always
        return False
    depth, in_string, escaped = 0, False, False
    for byte in raw:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            if depth > deepest:
                return True
        elif byte in (0x5D, 0x7D):
            depth -= 1
    return False
