"""The ladder of models: one call with a schema, and for every bad answer what comes next.

    slow ─▶ next model                       down, 408, 5xx, HTML, error in a 200, no choices ─▶ next model
    401, 402, 403 ─▶ out for a while         404, or a call that it does not take ─▶ next model
    429 ─▶ next model                        refused, filtered ─▶ one more model
    not JSON, other schema, empty, cut ─▶ once more to the same model with what was wrong ─▶ next model

If none answers, the failure says what the caller may do: ask again later (`later`), or hand over to a person.
Nothing is retried beyond the ladder here; the queue does that. The model client is loaded with the first call.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Generic

from loguru import logger

from src.assistant.structured import Form, Parsed, Shape, Unreadable, read
from src.assistant.values import Step
from src.assistant_settings import OPENROUTER, ModelAddress

_TRIES_OF_A_MODEL = 2
_REFUSED_FOR_SEC = 15 * 60.0
"""A service that refused its key is left alone this long; then one call tries whether there is credit again."""
_BYTES_OF_A_TOKEN = 3.5
"""Where a server does not count: UTF-8 bytes of a token, on the average of prose. No tokenizer is shipped."""


class FailureKind(StrEnum):
    """Why no model answered; the values are reasons of an escalation. The first that happened here wins."""

    DOWN = "model_down"
    BUSY = "model_busy"
    SLOW = "model_slow"
    REFUSED = "model_refused"
    UNREADABLE = "model_unreadable"
    UNKNOWN = "model_unknown"
    KEY_REFUSED = "model_key_refused"

    @property
    def later(self) -> bool:
        """Whether asking again later may help."""
        return self in {FailureKind.DOWN, FailureKind.BUSY}


@dataclass(frozen=True, slots=True)
class Reply(Generic[Parsed]):
    """A model's answer. ``steps`` has a line for every call that it took, also the bad ones."""

    value: Parsed
    model: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ModelFailure:
    """No model answered. ``retry_after`` are seconds that a service asked for."""

    kind: FailureKind
    steps: tuple[Step, ...]
    retry_after: float | None = None


class _BadAnswer(Exception):
    def __init__(self, kind: FailureKind, outcome: str, retry_after: float | None = None) -> None:
        super().__init__(outcome)
        self.kind = kind
        self.outcome = outcome
        self.retry_after = retry_after


class _FormUnknown(Exception):
    """The server may not know this way to ask for an object."""


