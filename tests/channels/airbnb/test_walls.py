"""Walls: each kind at each step stops everything, with its name and a picture, and nothing reaches the site after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from sandbox.airbnb.walls import WALL_KINDS
from src.channels.airbnb.channel import AirbnbChannel
from src.errors import WallHit
from tests.support.airbnb import (
    OWNER_ONLY,
    PRESS,
    days_ago,
    deliver,
    fill,
    is_cut_off,
    listed,
    mode,
    says,
    texts,
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NAMES = {
    "airlock_modal": "challenge",
    "airlock_page": "challenge",
    "airlock_inline": "challenge",
    "airlock_code": "challenge",
    "captcha_arkose": "challenge",
    "captcha_recaptcha": "challenge",
    "captcha_geetest": "challenge",
    "http_420": "challenge",
    "http_440": "challenge",
    "graphql_validation_required": "challenge",
    "login_redirect": "logged_out",
    "logged_out_api": "logged_out",
    "html_instead_of_json": "logged_out",
    "http_429": "blocked",
    "http_405": "blocked",
    "ip_blocked": "blocked",
    "access_denied": "blocked",
    "suspended": "blocked",
}

# During which calls of the channel a wall of a step has to be met, at the latest by the last of them.
MET_AT = {
    "list": ("open", "glance"),
    "thread_open": ("read", "write"),
    "typing": ("write", "reread"),
    "send": ("press", "follow"),
    "after_send": ("press", "follow", "glance again", "read again"),
}

TEXT = "Welcome!"


async def work(channel: AirbnbChannel, thread: Thread) -> tuple[str, WallHit]:
    """Everything that is done for one reply; returns the call that met the wall."""

    async def follow() -> None:
        await channel.follow(thread.id, says(TEXT), 10)

    steps: dict[str, Callable[[], Awaitable[Any]]] = {
        "open": channel.open,
        "glance": lambda: channel.glance(days_ago(1)),
        "read": lambda: channel.read(thread.id),
        "write": lambda: channel.write(thread.id, TEXT),
        "reread": lambda: channel.reread(thread.id),
        "press": lambda: channel.press_send(thread.id, PRESS),
        "follow": follow,
        "glance again": lambda: channel.glance(days_ago(1)),
        "read again": lambda: channel.read(thread.id, anew=True),
    }
    for name, step in steps.items():
        try:
            await step()
        except WallHit as wall:
            return name, wall
    pytest.fail("no wall was met")


async def nothing_more_reaches(site: SimulatedSite, channel: AirbnbChannel, thread: Thread) -> None:
    """The page is cut off: neither what it does by itself nor what is asked of the channel gets to the site."""
    assert await is_cut_off(channel)
    site.log.wait_until(lambda: all(e.status is not None or e.kind == "live" for e in site.log.entries))
    before = site.log.mark
    site.inbox.guest_writes(thread, "are you there?")
    await channel.browser.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    for step in (
        lambda: channel.glance(days_ago(1)),
        lambda: channel.wait_for_news(0.2),
        lambda: channel.read(thread.id, anew=True),
    ):
        with pytest.raises(WallHit):
            await step()
    assert await is_cut_off(channel)
    assert site.log.find(since=before) == []


async def test_every_kind_of_wall_has_its_name():
    assert set(NAMES) == set(WALL_KINDS)


# Every kind where a wall is met most often and where it hurts most; one of each sort at the other steps.
ONE_OF_EACH_SORT = ("airlock_modal", "http_420", "login_redirect", "captcha_arkose")
MEETINGS = [
    (kind, step)
    for kind in sorted(NAMES)
    for step in MET_AT
    if step in ("list", "send") or kind in ONE_OF_EACH_SORT
]


@pytest.mark.parametrize(("kind", "step"), MEETINGS)
async def test_a_wall_stops_everything(
    site: SimulatedSite, channel: AirbnbChannel, evidence_dir: Path, kind: Any, step: Any
):
    thread = fill(site, 2)[0]
    site.faults.raise_wall(kind, at=step)
    met, wall = await work(channel, thread)
    assert met in MET_AT[step]
    assert wall.kind == NAMES[kind]
    assert Path(wall.evidence).parent == evidence_dir
    assert mode(wall.evidence) == OWNER_ONLY
    sends = [entry.accepted for entry in site.log.sends()]
    assert sends == {"send": [False], "after_send": [True]}.get(step, [])
    assert TEXT not in wall.detail
    await nothing_more_reaches(site, channel, thread)


@pytest.mark.parametrize("code", [420, 429, 440])
async def test_a_challenge_on_telemetry_alone_counts(site: SimulatedSite, channel: AirbnbChannel, code: int):
    site.options.telemetry_status = code
    thread = fill(site, 2)[0]
    met, wall = await work(channel, thread)
    assert met in {"open", "glance", "read", "write", "reread"}
    assert wall.kind == ("blocked" if code == 429 else "challenge")
    assert site.log.sends() == []


@pytest.mark.parametrize("code", [401, 403, 500])
async def test_telemetry_that_is_refused_is_no_wall(site: SimulatedSite, channel: AirbnbChannel, code: int):
    site.options.telemetry_status = code
    thread = fill(site, 2)[0]
    await channel.open()
    assert texts(await deliver(channel, thread, TEXT)) == ["Question 0", TEXT]
    site.log.wait_for("telemetry")
    await channel.glance(days_ago(1))


async def test_what_only_looks_or_sounds_like_a_wall_is_none(site: SimulatedSite, channel: AirbnbChannel):
    site.options.look_alikes = True
    site.options.telemetry_status = 403
    site.options.cookie_banner = True
    words = (
        "Please verify yourself! Verify that you're human: select all images. Access Denied. Log in, password, "
        "captcha, airlock, two-factor, https://www.airbnb.com/login and /airlock?al_id=1 — IP address blocked?"
    )
    thread = site.inbox.add_thread(guest="Access Denied", says=words, city="Login")
    other = site.inbox.add_thread(guest="airlock", says='{"client_error_info": {"airlockV2": {}}}')
    await channel.open()
    assert listed(await channel.glance(days_ago(1))) == [other.id, thread.id]
    assert texts(await channel.read(thread.id)) == [words]
    reply = "You must log in with your password. Access Denied? Please verify yourself."
    assert texts(await deliver(channel, thread, reply)) == [words, reply]
    assert (await channel.read(other.id, anew=True)).newest.text == '{"client_error_info": {"airlockV2": {}}}'
    assert len((await channel.glance(days_ago(1))).conversations) == 2


async def test_a_wall_on_the_pages_own_news_outlives_the_exchange_of_the_page(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    thread = fill(site, 2)[0]
    await channel.open()
    await channel.glance(days_ago(1))
    monkeypatch.setattr(AirbnbChannel, "RECYCLE_AFTER", 0)
    site.log.wait_for("live")
    site.faults.raise_wall("http_429", at="list")
    site.inbox.guest_writes(thread, "are you there?")
    with pytest.raises(WallHit):
        await channel.wait_for_news(10)
    before = site.log.mark
    for step in (channel.glance(days_ago(1)), channel.read(thread.id)):
        with pytest.raises(WallHit):
            await step
    assert site.log.find("document", since=before) == []


async def test_a_page_that_shows_a_wall_is_not_exchanged_for_one_without(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AirbnbChannel, "RECYCLE_AFTER", 0)
    thread = fill(site, 2)[0]
    await channel.open()
    site.log.wait_for("live")
    site.faults.raise_wall("airlock_modal", at="list")
    site.inbox.guest_writes(thread, "are you there?")
    await channel.browser.page.locator('[aria-labelledby*="user-challenges"]').first.wait_for()
    before = site.log.mark
    with pytest.raises(WallHit):
        await channel.glance(days_ago(1))
    assert site.log.find("document", since=before) == []


async def test_a_wall_in_front_of_the_page_is_never_closed_like_a_notice(
    site: SimulatedSite, channel: AirbnbChannel
):
    threads = fill(site, 2)
    await channel.open()
    await channel.read(threads[0].id)
    await channel.browser.page.evaluate(
        """() => {
          document.body.insertAdjacentHTML('beforeend', `
            <div data-testid="modal-container" style="position:fixed;inset:0;background:#fff">
              <div role="dialog" aria-labelledby="dls-modal__user-challenges-modal" style="padding:9em">
                <button onclick="this.parentNode.parentNode.remove()">×</button></div></div>`);
        }"""
    )
    with pytest.raises(WallHit):
        await channel.write(threads[0].id, TEXT)
    assert await channel.browser.page.locator('[data-testid="modal-container"]').count() == 1


async def test_the_same_inbox_is_worked_on_after_a_person_took_the_wall_away(
    site: SimulatedSite, channel: AirbnbChannel
):
    thread = fill(site, 2)[0]
    site.faults.raise_wall("airlock_modal", at="thread_open")
    await channel.open()
    with pytest.raises(WallHit):
        await work(channel, thread)
        await channel.glance(days_ago(1))
    await channel.close()
    site.faults.lower_walls()
    await channel.open()
    assert texts(await deliver(channel, thread, TEXT)) == ["Question 0", TEXT]
