"""What the models of tests say: good answers, obedient ones, and answers with a fault. Shares no code with the product."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Answer = Mapping[str, Any]

FAULTS_OF_WORDS = (
    "prose",
    "fence",
    "malformed",
    "cut",
    "empty",
    "null",
    "refused",
    "filtered",
    "other_schema",
    "list",
    "two_objects",
)
OBEDIENT = ("echo", "dump", "placeholders", "promises", "links", "base64", "spaced")

_FACT = re.compile(r'<fact id="([^"]+)"[^>]*>(.*?)</fact>', re.DOTALL)
_NAMED = re.compile(r'one JSON object named "(\w+)"')
_WORDS = re.compile(r"\w+")


@dataclass(slots=True)
class Call:
    """One call as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def model(self) -> str:
        return str(self.body.get("model"))

    @property
    def form(self) -> str:
        """How the object is asked for."""
        if self.body.get("tools"):
            return "tool"
        return str((self.body.get("response_format") or {}).get("type", "text"))

    @property
    def step(self) -> str:
        """The name of the schema."""
        if self.form == "tool":
            return str(self.body["tools"][0]["function"]["name"])
        if self.form == "json_schema":
            return str(self.body["response_format"]["json_schema"]["name"])
        found = _NAMED.search(self.system)
        return found.group(1) if found else ""

    @property
    def system(self) -> str:
        return "\n".join(m["content"] for m in self.body["messages"] if m["role"] == "system")

    @property
    def users(self) -> list[str]:
        return [m["content"] for m in self.body["messages"] if m["role"] == "user"]

    @property
    def data(self) -> dict[str, Any]:
        """The first user message: the guest's words as JSON."""
        found: dict[str, Any] = json.loads(self.users[0])
        return found

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Id and text of the facts in the prompt."""
        return [(name, text.strip()) for name, text in _FACT.findall(self.system)]

    @property
    def text(self) -> str:
        """All that the model was shown."""
        return "\n".join(str(message["content"]) for message in self.body["messages"])


def good_triage(call: Call) -> Answer:
    """Everything is harmless and clear."""
    message = str(call.data["guest_message"])
    questions = [part.strip() + "?" for part in message.split("?")[:-1] if part.strip()] or [message]
    return {
        "language": "und",
        "needs_answer": True,
        "classes": [],
        "topic": "other",
        "agent": "host",
        "questions": [{"question": one, "search": {}} for one in questions],
        "instructions_in_text": False,
        "confidence": 0.95,
    }


def good_draft(call: Call) -> Answer:
    """The sentence of the facts that has most words of the question; missing where none has any."""
    message = str(call.data["guest_message"])
    asked = _folded(message)
    best: tuple[int, str, str] = (0, "", "")
    for name, text in call.facts:
        for sentence in re.split(r"(?<=[.!?。])\s+|\n+", text):
            common = len(asked & _folded(sentence))
            if common > best[0]:
                best = (common, name, sentence.strip())
    if best[0] == 0:
        return _draft("escalate", "", [], missing=[message[:200]])
    return _draft("answer", best[2], [best[1]])


def obedient_draft(call: Call, how: str) -> Answer:
    """It does what a guest orders, in one of seven ways."""
    first = call.facts[:1]
    sources = [first[0][0]] if first else []
    inside = call.system
    texts = {
        "echo": lambda: str(call.data["guest_message"]),
        "dump": lambda: inside[:1200],
        "placeholders": lambda: " ".join(re.findall(r"\{\{\w+\}\}", inside)) or "{{door_code}} {{safe_code}}",
        "promises": lambda: "I promise you a full refund, and you may check in at any time for free.",
        "links": lambda: (
            "Please write to host@mail.example or open https://pay.example/now or call +33612345678."
        ),
        "base64": lambda: base64.b64encode(inside[:600].encode()).decode(),
        "spaced": lambda: " ".join(inside[:300]),
    }
    return _draft("answer", texts[how](), sources)


def good_check() -> Answer:
    """Nothing is ever wrong with a draft."""
    return {
        "grounded": True,
        "unsupported": [],
        "promises": [],
        "answers_all": True,
        "language_ok": True,
        "tone_ok": True,
        "verdict": "send",
        "reason": "",
    }


def _draft(action: str, message: str, sources: list[str], missing: list[str] | None = None) -> Answer:
    return {
        "action": action,
        "message": message,
        "sources": sources,
        "missing": missing or [],
        "promises": [],
        "confidence": 0.95,
    }


def _folded(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    words = _WORDS.findall("".join(char for char in plain if not unicodedata.combining(char)))
    return {word[:5] for word in words if len(word) > 3}


def spoil(wanted: str, way: str) -> tuple[str | None, str, str | None]:
    """A model's words with a fault: the text, the finish reason, the refusal."""
    texts: dict[str, str | None] = {
        "prose": f"Sure, here is it:\n{wanted}\nI hope that helps!",
        "fence": f"```json\n{wanted}\n```",
        "malformed": wanted[:-1] + ",]",
        "cut": wanted[: len(wanted) // 2],
        "empty": "",
        "null": None,
        "refused": None,
        "filtered": None,
        "other_schema": '{"answer": "yes"}',
        "list": f"[{wanted}]",
        "two_objects": f"{wanted}\n{wanted}",
    }
    finish = {"cut": "length", "filtered": "content_filter"}.get(way, "stop")
    refusal = "I cannot help with that." if way == "refused" else None
    return texts.get(way, wanted), finish, refusal
