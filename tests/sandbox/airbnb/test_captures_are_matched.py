"""The simulated site's JSON has the key paths of two real responses.

The captures are not part of the repository; where they are missing, these tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.airbnb.inbox import Inbox
from sandbox.airbnb.labels import Labels
from sandbox.airbnb.responses import Responses

CAPTURES = Path(__file__).resolve().parents[3].parent / "shared" / "airbnb" / "captures"
LIST, THREAD = CAPTURES / "ViaductInboxData.json", CAPTURES / "ViaductGetThreadAndDataQuery.json"

pytestmark = pytest.mark.skipif(not (LIST.exists() and THREAD.exists()), reason="the captures are not here")


def paths(value: Any, path: str = "") -> set[str]:
    """Every key path, list indices collapsed."""
    found = {path}
    if isinstance(value, dict):
        for key, part in value.items():
            found |= paths(part, f"{path}.{key}")
    elif isinstance(value, list):
        for part in value:
            found |= paths(part, f"{path}[]")
    return found


def kinds(value: Any, path: str = "") -> dict[str, set[str]]:
    """The JSON kinds found at each key path."""
    found = {path: {type(value).__name__}}
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        parts = [(f"{path}.{key}", part) for key, part in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}[]", part) for part in value]
    for name, part in parts:
        for key, names in kinds(part, name).items():
            found.setdefault(key, set()).update(names)
    return found


def one_of_everything() -> Inbox:
    """An inbox with all that occurs in the captures."""
    inbox = Inbox()
    everything = inbox.add_thread(guest="Ana", cotravellers=["Ben"], priority=True, says="Hello")
    inbox.react(everything, by=inbox.viewer)
    inbox.service_bulletin(inbox.add_thread(guest="Cleo"))
    inbox.media(inbox.add_thread(guest="Dev", chips=["stayReservationHostReviewChip"]))
    inbox.card(inbox.add_thread(guest="Eli"), "STAYS_ACH_HDP_CLAIM_CLOSED")
    unsent = inbox.add_thread(guest="Fay", priority=True, says="Hello")
    inbox.react(unsent)
    inbox.unsend(inbox.host_writes(unsent, "oops"))
    return inbox


def full_thread() -> Any:
    """A thread with all that occurs in the captured one."""
    inbox = Inbox()
    thread = inbox.add_thread(guest="Ana", priority=True)
    inbox.service_bulletin(thread)
    inbox.host_writes(thread, "Welcome")
    inbox.card(thread, "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_PENDING")
    inbox.card(thread, "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_ACCEPTED")
    inbox.guest_writes(thread, "Thank you")
    inbox.react(thread, by=inbox.viewer)
    return Responses(inbox, Labels("en")).thread(thread, {}, page_size=50)


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def full_list() -> Any:
    return Responses(one_of_everything(), Labels("en")).thread_list({}, 15, "inboxItems")


def test_the_list_has_exactly_the_captured_key_paths():
    ours, theirs = paths(full_list()), paths(load(LIST))
    # The captured list happened to have nothing but texts in its two priority rows, one of them unsent and one
    # with a reaction; ours has the same two, so nothing needs to be explained away.
    assert theirs - ours == set()
    assert ours - theirs == set()


def test_the_thread_has_exactly_the_captured_key_paths():
    ours, theirs = paths(full_thread()), paths(load(THREAD))
    assert theirs - ours == set()
    assert ours - theirs == set()


@pytest.mark.parametrize("which", ["list", "thread"])
def test_every_value_is_of_a_captured_kind(which: str):
    ours, theirs = (
        (kinds(full_list()), kinds(load(LIST)))
        if which == "list"
        else (kinds(full_thread()), kinds(load(THREAD)))
    )
    differing = {
        path: (names, theirs[path])
        for path, names in ours.items()
        if path in theirs and not names <= theirs[path]
    }
    assert differing == {}
