"""The widget on a strange page in a real browser: two origins, a strict policy, each failure by its name."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import expect

from src.errors import TransientError
from tests.channels.widget.conftest import arrive, box, bubbles, launcher, shows, write
from tests.support.waiting import until
from tests.support.widget import SITE

pytestmark = pytest.mark.browser
KEY = f"nightporter:{SITE}"


async def stored(page):
    return json.loads(await page.evaluate(f"localStorage.getItem('{KEY}')") or "null")


async def test_a_visitor_writes_and_the_answer_of_the_ai_appears_with_its_badge(here, visitor):
    page = await arrive(await visitor(), here)
    await write(page, "Is it blue?")
    await shows(page, "Is it blue?")
    await here.shop.answered("Yes, it is:\nhttps://shop.example/blue.")
    await shows(page, "Is it blue?", "Yes, it is:\nhttps://shop.example/blue.")
    assert await page.locator(".said.assistant .who").inner_text() == "Rosa\nAI"
    link = page.locator(".said a")
    assert await link.get_attribute("href") == "https://shop.example/blue"
    await page.reload()
    await launcher(page).click()
    await shows(page, "Is it blue?", "Yes, it is:\nhttps://shop.example/blue.")


async def test_a_person_who_takes_over_is_shown_by_name_and_so_are_the_persons_words(here, visitor):
    page = await arrive(await visitor(), here)
    await write(page, "Is anybody there?")
    await shows(page, "Is anybody there?")
    (conversation,) = here.shop.conversations()
    where = f"/api/conversations/{conversation.external_id}"
    host = here.shop.from_address("127.0.0.1", page=None)
    await host.post(f"{where}/take-over", json={"name": "Anna"})
    await expect(page.locator(".note").last).to_have_text("Anna has joined")
    await host.post(f"{where}/messages", json={"message": "I am."})
    await here.shop.deliver()
    await shows(page, "Is anybody there?", "I am.")
    assert await page.locator(".said.person .who").inner_text() == "Anna"
    await host.post(f"{where}/give-back")
    await expect(page.locator(".note").last).to_have_text("Anna has left; the AI answers again")
    await host.aclose()


async def test_nothing_is_stored_before_the_first_message(here, visitor):
    context = await visitor()
    page = await arrive(context, here)
    await box(page).fill("I only look")
    await page.keyboard.press("Escape")
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert await context.cookies() == []
    await launcher(page).click()
    await write(page, "Hello")
    await shows(page, "Hello")
    assert (await stored(page))["token"]
    assert await context.cookies() == []


async def test_enter_sends_shift_enter_breaks_the_line_and_escape_gives_the_focus_back(here, visitor):
    page = await arrive(await visitor(), here)
    dialog = page.get_by_role("dialog")
    await expect(box(page)).to_be_focused()
    await expect(dialog.get_by_role("textbox")).to_have_count(1)
    await box(page).press_sequentially("One")
    await box(page).press("Shift+Enter")
    await box(page).press_sequentially("Two")
    await box(page).press("Enter")
    await shows(page, "One\nTwo")
    await expect(box(page)).to_have_value("")
    for _ in range(8):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.shadowRoot !== null")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(launcher(page)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(box(page)).to_be_focused()


async def test_what_is_pressed_in_the_chat_is_no_shortcut_of_the_page(here, visitor):
    page = await arrive(await visitor(), here)
    await page.evaluate("document.addEventListener('keydown', (e) => { window.pressed = e.key; })")
    await box(page).press_sequentially("abc")
    assert await page.evaluate("window.pressed") is None


async def test_offline_in_the_middle_of_a_send_the_message_waits_and_goes_out_once(here, visitor):
    page = await arrive(await visitor(), here)
    await write(page, "One")
    await shows(page, "One")
    here.network.loses_answers = 1
    here.network.away = False
    await write(page, "Two")
    await until(lambda: here.network.loses_answers == 0)
    here.network.away = True
    here.network.cut()
    await write(page, "Three")
    await expect(page.get_by_role("status")).to_contain_text("Not connected")
    await expect(page.locator(".waits").last).to_be_visible()
    here.network.away = False
    await shows(page, "One", "Two", "Three")
    await expect(page.get_by_role("status")).to_have_text("")
    assert here.texts() == ["One", "Two", "Three"]


async def test_page_left_in_the_middle_of_a_send_sends_it_at_the_next_visit(here, visitor):
    context = await visitor()
    page = await arrive(context, here)
    here.network.away = True
    here.network.cut()
    await write(page, "I must go")
    await expect(page.get_by_role("status")).to_contain_text("Not connected")
    await page.close()
    assert here.texts() == []
    here.network.away = False
    page = await arrive(context, here)
    await shows(page, "I must go")
    assert here.texts() == ["I must go"]


async def test_what_waited_for_more_than_a_day_is_not_sent(here, visitor):
    context = await visitor()
    page = await arrive(context, here)
    two_days = 2 * 86_400_000
    kept = f"{{token: null, read: 0, pending: [{{id: crypto.randomUUID(), text: 'Old', at: Date.now() - {two_days}}}]}}"
    await page.evaluate(f"localStorage.setItem('{KEY}', JSON.stringify({kept}))")
    await page.reload()
    await launcher(page).click()
    await write(page, "New")
    await shows(page, "New")
    assert here.texts() == ["New"]


async def test_two_tabs_show_everything_once_and_have_one_unread_count(here, visitor):
    context = await visitor()
    first = await arrive(context, here)
    second = await arrive(context, here, opened=False)
    await asyncio.gather(write(first, "One"), until(lambda: here.texts() == ["One"]))
    await here.shop.answered("one")
    await expect(launcher(second)).to_have_attribute("aria-label", "Open the chat")
    await first.keyboard.press("Escape")
    await write_closed(first)
    await here.shop.answered("two")
    for page in (first, second):
        await expect(launcher(page)).to_have_attribute("aria-label", "Open the chat, 1 new")
    await launcher(second).click()
    await shows(second, "One", "one", "And?", "two")
    await expect(launcher(first)).to_have_attribute("aria-label", "Open the chat")
    await launcher(first).click()
    await shows(first, "One", "one", "And?", "two")
    assert len(here.shop.conversations()) == 1


async def write_closed(page):
    await launcher(page).click()
    await write(page, "And?")
    await expect(page.locator(".waits")).to_have_count(0)
    await page.keyboard.press("Escape")


async def test_two_tabs_that_write_their_first_message_together_are_one_visitor(here, visitor):
    context = await visitor()
    pages = [await arrive(context, here) for _ in range(2)]
    here.network.delay_sec = 0.2
    await asyncio.gather(*(write(page, f"From tab {n}") for n, page in enumerate(pages)))
    await until(lambda: len(here.texts()) == 2)
    assert len(here.shop.conversations()) == 1
    for page in pages:
        await expect(bubbles(page)).to_have_count(2)
        await expect(page.locator(".waits")).to_have_count(0)


async def test_token_forged_or_of_another_site_begins_as_a_new_visitor_and_says_so(here, visitor):
    context = await visitor()
    page = await arrive(context, here)
    await write(page, "One")
    await shows(page, "One")
    forged = (await stored(page))["token"][:-4] + "AAAA"
    await page.evaluate(
        f"localStorage.setItem('{KEY}', JSON.stringify({{token: '{forged}', read: 0, pending: []}}))"
    )
    await page.reload()
    await launcher(page).click()
    await expect(page.locator(".note").last).to_contain_text("This is a new one")
    await write(page, "Two")
    await shows(page, "Two")
    assert len(here.shop.conversations()) == 2


async def test_storage_forbidden_private_mode_works_until_the_page_is_left_and_says_so(here, visitor):
    context = await visitor()
    await context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
    )
    page = await arrive(context, here)
    await write(page, "One")
    await shows(page, "One")
    await expect(page.locator(".note").last).to_contain_text("Your browser keeps nothing")
    await here.shop.answered("one")
    await write(page, "Two")
    await shows(page, "One", "one", "Two")
    assert len(here.shop.conversations()) == 1


async def test_process_restarted_the_stream_is_back_within_3_seconds(here, visitor):
    page = await arrive(await visitor(), here)
    await write(page, "One")
    await shows(page, "One")
    streams = here.network.count("GET /api/widget/shop/events")
    here.network.cut()
    loop = asyncio.get_running_loop()
    cut_at = loop.time()
    await until(lambda: here.network.count("GET /api/widget/shop/events") > streams)
    assert loop.time() - cut_at < 3
    await here.shop.answered("one")
    await shows(page, "One", "one")


async def test_a_proxy_that_buffers_streams_makes_the_page_ask_by_the_clock(here, visitor):
    here.network.buffers = True
    page = await arrive(await visitor(), here)
    await write(page, "One")
    await shows(page, "One")
    await here.shop.answered("one")
    await shows(page, "One", "one")


async def test_over_a_slow_network_a_message_is_shown_as_waiting_and_sent_once(here, visitor):
    here.network.delay_sec = 0.4
    page = await arrive(await visitor(), here)
    await write(page, "One")
    await expect(page.locator(".waits")).to_have_text("Sending…")
    await shows(page, "One")
    assert here.texts() == ["One"]


async def test_flood_a_message_over_the_limit_goes_out_when_it_may(open_house, visitor):
    here = await open_house(rate_visitor_min=1)
    page = await arrive(await visitor(), here)
    await write(page, "One")
    await shows(page, "One")
    await write(page, "Two")
    await expect(page.get_by_role("status")).to_contain_text("Too many messages")
    await expect(page.locator(".waits")).to_have_count(1)
    assert here.texts() == ["One"]


async def test_database_away_the_text_is_kept_and_not_connected_is_shown(here, visitor, monkeypatch):
    page = await arrive(await visitor(), here)
    whole = type(here.shop.db).write

    def away(*_given, **_more):
        raise TransientError("the database is away")

    monkeypatch.setattr(type(here.shop.db), "write", away)
    await write(page, "One")
    await expect(page.get_by_role("status")).to_contain_text("Not connected")
    await expect(page.locator(".waits")).to_have_count(1)
    monkeypatch.setattr(type(here.shop.db), "write", whole)
    await shows(page, "One")
    assert here.texts() == ["One"]


async def test_a_script_that_cannot_reach_its_server_leaves_the_page_as_it_was(here, visitor):
    here.network.away = True
    context = await visitor()
    page = await context.new_page()
    await page.goto(here.page_url)
    await expect(page.get_by_role("heading", name="Cup no. 4")).to_be_visible()
    assert await page.evaluate("document.body.children.length") == 2


async def test_the_page_and_the_chat_do_not_change_each_others_looks(here, visitor):
    page = await arrive(await visitor(), here)
    style = "(e) => [getComputedStyle(e).fontFamily.includes('Georgia'), getComputedStyle(e).letterSpacing]"
    assert await page.locator("button.send").evaluate(style) == [False, "normal"]
    georgia, spacing = await page.locator("main p").evaluate(style)
    assert (georgia, spacing != "normal") == (True, True)
    assert await page.evaluate("document.querySelector('body > div').shadowRoot.mode") == "open"


@pytest.mark.parametrize(("locale", "words"), [("en-GB", ("AI", "Send")), ("fr-FR", ("IA", "Envoyer"))])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_both_languages_on_a_desk_and_a_phone_have_nothing_against_axe(
    here, visitor, axe, locale, words, scheme, size
):
    context = await visitor(
        size, locale=locale, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
    )
    page = await arrive(context, here)
    await write(page, "Is it blue?")
    await until(lambda: bool(here.texts()))
    await here.shop.answered("Yes, it is.")
    await expect(page.locator(".said.assistant")).to_have_count(1)
    badge, send = words
    assert await page.locator(".head .ai").inner_text() == badge
    await expect(page.get_by_role("button", name=send, exact=True)).to_be_visible()
    for button in await page.get_by_role("dialog").get_by_role("button").all():
        assert await button.evaluate("(e) => Math.min(e.offsetWidth, e.offsetHeight)") >= 44
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.evaluate(axe)
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [one["id"] for one in found["violations"]] == []
