"""Approving on the overview, with one thumb and by keyboard alone; undo; what a second browser is told."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from src.db import outbox_queue, outbox_views
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT as A
from tests.api.dashboard.test_refresh_in_browser import FRESH, REFRESH, come, drafts, settle, top_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LONG = {"approve_undo_sec": 60}  # nothing is due while the test looks


def status_of(house, job_id):
    with house.db.read() as conn:
        return outbox_views.get(conn, job_id).status


def card_of(page, job):
    return page.locator(f"#waits-draft-{job.id}")


def fresh_drafts(house):
    come(house, "one", "two", "three", before=False)
    return [job for job in drafts(house) if job.text.startswith("A draft called")]


@pytest.mark.parametrize("width", [360, 390])
async def test_one_thumb_approves_on_the_overview_and_takes_it_back(house, person, width):
    here = await house(**LONG)
    one, two, _ = fresh_drafts(here)
    page = await person("phone", has_touch=True, is_mobile=True)
    await page.set_viewport_size({"width": width, "height": 740})
    await page.goto(here.url)
    button = card_of(page, one).get_by_role("button", name="Approve and send")
    await button.scroll_into_view_if_needed()
    below = await top_of(card_of(page, two))
    await button.tap()
    done = page.get_by_role("status").filter(has_text="Approved")
    await expect(done).to_be_visible()
    assert status_of(here, one.id) is OutboxStatus.PENDING
    # The card stays where it was, dimmed: a second tap meets no other draft.
    assert await top_of(card_of(page, two)) == below
    await expect(card_of(page, one)).to_have_class("gone")
    await expect(card_of(page, two)).to_be_focused()
    undo = done.get_by_role("button", name="Undo")
    box = await undo.bounding_box()
    assert min(box["height"], box["width"]) >= 44
    await undo.tap()
    await expect(page.get_by_role("status").filter(has_text="Taken back")).to_be_visible()
    assert status_of(here, one.id) is OutboxStatus.DRAFT
    await expect(card_of(page, one).get_by_role("button", name="Approve and send")).to_be_enabled()


async def test_by_keyboard_alone_from_draft_to_draft(house, person):
    here = await house(**LONG)
    one, two, three = fresh_drafts(here)
    page = await person("desk")
    await page.goto(here.url)
    await page.keyboard.press("j")
    while not await card_of(page, one).evaluate("card => card === document.activeElement"):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Control+Enter")
    await expect(card_of(page, two)).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await expect(card_of(page, three)).to_be_focused()
    assert [status_of(here, job.id) for job in (one, two, three)] == ["pending", "pending", "draft"]
    await page.keyboard.press("u")
    await expect(card_of(page, two)).to_be_focused()
    assert status_of(here, two.id) is OutboxStatus.DRAFT
    await page.keyboard.press("j")
    await expect(card_of(page, three)).to_be_focused()
    await page.keyboard.press("k")
    await expect(card_of(page, two)).to_be_focused()
    await page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    await expect(keys).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(keys).to_be_hidden()
    await page.keyboard.press("e")
    await expect(page).to_have_url(re.compile(f"#job-{two.id}"))


async def test_letters_are_words_where_somebody_types_and_can_be_switched_off(house, person):
    here = await house(**LONG)
    page = await person("desk")
    await page.goto(f"{here.url}/outbox")
    text = page.locator(FRESH).get_by_role("textbox")
    await text.fill("")
    await text.press_sequentially("jkune?")
    await expect(text).to_have_value("jkune?")
    await expect(text).to_be_focused()
    await text.press("Control+Enter")
    await expect(page.get_by_role("status").filter(has_text="Approved")).to_be_visible()
    with here.db.read() as conn:
        assert outbox_views.get(conn, "o2-4").text == "jkune?"
    await page.get_by_role("button", name="Keys").click()
    await page.get_by_label("Single letters are keys").uncheck()
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await page.reload()
    await page.keyboard.press("j")
    await expect(page.locator("body")).to_be_focused()


async def test_every_row_that_waits_has_its_clock(house, person):
    here = await house(**LONG)
    fresh_drafts(here)
    page = await person("phone")
    lists = {"/": ".rows > li", "/outbox": "article", "/conversations?state=waiting": ".rows > li"}
    for path, rows in lists.items():
        await page.goto(f"{here.url}{path}")
        number = await page.locator(rows).count()
        assert number > 1
        await expect(page.locator(f"{rows} .clock")).to_have_count(number)


async def test_approving_one_draft_leaves_the_words_typed_into_another(house, person):
    here = await house(**LONG)
    fresh_drafts(here)
    page = await person("desk")
    await page.goto(f"{here.url}/outbox")
    mine = page.locator(FRESH).get_by_role("textbox")
    await mine.fill("Words that wait")
    other = page.locator("article", has_text="A draft called one.")
    await other.get_by_role("button", name="Approve").click()
    await expect(page.get_by_role("status").filter(has_text="Approved")).to_be_visible()
    await page.mouse.move(5, 5)
    await expect(other).to_have_count(0)
    await expect(mine).to_have_value("Words that wait")


async def test_the_second_browser_is_told_in_its_place_and_keeps_its_words(house, person):
    here = await house(**LONG)
    page = await person("phone")
    await page.goto(f"{here.url}/outbox")
    card = page.locator(FRESH)
    await card.get_by_role("textbox").fill("Words of the second person")
    # The page of the second one has not heard of it yet.
    await page.route("**/events", lambda route: route.abort())
    settle(here, "o2-4")
    await card.get_by_role("button", name="Approve").click()
    await expect(card.get_by_role("alert")).to_contain_text("was cancelled meanwhile")
    await expect(card.get_by_role("textbox")).to_have_value("Words of the second person")
    assert status_of(here, "o2-4") is OutboxStatus.CANCELLED


async def test_what_was_approved_is_what_was_shown(house, person):
    here = await house(**LONG)
    one, *_ = fresh_drafts(here)
    page = await person("desk")
    await page.goto(here.url)
    with here.db.write() as conn:  # another browser has changed it, approved it and taken it back
        outbox_queue.approve(conn, one.id, "Another text.", one.created_at)
        outbox_queue.take_back(conn, one.id)
    await card_of(page, one).get_by_role("button", name="Approve and send").click()
    await expect(page.get_by_role("status").filter(has_text="Approved")).to_be_visible()
    with here.db.read() as conn:
        assert outbox_views.get(conn, one.id).text == "A draft called one."


async def test_the_server_away_for_a_moment_loses_no_word(house, person):
    here = await house(**LONG)
    page = await person("desk")
    await page.goto(f"{here.url}/outbox")
    card = page.locator(FRESH)
    await card.get_by_role("textbox").fill("Words of mine")
    await page.route("**/approve", lambda route: route.abort())
    await card.get_by_role("button", name="Approve").click()
    await expect(card.get_by_role("alert")).to_contain_text("cannot be reached")
    await page.unroute("**/approve")
    await page.evaluate(REFRESH)
    await card.get_by_role("button", name="Approve").click()
    await expect(page.get_by_role("status").filter(has_text="Approved")).to_be_visible()
    with here.db.read() as conn:
        assert outbox_views.get(conn, "o2-4").text == "Words of mine"
    assert len(outbox(here, "pending")) >= 1


def outbox(house, status):
    with house.db.read() as conn:
        return outbox_views.list_jobs(conn, A, OutboxStatus(status), 100)
