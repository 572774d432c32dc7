"""Faults: everything that can go wrong on the site, switched on and off by a test.

A fault is a rule: what happens, to which kind of request, in which thread, how often. Rules that break the *page*
rather than an answer travel to it in a header of the next list or thread answer.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.airbnb.log import Kind
from sandbox.airbnb.model import Thread
from sandbox.airbnb.walls import LOGGED_OUT, Step, Wall, WallKind

Target = Kind
Event = Kind | Literal["before_send", "after_send"]
Hook = Callable[[Thread | None], object]


@dataclass
class Fault:
    """One rule. ``hits`` counts how often it struck; ``times`` (None: for ever) limits that."""

    name: str
    on: Target
    thread: int | None = None
    times: int | None = None
    skip: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def strikes(self, on: Target, thread: int | None) -> bool:
        """Whether this request is hit; counts it."""
        if self.on != on or (self.thread is not None and self.thread != thread):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


def mask_contacts(text: str) -> str:
    """What the site does to phone numbers, addresses and spaces before it shows a text (wording: a guess)."""
    text = re.sub(r"[\w.+-]+@[\w-]+\.[\w.]+", "(email hidden by Airbnb)", text)
    text = re.sub(r"\+?\d[\d ()-]{6,}\d", "(phone number hidden by Airbnb)", text)
    return re.sub(r"[ \t]+", " ", text)


_EMOJI = re.compile("[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]")


def drop_emoji(text: str) -> str:
    """What a site does that knows no emoji."""
    return _EMOJI.sub("", text).strip()


class Faults:
    """The rules, the walls and the hooks of one site. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tell_page: list[Callable[[dict[str, Any]], None]] = []
        self.clear()

    def clear(self) -> None:
        """Back to a site without faults, walls and hooks."""
        with self._lock:
            self.rules: list[Fault] = []
            self.walls: list[Wall] = []
            self.page: dict[str, Any] = {}
            self._hooks: dict[str, list[tuple[Hook, bool]]] = {}

    # --- answers ---------------------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        on: Target,
        thread: int | None = None,
        times: int | None = 1,
        skip: int = 0,
        **facts: Any,
    ) -> Fault:
        """Add a rule: strikes ``times`` requests (None: all) after letting ``skip`` pass."""
        fault = Fault(name, on, thread, times, skip, facts)
        with self._lock:
            self.rules.append(fault)
        return fault

    def status(self, on: Target, code: int = 500, **rule: Any) -> Fault:
        """Answer with this status (503 comes with the text that the real edge sends)."""
        return self.add("status", on, code=code, **rule)

    def blank(self, on: Target, **rule: Any) -> Fault:
        """Answer 200 with nothing in it."""
        return self.add("blank", on, **rule)

    def truncate(self, on: Target, **rule: Any) -> Fault:
        """Answer 200 with the first half of the right body."""
        return self.add("truncate", on, **rule)

    def graphql_errors(self, on: Target, **rule: Any) -> Fault:
        """Answer 200 with ``data: null`` and ``errors`` (field guide, section 2.6)."""
        return self.add("graphql_errors", on, **rule)

    def delay(self, on: Target, seconds: float, **rule: Any) -> Fault:
        """Answer rightly, but later."""
        return self.add("delay", on, seconds=seconds, **rule)

    def never_answer(self, on: Target, **rule: Any) -> Fault:
        """Keep the request open until the site stops; a send is not taken."""
        return self.add("never", on, **rule)

    def drop(self, on: Target, reset: bool = False, **rule: Any) -> Fault:
        """Cut the connection in the middle of the answer (``reset``: before it); a send is not taken."""
        return self.add("drop", on, reset=reset, **rule)

    def empty_first(self, on: Target, **rule: Any) -> Fault:
        """An empty answer, filled when asked again (field guide, section 2.6)."""
        return self.add("empty", on, **rule)

    # --- sending ---------------------------------------------------------------------------------------------

    def accept_then_drop(self, reset: bool = False, **rule: Any) -> Fault:
        """Take the message, then cut the connection in the middle of the answer.

        With ``reset`` before its first byte: then the browser repeats the request by itself (same uuid, logged
        again, not taken again), until the fault no longer strikes.
        """
        return self.add("accept_then_drop", "send", reset=reset, **rule)

    def accept_late(self, seconds: float, drop: bool = False, **rule: Any) -> Fault:
        """Take the message only after a while; with ``drop`` the page saw the connection fail at once."""
        return self.add("accept_late", "send", seconds=seconds, drop=drop, **rule)

    def sending_for_ever(self, **rule: Any) -> Fault:
        """Take the message, never answer; the page keeps saying "Sending..." until it is loaded again."""
        return self.add("sending_for_ever", "send", **rule)

    def vanish(self, **rule: Any) -> Fault:
        """Answer 200 without taking the message: its bubble disappears."""
        return self.add("vanish", "send", **rule)

    def alter_text(self, change: Callable[[str], str] = mask_contacts, **rule: Any) -> Fault:
        """Take the message with a changed text (by default: contacts masked, spaces collapsed)."""
        return self.add("alter_text", "send", change=change, **rule)

    def drop_emoji_on_page(self) -> None:
        """The page itself takes emoji out of what it sends: they are not even in its request."""
        self.page["dropEmoji"] = True

    def other_uuid(self, **rule: Any) -> Fault:
        """Take the message under a uuid of the site's own: it does not keep the one that the page made."""
        return self.add("other_uuid", "send", **rule)

    def double_bubble(self) -> None:
        """One message is drawn twice after sending (a display bug; the site has it once)."""
        self.page["doubleBubble"] = True

    # --- the page --------------------------------------------------------------------------------------------

    def wrong_thread(
        self, clicked: int, opened: int, address: Literal["clicked", "opened"] = "clicked"
    ) -> None:
        """A click on one row opens another thread, with the address of either."""
        self.page.setdefault("wrongThread", {})[str(clicked)] = {"opened": opened, "address": address}

    def prefill(self, text: str, thread: int | None = None) -> None:
        """The composer already holds a text when the thread opens."""
        self.page.setdefault("prefill", {})[str(thread or "*")] = text

    def ignore_typing(self) -> None:
        """The composer swallows what is typed."""
        self.page["ignoreTyping"] = True

    def garble_typing(self) -> None:
        """The composer loses every second character."""
        self.page["garbleTyping"] = True

    def no_composer(self) -> None:
        """Threads open without a composer."""
        self.page["noComposer"] = True

    def rename_ids(self) -> None:
        """Every test id and DOM id of the inbox has another name, as after a redesign."""
        self.page["renamed"] = True

    def hide_row(self, number: int) -> None:
        """A thread of the JSON is missing on the page."""
        self.page.setdefault("hiddenRows", []).append(number)

    def ghost_row(self, number: int, name: str = "Nobody", preview: str = "Boo") -> None:
        """A row on the page that the JSON lacks."""
        row = {"number": number, "name": name, "preview": preview}
        self.page.setdefault("ghostRows", []).append(row)

    def hang_renderer(self, at: Literal["now", "list", "thread", "typing", "send"] = "now") -> None:
        """The page's script runs in a circle, now or when it gets its next answer of a kind."""
        if at == "now":
            self.tell_page({"hang": True})
        else:
            self.add("hang", at)

    def on_page_message(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Where ``tell_page`` goes (the site's live channel)."""
        self._tell_page.append(listener)

    def tell_page(self, message: dict[str, Any]) -> None:
        """Push something to all open pages at once."""
        for listener in self._tell_page:
            listener(message)

    # --- walls -----------------------------------------------------------------------------------------------

    def raise_wall(
        self,
        kind: WallKind,
        at: Step = "always",
        thread: int | None = None,
        sticky: bool = True,
        status: int | None = None,
    ) -> Wall:
        """Put a wall up. Met once, it stands at every step until solved or lowered (unless not ``sticky``)."""
        wall = Wall(kind, at, thread, sticky, status)
        with self._lock:
            self.walls.append(wall)
        return wall

    def lower_walls(self) -> None:
        """Take every wall away, as if nothing had been."""
        with self._lock:
            self.walls.clear()

    def solve(self, kinds: Collection[str] | None = None) -> None:
        """A person solved what stood in the way (only walls of these kinds, if given)."""
        with self._lock:
            self.walls = [wall for wall in self.walls if kinds is not None and wall.kind not in kinds]

    def logged_in(self) -> None:
        """A person logged in again: the walls of a lost login go."""
        self.solve(LOGGED_OUT)

    def wall_at(self, step: Step | None, thread: int | None = None) -> Wall | None:
        """The wall that a visitor meets at this step."""
        with self._lock:
            for wall in self.walls:
                if wall.stands_at(step, thread):
                    return wall
        return None

    # --- for the site ----------------------------------------------------------------------------------------

    def strike(self, on: Target, thread: int | None = None) -> list[Fault]:
        """The faults that hit this request, in the order in which they were added."""
        with self._lock:
            return [fault for fault in self.rules if fault.strikes(on, thread)]

    def on_event(self, event: Event, hook: Hook, once: bool = True) -> None:
        """Call ``hook(thread or None)`` when this happens, before the site goes on; it may use the inbox."""
        with self._lock:
            self._hooks.setdefault(event, []).append((hook, once))

    def happened(self, event: Event, thread: Thread | None = None) -> None:
        """Run the hooks of an event."""
        with self._lock:
            hooks = self._hooks.get(event, [])
            self._hooks[event] = [(hook, once) for hook, once in hooks if not once]
        for hook, _ in hooks:
            hook(thread)

    def has_hooks(self, event: Event) -> bool:
        """Whether anybody waits for this event."""
        return bool(self._hooks.get(event))
