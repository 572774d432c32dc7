"""A person plays the guest by hand."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from sandbox.airbnb.site import SimulatedSite

pytestmark = pytest.mark.browser


def test_a_new_guest_writes_and_sees_the_answer_arrive(site: SimulatedSite, page: Page):
    page.goto(f"{site.url}/guest")
    page.get_by_role("button", name="New guest").click()
    page.get_by_label("Name").fill("Ana")
    page.get_by_label("First message").fill("Is there wifi?")
    page.locator("dialog").get_by_role("button", name="Send").click()
    expect(page.locator("#messages li.guest")).to_contain_text("Is there wifi?")
    (thread,) = site.inbox.threads
    assert thread.guest.name == "Ana"
    site.inbox.host_writes(thread, "Yes, and fast.")
    expect(page.locator("#messages li.host")).to_contain_text("Yes, and fast.")
    page.get_by_label("Message", exact=True).fill("Great")
    page.keyboard.press("Enter")
    expect(page.locator("#messages li.guest")).to_have_count(2)
    assert site.inbox.texts(thread) == ["Is there wifi?", "Yes, and fast.", "Great"]
    assert site.log.touched() == []


def test_a_cotraveller_can_be_played_and_a_phone_is_wide_enough(site: SimulatedSite, page: Page):
    thread = site.inbox.add_thread(guest="Ana", cotravellers=["Ben"], says="Hello")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{site.url}/guest")
    page.locator("#threads button").click()
    page.get_by_label("Who writes").select_option("Ben")
    page.get_by_label("Message", exact=True).fill("Me too")
    page.locator("#write button").click()
    expect(page.locator("#messages li")).to_have_count(2)
    assert thread.messages[-1].author.name == "Ben"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Back").click()
    expect(page.locator("#threads button")).to_be_visible()
