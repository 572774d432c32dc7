"""The widget: a message until it is taken, the AI's answer until it is on a screen, the memory of idle streams."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import psutil
from playwright.async_api import Page, async_playwright

from benchmarks.house import InstantAI, Product, free_port, read_http
from benchmarks.results import Results
from benchmarks.sizes import Size
from sandbox.widget.shop import open_shop
from src.channels.browser import find_browsers, launch_options

GROUP = "Widget"
TAKEN = "a visitor's message until 202"
ON_SCREEN = "the AI's answer until it is on the visitor's screen"
MEMORY = "memory of an idle stream"
STREAMS = 400
_SITE = "shop"
_WATCH = """() => {
    window.seen = [];
    const log = [...document.body.children].at(-1).shadowRoot.querySelector('.log');
    new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((one) => {
        if (one.classList.contains('assistant'))
            requestAnimationFrame(() => window.seen.push(performance.timeOrigin + performance.now()));
    }))).observe(log, {childList: true});
}"""


def steps(_size: Size) -> int:
    return 1


def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """The real command with the widget as its only account, and a page of another origin in a real browser."""
    tick("widget")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, InstantAI() as ai:
        asyncio.run(_measure(size, results, Path(name), ai))


async def _measure(size: Size, results: Results, folder: Path, ai: InstantAI) -> None:
    async with AsyncExitStack() as stack:
        port = free_port()
        page_url = stack.enter_context(open_shop(f"http://localhost:{port}", _SITE))
        accounts = folder / "accounts.toml"
        accounts.write_text(
            f'[[account]]\nname = "{_SITE}"\nchannel = "widget"\norigins = ["{page_url}"]\n'
            "rate_visitor_min = 100000\nrate_address_min = 100000\nrate_site_hour = 100000\n"
        )
        product = Product(
            folder, "http://127.0.0.1:9", ai.url, ACCOUNTS_FILE=str(accounts), AI_CONCURRENCY="32"
        )
        product.environment["API_PORT"], product.port = str(port), port
        process = product.start("syncsend")
        stack.callback(product.stop)
        visitors = Visitors(port, page_url)
        await visitors.until_open()
        rounds = max(20, size.calls // 20)
        await visitors.say("first of all")
        results.add(
            GROUP, TAKEN, "ours", "ms", [(await visitors.say(f"number {n}"))[0] * 1000 for n in range(rounds)]
        )
        await _settled(ai)
        results.add(GROUP, ON_SCREEN, "ours", "ms", await _on_screen(page_url, ai, rounds))
        results.add(GROUP, f"{MEMORY}, {STREAMS} open", "ours", "KiB", [await _memory(visitors, process.pid)])


async def _settled(ai: InstantAI) -> None:
    """Until everything that was said is answered."""
    before = -1
    while before != len(ai.asked) or not all(one.status for one in ai.asked):
        before = len(ai.asked)
        await asyncio.sleep(1.0)


async def _on_screen(page_url: str, ai: InstantAI, rounds: int) -> list[float]:
    """Milliseconds from the AI's callback to the frame that shows it, one after the other."""
    async with async_playwright() as playwright:
        found = find_browsers(None, playwright.chromium.executable_path)
        browser = await playwright.chromium.launch(executable_path=found[0], **launch_options())
        page = await browser.new_page()
        await page.goto(page_url)
        await page.locator("button.launch").click()
        await page.evaluate(_WATCH)
        known, clock = len(ai.asked), time.time() - time.monotonic()
        for n in range(rounds):
            await page.get_by_role("dialog").get_by_role("textbox").fill(f"Question {n}")
            await page.keyboard.press("Enter")
            await _until_seen(page, n + 1)
        seen = await page.evaluate("window.seen")
        await browser.close()
    left = [(one.answered + clock) * 1000 for one in ai.asked[known:]]
    return [there - gone for there, gone in zip(seen, left, strict=True)]


async def _until_seen(page: Page, number: int) -> None:
    await page.wait_for_function("(n) => window.seen.length >= n", arg=number, timeout=60_000)


async def _memory(visitors: Visitors, pid: int) -> float:
    """KiB a stream: what the process has grown by."""
    _, token = await visitors.say("I only watch")
    tokens = [token, *[(await visitors.say(f"I only watch, {n}"))[1] for n in range(STREAMS // 8)]]
    await asyncio.sleep(2.0)
    process = psutil.Process(pid)
    before = process.memory_info().rss
    lines = [await visitors.stream(tokens[n // 8]) for n in range(STREAMS)]
    await asyncio.sleep(12.0)  # a sign of life has gone to each
    grown = process.memory_info().rss - before
    for writer in lines:
        writer.close()
    return grown / STREAMS / 1024


class Visitors:
    """Calls as a page makes them, each over a connection of its own."""

    def __init__(self, port: int, page_url: str) -> None:
        self._port = port
        self._head = f"Host: 127.0.0.1:{port}\r\nOrigin: {page_url}\r\n"

    async def say(self, text: str) -> tuple[float, str]:
        """Seconds until it was taken, and a new visitor's token."""
        body = json.dumps({"text": text, "client_id": str(uuid4())}).encode()
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(
            f"POST /api/widget/{_SITE}/messages HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        status, answer = await read_http(reader)
        took = time.perf_counter() - began
        writer.close()
        if status != 202:
            raise RuntimeError(f"a message was answered {status}")
        return took, json.loads(answer)["visitor"]

    async def stream(self, token: str) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(
            f"GET /api/widget/{_SITE}/events HTTP/1.1\r\n{self._head}Authorization: Bearer {token}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.splitlines()[0]:
            raise RuntimeError("a stream was refused")
        return writer

    async def until_open(self) -> None:
        for _ in range(600):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
        raise TimeoutError("the server did not start")
