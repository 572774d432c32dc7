"""Typing and sending (field guide, section 3.4)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from tests.sandbox.airbnb.conftest import MakeSite

pytestmark = pytest.mark.browser

VARIANTS = ["contenteditable", "nested", "plaintext-only", "textarea"]
TEXT = "Bonjour !\n\nArrivée dès 15 h — à bientôt 😊\n  deux  espaces"


def box(page: Page) -> Locator:
    """The element to type into, in every variant."""
    bar = page.get_by_test_id("messaging-composebar")
    inside = "textarea, [role=textbox], [contenteditable]:not([contenteditable='false'])"
    return bar.locator(inside).or_(bar.and_(page.locator("[contenteditable]"))).first


def send_button(page: Page) -> Locator:
    return page.locator("button[data-testid='messaging_compose_bar_send_button']")


def bubbles(page: Page) -> Locator:
    return page.locator("[data-testid='message-list'] > [data-item-id]:not([data-item-id='-1'])")


def opened(site: SimulatedSite, page: Page) -> Thread:
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.thread_url(thread))
    expect(bubbles(page)).to_have_count(1)
    return thread


@pytest.mark.parametrize("composer", VARIANTS)
def test_keys_and_the_button_make_exactly_one_send(make_site: MakeSite, page: Page, composer: str):
    site = make_site(composer=composer)
    thread = opened(site, page)
    expect(send_button(page)).to_be_disabled()
    box(page).click()
    for index, line in enumerate(TEXT.split("\n")):
        if index:
            page.keyboard.press("Shift+Enter")
        page.keyboard.insert_text(line)
    expect(send_button(page)).to_be_enabled()
    assert site.log.sends() == []
    send_button(page).click()
    site.log.wait_for("send")
    expect(bubbles(page)).to_have_count(2)
    expect(bubbles(page).last).to_have_attribute("data-item-id", str(thread.messages[-1].number))
    assert [entry.text for entry in site.log.sends(thread.number)] == [TEXT]
    assert site.inbox.texts(thread) == ["Hello", TEXT]
    assert site.log.count("typing", thread.number) == 1
    expect(send_button(page)).to_be_disabled()
    shown = (
        bubbles(page).last.locator("[data-name='message-content-wrapper']").evaluate("it => it.textContent")
    )
    assert shown == TEXT.replace("\n", "")


@pytest.mark.parametrize("composer", VARIANTS)
def test_fill_keeps_every_line(make_site: MakeSite, page: Page, composer: str):
    site = make_site(composer=composer)
    thread = opened(site, page)
    box(page).fill(TEXT)
    send_button(page).click()
    site.log.wait_for("send")
    assert site.log.sends(thread.number)[0].text == TEXT


@pytest.mark.parametrize("composer", VARIANTS)
def test_enter_sends_and_a_blank_composer_does_not(make_site: MakeSite, page: Page, composer: str):
    site = make_site(composer=composer)
    opened(site, page)
    box(page).click()
    page.keyboard.press("Enter")
    page.keyboard.type("  ")
    page.keyboard.press("Enter")
    expect(send_button(page)).to_be_disabled()
    page.keyboard.type("Hi")
    page.keyboard.press("Enter")
    site.log.wait_for("send")
    assert [(entry.text or "").strip() for entry in site.log.sends()] == ["Hi"]


def test_the_composer_may_be_missing(make_site: MakeSite, page: Page):
    site = make_site(composer="missing")
    opened(site, page)
    expect(page.get_by_test_id("messaging-composebar")).to_have_count(0)


def test_the_optimistic_bubble_is_confirmed(site: SimulatedSite, page: Page):
    thread = opened(site, page)
    site.faults.delay("send", 0.4)
    box(page).fill("Hi")
    send_button(page).click()
    expect(bubbles(page).last).to_contain_text("Sending...")
    expect(bubbles(page).last).not_to_contain_text("Sending...")
    expect(bubbles(page)).to_have_count(2)
    expect(bubbles(page).last).to_have_attribute("data-item-id", str(thread.messages[-1].number))


@pytest.mark.parametrize("style", ["ids", "empty"])
@pytest.mark.parametrize("live", [True, False])
def test_a_sparse_answer_is_confirmed_by_asking_again(
    make_site: MakeSite, page: Page, style: str, live: bool
):
    site = make_site(send_response=style, live=live)
    thread = opened(site, page)
    box(page).fill("Hi")
    send_button(page).click()
    expect(bubbles(page)).to_have_count(2)
    site.log.wait_for("send")
    expect(bubbles(page).last).to_have_attribute("data-item-id", str(thread.messages[-1].number))


def test_a_dropped_answer_shows_as_not_sent_and_is_not_repeated(make_site: MakeSite, page: Page):
    site = make_site(live=False)
    thread = opened(site, page)
    site.faults.accept_then_drop()
    box(page).fill("Hi")
    send_button(page).click()
    expect(bubbles(page).last).to_contain_text("Not sent")
    page.reload()
    expect(bubbles(page)).to_have_count(2)
    assert site.log.count("send", thread.number) == 1
    assert site.inbox.texts(thread) == ["Hello", "Hi"]


def test_sending_for_ever_until_the_page_is_loaded_again(site: SimulatedSite, page: Page):
    thread = opened(site, page)
    site.faults.sending_for_ever()
    box(page).fill("Hi")
    send_button(page).click()
    site.log.wait_until(lambda: any(entry.accepted for entry in site.log.sends()))
    site.inbox.guest_writes(thread, "hello?")
    expect(bubbles(page)).to_have_count(3)
    expect(page.locator("[data-is-message-faded='true']")).to_contain_text("Sending...")
    page.goto(site.thread_url(thread))
    expect(bubbles(page)).to_have_count(3)
    expect(page.locator("[data-is-message-faded='true']")).to_have_count(0)


def test_a_bubble_vanishes_when_the_message_was_not_taken(site: SimulatedSite, page: Page):
    thread = opened(site, page)
    site.faults.vanish()
    box(page).fill("Hi")
    send_button(page).click()
    site.log.wait_for("send")
    expect(bubbles(page)).to_have_count(1)
    assert site.inbox.texts(thread) == ["Hello"]


def test_an_altered_text_and_a_double_bubble(site: SimulatedSite, page: Page):
    thread = opened(site, page)
    site.faults.alter_text()
    site.faults.double_bubble()
    box(page).fill("Call +351 912 345 678")
    send_button(page).click()
    expect(bubbles(page)).to_have_count(3)
    expect(bubbles(page).last).to_contain_text("(phone number hidden by Airbnb)")
    assert len(thread.messages) == 2


def test_a_composer_can_be_filled_already_or_swallow_what_is_typed(site: SimulatedSite, page: Page):
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    site.faults.prefill("half a thought", thread.number)
    page.goto(site.thread_url(thread))
    expect(box(page)).to_have_text("half a thought")
    expect(send_button(page)).to_be_enabled()
    site.faults.page.clear()
    site.faults.ignore_typing()
    page.goto(site.thread_url(thread))
    box(page).click()
    page.keyboard.type("Hi")
    expect(box(page)).to_have_text("")
    site.faults.page.clear()
    site.faults.garble_typing()
    page.goto(site.thread_url(thread))
    box(page).click()
    page.keyboard.insert_text("abcdef")
    expect(box(page)).to_have_text("ace")


def test_the_guest_can_write_between_typing_and_sending(site: SimulatedSite, page: Page):
    thread = opened(site, page)
    site.faults.on_event("typing", lambda it: site.inbox.guest_writes(it, "wait, one more thing"))
    box(page).click()
    page.keyboard.type("Hi")
    expect(bubbles(page)).to_have_count(2)
    expect(bubbles(page).last).to_contain_text("one more thing")
    expect(box(page)).to_have_text("Hi")
    send_button(page).click()
    site.log.wait_for("send")
    assert site.inbox.texts(thread) == ["Hello", "wait, one more thing", "Hi"]


def test_a_browser_repeats_a_send_by_itself_when_its_connection_is_reset(site: SimulatedSite, page: Page):
    thread = opened(site, page)
    site.faults.accept_then_drop(reset=True)
    box(page).fill("Hi")
    send_button(page).click()
    expect(bubbles(page)).to_have_count(2)
    expect(bubbles(page).last).to_have_attribute("data-item-id", str(thread.messages[-1].number))
    assert [entry.accepted for entry in site.log.sends()] == [True, False]
    assert len(site.log.presses(thread.number)) == 1
    assert site.inbox.texts(thread) == ["Hello", "Hi"]
