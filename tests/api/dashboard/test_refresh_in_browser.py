"""A page that is fetched anew in the worst moment: a finger on a button, words typed, parts open, the cursor in a list."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from src.db import outbox_queue, outbox_views
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT as A

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

FRESH = "#job-o2-4"  # a draft that is not too late
REFRESH = """() => new Promise((done) => {
    document.addEventListener("htmx:afterRequest", () => setTimeout(done, 50), {once: true});
    htmx.trigger("#live", "sse:news");
})"""


def drafts(house):
    with house.db.read() as conn:
        return outbox_views.list_jobs(conn, A, OutboxStatus.DRAFT, 100)


def come(house, *names, before=True):
    """New drafts, the oldest of all, so that they stand above what is there."""
    oldest = drafts(house)[0]
    at = oldest.created_at - timedelta(hours=1) if before else datetime.now(UTC) - timedelta(minutes=1)
    with house.db.write() as conn:
        for n, name in enumerate(names):
            outbox_queue.enqueue(
                conn,
                A,
                oldest.conversation_id,
                f"A draft called {name}.",
                request_id=None,
                idempotency_key=name,
                status=OutboxStatus.DRAFT,
                reason="approval_required",
                now=at + timedelta(seconds=n),
            )


def settle(house, job_id):
    with house.db.write() as conn:
        outbox_queue.cancelled(conn, job_id, [OutboxStatus.DRAFT], "rejected", datetime.now(UTC))


async def top_of(place):
    return (await place.bounding_box())["y"]


async def test_nothing_moves_from_under_a_finger_and_its_press_meets_what_it_was_on(house, person):
    here = await house()
    page = await person("phone", has_touch=True)
    await page.goto(f"{here.url}/outbox")
    card = page.locator(FRESH)
    button = card.get_by_role("button", name="Approve")
    await button.scroll_into_view_if_needed()
    box = await button.bounding_box()
    touch = await page.context.new_cdp_session(page)
    spot = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [spot]})
    come(here, "one", "two")
    await page.evaluate(REFRESH)
    assert await top_of(button) == box["y"]
    await expect(page.locator("#news")).to_be_hidden()
    await expect(page.get_by_text("A draft called one.")).to_have_count(0)
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await expect(page.get_by_role("status").filter(has_text="Approved")).to_be_visible()
    with here.db.read() as conn:
        (approved,) = [
            j for j in outbox_views.list_jobs(conn, A, None, 500) if j.approved_at and j.id == "o2-4"
        ]
    assert approved.status is OutboxStatus.PENDING
    await expect(page.get_by_text("A draft called one.")).to_have_count(1)


async def test_after_a_touch_new_things_wait_behind_the_bar_and_come_when_the_finger_rests(house, person):
    here = await house()
    page = await person("phone", has_touch=True)
    await page.goto(here.url)
    row = page.locator(".rows > li").nth(1)
    await row.scroll_into_view_if_needed()
    before = await top_of(row)
    # A touch that only scrolls or rests: the finger comes down and is lifted, and nothing is pressed.
    for kind in ("pointerdown", "pointercancel"):
        await row.dispatch_event(kind, {"pointerType": "touch", "bubbles": True})
    come(here, "one", "two", before=False)
    await page.evaluate(REFRESH)
    await expect(page.locator("#news")).to_contain_text("2 new")
    assert await top_of(row) == before
    await expect(page.locator("#news")).to_be_hidden()  # the finger has been away for some seconds
    await expect(page.get_by_text("A draft called two.")).to_have_count(1)


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_new_things_wait_while_the_cursor_is_in_the_list_and_show_it_throws_no_word_away(
    house, person, size
):
    here = await house()
    page = await person(size)
    await page.goto(f"{here.url}/outbox")
    text = page.locator(FRESH).get_by_role("textbox")
    await text.fill("Words of mine")
    await text.press("Home")
    await text.press("Shift+End")
    before = await top_of(text)
    come(here, "one", "two")
    await page.evaluate(REFRESH)
    bar = page.locator("#news")
    await expect(bar).to_contain_text("2 new")
    assert await top_of(text) == before
    await expect(page).to_have_title(re.compile(r"^\(\d+\)"))
    await expect(text).to_be_focused()
    selected = "[document.activeElement.selectionStart, document.activeElement.selectionEnd]"
    assert await page.evaluate(selected) == [0, 13]
    await bar.get_by_role("button", name="Show it").click()
    await expect(bar).to_be_hidden()
    await expect(page.get_by_text("A draft called two.")).to_have_count(1)
    await expect(text).to_have_value("Words of mine")
    assert len(drafts(here)) == await page.locator("article").count()


async def test_a_refresh_keeps_focus_place_open_parts_and_words_where_nobody_is_in_the_list(house, person):
    here = await house()
    page = await person("desk")
    await page.goto(f"{here.url}/outbox")
    await page.locator(FRESH).get_by_role("textbox").fill("Words of mine")
    tab = page.locator(".tabs a").first
    await tab.focus()
    await page.mouse.move(5, 5)
    await page.locator("article").last.scroll_into_view_if_needed()
    last = page.locator("article").last
    before = await top_of(last)
    come(here, "one", "two")
    await page.evaluate(REFRESH)
    await expect(page.get_by_text("A draft called one.")).to_have_count(1)
    await expect(page.locator("#news")).to_be_hidden()
    await expect(tab).to_be_focused()
    await expect(page.locator(FRESH).get_by_role("textbox")).to_have_value("Words of mine")
    assert abs(await top_of(last) - before) <= 1


async def test_an_open_part_stays_open_and_a_closed_one_closed(house, person):
    here = await house()
    page = await person("desk")
    await page.goto(f"{here.url}/outbox?state=unconfirmed")
    sure = page.locator("details.sure").first
    await sure.locator("summary").click()
    await page.mouse.move(5, 5)
    await page.get_by_role("link", name="Overview").focus()
    await page.evaluate("document.querySelector('#live').dataset.mark = 'same'")
    await page.evaluate(REFRESH)
    await expect(page.locator("#live[data-mark]")).to_have_count(0)  # it was morphed, not left alone
    await expect(sure).to_have_attribute("open", "")


async def test_who_writes_on_a_draft_that_was_settled_elsewhere_is_told_and_keeps_the_words(house, person):
    here = await house()
    page = await person("phone")
    await page.goto(f"{here.url}/outbox")
    card = page.locator(FRESH)
    text = card.get_by_role("textbox")
    await text.fill("Words of the second person")
    settle(here, "o2-4")
    await page.evaluate(REFRESH)
    bar = page.locator("#news")
    await expect(bar).to_contain_text("This was settled elsewhere. Your words are kept.")
    await bar.get_by_role("button", name="Show it").click()
    await expect(card).to_contain_text("your words were not sent")
    await expect(text).to_have_value("Words of the second person")
    await expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    come(here, "another", before=False)
    await page.mouse.move(5, 5)
    await page.get_by_role("link", name="Overview").focus()
    await page.evaluate(REFRESH)
    await expect(page.get_by_text("A draft called another.")).to_have_count(1)
    await expect(text).to_have_value("Words of the second person")
    await card.get_by_role("button", name="Put away").click()
    await expect(card).to_have_count(0)


async def test_a_draft_settled_elsewhere_on_its_conversations_page_leaves_the_typed_words(house, person):
    here = await house()
    page = await person("desk")
    await page.goto(f"{here.url}/outbox")
    await page.locator(FRESH).locator(".byline a").click()
    text = page.locator(FRESH).get_by_role("textbox")
    await text.fill("Words of the second person")
    await page.mouse.move(5, 5)
    settle(here, "o2-4")
    await page.evaluate(REFRESH)
    bar = page.locator("#news")
    await expect(bar).to_contain_text("settled elsewhere")
    await bar.get_by_role("button", name="Show it").click()
    await expect(text).to_have_value("Words of the second person")
    await expect(page.locator(FRESH)).to_contain_text("You rejected the draft.")
