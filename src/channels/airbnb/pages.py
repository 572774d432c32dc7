"""Page objects: what a person does in the inbox, each action ending on its visible effect. No business here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Locator, Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from src.channels.airbnb import probes, selectors, walls
from src.channels.browser import bounded
from src.errors import ChannelGone, ComposerBusy, TransientError

_THREAD_PATH = re.compile(rf"{selectors.INBOX_PATH}/(\d+)/?$")
_PANEL = """
const panelOf = (rows, root) => {
  const found = document.querySelectorAll(rows);
  let el = found[found.length - 1] || document.querySelector(root);
  for (el = el && el.parentElement; el; el = el.parentElement) {
    if (el.scrollHeight > el.clientHeight + 1 && getComputedStyle(el).overflowY !== 'visible') return el;
  }
  return document.scrollingElement;
};
"""
_SCROLL_LIST = f"""
([rows, root]) => {{
  {_PANEL}
  const found = document.querySelectorAll(rows);
  if (found.length) found[found.length - 1].scrollIntoView({{block: 'end'}});
  const panel = panelOf(rows, root);
  panel.scrollTop = panel.scrollHeight;
}}
"""
_SCROLL_A_SCREEN = (
    f"([rows, root]) => {{ {_PANEL} const p = panelOf(rows, root); p.scrollTop += p.clientHeight * 0.8; }}"
)
_SCROLL_TO_TOP = f"([rows, root]) => {{ {_PANEL} panelOf(rows, root).scrollTop = 0; }}"
_AT_END = f"""
([rows, root]) => {{
  {_PANEL}
  const panel = panelOf(rows, root);
  return panel.scrollTop + panel.clientHeight >= panel.scrollHeight - 2;
}}
"""
_FITS = f"""
([rows, root]) => {{
  {_PANEL}
  const panel = panelOf(rows, root);
  return panel.scrollHeight <= panel.clientHeight + 1;
}}
"""
_SCROLL_THREAD_UP = """
([items]) => {
  const first = document.querySelector(items);
  if (!first) return false;
  for (let el = first.parentElement; el; el = el.parentElement) {
    if (el.scrollHeight > el.clientHeight + 1 && getComputedStyle(el).overflowY !== 'visible') {
      el.scrollTop = Math.max(el.scrollTop, 2);
      el.scrollTop = 0;
      return true;
    }
  }
  window.scrollTo(0, 0);
  return true;
}
"""
_EDITABLE_ELSEWHERE = """
([panel, editable]) => [...document.querySelectorAll(panel)].some(p =>
  [...p.querySelectorAll(editable)].some(el => el.getBoundingClientRect().height > 0))
"""


def thread_in_address(url: str) -> int | None:
    """The number of the open conversation as the address says it."""
    match = _THREAD_PATH.search(urlsplit(url).path)
    return int(match.group(1)) if match else None


def on_inbox_address(url: str) -> bool:
    """Whether the address is the host's inbox or a conversation in it."""
    path = urlsplit(url).path.rstrip("/")
    return path == selectors.INBOX_PATH or path.startswith(f"{selectors.INBOX_PATH}/")


def plain(text: str) -> str:
    """A composer's text as it would be sent: line ends as newlines, no-break spaces as spaces, no last newline.

    An editable element turns runs of spaces into no-break spaces and ends its last line with a newline.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").rstrip("\n")


def lines_of(text: str) -> list[str]:
    """The lines of a text, whatever ends them: a bare carriage return, typed as a key, would be Enter."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@dataclass(frozen=True, slots=True)
class ComposerState:
    """The composer as one look showed it."""

    text: str
    """As it would be sent."""
    free: bool
    """Nothing covers it."""
    focused: bool
    ready: bool
    """Send is enabled, and nothing covers it."""

    @classmethod
    def of(cls, told: dict[str, Any] | None) -> ComposerState | None:
        """From what a look told; None if there is no composer."""
        return None if told is None else cls(**{**told, "text": plain(told["text"])})


class ListOfConversations:
    """The left panel: one row for each conversation."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def scroll_on(self) -> None:
        """Scroll to the end of what is shown; a page that loads on scrolling loads more. Else press its button."""
        await bounded(self.page.evaluate(_SCROLL_LIST, [selectors.ROWS, selectors.LIST_ROOT]))

    async def scroll_through(self) -> None:
        """One screenful down from where the list stands: shows further rows of a virtualised list."""
        await bounded(self.page.evaluate(_SCROLL_A_SCREEN, [selectors.ROWS, selectors.LIST_ROOT]))

    async def at_end(self) -> bool:
        """Whether the list cannot be scrolled further down."""
        return bool(await bounded(self.page.evaluate(_AT_END, [selectors.ROWS, selectors.LIST_ROOT])))

    async def fits(self) -> bool:
        """Whether the whole list is on the screen, so that scrolling would show nothing more."""
        return bool(await bounded(self.page.evaluate(_FITS, [selectors.ROWS, selectors.LIST_ROOT])))

    async def scroll_to_top(self) -> None:
        """Back to the newest conversation."""
        await bounded(self.page.evaluate(_SCROLL_TO_TOP, [selectors.ROWS, selectors.LIST_ROOT]))

    async def press_load_more(self) -> bool:
        """Press the button behind the rows, if there is exactly one (3.1: possible; its name is localised)."""
        buttons = self.page.locator(selectors.ROWS).last.locator(selectors.BUTTONS_BEHIND_ROW)
        shown = buttons.locator("visible=true")
        if await bounded(shown.count()) != 1:
            return False
        await shown.click(timeout=3_000)
        return True

    async def open_row(self, number: int) -> bool:
        """Click a conversation's row and wait until the address names it; False if the row is not shown."""
        link = self.page.locator(selectors.row(number))
        if not await bounded(link.count()):
            return False
        await self._click(link.first)
        try:
            await self.page.wait_for_url(
                lambda url: thread_in_address(url) == number, timeout=5_000, wait_until="commit"
            )
        except PlaywrightTimeout:
            return False
        return True

    async def _click(self, link: Locator) -> None:
        try:
            await link.click(timeout=3_000)
        except PlaywrightTimeout:  # something covers it: close that as a person would, then try again
            await close_what_covers(self.page)
            await link.click(timeout=3_000)


