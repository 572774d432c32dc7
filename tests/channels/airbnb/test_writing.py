"""Filling the composer: exactly the text, nothing over a person's, and never an Enter that would send."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.pages import plain
from src.errors import CannotWrite, ComposerBusy, PageChanged, TransientError
from tests.support.airbnb import (
    COMPOSER,
    PRESS,
    SEND_BUTTON,
    count_enters,
    deliver,
    fill,
    in_composer,
    plain_enters,
    says,
    texts,
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

VARIANTS = ["contenteditable", "nested", "plaintext-only", "textarea"]

LONG = "The code is 4711, see you on Friday at 15:00.\n" * 90

TEXTS = {
    "several lines": "Hello Ana,\n\nyou can arrive from 15:00.\nSee you!\n\n\nRobin",
    "emoji": "Welcome 😊👩‍👩‍👧‍👦🏳️‍🌈 ✓",
    "spaces": "  two before\n    four before\ninside  two   three\ttab",
    "right to left": "שלום, הקוד הוא 4711\nمرحبا بك في البيت",
    "many scripts": "日本語 हिन्दी ไทย Ελληνικά — “quotes” … ½",
    "signs": "@ana see /house #1 :smile: *not bold* <b>&amp; \\ `x` {y} mail: a@b.example",
    "french": "Bonjour\u00a0! 15\u00a0h\u202f– à bientôt",
    "carriage returns": "one\r\ntwo\rthree",
    "combining": "e\u0301 \u200b zero width",
}


async def opened(site: SimulatedSite, channel: AirbnbChannel) -> Thread:
    thread = fill(site, 2)[0]
    await channel.open()
    await channel.read(thread.id)
    return thread


@pytest.mark.parametrize("composer", VARIANTS)
async def test_every_composer_takes_a_text_and_sends_it_once(
    site: SimulatedSite, channel: AirbnbChannel, composer: Any
):
    site.options.composer = composer
    text = TEXTS["several lines"]
    thread = await opened(site, channel)
    await count_enters(channel)
    await channel.write(thread.id, text)
    assert site.log.sends() == []
    assert await plain_enters(channel) == 0
    await channel.reread(thread.id)
    await channel.press_send(thread.id, PRESS)
    assert await channel.follow(thread.id, says(text), 10)
    assert [entry.text for entry in site.log.sends()] == [text]
    assert await plain_enters(channel) == 0


@pytest.mark.parametrize("composer", ["contenteditable", "textarea"])
async def test_every_text_arrives_as_it_was_written(
    site: SimulatedSite, channel: AirbnbChannel, composer: Any
):
    site.options.composer = composer
    thread = await opened(site, channel)
    await count_enters(channel)
    for kind, text in TEXTS.items():
        before = site.log.mark
        await channel.write(thread.id, text)
        await channel.reread(thread.id)
        assert await plain_enters(channel) == 0, kind
        await channel.press_send(thread.id, PRESS)
        (sent,) = site.log.wait_for("send", since=before)
        assert plain(sent.text) == plain(text), kind
        assert await channel.follow(thread.id, lambda v, t=text: plain(v.newest.text) == plain(t), 10), kind  # type: ignore[misc]
    assert len(site.log.presses()) == len(TEXTS)


async def test_a_very_long_text_arrives_whole(site: SimulatedSite, channel: AirbnbChannel):
    text = LONG.strip()
    assert len(text) > 4_000
    thread = await opened(site, channel)
    await deliver(channel, thread, text)
    assert site.inbox.texts(thread) == ["Question 0", text]


@pytest.mark.parametrize("composer", ["contenteditable", "textarea"])
async def test_an_editor_that_takes_no_inserted_text_gets_it_key_by_key_without_a_plain_enter(
    site: SimulatedSite, channel: AirbnbChannel, composer: Any
):
    site.options.composer = composer
    text = "one\r\ntwo\rthree\n  four @ana /house 😊"
    thread = await opened(site, channel)
    await count_enters(channel)
    await channel.browser.page.evaluate(
        """() => document.addEventListener('beforeinput', e => {
          if (e.inputType === 'insertText' && (e.data || '').length > 2) e.preventDefault();
        }, true)"""
    )
    await channel.write(thread.id, text)
    assert await plain_enters(channel) == 0
    assert site.log.sends() == []
    assert await in_composer(channel) == "one\ntwo\nthree\n  four @ana /house 😊"


async def test_a_composer_that_somebody_writes_in_is_left_alone(site: SimulatedSite, channel: AirbnbChannel):
    site.faults.prefill("half a thought")
    thread = await opened(site, channel)
    with pytest.raises(ComposerBusy):
        await channel.write(thread.id, "Hello")
    assert await in_composer(channel) == "half a thought"
    await channel.clear(thread.id)
    assert await in_composer(channel) == "half a thought"
    assert site.log.sends() == []


async def test_a_composer_that_holds_the_reply_already_is_ours(site: SimulatedSite, channel: AirbnbChannel):
    site.faults.prefill("Hello there")
    thread = await opened(site, channel)
    await channel.write(thread.id, "Hello there")
    assert await in_composer(channel) == "Hello there"


@pytest.mark.parametrize("fault", ["ignore_typing", "garble_typing"])
@pytest.mark.parametrize("composer", ["contenteditable", "textarea"])
async def test_a_composer_that_does_not_take_the_text_is_left_empty(
    site: SimulatedSite, channel: AirbnbChannel, fault: str, composer: Any
):
    site.options.composer = composer
    getattr(site.faults, fault)()
    thread = await opened(site, channel)
    with pytest.raises(TransientError, match="does not take"):
        await channel.write(thread.id, "Hello there")
    assert await in_composer(channel) == ""
    assert site.log.sends() == []


async def test_what_was_written_can_be_taken_out_again(site: SimulatedSite, channel: AirbnbChannel):
    thread = await opened(site, channel)
    await channel.write(thread.id, "Hello\nthere")
    await channel.clear(thread.id)
    assert await in_composer(channel) == ""
    await channel.write(thread.id, "Second try")
    assert await in_composer(channel) == "Second try"


async def test_writing_again_replaces_what_was_written(site: SimulatedSite, channel: AirbnbChannel):
    thread = await opened(site, channel)
    await channel.write(thread.id, "Hello")
    await channel.write(thread.id, "Hello")
    assert await in_composer(channel) == "Hello"


async def test_a_conversation_without_a_composer_cannot_be_written_to(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    site.options.composer = "missing"
    thread = await opened(site, channel)
    with pytest.raises(CannotWrite):
        await channel.write(thread.id, "Hello")


async def test_a_composer_under_another_name_is_a_changed_page(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    thread = await opened(site, channel)
    await channel.browser.page.eval_on_selector(
        COMPOSER, "el => el.setAttribute('data-testid', 'composer-v2')"
    )
    with pytest.raises(PageChanged) as caught:
        await channel.write(thread.id, "Hello")
    assert caught.value.what == "the composer"
    assert site.log.sends() == []


async def test_a_send_button_under_another_name_is_a_changed_page_and_the_composer_is_emptied(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    thread = await opened(site, channel)
    await channel.browser.page.eval_on_selector(
        SEND_BUTTON, "el => el.setAttribute('data-testid', 'send-v2')"
    )
    with pytest.raises(PageChanged) as caught:
        await channel.write(thread.id, "Hello")
    assert caught.value.what == "the Send button"
    assert await in_composer(channel) == ""


async def test_a_send_button_that_stays_disabled_is_tried_again_later(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    thread = await opened(site, channel)
    await channel.browser.page.eval_on_selector(
        SEND_BUTTON,
        """el => {
          el.setAttribute('disabled', '');
          Object.defineProperty(el, 'disabled', {get: () => true, set: () => {}});
        }""",
    )
    with pytest.raises(TransientError, match="Send cannot be pressed"):
        await channel.write(thread.id, "Hello")
    assert await in_composer(channel) == ""
    assert site.log.sends() == []


@pytest.mark.parametrize("what", ["cookie_banner", "notification_modal"])
async def test_what_lies_over_the_page_is_closed_before_writing(
    site: SimulatedSite, channel: AirbnbChannel, what: str
):
    setattr(site.options, what, True)
    thread = fill(site, 1)[0]
    await channel.open()
    await channel.read(thread.id, anew=True)
    await channel.write(thread.id, "Hello")
    assert await in_composer(channel) == "Hello"


async def test_a_composer_that_is_covered_while_the_caret_is_in_it_is_uncovered_first(
    site: SimulatedSite, channel: AirbnbChannel
):
    thread = await opened(site, channel)
    await channel.browser.page.locator(COMPOSER).evaluate(
        """el => {
          (el.querySelector('textarea, [contenteditable]') || el).focus();
          const box = el.getBoundingClientRect();
          const notice = document.createElement('div');
          notice.setAttribute('role', 'dialog');
          notice.innerHTML = '<button style="width: 20px; height: 20px"></button>';
          notice.style.cssText = `position: fixed; z-index: 999; left: ${box.left}px; top: ${box.top}px;`
            + `width: ${box.width}px; height: ${box.height}px`;
          notice.firstChild.onclick = () => notice.remove();
          document.body.append(notice);
        }"""
    )
    await channel.write(thread.id, "Hello")
    assert await in_composer(channel) == "Hello"
    assert await channel.browser.page.locator('[role="dialog"]').count() == 0


async def test_a_page_that_moved_on_is_not_written_to(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 2)
    await channel.open()
    await channel.read(threads[0].id)
    await channel.browser.page.click(f'a[data-testid="inbox_list_{threads[1].number}"]')
    with pytest.raises(TransientError, match="not on the conversation"):
        await channel.write(threads[0].id, "Hello")
    assert await in_composer(channel) == ""


async def test_the_guest_writing_between_the_text_and_the_press_is_seen(
    site: SimulatedSite, channel: AirbnbChannel
):
    thread = await opened(site, channel)
    site.faults.on_event("typing", lambda _: site.inbox.guest_writes(thread, "wait, one more thing"))
    await channel.write(thread.id, "Hello")
    site.log.wait_for("typing")
    view = await channel.reread(thread.id)
    assert texts(view) == ["Question 0", "wait, one more thing"]
    assert site.log.sends() == []


async def test_a_text_that_changed_before_the_press_is_noticed(site: SimulatedSite, channel: AirbnbChannel):
    thread = await opened(site, channel)
    await channel.write(thread.id, "Hello")
    await channel.browser.page.locator(COMPOSER).press_sequentially(" X")
    with pytest.raises(TransientError, match="does not hold the reply"):
        await channel.reread(thread.id)
