"""Visitors of a site on the real command, over a network that cuts them off: ``python -m tests.faults.widget_crowd``.

Each visitor does what the script does: an id for each message before its first try, tried until it is taken; the
stream resumed by number. The AI answers each message by its own words. Then each visitor counts what it was shown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from benchmarks.house import Asked, InstantAI, Product, http_post, read_http
from sandbox.widget.network import Network

PAGE = "http://127.0.0.1:9"
BASE = "/api/widget/shop"
_ACCOUNTS = f"""
[[account]]
name = "shop"
channel = "widget"
origins = ["{PAGE}"]
rate_visitor_min = 100000
rate_address_min = 100000
rate_site_hour = 100000
"""


class EchoAI(InstantAI):
    """Answers with the words that it was asked."""

    async def _call_back(self, asked: Asked) -> None:
        url = urlsplit(asked.payload["callback_url"])
        body = {
            "conversation_id": asked.payload["conversation_id"],
            "message": f"You said {asked.payload['message']}.",
        }
        for _ in range(60):
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
                writer.write(http_post(f"{url.path}?{url.query}", json.dumps(body).encode(), url.port or 80))
                asked.status, _ = await read_http(reader)
                writer.close()
                return
            await asyncio.sleep(0.5)


@dataclass
class Visitor:
    """One visitor, and all that was shown."""

    url: str
    number: int
    token: str | None = None
    last: int = 0
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    """How often each message came, by whatever way: more than once is normal, and shown once."""
    connects: int = 0
    tries: int = 0

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(base_url=self.url, headers={"origin": PAGE}, timeout=15)
        self.news = asyncio.Event()

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def take(self, message: dict[str, Any]) -> None:
        self.told[message["id"]] += 1
        self.shown[message["id"]] = message
        self.last = max(self.last, message["sequence"])
        self.news.set()

    async def say(self, text: str) -> None:
        """Until it is taken."""
        said = {"text": text, "client_id": str(uuid4())}
        while True:
            self.tries += 1
            with suppress(httpx.HTTPError):
                answer = await self.client.post(f"{BASE}/messages", json=said, headers=self.headers)
                if answer.status_code == 202:
                    self.token = answer.json()["visitor"]
                    return
                if answer.status_code < 500:
                    raise RuntimeError(f"a message was answered {answer.status_code}: {answer.text}")
            await asyncio.sleep(0.2)

    async def watch(self) -> None:
        """For ever: what was missed, then the stream."""
        while True:
            with suppress(httpx.HTTPError, json.JSONDecodeError):
                if self.token is not None:
                    await self.catch_up()
                    await self._stream()
            await asyncio.sleep(0.2)

    async def catch_up(self) -> None:
        answer = await self.client.get(f"{BASE}/messages?after={self.last}", headers=self.headers)
        if answer.status_code == 200:
            for message in answer.json()["messages"]:
                self.take(message)

    async def _stream(self) -> None:
        self.connects += 1
        headers = {**self.headers, "last-event-id": str(self.last)}
        async with self.client.stream("GET", f"{BASE}/events", headers=headers, timeout=25) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: {"):
                    self.take(json.loads(line[6:]))

    def answers_to(self, text: str) -> int:
        return sum(
            one["role"] == "assistant" and f"said {text}." in one["text"] for one in self.shown.values()
        )

    async def talk(self, messages: int, dice: random.Random, within: float) -> None:
        """One message after the other, each when the one before was answered."""
        for n in range(messages):
            text = f"message {n} of visitor {self.number}"
            await self.say(text)
            async with asyncio.timeout(within):
                while not self.answers_to(text):
                    self.news.clear()
                    await self.news.wait()
            await asyncio.sleep(dice.random() * 0.5)


async def crowd(product: Product, arguments: argparse.Namespace) -> dict[str, int]:
    dice = random.Random(arguments.seed)
    network = Network(product.port)
    await network.start()
    visitors = [Visitor(network.url, number) for number in range(arguments.visitors)]
    watching = [asyncio.create_task(one.watch()) for one in visitors]
    talking = [asyncio.create_task(one.talk(arguments.messages, dice, arguments.within)) for one in visitors]
    cuts = kills = 0
    while not all(one.done() for one in talking) or cuts < arguments.cuts:
        await asyncio.sleep(arguments.every)
        if any(one.done() and one.exception() for one in talking):
            break
        network.loses_answers = dice.randrange(3)
        cuts += network.cut_some(dice.randrange(1, 1 + max(1, arguments.visitors // 8)), dice)
        if kills < arguments.kills and dice.random() < 0.1:
            kills += 1
            assert product.process is not None
            product.process.kill()
            product.process.wait()
            product.start("syncsend")
    lost_in_time = sum(
        isinstance(one, Exception) for one in await asyncio.gather(*talking, return_exceptions=True)
    )
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    wanted = [f"message {n}" for n in range(arguments.messages)]
    lost = twice = strays = gaps = 0
    for one in visitors:
        by_stream = set(one.shown)
        one.last = 0
        await one.catch_up()
        gaps += len(set(one.shown) - by_stream)
        said = [
            m["text"]
            for m in sorted(one.shown.values(), key=lambda m: m["sequence"])
            if m["role"] == "visitor"
        ]
        counts = [one.answers_to(f"{text} of visitor {one.number}") for text in wanted]
        lost += counts.count(0) + sum(said.count(f"{text} of visitor {one.number}") == 0 for text in wanted)
        twice += sum(max(0, n - 1) for n in counts) + len(said) - len(set(said))
        answers = [m["text"] for m in one.shown.values() if m["role"] == "assistant"]
        strays += sum(f"visitor {one.number}." not in text for text in answers)
        await one.client.aclose()
    await network.stop()
    return {
        "messages": arguments.visitors * arguments.messages,
        "tries": sum(one.tries for one in visitors),
        "cuts": cuts,
        "kills": kills,
        "streams opened": sum(one.connects for one in visitors),
        "lost": lost,
        "twice": twice,
        "to another visitor": strays,
        "not shown without being asked for": gaps,
        "visitors who waited in vain": lost_in_time,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--messages", type=int, default=3)
    parser.add_argument("--cuts", type=int, default=50, help="streams that are cut, at least")
    parser.add_argument("--kills", type=int, default=0, help="kill -9 of the program, at most")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two rounds of cuts")
    parser.add_argument("--within", type=float, default=300.0, help="seconds until an answer must be there")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crowd-") as name, EchoAI() as ai:
        folder = Path(name)
        (folder / "accounts.toml").write_text(_ACCOUNTS)
        settings = {"ACCOUNTS_FILE": str(folder / "accounts.toml"), "AI_CONCURRENCY": "32"}
        with Product(folder, PAGE, ai.url, **settings) as product:
            product.start("syncsend")
            found = asyncio.run(crowd(product, arguments))
    for what, number in found.items():
        print(f"{number:7}  {what}")
    print(f"{time.monotonic() - began:7.0f}  seconds")
    bad = found["lost"] + found["twice"] + found["to another visitor"] + found["visitors who waited in vain"]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
