"""A model service on loopback: OpenAI's wire, plain or streamed, with good answers, obedient ones and every fault.

    with ModelServer() as server:
        server.ways = ["http_503", "good"]      # one a call, the last one for all that follow
        server.ways_of["small"] = ["html"]      # of one model
        server.script["triage"] = {...}         # a step's answer, or a function of the call
        ... server.calls                        # all that it was asked: look what was in the prompt

It knows the steps by the names of their schemas (triage, draft, check) and shares no code with the product. What the
models say is in ``model_answers.py``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.model_answers import (
    Answer,
    Call,
    good_check,
    good_draft,
    good_triage,
    obedient_draft,
    spoil,
)

Script = Answer | Callable[[Call], Answer]

FAULTS_OF_HTTP = ("choiceless", "html", "error_in_200", "no_json", "closed", "dropped", "hanging", "slow")
FORMS = ("json_schema", "tool", "json_object")


@dataclass
class ModelServer:
    """Start it with ``with``. Everything may be changed while it runs."""

    ways: list[str] = field(default_factory=lambda: ["good"])
    ways_of: dict[str, list[str]] = field(default_factory=dict)
    script: dict[str, Script] = field(default_factory=dict)
    forms: tuple[str, ...] = FORMS
    """What it takes; the others are answered with 400."""
    retry_after: str | None = None
    slow_sec: float = 1.0
    cost: float | None = None
    calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"server_of_models": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def steps(self) -> list[str]:
        """The names of the steps that were asked for, in order."""
        return [call.step for call in self.calls]

    def take(self, call: Call) -> str:
        """Note a call and say which way it goes."""
        with self._lock:
            self.calls.append(call)
            ways = self.ways_of.get(call.model, self.ways)
            return ways.pop(0) if len(ways) > 1 else ways[0]

    def wait(self, seconds: float) -> None:
        """Until the time is over or the server ends."""
        self._ending.wait(seconds)

    def answer(self, call: Call, way: str) -> Answer:
        """The object that the model hands in."""
        scripted = self.script.get(call.step)
        if scripted is not None:
            return scripted(call) if callable(scripted) else scripted
        kind, _, how = way.partition(":")
        if call.step == "triage":
            return good_triage(call)
        if call.step == "draft":
            return obedient_draft(call, how) if kind == "obedient" else good_draft(call)
        if call.step == "check":
            return good_check()
        return {}


class _Handler(BaseHTTPRequestHandler):
    server_of_models: ModelServer
    protocol_version = "HTTP/1.1"

    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's acknowledgement

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        """The list of models."""
        self._send(200, {"object": "list", "data": [{"id": "main", "object": "model"}]})

    def do_POST(self) -> None:
        """A completion."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        call = Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        server = self.server_of_models
        way = server.take(call)
        if call.form not in (*server.forms, "text"):
            self._send(400, {"error": {"message": f"response_format {call.form} is not supported"}})
            return
        with suppress(ConnectionError):
            self._go(call, way)

    def _go(self, call: Call, way: str) -> None:
        server = self.server_of_models
        match way:
            case _ if way.startswith("http_"):
                headers = {"retry-after": server.retry_after} if server.retry_after else {}
                self._send(int(way[5:]), {"error": {"message": "no", "code": way}}, headers)
            case "choiceless":
                self._send(200, {"id": "x", "object": "chat.completion", "choices": []})
            case "error_in_200":
                self._send(200, {"error": {"message": "overloaded", "code": 503}})
            case "html":
                self._raw(200, b"<html><body>It works!</body></html>", "text/html")
            case "no_json":
                self._raw(200, b'{"id": "x", "choices": [', "application/json")
            case "closed":
                self.close_connection = True
                self.connection.close()
            case "dropped":
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{")
                self.close_connection = True
            case "hanging":
                server.wait(60)
                self.close_connection = True
            case "slow":
                server.wait(server.slow_sec)
                self._complete(call, "good")
            case _:
                self._complete(call, way)

    def _complete(self, call: Call, way: str) -> None:
        wanted = json.dumps(self.server_of_models.answer(call, way), ensure_ascii=False)
        text, finish, refusal = spoil(wanted, way)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": refusal}
        if call.form == "tool" and text:
            function = {"name": call.step, "arguments": text}
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": function}],
            }
        usage: dict[str, Any] = {
            "prompt_tokens": len(call.text) // 4,
            "completion_tokens": len(wanted) // 4,
            "total_tokens": (len(call.text) + len(wanted)) // 4,
        }
        if self.server_of_models.cost is not None:
            usage["cost"] = self.server_of_models.cost
        common = {"id": "chatcmpl-1", "created": 1_800_000_000, "model": call.model}
        if call.body.get("stream"):
            self._stream(common, message, finish, usage)
            return
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        self._send(200, {**common, "object": "chat.completion", "choices": [choice], "usage": usage})

    def _stream(self, common: Answer, message: dict[str, Any], finish: str, usage: Answer) -> None:
        def chunks() -> Iterator[Answer]:
            text = message.get("content") or ""
            if message.get("tool_calls"):
                yield {
                    "delta": {"tool_calls": [{"index": 0, **message["tool_calls"][0]}]},
                    "finish_reason": None,
                }
            for start in range(0, len(text), 16):
                yield {"delta": {"content": text[start : start + 16]}, "finish_reason": None}
            yield {"delta": {}, "finish_reason": finish}

        lines = [
            json.dumps({**common, "object": "chat.completion.chunk", "choices": [{"index": 0, **chunk}]})
            for chunk in chunks()
        ]
        lines.append(json.dumps({**common, "object": "chat.completion.chunk", "choices": [], "usage": usage}))
        body = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
        self._raw(200, body.encode(), "text/event-stream")

    def _send(self, status: int, said: Answer, headers: Mapping[str, str] | None = None) -> None:
        self._raw(status, json.dumps(said).encode(), "application/json", headers)

    def _raw(self, status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