@dataclass(slots=True)
class _Usage:
    """What a call cost, as the server says, else estimated (then ``cost`` stays None)."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class _Out:
    """A service that refused its key: what it said, and from when on (``time.monotonic()``) it is tried again."""

    said: str
    until: float


@dataclass(slots=True)
class _Failures:
    """What went wrong on the way down the ladder."""

    kinds: set[FailureKind] = field(default_factory=set)
    retry_after: float | None = None

    def add(self, bad: _BadAnswer) -> None:
        self.kinds.add(bad.kind)
        waits = [wait for wait in (self.retry_after, bad.retry_after) if wait is not None]
        self.retry_after = min(waits, default=None)


class Ladder:
    """The models of this process. Remembers what each server can do and which service refused its key."""

    def __init__(self, *, timeout_sec: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` counts seconds; it says when a service that refused its key is tried again."""
        self._timeout_sec = timeout_sec
        self._clock = clock
        self._loaded = False
        self._clients: dict[str, Any] = {}
        self._forms: dict[ModelAddress, Form] = {}
        self._out: dict[tuple[str, str], _Out] = {}

    @property
    def refused_services(self) -> dict[str, str]:
        """The services that refused their key, and have not taken it since: address to what they said."""
        return {base_url: out.said for (base_url, _), out in self._out.items()}

    async def load(self) -> None:
        """Import the model client (about half a second) in a thread. Repeatable; the second time costs nothing."""
        if not self._loaded:
            await asyncio.to_thread(importlib.import_module, "openai")
            self._loaded = True

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    async def names_of_models(self, rung: ModelAddress) -> list[str]:
        """What the service calls its models; [] if it does not say."""
        await self.load()
        try:
            with _bad_answers():
                async with asyncio.timeout(self._timeout_sec):
                    page = await self._client(rung).models.list()
        except (_BadAnswer, _FormUnknown):
            return []
        found = getattr(page, "data", None) or []
        return [str(one.id) for one in found if getattr(one, "id", None)]

    async def ask(
        self,
        shape: Shape,
        model: type[Parsed],
        *,
        rungs: Sequence[ModelAddress],
        system: str,
        user: str,
        deadline: float,
    ) -> Reply[Parsed] | ModelFailure:
        """One object of this shape from the first of the models that gives one. Repeatable.

        ``deadline`` is a time of ``time.monotonic()``; no call goes on after it. Never raises for what a server
        does.
        """
        await self.load()
        steps: list[Step] = []
        failures = _Failures()
        refusals = 0
        for rung in rungs:
            if self._is_out(rung):
                failures.kinds.add(FailureKind.KEY_REFUSED)
                continue
            try:
                value = await self._ask_one(shape, model, rung, system, user, deadline, steps)
            except _BadAnswer as bad:
                failures.add(bad)
                if bad.kind is FailureKind.KEY_REFUSED:
                    self._leave_out(rung, bad.outcome)
                refusals += bad.kind is FailureKind.REFUSED
                if refusals > 1 or time.monotonic() >= deadline:
                    break
            else:
                self._out.pop(_service(rung), None)
                return Reply(value, rung.name, tuple(steps))
        kind = next(kind for kind in FailureKind if kind in failures.kinds)
        return ModelFailure(kind, tuple(steps), failures.retry_after)

    def _is_out(self, rung: ModelAddress) -> bool:
        """Whether its service refused its key lately. When that is over, one call at a time tries it again."""
        out = self._out.get(_service(rung))
        if out is None:
            return False
        if self._clock() < out.until:
            logger.debug("a model service is left out: {}", out.said)
            return True
        self._out[_service(rung)] = replace(out, until=self._clock() + _REFUSED_FOR_SEC)
        return False

    def _leave_out(self, rung: ModelAddress, said: str) -> None:
        if _service(rung) not in self._out:
            logger.error("a model service refuses its key or has no credit: {}", said)
        self._out[_service(rung)] = _Out(said, self._clock() + _REFUSED_FOR_SEC)

    async def _ask_one(
        self,
        shape: Shape,
        model: type[Parsed],
        rung: ModelAddress,
        system: str,
        user: str,
        deadline: float,
        steps: list[Step],
    ) -> Parsed:
        """A model's answer, with one second try if it cannot be read. Raises ``_BadAnswer``."""
        wrong = ""
        for _ in range(_TRIES_OF_A_MODEL):
            messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            if wrong:
                again = f"Your last output could not be used: {wrong}. Give only the JSON object, complete."
                messages.append({"role": "user", "content": again})
            try:
                return read(await self._call(shape, rung, messages, deadline, steps), model)
            except Unreadable as error:
                wrong = str(error)
                steps[-1] = steps[-1].ended("unreadable", wrong)
        raise _BadAnswer(FailureKind.UNREADABLE, "unreadable")

    async def _call(
        self,
        shape: Shape,
        rung: ModelAddress,
        messages: list[dict[str, Any]],
        deadline: float,
        steps: list[Step],
    ) -> str:
        """The words of one call, in the first form that the server takes. Raises ``_BadAnswer``, ``Unreadable``."""
        known = self._forms.get(rung)
        forms = [known] if known else list(Form)
        for form in forms:
            asked = messages
            if form is Form.JSON_OBJECT:
                first = {**messages[0], "content": f"{messages[0]['content']}\n\n{shape.in_words()}"}
                asked = [first, *messages[1:]]
            try:
                text = await self._post(shape, rung, asked, form, deadline, steps)
            except _FormUnknown:
                continue
            self._forms[rung] = form
            return text
        raise _BadAnswer(FailureKind.UNKNOWN, "http_400")

    async def _post(
        self,
        shape: Shape,
        rung: ModelAddress,
        messages: list[dict[str, Any]],
        form: Form,
        deadline: float,
        steps: list[Step],
    ) -> str:
        begun, usage, outcome = time.monotonic(), _Usage(), "ok"
        try:
            with _bad_answers():
                async with asyncio.timeout(min(self._timeout_sec, max(deadline - begun, 0.0))):
                    said = await self._complete(rung, messages, shape.request(form))
            text = _words(said, shape.name, usage)
            if usage.prompt == 0:
                usage.prompt = _estimate("".join(str(message["content"]) for message in messages))
                usage.completion = _estimate(text)
        except _BadAnswer as bad:
            outcome = bad.outcome
            raise
        except _FormUnknown:
            outcome = f"no_{form}"
            raise
        else:
            return text
        finally:
            ms = int((time.monotonic() - begun) * 1000)
            steps.append(
                Step(
                    shape.name,
                    outcome,
                    model=rung.name,
                    ms=ms,
                    prompt_tokens=usage.prompt,
                    completion_tokens=usage.completion,
                    cached_tokens=usage.cached,
                    cost=usage.cost,
                )
            )

    async def _complete(
        self, rung: ModelAddress, messages: list[dict[str, Any]], asked: dict[str, Any]
    ) -> Any:
        """The completion, by the client's ``post``: same request, same answer and errors as ``completions.create``.

        That one first goes through every part of the parameters and looks for names to translate. There are none
        here, and it takes a third of the client's own time.
        """
        completion = importlib.import_module("openai.types.chat").ChatCompletion
        body = {"model": rung.name, "messages": messages, **asked, **_extras(rung)}
        return await self._client(rung).post("/chat/completions", cast_to=completion, body=body)

    def _client(self, rung: ModelAddress) -> Any:
        key = rung.key.get_secret_value() if rung.key else "none"
        name = f"{rung.base_url} {key}"
        if name not in self._clients:
            openai = importlib.import_module("openai")
            client = openai.AsyncOpenAI(
                api_key=key,
                base_url=rung.base_url,
                max_retries=0,  # the ladder is the retry
                timeout=self._timeout_sec,
                http_client=openai.DefaultAsyncHttpxClient(trust_env=False, follow_redirects=False),
            )
            # Left to itself it takes these from OPENAI_* of the environment, which is not our configuration.
            client.organization = client.project = client.admin_api_key = client.webhook_secret = None
            client._custom_headers = {"User-Agent": "Nightporter"}  # noqa: SLF001 (OPENAI_CUSTOM_HEADERS)
            self._clients[name] = client
        return self._clients[name]


