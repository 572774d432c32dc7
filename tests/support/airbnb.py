"""What the tests of the Airbnb channel share besides fixtures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.browser import Browser
from src.model.inbox import AuthorRole, InboxGlance, MessageKind, SeenConversation
from src.model.sending import Press

OWNER_ONLY = 0o600

COMPOSER = '[data-testid="messaging-composebar"]'
SEND_BUTTON = 'button[data-testid="messaging_compose_bar_send_button"]'

PRESS = Press("job-1", None)


class SharedBrowser(Browser):
    """The product's browser, launched once for all tests: each ``start`` gives a fresh page, without a login."""

    async def start(self) -> Page:
        if self._context is None:
            return await super().start()
        if self.page.url != "about:blank":
            await self._make_new()
        return self.page

    async def stop(self) -> None:
        if self._page is not None and self._page.url != "about:blank":
            await self._make_new()

    async def _make_new(self) -> None:
        await self.context.set_offline(False)
        await self.context.clear_cookies()
        await self.fresh_page()

    async def really_stop(self) -> None:
        await super().stop()


def days_ago(days: float) -> datetime:
    """A time in the past, in UTC."""
    return datetime.now(UTC) - timedelta(days=days)


def fill(site: SimulatedSite, number: int, minutes_apart: float = 60) -> list[Thread]:
    """So many conversations, the newest first, each older than the one before it."""
    now = datetime.now(UTC)
    threads = [
        site.inbox.add_thread(
            guest=f"Guest {n}", says=f"Question {n}", at=now - timedelta(minutes=(n + 1) * minutes_apart)
        )
        for n in range(number)
    ]
    return sorted(threads, key=lambda thread: thread.activity_ms, reverse=True)


def listed(glance: InboxGlance) -> list[str]:
    """The ids of a glance, in its order."""
    return [conversation.external_id for conversation in glance.conversations]


def texts(view: SeenConversation) -> list[str | None]:
    """The texts of a conversation, in its order."""
    return [message.text for message in view.messages]


def says(text: str) -> Callable[[SeenConversation], bool]:
    """Whether the host's side of a conversation has this text."""

    def there(view: SeenConversation) -> bool:
        return any(
            m.role is AuthorRole.HOST and m.kind is MessageKind.TEXT and m.text == text for m in view.messages
        )

    return there


async def deliver(
    channel: AirbnbChannel, thread: Thread, text: str, timeout: float = 10.0
) -> SeenConversation:
    """Everything that is done to send a reply, up to its proof."""
    await channel.read(thread.id)
    await channel.write(thread.id, text)
    await channel.reread(thread.id)
    await channel.press_send(thread.id, PRESS)
    view = await channel.follow(thread.id, says(text), timeout)
    assert view is not None
    return view


async def in_composer(channel: AirbnbChannel) -> str:
    """What a person sees in the composer."""
    found = channel.browser.page.locator(
        f'textarea, {COMPOSER} [contenteditable], {COMPOSER}[contenteditable], {COMPOSER} [role="textbox"]'
    ).first
    return str(await found.evaluate("el => el.value ?? el.innerText")).rstrip("\n")


async def count_enters(channel: AirbnbChannel) -> None:
    """From now on the page counts each Enter that comes without Shift."""
    await channel.browser.page.evaluate(
        """() => {
          window.plainEnters = 0;
          document.addEventListener('keydown', e => {
            if (e.key === 'Enter' && !e.shiftKey) window.plainEnters += 1;
          }, true);
        }"""
    )


async def plain_enters(channel: AirbnbChannel) -> int:
    """How often Enter came without Shift since ``count_enters``."""
    return int(await channel.browser.page.evaluate("() => window.plainEnters"))


async def is_cut_off(channel: AirbnbChannel) -> bool:
    """Whether nothing that the page asks for reaches the site any more."""
    ask = "() => fetch('/api/v2/probe', {method: 'POST'}).then(() => false, () => true)"
    for _ in range(3):
        try:
            return bool(await channel.browser.page.evaluate(ask))
        except PlaywrightError as error:  # the page was still moving on to its wall
            if "context was destroyed" not in str(error):
                raise
    raise AssertionError("the page moved on again and again")


def pictures(folder: Path) -> list[Path]:
    """The pictures that were kept, each of which is one."""
    found = sorted(folder.glob("*.png"))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found)
    return found


def mode(path: str | Path) -> int:
    """The permissions of a file or folder."""
    return Path(path).stat().st_mode & 0o777
