"""Walls that a browser meets, and what only looks like one (field guide, sections 4 and 5)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from sandbox.airbnb.site import SimulatedSite
from tests.sandbox.airbnb.conftest import MakeSite

pytestmark = pytest.mark.browser

MARKS = {
    "airlock_modal": "[role='dialog'][aria-labelledby='dls-modal__user-challenges-modal']",
    "airlock_code": "input[autocomplete='one-time-code']",
    "airlock_inline": "#airlock-inline-container:not(:empty)",
    "captcha_arkose": "iframe[data-e2e='enforcement-frame'].show.active[src*='arkoselabs.com']",
    "captcha_recaptcha": "iframe[src*='recaptcha/api2/bframe']",
    "captcha_geetest": "[class*='geetest']",
}


@pytest.mark.parametrize("kind", MARKS)
def test_a_person_solves_what_lies_over_the_page(site: SimulatedSite, page: Page, kind: str):
    site.inbox.add_thread(guest="Ana", says="Hello")
    site.faults.raise_wall(kind)
    page.goto(site.inbox_url)
    expect(page.locator(MARKS[kind]).first).to_be_visible()
    page.locator("[data-sandbox='solve']").click()
    expect(page.locator("[data-sandbox='solve']")).to_have_count(0)
    assert site.faults.walls == []
    page.reload()
    expect(page.locator("[data-listrow]")).to_have_count(1)
    expect(page.locator(MARKS[kind])).to_have_count(0)


def test_an_answer_that_still_knew_of_a_solved_wall_does_not_raise_it_again(site: SimulatedSite, page: Page):
    site.inbox.add_thread(guest="Ana", says="Hello")
    site.faults.raise_wall("captcha_arkose")
    page.goto(site.inbox_url)
    solve = page.locator("[data-sandbox='solve']")
    expect(solve).to_be_visible()
    answers: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if answers:
            route.continue_()
        else:
            answers.append(route)

    page.route(re.compile("/api/v3/"), hold_the_first)
    page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    while not answers:
        page.wait_for_timeout(20)
    late = answers[0].fetch()  # made while the wall stood
    solve.click()
    expect(solve).to_have_count(0)
    with page.expect_response(re.compile("/api/v3/")):
        answers[0].fulfill(response=late)
    page.evaluate("() => new Promise(resolve => setTimeout(resolve, 50))")
    expect(solve).to_have_count(0)


@pytest.mark.parametrize("step", ["list", "thread_open", "typing", "send", "after_send"])
def test_a_wall_comes_at_its_step_and_not_before(site: SimulatedSite, page: Page, step: str):
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    site.faults.raise_wall("airlock_modal", at=step)
    wall = page.locator(MARKS["airlock_modal"])
    steps = {
        "list": lambda: page.goto(site.inbox_url),
        "thread_open": lambda: page.get_by_test_id(f"inbox_list_{thread.number}").click(),
        "typing": lambda: page.get_by_test_id("messaging-composebar").press_sequentially("Hi"),
        "send": lambda: page.get_by_test_id("messaging_compose_bar_send_button").click(),
    }
    for name, act in steps.items():
        act()
        if name == step or (name, step) == ("send", "after_send"):
            break
        if name == "thread_open":
            expect(page.get_by_test_id("messaging-composebar")).to_be_visible()
        expect(wall).to_have_count(0)
    expect(wall).to_be_visible()
    taken = [entry.accepted for entry in site.log.sends()]
    assert taken == {"send": [False], "after_send": [True]}.get(step, [])


def test_an_airlock_page_is_left_by_its_form(site: SimulatedSite, page: Page):
    site.inbox.add_thread(guest="Ana", says="Hello")
    site.faults.raise_wall("airlock_page")
    page.goto(site.inbox_url)
    expect(page).to_have_url(f"{site.url}/airlock?al_id=4711")
    expect(page.locator("input[name='select_friction']")).to_have_count(2)
    page.locator("[data-sandbox='solve']").click()
    expect(page.locator("[data-listrow]")).to_have_count(1)


def test_a_redirect_may_come_in_the_middle_of_the_work(site: SimulatedSite, page: Page):
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.thread_url(thread))
    site.faults.raise_wall("login_redirect", at="typing")
    page.get_by_test_id("messaging-composebar").press_sequentially("Hi")
    expect(page).to_have_url(f"{site.url}/login?redirect_url=%2Fhosting%2Fmessages%2F{thread.number}")


def test_logging_in_makes_the_inbox_readable(make_site: MakeSite, page: Page):
    site = make_site(login_required=True)
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.thread_url(thread))
    expect(page.get_by_test_id("login-pane")).to_be_visible()
    assert site.log.count("list") == 0
    page.locator("#phone-or-email").fill("host@example.org")
    page.locator("input[type='password']").fill("anything")
    page.get_by_test_id("signup-login-submit-btn").click()
    expect(page).to_have_url(site.thread_url(thread))
    expect(page.get_by_test_id("thread-header-title")).to_have_text("Ana")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert {"_aat", "_airbed_session_id"} <= cookies.keys()
    assert cookies["_aat"]["httpOnly"]
    site.sign_out()
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.get_by_test_id("login-pane")).to_be_visible()
    page.context.add_cookies(site.browser_cookies())
    page.goto(site.inbox_url)
    expect(page.locator("[data-listrow]")).to_have_count(1)


def test_login_never_leads_to_another_site(site: SimulatedSite, page: Page):
    page.goto(f"{site.url}/login?redirect_url=https%3A%2F%2Fexample.org%2F")
    page.locator("#phone-or-email").fill("host@example.org")
    page.locator("input[type='password']").fill("anything")
    page.get_by_test_id("signup-login-submit-btn").click()
    expect(page).to_have_url(site.inbox_url)


def test_look_alikes_are_there_and_harmless(make_site: MakeSite, page: Page):
    site = make_site(look_alikes=True, telemetry_status=403, cookie_banner=True)
    thread = site.inbox.add_thread(
        guest="Ana", says="Please verify yourself: captcha! Log in, Access Denied."
    )
    page.goto(site.thread_url(thread))
    expect(page.locator("#airlock-inline-container")).to_be_empty()
    expect(page.locator("iframe[src*='size=invisible']")).to_have_count(1)
    frame = page.locator("iframe[src*='api2/bframe']").bounding_box()
    assert frame is not None
    assert frame["y"] < 0
    expect(page.locator("iframe[data-e2e='enforcement-frame']")).to_be_hidden()
    site.log.wait_for("telemetry")
    banner = page.get_by_test_id("main-cookies-banner-container")
    expect(banner).to_be_visible()
    page.get_by_test_id("messaging-composebar").press_sequentially("Hi")
    page.get_by_test_id("messaging_compose_bar_send_button").click()
    site.log.wait_for("send")
    banner.get_by_text("Only necessary").click()
    expect(banner).to_have_count(0)
    page.reload()
    expect(page.locator("[data-listrow]")).to_have_count(1)
    expect(banner).to_have_count(0)


def test_a_harmless_dialog_covers_the_page_until_it_is_closed(make_site: MakeSite, page: Page):
    site = make_site(notification_modal=True)
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.inbox_url)
    dialog = page.get_by_test_id("modal-container").get_by_role("dialog")
    dialog.get_by_label("Close").click()
    expect(dialog).to_have_count(0)
    page.get_by_test_id(f"inbox_list_{thread.number}").click()
    expect(page).to_have_url(site.thread_url(thread))
