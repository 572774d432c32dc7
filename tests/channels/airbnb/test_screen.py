"""What a person far away sees and does: pictures, mouse, touch, keys, text and windows that open."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.screen import Screen
from src.model.remote import Key, Mouse, Picture, Size, Text, Touch
from tests.support.waiting import until

PAGE = """<body style="height: 3000px; margin: 0">
<input id=typed style="position: absolute; left: 100px; top: 100px; width: 200px; height: 40px">
<button id=pressed onclick="this.textContent = 'clicked'" style="position: absolute; left: 100px; top: 200px;
 width: 200px; height: 60px">press</button>
<button id=opens onclick="window.open('about:blank')" style="position: absolute; left: 100px; top: 300px;
 width: 200px; height: 60px">open</button></body>"""
asynchronous = pytest.mark.asyncio(loop_scope="session")
WIDTH, HEIGHT = 390, 700


def at(x: float, y: float) -> tuple[float, float]:
    return x / (WIDTH - 1), y / (HEIGHT - 1)


@pytest.mark.browser
@asynchronous
async def test_a_person_sees_the_page_and_drives_it(site: SimulatedSite, channel: AirbnbChannel):
    page = await channel.browser.start()
    await page.goto(f"{site.url}/login")
    await page.set_content(PAGE)
    screen = Screen(channel.browser.context, page)
    seen: list[Picture] = []

    async def watch() -> None:
        async for picture in screen.pictures():
            seen.append(picture)

    watching = asyncio.create_task(watch())
    await until(lambda: seen)
    await screen.act([Size(WIDTH, HEIGHT)])
    await until(lambda: (seen[-1].width, seen[-1].height) == (WIDTH, HEIGHT))
    assert seen[-1].image.startswith(b"\xff\xd8")
    assert screen.place == site.url

    await screen.act(
        [Mouse("down", *at(150, 120)), Mouse("up", *at(150, 120)), Text("Zoë, 日本 x"), Key("Backspace")]
    )
    assert await page.input_value("#typed") == "Zoë, 日本 "
    await screen.act([Key("a", control=True), Text("pasted, as a whole", pasted=True)])
    assert await page.input_value("#typed") == "pasted, as a whole"
    await screen.act([Touch("start", *at(150, 230)), Touch("end", *at(150, 230))])
    await page.locator("#pressed", has_text="clicked").wait_for()
    await screen.act([Mouse("wheel", 0.5, 0.5, 0, 500)])
    await page.wait_for_function("() => scrollY > 100")
    await screen.act([Mouse("wheel", 0.5, 0.5, 0, -5000)])
    await page.wait_for_function("() => scrollY === 0")

    await screen.act([Mouse("down", *at(150, 330)), Mouse("up", *at(150, 330))])
    await until(lambda: len(channel.browser.context.pages) == 2 and screen.place == "")
    await channel.browser.context.pages[-1].close()
    await until(lambda: screen.place == site.url)
    await screen.act([Mouse("down", *at(150, 120)), Mouse("up", *at(150, 120)), Text("!")])
    assert "!" in await page.input_value("#typed"), "the first page is driven again"
    await screen.stop()
    await watching
