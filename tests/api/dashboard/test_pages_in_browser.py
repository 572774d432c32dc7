"""The pages in a real browser, on a desk and on a phone: every flow, by hand and by keyboard; nothing against axe."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from src.db import outbox_queue, outbox_views
from src.db.waiting import waiting
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT as A
from src.services import texts
from tests.api.dashboard.conftest import SIZES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PASSWORD = "a password of the house"


def jobs(house, status):
    with house.db.read() as conn:
        return outbox_views.list_jobs(conn, A, OutboxStatus(status), 100)


def paths(house):
    one, left = (f"/conversations/{quote(house.conversations[n], safe='')}" for n in (2, 4))
    return [
        "/",
        "/conversations",
        "/conversations?q=cot",
        one,
        left,
        "/outbox",
        "/outbox?state=unconfirmed",
        "/login",
    ]


async def test_nothing_serious_for_axe_and_no_scrolling_sideways_anywhere(house, person, axe):
    here = await house()
    for size, scheme in (("desk", "light"), ("phone", "dark")):
        # Only for axe, which is put into the page from outside; that nothing breaks the policy the other tests see.
        page = await person(size, color_scheme=scheme, bypass_csp=True)
        for path in paths(here):
            await page.goto(f"{here.url}{path}")
            await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= SIZES[size]["width"], (size, path)
            await page.evaluate(axe)
            found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            serious = [v for v in found["violations"] if v["impact"] in {"serious", "critical"}]
            told = [(v["id"], [n["target"] for n in v["nodes"]][:4]) for v in serious]
            assert told == [], (size, scheme, path, json.dumps(told))
        await page.context.close()


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_two_people_approve_one_draft_and_the_first_click_wins(house, person, size):
    here = await house(dashboard_password=PASSWORD)
    one, two = await person(size), await person(size)
    for page in (one, two):
        await page.goto(f"{here.url}/outbox")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Outbox")).to_be_visible()
    before = len(jobs(here, "draft"))
    fresh = "#job-o2-4"  # the other one answers a message that is too old by now
    mine, theirs = one.locator(fresh), two.locator(fresh)
    # The second one is writing: what the first one does must not take the words away.
    await theirs.get_by_role("textbox").fill("Written by the second person.")
    await mine.get_by_role("textbox").fill("Written by the first person.")
    await mine.get_by_role("button", name="Approve").click()
    await expect(one.get_by_role("status")).to_contain_text("Approved")
    await expect(two.locator("#news")).to_be_visible()
    await expect(theirs.get_by_role("textbox")).to_have_value("Written by the second person.")
    await theirs.get_by_role("button", name="Approve").click()
    await expect(two.get_by_role("alert")).to_contain_text("Somebody was quicker")
    await expect(two.get_by_role("textbox")).to_have_value("Written by the second person.")
    texts = [job.text for job in jobs(here, "pending")]
    assert texts.count("Written by the first person.") == 1
    assert "Written by the second person." not in texts
    assert len(jobs(here, "draft")) == before - 1
    await one.get_by_role("button", name="Log out").click()
    await expect(one.get_by_label("Password")).to_be_visible()


async def test_news_come_by_themselves_and_everything_works_by_keyboard(house, person):
    here = await house()
    page = await person("desk")
    await page.goto(here.url)
    drafts = page.locator(".tiles a", has_text="drafts").locator("b")
    number = int(await drafts.inner_text())
    with here.db.write() as conn:
        job = jobs(here, "draft")[0]
        outbox_queue.enqueue(
            conn,
            A,
            job.conversation_id,
            texts.clean_message("A draft that came while nobody clicked."),
            request_id=None,
            idempotency_key="news",
            status=OutboxStatus.DRAFT,
            reason="approval_required",
            now=job.created_at,
        )
    await expect(drafts).to_have_text(str(number + 1))
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="To the content")).to_be_focused()
    pause = page.get_by_role("button", name="Pause sending")
    await pause.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("Paused")
    await page.get_by_role("button", name="Resume sending").press("Enter")
    await expect(page.get_by_role("button", name="Pause sending")).to_be_visible()


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_a_conversation_is_found_read_steered_and_a_doubtful_reply_settled(house, person, size):
    here = await house()
    page = await person(size, locale="fr-FR")
    await page.goto(f"{here.url}/conversations")
    await page.get_by_label("Chercher dans les noms et les messages").fill("Lucía")
    await expect(page.locator(".rows strong").first).to_have_text("Lucía Romero")
    await expect(page.locator(".rows strong", has_text="Tom Baker")).to_have_count(0)
    await page.locator(".rows a").first.click()
    await page.locator("details.story summary").last.click()
    await expect(page.get_by_text("Prouvé : elle est dans la conversation.").last).to_be_visible()
    await page.get_by_label("Cette conversation", exact=True).select_option("off")
    await (
        page.get_by_label("Cette conversation", exact=True).locator("xpath=..").get_by_role("button").click()
    )
    await expect(page.get_by_role("status").first).to_contain_text("Le mode est réglé")
    await expect(page.get_by_text("Ici, aucune réponse ne part toute seule")).to_be_visible()
    await page.goto(f"{here.url}/outbox?state=unconfirmed")
    await page.get_by_text("Non, l'envoyer à nouveau…").click()
    await page.get_by_role("button", name="J'ai vérifié : envoyer à nouveau").click()
    await expect(page.get_by_role("status").first).to_contain_text("Une nouvelle réponse")
    (doubtful,) = jobs(here, "unconfirmed")
    assert [job.replaces_id for job in jobs(here, "pending")].count(doubtful.id) == 1
    await page.get_by_role("button", name="Oui, elle a été envoyée").click()
    await expect(page.get_by_role("status").first).to_contain_text("elle a été envoyée")
    assert jobs(here, "unconfirmed") == []


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_what_needs_no_answer_is_seen_to_by_keyboard(house, person, size):
    here = await house()
    page = await person(size)
    await page.goto(here.url)
    left = page.locator("button:enabled", has_text="Seen to")
    before = await left.count()
    assert before
    name = await page.locator("li", has=left).locator("strong").first.inner_text()
    await expect(left.first).to_have_accessible_name(f"Seen to ({name})")
    await left.first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("no answer is needed")
    await expect(left).to_have_count(before - 1)


async def test_the_title_and_the_icon_follow_what_waits_while_a_page_is_open(house, person):
    here = await house()
    page = await person()
    await page.goto(f"{here.url}/conversations")
    before = await page.title()
    drafts = jobs(here, "draft")
    with here.db.write() as conn:
        for one in drafts:
            outbox_queue.cancelled(conn, one.id, [OutboxStatus.DRAFT], "rejected", datetime.now(UTC))
        left = len(waiting(conn, A, datetime.now(UTC)))
    assert f"({left}) Conversations" not in before
    assert left > 0
    # Not by waiting for /events: its first look may come after the change.
    await page.evaluate("htmx.trigger('#live', 'sse:news')")
    await expect(page).to_have_title(re.compile(rf"^\({left}\) "))
    await expect(page.locator("#icon")).to_have_attribute("href", re.compile("icon-waits"))
