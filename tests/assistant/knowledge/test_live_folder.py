"""The folder while the program runs."""

from __future__ import annotations

import pytest

from src.assistant.knowledge import LiveFolder
from tests.assistant.knowledge.folders import LISTING, SECRETS, write


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def live(tmp_path, clock):
    write(tmp_path, {"a.md": "## Kettle\nKitchen.\n"})
    return LiveFolder(tmp_path, lambda: ["host"], look_every_sec=1.0, clock=clock)


def texts(live):
    return [fact.text for document in live.current().documents for fact in document.facts]


def test_a_file_that_was_saved_is_used_at_the_next_look(live, clock, tmp_path):
    assert texts(live) == ["Kettle\nKitchen."]

    write(tmp_path, {"a.md": "## Kettle\nOn the stove.\n"})
    assert texts(live) == ["Kettle\nKitchen."], "within a second nothing is read again"

    clock.now += 1
    assert texts(live) == ["Kettle\nOn the stove."]


def test_nothing_is_read_again_while_nothing_changes(live, clock):
    first = live.current()
    clock.now += 60
    assert live.current() is first


def test_only_what_changed_is_read_again(live, clock, tmp_path):
    write(tmp_path, {"b.md": "## Iron\nWardrobe.\n"})
    first = live.current()
    clock.now += 1
    write(tmp_path, {"b.md": "## Iron\nBathroom.\n"})

    second = live.current()

    assert second.files["a.md"] is first.files["a.md"]
    assert second.files["b.md"] is not first.files["b.md"]


def test_the_last_good_version_of_a_broken_file_stays_for_a_day(live, clock, tmp_path):
    live.current()
    write(tmp_path, {"a.md": "---\nbroken\n---\n## Kettle\nNowhere.\n"})

    clock.now += 1
    assert texts(live) == ["Kettle\nKitchen."]
    assert [one.path for one in live.current().errors] == ["a.md"]

    clock.now += 86_400
    assert texts(live) == ["Kettle\nKitchen."]
    clock.now += 2
    assert texts(live) == []

    write(tmp_path, {"a.md": "## Kettle\nBack again.\n"})
    clock.now += 1
    assert texts(live) == ["Kettle\nBack again."]


def test_a_file_that_is_broken_at_the_start_is_left_out(tmp_path, clock):
    write(tmp_path, {"a.md": "---\nbroken\n---\n## Kettle\nNowhere.\n", "b.md": "## Iron\nYes.\n"})

    assert texts(LiveFolder(tmp_path, clock=clock)) == ["Iron\nYes."]


def test_a_file_that_is_taken_away_is_gone_at_once(live, clock, tmp_path):
    live.current()
    (tmp_path / "a.md").unlink()
    clock.now += 1
    assert texts(live) == []


def test_a_fact_that_tells_a_secret_is_replaced_by_the_version_before(live, clock, tmp_path):
    write(tmp_path, {"listings/1/secrets.toml": SECRETS, "listings/1/listing.toml": LISTING})
    live.current()
    clock.now += 1
    write(tmp_path, {"a.md": "## Kettle\nKitchen. The code is 48#21.\n"})
    clock.now += 1
    assert texts(live) == ["Kettle\nKitchen."]


def test_no_window_opens_while_the_listings_times_cannot_be_read(tmp_path, clock):
    write(tmp_path, {"listings/1/secrets.toml": SECRETS, "listings/1/listing.toml": "broken"})
    assert not LiveFolder(tmp_path, clock=clock).current().listing("1").times_known


def test_the_times_of_a_listing_stay_while_its_file_is_broken(tmp_path, clock):
    write(tmp_path, {"listings/1/listing.toml": LISTING})
    live = LiveFolder(tmp_path, clock=clock)
    live.current()
    clock.now += 1
    write(tmp_path, {"listings/1/listing.toml": "broken"})
    clock.now += 1
    assert live.current().listing("1").time_zone == "Europe/Paris"


def test_an_agent_that_is_taken_away_is_noticed(tmp_path, clock):
    agents = ["host", "cook"]
    write(tmp_path, {"a.md": "---\nagent: cook\n---\n## Kettle\nKitchen.\n"})
    live = LiveFolder(tmp_path, lambda: list(agents), clock=clock)
    assert not live.current().errors
    agents.remove("cook")
    clock.now += 1
    assert live.current().errors
