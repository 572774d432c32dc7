"""The list and the thread as a browser shows them (field guide, sections 3.1 to 3.3 and 3.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from sandbox.airbnb.site import SimulatedSite
from tests.sandbox.airbnb.conftest import MakeSite

pytestmark = pytest.mark.browser


def rows(page: Page):
    return page.locator("#list_inbox > [data-listrow='true']")


def items(page: Page):
    return page.locator("[data-testid='message-list'] > [role='group'][data-item-id]")


def come_back(page: Page) -> None:
    """What a browser tells a page when its person comes back to it."""
    page.evaluate("window.dispatchEvent(new Event('focus'))")


def test_the_list_has_the_marks_of_the_real_one(site: SimulatedSite, page: Page):
    thread = site.inbox.add_thread(guest="Ana", says="Hello", trip_stage="CURRENTLY_HOSTING")
    page.goto(site.inbox_url)
    expect(page).to_have_title("Messages • Airbnb")
    root = page.locator(
        "[data-testid='inbox-container-marker'] > #list_inbox[role='group'][data-listroot='true']"
    )
    expect(root).to_have_attribute("aria-label", "List of Conversations")
    link = page.locator(f"[data-listrow] > #inbox_list_{thread.number} > a[data-item-index='0'][href='#']")
    expect(link).to_have_attribute("data-testid", f"inbox_list_{thread.number}")
    hidden = link.locator("span").first
    expect(hidden).to_contain_text("Unread. Read Conversation with Ana. Last message sent")
    expect(hidden).to_contain_text("is: Hello. Booking status is Currently hosting. Reservation from")
    end = page.locator("[role='group'][aria-label='End of Inbox data']")
    expect(end).to_have_attribute("data-item-index", "1")
    expect(page.get_by_test_id("inbox-list-loader")).to_be_hidden()


def test_a_click_selects_the_row_and_changes_the_address_without_a_reload(site: SimulatedSite, page: Page):
    one, two = site.inbox.add_thread(guest="Ana", says="1"), site.inbox.add_thread(guest="Ben", says="2")
    page.goto(site.inbox_url)
    page.get_by_test_id(f"inbox_list_{one.number}").click()
    expect(page).to_have_url(site.thread_url(one))
    expect(rows(page).filter(has=page.locator(f"#inbox_list_{one.number}"))).to_have_attribute(
        "aria-current", "true"
    )
    expect(rows(page).filter(has=page.locator(f"#inbox_list_{two.number}"))).to_have_attribute(
        "aria-current", "false"
    )
    expect(page.get_by_test_id("thread-header-title")).to_have_text("Ana")
    page.get_by_test_id(f"inbox_list_{two.number}").click()
    expect(page.get_by_test_id("thread-header-title")).to_have_text("Ben")
    page.go_back()
    expect(page.get_by_test_id("thread-header-title")).to_have_text("Ana")
    assert site.log.count("document") == 1


def test_scrolling_loads_the_rest_page_by_page(make_site: MakeSite, page: Page):
    site = make_site(page_size=10)
    numbers = {site.inbox.add_thread(guest=f"Guest {index}", says="Hello").number for index in range(35)}
    page.goto(site.inbox_url)
    expect(rows(page)).to_have_count(10)
    end = page.locator("[aria-label='End of Inbox data']")
    while not end.is_visible():
        known = rows(page).count()
        rows(page).last.scroll_into_view_if_needed()
        page.locator(".list-panel .scroller").evaluate("box => box.scrollTop = box.scrollHeight")
        page.wait_for_function(
            "known => document.querySelectorAll('[data-listrow]').length > known"
            " || document.querySelector('[aria-label=\"End of Inbox data\"]')",
            arg=known,
        )
    shown = {
        int(row.get_attribute("id").split("_")[-1]) for row in page.locator("[data-listrow] > div").all()
    }
    assert shown == numbers
    assert site.log.count("list") == 4


def test_a_virtualised_list_keeps_only_the_rows_in_sight(make_site: MakeSite, page: Page):
    site = make_site(virtualised=True, page_size=60)
    first, *_ = [site.inbox.add_thread(guest=f"Guest {index}", says="Hello") for index in range(60)]
    page.goto(site.inbox_url)
    expect(rows(page).first).to_be_visible()
    assert rows(page).count() < 30
    oldest = page.get_by_test_id(f"inbox_list_{first.number}")
    expect(oldest).to_have_count(0)
    page.locator(".list-panel .scroller").evaluate("box => box.scrollTop = box.scrollHeight")
    expect(oldest).to_be_visible()


def test_the_list_may_continue_by_a_button(make_site: MakeSite, page: Page):
    site = make_site(page_size=5, load_more_button=True)
    for index in range(8):
        site.inbox.add_thread(guest=f"Guest {index}", says="Hello")
    page.goto(site.inbox_url)
    expect(rows(page)).to_have_count(5)
    page.locator("button[aria-label='Load more']").click()
    expect(rows(page)).to_have_count(8)


def test_messages_carry_their_marks(site: SimulatedSite, page: Page):
    now = datetime.now(UTC)
    thread = site.inbox.add_thread(guest="Ana", says="first\nline", at=now - timedelta(days=400))
    site.inbox.guest_writes(thread, "second", at=now - timedelta(days=399, hours=23))
    site.inbox.host_writes(thread, "mine")
    site.inbox.service_bulletin(thread, "Booked.")
    card = site.inbox.card(thread)
    page.goto(site.thread_url(thread))
    expect(items(page)).to_have_count(5)
    start = page.locator("[data-testid='message-list'] > [data-item-id='-1']")
    expect(start).to_have_attribute("aria-label", "Start of Conversation")
    assert [item.get_attribute("data-item-id") for item in items(page).all()] == [
        str(message.number) for message in thread.messages
    ]
    labels = [item.get_attribute("aria-label") or "" for item in items(page).all()]
    assert "Ana sent first.line. Sent " in labels[0]
    assert "Robin sent mine. Sent Today, " in labels[2]
    assert labels[3].startswith("Airbnb service says Booked.. Sent Today, ")
    assert labels[4].startswith("Most Recent Message. Ana sent message but description not available. Sent ")
    last = page.locator("[data-islastmessage='true']")
    expect(last).to_have_attribute("data-item-id", str(card.number))
    expect(last.locator("[data-pageslot='true'] [data-testid='html-rich-text-container']")).to_be_visible()
    wrapper = items(page).first.locator("[data-testid^='MessageOuter'] [data-name='message-content-wrapper']")
    assert wrapper.inner_text() == "first\nline"
    expect(page.locator("h3[role='heading']")).not_to_have_count(0)


def test_only_others_are_labelled_first_and_last_of_their_run(site: SimulatedSite, page: Page):
    thread = site.inbox.add_thread(guest="Ana")
    for text in ("one", "two", "three"):
        site.inbox.guest_writes(thread, text)
    site.inbox.host_writes(thread, "mine")
    page.goto(site.thread_url(thread))
    expect(items(page)).to_have_count(4)
    by = [
        item.locator("button[aria-label^='Sent by Ana · Booker at ']").count() for item in items(page).all()
    ]
    avatars = [item.get_by_test_id("message-thread-profile-link").count() for item in items(page).all()]
    assert by == [1, 0, 0, 0]
    assert avatars == [0, 0, 1, 0]
    expect(page.get_by_test_id("message-thread-profile-link")).to_have_attribute("aria-label", "Ana · Booker")


def test_older_messages_come_when_one_scrolls_up(make_site: MakeSite, page: Page):
    site = make_site(message_page_size=20)
    thread = site.inbox.add_thread(guest="Ana")
    for number in range(45):
        site.inbox.guest_writes(thread, f"message {number}")
    page.goto(site.thread_url(thread))
    expect(items(page)).to_have_count(20)
    scroller = page.get_by_test_id("message-thread-item-list-container")
    scroller.evaluate("box => box.scrollTop = 0")
    expect(items(page)).to_have_count(40)
    scroller.evaluate("box => box.scrollTop = 0")
    expect(items(page)).to_have_count(45)
    expect(items(page).first).to_contain_text("message 0")


def test_an_open_thread_counts_as_read_after_a_second(site: SimulatedSite, page: Page):
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.inbox_url)
    link = page.get_by_test_id(f"inbox_list_{thread.number}")
    expect(link.locator("span").first).to_contain_text("Unread")
    link.click()
    read = site.log.wait_for("mark_read", thread.number)[0]
    asked = site.log.find("thread", thread.number)[0]
    assert read.clock - asked.clock >= 0.9
    assert not thread.unread
    expect(link.locator("span").first).not_to_contain_text("Unread")


def test_the_live_channel_makes_the_page_ask_again(site: SimulatedSite, page: Page):
    thread, other = (
        site.inbox.add_thread(guest="Ana", says="Hello"),
        site.inbox.add_thread(guest="Ben", says="Hi"),
    )
    page.goto(site.thread_url(thread))
    expect(items(page)).to_have_count(1)
    site.log.wait_for("live", count=2)
    mark = site.log.mark
    site.inbox.guest_writes(other, "news for the list only")
    expect(page.get_by_test_id(f"inbox_list_{other.number}")).to_contain_text("news for the list only")
    assert site.log.count("thread", since=mark) == 0
    site.inbox.guest_writes(thread, "news for the thread")
    expect(items(page)).to_have_count(2)


def test_without_a_live_channel_coming_back_refreshes_the_list(make_site: MakeSite, page: Page):
    site = make_site(live=False)
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.inbox_url)
    expect(rows(page)).to_have_count(1)
    mark = site.log.mark
    come_back(page)
    site.log.wait_for("list", since=mark)
    assert [entry.kind for entry in site.log.find(since=mark)] == ["list"]
    site.inbox.guest_writes(thread, "still there?")
    for event in ("online", "focus"):
        page.evaluate("name => window.dispatchEvent(new Event(name))", event)
    expect(page.get_by_test_id(f"inbox_list_{thread.number}")).to_contain_text("still there?")


def test_coming_back_also_refreshes_an_open_thread_that_is_behind(make_site: MakeSite, page: Page):
    site = make_site(live=False)
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.thread_url(thread))
    expect(items(page)).to_have_count(1)
    site.inbox.guest_writes(thread, "still there?")
    come_back(page)
    expect(items(page)).to_have_count(2)


@pytest.mark.parametrize(
    ("locale", "row", "last"),
    [
        ("fr", "Non lu. Lire la conversation avec Ana.", "Message le plus récent. Ana a envoyé Hello."),
        ("ja", "未読。 Anaとの会話を読む。", "最新のメッセージ. Anaが送信：Hello。"),
    ],
)
def test_every_sentence_is_localised(make_site: MakeSite, page: Page, locale: str, row: str, last: str):
    site = make_site(locale=locale)
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.thread_url(thread))
    expect(page.get_by_test_id(f"inbox_list_{thread.number}").locator("span").first).to_contain_text(row)
    assert (items(page).last.get_attribute("aria-label") or "").startswith(last)


def test_an_unfilled_thread_fills_itself(site: SimulatedSite, page: Page):
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    site.faults.empty_first("thread")
    page.goto(site.thread_url(thread))
    expect(items(page)).to_have_count(1)
    assert site.log.count("thread", thread.number) == 2


def test_the_bare_inbox_may_open_its_first_thread(make_site: MakeSite, page: Page):
    site = make_site(auto_open_first=True)
    site.inbox.add_thread(guest="Ana", says="Hello", at=1_700_000_000_000)
    newest = site.inbox.add_thread(guest="Ben", says="Hello")
    page.goto(site.inbox_url)
    expect(page).to_have_url(site.thread_url(newest))


def test_faults_of_the_page_itself(site: SimulatedSite, page: Page):
    shown, hidden = site.inbox.add_thread(guest="Ana", says="1"), site.inbox.add_thread(guest="Ben", says="2")
    site.faults.hide_row(hidden.number)
    site.faults.ghost_row(999, "Nobody")
    site.faults.wrong_thread(shown.number, hidden.number)
    page.goto(site.inbox_url)
    expect(rows(page)).to_have_count(2)
    expect(page.get_by_test_id("inbox_list_999")).to_contain_text("Nobody")
    page.get_by_test_id(f"inbox_list_{shown.number}").click()
    expect(page).to_have_url(site.thread_url(shown))
    expect(page.get_by_test_id("thread-header-title")).to_have_text("Ben")


def test_a_redesign_renames_everything(site: SimulatedSite, page: Page):
    site.inbox.add_thread(guest="Ana", says="Hello")
    site.faults.rename_ids()
    page.goto(site.inbox_url)
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator("#list_inbox")).to_have_count(0)
    expect(page.locator("[data-testid='inbox-container-marker']")).to_have_count(0)


def test_a_warm_reload_fetches_no_asset(make_site: MakeSite, page: Page):
    site = make_site(assets=5)
    site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.inbox_url)
    expect(rows(page)).to_have_count(1)
    mark = site.log.mark
    page.goto(site.inbox_url)
    expect(rows(page)).to_have_count(1)
    assert site.log.count("asset", since=mark) == 0


def test_a_hanging_renderer_can_be_had(site: SimulatedSite, page: Page):
    thread = site.inbox.add_thread(guest="Ana", says="Hello")
    page.goto(site.inbox_url)
    expect(rows(page)).to_have_count(1)
    site.faults.hang_renderer(at="thread")
    link = page.get_by_test_id(f"inbox_list_{thread.number}")
    link.click(no_wait_after=True)
    site.log.wait_for("thread")
    with pytest.raises(Exception, match="Timeout"):
        page.wait_for_function("new Promise(done => setTimeout(() => done(false), 50))", timeout=500)
    page.close()
