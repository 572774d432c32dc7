"""Looks into the page: several questions in one round trip to the browser, after the one for a wall.

A round trip costs more than what the page computes for it. Behind a wall no other question is asked, and nothing
is done: ``come_back`` is such a question that does something.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from playwright.async_api import Page

from src.channels.airbnb import selectors

_WALL = """
([plain, nonEmpty, onScreen, login]) => {
  const box = el => el.getBoundingClientRect();
  const shown = el => {
    const r = box(el);
    if (r.width < 2 || r.height < 2) return false;
    if (el.checkVisibility) return el.checkVisibility({opacityProperty: true, visibilityProperty: true});
    const s = getComputedStyle(el);
    return s.visibility !== 'hidden' && s.display !== 'none' && s.opacity !== '0';
  };
  const reachable = el => { const r = box(el); return r.bottom > 0 && r.right > 0; };
  const first = (list, test) => list.find(sel => [...document.querySelectorAll(sel)].some(test));
  const hit = first(plain, el => shown(el) && reachable(el))
    || first(nonEmpty, el => shown(el) && el.childElementCount > 0 && el.innerText.trim() !== '')
    || first(onScreen, el => shown(el) && box(el).y >= 0 && box(el).width > 100 && box(el).height > 100);
  const door = hit ? null : first(login, el => shown(el) && reachable(el));
  return {challenge: hit || null, login: door || null, title: document.title};
}
"""
_ROWS = """
([list, rows, prefix]) => ({
  list: document.querySelector(list) !== null,
  complete: document.readyState === 'complete',
  numbers: [...document.querySelectorAll(rows)].map(a => a.dataset.testid.slice(prefix.length)),
  blank: document.body === null || (document.body.childElementCount === 0 && document.body.innerText.trim() === ''),
})
"""
_ITEMS = """
([list, items]) => {
  const found = [...document.querySelectorAll(items)];
  const last = found.filter(el => el.dataset.islastmessage === 'true').pop() || found[found.length - 1];
  return {
    list: document.querySelector(list) !== null,
    ids: found.map(el => el.dataset.itemId),
    last: last ? last.dataset.itemId : null,
  };
}
"""
_PANEL = """
([section, header, title, guests, code, listing]) => {
  const panel = document.querySelector(section);
  if (!panel) return null;
  const text = el => el ? el.textContent.trim().slice(0, 200) : null;
  const beside = el => el && (el.closest('dt') || el).nextElementSibling;
  const guest = panel.querySelector(`${header} h3`);
  const link = panel.querySelector(listing);
  const room = link && link.getAttribute('href').match(/\\/rooms\\/([0-9A-Za-z_-]+)/);
  return {
    listing: room ? room[1] : null,
    name: text(panel.querySelector(title)) || text(guest && guest.nextElementSibling),
    guests: text(beside(panel.querySelector(guests))),
    code: text(beside(panel.querySelector(code))),
  };
}
"""
_COME_BACK = "kind => { (kind === 'visibilitychange' ? document : window).dispatchEvent(new Event(kind)); }"
READ_COMPOSER = """
el => {
  if (el.tagName === 'TEXTAREA' || el.tagName === 'INPUT') return el.value;
  const copy = el.innerText;
  const hints = [...el.querySelectorAll('[contenteditable="false"], [aria-hidden="true"]')];
  const hint = hints.map(h => h.innerText).join('').trim();
  return hint !== '' && copy.trim() === hint ? '' : copy;
}
"""
# The composer in all known variants (3.4). "free": nothing covers the middle of it, so a click reaches it.
_COMPOSER = f"""
([bar, old, editable, send, focus]) => {{
  const all = (root, sel) => [...root.querySelectorAll(sel)];
  const shown = el => el.getBoundingClientRect().height > 0 && el.checkVisibility({{visibilityProperty: true}});
  const free = el => {{
    const r = el.getBoundingClientRect();
    const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
    return top !== null && el.contains(top);
  }};
  const bars = all(document, bar).filter(shown);
  const el = bars.find(b => b.matches(editable)) || bars.flatMap(b => all(b, editable)).find(shown)
    || all(document, old).find(shown);
  if (!el) return null;
  const button = all(document, send).find(shown);
  const isFree = free(el);
  if (focus && isFree) el.focus();
  return {{
    text: ({READ_COMPOSER})(el),
    free: isFree,
    focused: el.contains(document.activeElement),
    ready: Boolean(button) && !button.disabled && button.getAttribute('aria-disabled') !== 'true' && free(button),
  }};
}}
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the page: a name for the answer, and a JavaScript function of one argument."""

    name: str
    script: str
    argument: Any


WALL = Question(
    "wall",
    _WALL,
    (
        selectors.WALL_CHALLENGE,
        selectors.WALL_CHALLENGE_NON_EMPTY,
        selectors.WALL_CHALLENGE_ON_SCREEN,
        selectors.WALL_LOGIN,
    ),
)
ROWS = Question("rows", _ROWS, (selectors.LIST, selectors.ROWS, selectors.ROW_PREFIX))
"""``{list, complete, numbers, blank}``: is the list there, is the page loaded, which rows, is nothing there."""
ITEMS = Question("items", _ITEMS, (selectors.MESSAGE_LIST, selectors.ITEMS))
"""``{list, ids, last}``: is the list of messages there, the ids of its items, the id of the last one."""

PANEL = Question(
    "panel",
    _PANEL,
    (
        selectors.PANEL,
        selectors.PANEL_HEADER,
        selectors.PANEL_TITLE,
        selectors.PANEL_GUESTS,
        selectors.PANEL_CODE,
        selectors.PANEL_LISTING,
    ),
)
"""``{listing, name, guests, code}``, each maybe None: what the reservation panel shows; None without a panel."""


def composer(*, focus: bool) -> Question:
    """``{text, free, focused, ready}`` or None without a composer; with ``focus`` the caret is put into it if free.

    ``ready``: Send is enabled and nothing covers it.
    """
    places = (selectors.COMPOSER, selectors.OLD_COMPOSER, selectors.EDITABLE, selectors.SEND_BUTTON, focus)
    return Question("composer", _COMPOSER, places)


def come_back(kind: str) -> Question:
    """As a person who returns to the tab (``kind``: visibilitychange, focus, online): a live page asks for news."""
    return Question("come_back", _COME_BACK, kind)


async def look(page: Page, *questions: Question) -> dict[str, Any]:
    """The answers by name; ``wall`` is always among them, and alone if a wall stands there."""
    asked = (WALL, *questions)
    script = _script(tuple((question.name, question.script) for question in asked))
    told = await page.evaluate(script, [list_of(question.argument) for question in asked])
    answers: dict[str, Any] = json.loads(told)  # as text: objects take Playwright six times as long
    return answers


def list_of(argument: Any) -> Any:
    """The same as lists, which is what a browser can be given."""
    return [list_of(part) for part in argument] if isinstance(argument, tuple) else argument


@cache
def _script(parts: tuple[tuple[str, str], ...]) -> str:
    (_, wall), *others = parts
    answers = "".join(f", {name}: ({script})(given[{i}])" for i, (name, script) in enumerate(others, 1))
    return f"""given => {{
      const wall = ({wall})(given[0]);
      return JSON.stringify(wall.challenge || wall.login ? {{wall}} : {{wall{answers}}});
    }}"""