def _service(rung: ModelAddress) -> tuple[str, str]:
    return rung.base_url, rung.key.get_secret_value() if rung.key else ""


def _extras(rung: ModelAddress) -> dict[str, Any]:
    """What only OpenRouter understands: servers that obey the schema, that keep nothing, and the cost.

    After its reference on provider routing and usage accounting (openrouter.ai/docs, November 2026).
    """
    if rung.base_url != OPENROUTER:
        return {}
    provider = {"require_parameters": True, "data_collection": "deny"}
    return {"provider": provider, "usage": {"include": True}}


@contextmanager
def _bad_answers() -> Iterator[None]:
    """What the client raises, as a ``_BadAnswer`` that says what comes next."""
    openai = importlib.import_module("openai")
    try:
        yield
    except (TimeoutError, openai.APITimeoutError):
        raise _BadAnswer(FailureKind.SLOW, "timeout") from None
    except openai.APIStatusError as error:
        raise _of_status(error) from None
    except (openai.OpenAIError, ValueError, OSError) as error:
        # Closed, dropped halfway, not a word of HTTP, or a body that is no JSON.
        raise _BadAnswer(FailureKind.DOWN, type(error).__name__) from None


def _of_status(error: Any) -> Exception:
    status = int(error.status_code)
    outcome = f"http_{status}"
    if error.code == "content_filter":
        return _BadAnswer(FailureKind.REFUSED, "filtered")
    if status in {401, 402, 403}:
        return _BadAnswer(FailureKind.KEY_REFUSED, outcome)
    if status == 404:
        return _BadAnswer(FailureKind.UNKNOWN, outcome)
    if status == 429:
        return _BadAnswer(FailureKind.BUSY, outcome, _seconds(error.response.headers.get("retry-after")))
    if status in {400, 415, 422, 501}:
        return _FormUnknown()
    return _BadAnswer(FailureKind.DOWN, outcome)


def _seconds(header: str | None) -> float | None:
    """What a Retry-After header asks for: seconds or a date. None if it says neither."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _words(said: Any, name: str, usage: _Usage) -> str:
    """The model's words in a completion. The client gives a `str` for HTML and no choices for an error in a 200."""
    choices = getattr(said, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise _BadAnswer(FailureKind.DOWN, "html" if isinstance(said, str) else "no_choices")
    _count(getattr(said, "usage", None), usage)
    choice = choices[0]
    message = getattr(choice, "message", None)
    if message is None:
        raise _BadAnswer(FailureKind.DOWN, "no_message")
    if choice.finish_reason == "content_filter":
        raise _BadAnswer(FailureKind.REFUSED, "filtered")
    if getattr(message, "refusal", None):
        raise _BadAnswer(FailureKind.REFUSED, "refused")
    if choice.finish_reason == "length":
        raise Unreadable("the output was cut off")
    for call in getattr(message, "tool_calls", None) or []:
        function = getattr(call, "function", None)
        if function is not None and function.name == name:
            return str(function.arguments or "")
    return message.content if isinstance(message.content, str) else ""


def _count(said: Any, usage: _Usage) -> None:
    prompt, completion = getattr(said, "prompt_tokens", None), getattr(said, "completion_tokens", None)
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return
    usage.prompt, usage.completion = prompt, completion
    details = getattr(said, "prompt_tokens_details", None)
    cached, cost = getattr(details, "cached_tokens", None), getattr(said, "cost", None)
    usage.cached = cached if isinstance(cached, int) else 0
    usage.cost = float(cost) if isinstance(cost, (int, float)) else None


def _estimate(text: str) -> int:
    return int(len(text.encode()) / _BYTES_OF_A_TOKEN) + 1
