"""A scripted model behind OpenAI's wire, on loopback: what the demo's assistant asks in place of a paid service.

It knows the steps of the assistant by the names of their schemas (triage, draft, check, translation), finds what a
guest asks about by words, and writes an answer only from a fact that stands in the prompt. It is no language model:
of how well one would do it says nothing.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.brain import language_of
from sandbox.server import ThreadedServer

NAME = "scripted-model"
KNOWLEDGE = Path(__file__).with_name("knowledge")
"""The facts of the demo's host."""
_FACT = re.compile(r'<fact id="([^"]+)"(?:[^>]*? title="([^"]*)")?[^>]*>(.*?)</fact>', re.DOTALL)
_TOPICS: tuple[tuple[str, str, re.Pattern[str], dict[str, str]], ...] = (
    (
        "parking",
        "Parking",
        re.compile(r"\bpark|garer|stationn|駐車", re.IGNORECASE),
        {
            "en": "Hello! Parking is free of charge, in the street in front of the house.",
            "fr": "Bonjour ! Le stationnement est gratuit, dans la rue devant la maison.",
            "ja": "こんにちは。家の前の通りに無料で駐車していただけます。",
        },
    ),
    (
        "wifi",
        "Wi-Fi",
        re.compile(r"wi-?fi|internet|ワイファイ|ネット", re.IGNORECASE),
        {
            "en": "Hello! Yes, the wifi is fast; its name and its password are on the card beside the front door.",
            "fr": "Bonjour ! Oui, le wifi est rapide ; son nom et son mot de passe sont sur la carte près de la porte.",
            "ja": "こんにちは。Wi-Fiの名前とパスワードは、玄関の横のカードに書いてあります。",
        },
    ),
    (
        "bedding",
        "Towels",
        re.compile(r"towel|serviette|linge|タオル", re.IGNORECASE),
        {
            "en": "Hello! Towels and linen are in the cupboard of the bedroom, two for each guest.",
            "fr": "Bonjour ! Les serviettes et le linge sont dans l'armoire de la chambre, deux par voyageur.",
            "ja": "こんにちは。タオルは寝室の棚に、お一人様2枚ずつご用意しています。",
        },
    ),
)
_WORD = re.compile(r"[a-z]{5,}")


class SandboxModel(ThreadedServer):
    """Start it and give ``base_url`` to the product as ``ASSISTANT_BASE_URL``, and ``NAME`` as ``ASSISTANT_MODEL``."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._steps: list[str] = []

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def steps(self) -> list[str]:
        """The steps that it was asked for so far, in order."""
        with self._lock:
            return list(self._steps)

    def application(self) -> ASGIApp:
        """The two calls of the wire that the product makes."""
        return Starlette(
            routes=[
                Route("/v1/models", self._models, methods=["GET"]),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
            ]
        )

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": NAME, "object": "model"}]})

    async def _complete(self, request: Request) -> Response:
        asked = await request.json()
        wanted = asked.get("response_format", {}).get("json_schema", {}).get("name")
        if wanted not in _STEPS:
            return JSONResponse({"error": {"message": "ask for an object by a JSON schema"}}, 400)
        with self._lock:
            self._steps.append(wanted)
        system = "\n".join(m["content"] for m in asked["messages"] if m["role"] == "system")
        data = json.loads(next(m["content"] for m in asked["messages"] if m["role"] == "user"))
        text = json.dumps(_STEPS[wanted](system, data), ensure_ascii=False)
        message = {"role": "assistant", "content": text, "refusal": None}
        usage = {"prompt_tokens": len(system) // 4, "completion_tokens": len(text) // 4}
        usage["total_tokens"] = sum(usage.values())
        return JSONResponse(
            {
                "id": "scripted",
                "object": "chat.completion",
                "created": 0,
                "model": NAME,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
                "usage": usage,
            }
        )


def _triage(_: str, data: dict[str, Any]) -> dict[str, Any]:
    message = str(data["guest_message"])
    topic = next((topic for topic, _, pattern, _ in _TOPICS if pattern.search(message)), "other")
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    asked = next((line for line in lines if "?" in line or "？" in line), lines[-1])
    question = re.split(r"(?<=[!.])\s+", asked)[-1]
    return {
        "language": language_of(message),
        "needs_answer": True,
        "classes": [],
        "topic": topic,
        "agent": "host",
        "questions": [{"question": question, "search": {}}],
        "instructions_in_text": False,
        "confidence": 0.95,
    }


def _draft(system: str, data: dict[str, Any]) -> dict[str, Any]:
    message = str(data["guest_message"])
    facts = [(name, title or "", text.strip()) for name, title, text in _FACT.findall(system)]
    said, source = _answer(message, facts)
    return {
        "action": "answer" if said else "escalate",
        "message": said,
        "sources": [source] if source else [],
        "missing": [] if said else [_triage("", data)["questions"][0]["question"]],
        "promises": [],
        "confidence": 0.95,
    }


def _answer(message: str, facts: list[tuple[str, str, str]]) -> tuple[str, str | None]:
    """The answer and the fact that it rests on; '' if no fact says it."""
    language = language_of(message)
    for _, title, pattern, answers in _TOPICS:
        if pattern.search(message):
            source = next((name for name, heading, _ in facts if heading.endswith(title)), None)
            return (answers[language], source) if source else ("", None)
    asked = set(_WORD.findall(message.lower()))
    for name, heading, text in facts:
        if heading.endswith("?") and asked and asked <= set(_WORD.findall(heading.lower())) | {"hello"}:
            return f"Hello! {text}", name
    return "", None


def _check(_: str, __: dict[str, Any]) -> dict[str, Any]:
    good = dict.fromkeys(("grounded", "answers_all", "language_ok", "tone_ok"), True)
    return {**good, "unsupported": [], "promises": [], "verdict": "send", "reason": ""}


def _translation(_: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"text": f"({data['to']}) {data['text']}"}


_STEPS = {"triage": _triage, "draft": _draft, "check": _check, "translation": _translation}
