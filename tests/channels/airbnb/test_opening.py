"""Getting into the inbox, whatever the page does while it appears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.visit import Visit
from src.errors import ChannelGone, NotUnderstood, PageChanged, TransientError, WallHit
from tests.support.airbnb import OWNER_ONLY, days_ago, fill, listed, mode, pictures

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_inbox_is_opened_with_one_page_load_and_one_list(
    site: SimulatedSite, channel: AirbnbChannel
):
    threads = fill(site, 3)
    await channel.open()
    glance = await channel.glance(days_ago(7))
    assert listed(glance) == [thread.id for thread in threads]
    assert glance.viewer_id == str(site.inbox.viewer.account_id)
    assert glance.complete
    assert site.log.count("document") == 1
    assert site.log.count("list") == 1
    assert site.log.count("thread") == 0


@pytest.mark.parametrize(
    "options",
    [
        {"api_latency": 0.4, "asset_latency": 0.2, "assets": 6},
        {"list_loader_stays": True},
        {"cookie_banner": True},
        {"notification_modal": True},
        {"look_alikes": True},
        {"list_shape": "threads"},
        {"live": False},
        {"telemetry_status": 403},
    ],
    ids=str,
)
async def test_the_inbox_opens(site: SimulatedSite, channel: AirbnbChannel, options: dict[str, Any]):
    for name, value in options.items():
        setattr(site.options, name, value)
    threads = fill(site, 2)
    await channel.open()
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]
    assert (await channel.read(threads[1].id)).newest.text == "Question 1"


async def test_an_empty_first_answer_is_not_an_empty_inbox(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 3)
    site.faults.empty_first("list")
    await channel.open()
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]


async def test_an_inbox_that_opens_its_first_conversation_by_itself_is_the_inbox(
    site: SimulatedSite, channel: AirbnbChannel
):
    site.options.auto_open_first = True
    threads = fill(site, 3)
    await channel.open()
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]
    site.log.wait_for("thread", threads[0].number)
    assert (await channel.read(threads[0].id)).newest.text == "Question 0"
    assert (await channel.read(threads[2].id)).newest.text == "Question 2"
    assert site.log.count("document") == 1


async def test_a_login_page_in_place_of_the_inbox_is_a_wall(site: SimulatedSite, channel: AirbnbChannel):
    site.options.login_required = True
    fill(site, 1)
    with pytest.raises(WallHit) as caught:
        await channel.open()
    assert caught.value.kind == "logged_out"
    assert mode(caught.value.evidence) == OWNER_ONLY
    assert site.log.count("list") == 0


async def test_a_valid_login_gets_in(site: SimulatedSite, channel: AirbnbChannel):
    site.options.login_required = True
    threads = fill(site, 1)
    await channel.browser.start()
    cookies = site.browser_cookies()
    start = channel.browser.start

    async def with_cookies() -> Any:
        page = await start()
        await channel.browser.context.add_cookies(cookies)  # type: ignore[arg-type]
        return page

    channel.browser.start = with_cookies  # type: ignore[method-assign]
    try:
        await channel.open()
    finally:
        del channel.browser.start
    assert listed(await channel.glance(days_ago(7))) == [threads[0].id]


async def test_a_list_under_other_names_is_a_changed_page_with_a_picture(
    site: SimulatedSite, channel: AirbnbChannel, evidence_dir: Path, impatient: None
):
    fill(site, 2)
    site.faults.rename_ids()
    with pytest.raises(PageChanged) as caught:
        await channel.open()
    assert caught.value.what == "the list of conversations"
    assert mode(caught.value.evidence) == OWNER_ONLY
    assert mode(evidence_dir) == 0o700
    assert pictures(evidence_dir) == [Path(caught.value.evidence)]


@pytest.mark.parametrize("fault", ["blank", "truncate", "graphql_errors", "drop"])
async def test_a_list_that_cannot_be_read_is_not_understood_and_a_picture_is_kept(
    site: SimulatedSite, channel: AirbnbChannel, evidence_dir: Path, impatient: None, fault: str
):
    fill(site, 2)
    getattr(site.faults, fault)("list", times=None)
    with pytest.raises(NotUnderstood):
        await channel.open()
    (kept,) = pictures(evidence_dir)
    assert kept.name.endswith("-not_understood.png")
    assert mode(kept) == OWNER_ONLY


async def test_a_list_that_answers_500_is_not_understood(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    fill(site, 2)
    site.faults.status("list", 500, times=None)
    with pytest.raises(NotUnderstood):
        await channel.open()


async def test_a_list_that_never_comes_is_not_understood(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    fill(site, 2)
    site.faults.never_answer("list", times=None)
    with pytest.raises(NotUnderstood):
        await channel.open()


@pytest.mark.parametrize(("code", "error"), [(500, TransientError), (404, TransientError), (503, WallHit)])
async def test_a_page_that_answers_with_an_error_is_never_an_empty_inbox(
    site: SimulatedSite, channel: AirbnbChannel, code: int, error: type[Exception]
):
    fill(site, 2)
    site.faults.status("document", code, times=None)
    with pytest.raises(error):
        await channel.open()
    assert site.log.count("document") == 1


async def test_a_blank_page_is_not_understood(site: SimulatedSite, channel: AirbnbChannel, impatient: None):
    fill(site, 2)
    site.faults.blank("document", times=None)
    with pytest.raises(NotUnderstood):
        await channel.open()


async def test_a_page_that_comes_whole_the_second_time_is_the_inbox(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Visit, "LOAD_SEC", 8.0)
    threads = fill(site, 2)
    site.faults.blank("document")
    await channel.open()
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]


async def test_a_site_that_is_not_there_is_tried_again_later(
    site: SimulatedSite, channel: AirbnbChannel, evidence_dir: Path
):
    fill(site, 1)
    site.stop()
    try:
        with pytest.raises(TransientError):
            await channel.open()
    finally:
        site.start()
    await channel.close()
    await channel.open()
    assert len((await channel.glance(days_ago(7))).conversations) == 1


async def test_a_closed_channel_says_that_its_browser_is_gone(site: SimulatedSite, channel: AirbnbChannel):
    thread = fill(site, 1)[0]
    await channel.open()
    await channel.close()
    await channel.close()
    with pytest.raises(ChannelGone):
        await channel.glance(days_ago(7))
    with pytest.raises(ChannelGone):
        await channel.read(thread.id)


async def test_a_channel_that_was_closed_opens_again_and_sees_everything(
    site: SimulatedSite, channel: AirbnbChannel
):
    threads = fill(site, 3)
    await channel.open()
    await channel.glance(days_ago(7))
    for thread in threads:
        await channel.read(thread.id)
    await channel.close()
    await channel.open()
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]
    assert site.log.count("document") == 2