class OpenConversation:
    """The middle panel: messages and composer."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def scroll_up(self) -> None:
        """Scroll to the oldest message shown; the page then loads older ones."""
        await bounded(self.page.evaluate(_SCROLL_THREAD_UP, [selectors.ITEMS]))

    async def composer(self, timeout_ms: float = 5_000) -> Locator | None:
        """The element that takes the text, in all known variants (3.4); None if there is none."""
        bar = self.page.locator(selectors.COMPOSER)
        either = self.page.locator(f"{selectors.COMPOSER}, {selectors.OLD_COMPOSER}").first
        try:
            await either.wait_for(state="visible", timeout=timeout_ms)
        except PlaywrightTimeout:
            return None
        inner = bar.locator(selectors.EDITABLE).locator("visible=true")
        for candidate in (self.page.locator(f":is({selectors.EDITABLE}){selectors.COMPOSER}"), inner):
            if await bounded(candidate.count()):
                return candidate.first
        old = self.page.locator(selectors.OLD_COMPOSER)
        return old.first if await bounded(old.count()) else None

    async def has_other_editable(self) -> bool:
        """A place to write that we do not know: then the page has changed, and is not just without composer."""
        return bool(
            await bounded(
                self.page.evaluate(_EDITABLE_ELSEWHERE, [selectors.THREAD_PANEL, selectors.EDITABLE])
            )
        )

    async def text_in(self, composer: Locator) -> str:
        """What the composer holds, as it would be sent."""
        return plain(await bounded(composer.evaluate(probes.READ_COMPOSER)))

    async def insert(self, composer: Locator, text: str) -> None:
        """Insert the text into the composer, which must be empty."""
        if await self.text_in(composer):
            raise ComposerBusy
        await self._focus(composer)
        await self.insert_here(text)

    async def insert_here(self, text: str) -> None:
        """Insert the text where the caret is; Shift+Enter between lines, because Enter sends (3.4)."""
        for index, line in enumerate(lines_of(text)):
            if index:
                await bounded(self.page.keyboard.press("Shift+Enter"))
            if line:
                await bounded(self.page.keyboard.insert_text(line))

    async def type_keys(self, composer: Locator, text: str) -> None:
        """The same key by key, for an editor that does not take inserted text. Slow: ~4 ms a character."""
        await self._focus(composer)
        for index, line in enumerate(lines_of(text)):
            if index:
                await bounded(self.page.keyboard.press("Shift+Enter"))
            if line:
                await bounded(self.page.keyboard.type(line), 60.0)

    async def empty(self, composer: Locator) -> None:
        """Take everything out of the composer, as with Ctrl+A and Delete."""
        await self._focus(composer)
        await bounded(self.page.keyboard.press("ControlOrMeta+a"))
        await bounded(self.page.keyboard.press("Delete"))

    async def send_button(self, timeout_ms: float = 5_000) -> Locator | None:
        """The Send button once it can really be pressed (nothing over it, enabled); None if that never comes."""
        button = self.page.locator(selectors.SEND_BUTTON).locator("visible=true").first
        for attempt in range(2):
            try:
                await button.click(trial=True, timeout=timeout_ms)
            except PlaywrightTimeout:
                if attempt == 0:
                    await close_what_covers(self.page, escape=False)
                continue
            return button
        return None

    async def _focus(self, composer: Locator) -> None:
        try:
            await composer.click(timeout=3_000)
        except PlaywrightTimeout:
            await close_what_covers(self.page)
            try:
                await composer.click(timeout=3_000)
            except PlaywrightTimeout:
                raise TransientError("Something covers the composer.") from None


async def close_what_covers(page: Page, *, escape: bool = True) -> None:
    """Close a cookie banner (by its first button) or a notice, as a person would. Never raises, never for a wall.

    A notice goes by Escape, or by its button without words (the cross): what buttons with words do is not known.
    """
    try:
        if await bounded(walls.by_page(page)) is not None:
            return
        button = page.locator(f"{selectors.COOKIE_BANNER} button:visible").first
        notices = page.locator(f":is({selectors.MODAL}):visible")
        if await bounded(button.count()):
            await button.click(timeout=2_000)
        elif escape and (await bounded(notices.count())) > 0:
            await bounded(page.keyboard.press("Escape"))
            cross = notices.locator("button:visible").filter(has_not_text=re.compile(r"\w"))
            if await bounded(cross.count()):
                await cross.first.click(timeout=2_000)
    except (PlaywrightError, ChannelGone):
        return
