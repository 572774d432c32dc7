"""Both languages say everything, with the same values in it; times and durations read as people write them."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po

from src.api.dashboard import words
from src.languages import CODES, FOLDER, best, language
from src.model.caps import HoldReason
from src.model.gate import Refusal
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.model.values import ReplyMode

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
VALUES = re.compile(r"%\(\w+\)\d*[sd]")


@pytest.fixture(scope="module")
def updater() -> ModuleType:
    spec = importlib.util.spec_from_file_location("updater", ROOT / "scripts" / "update_catalogues.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_catalogues_hold_what_the_code_says_and_nothing_else(updater: ModuleType) -> None:
    template = updater.said()
    assert len(template) > 200
    for code in CODES:
        path = FOLDER / f"{code}.po"
        assert updater.updated(path, template) == path.read_bytes(), "run scripts/update_catalogues.py"


def test_french_has_a_sentence_for_every_english_one_with_the_same_values_in_it() -> None:
    with (FOLDER / "fr.po").open("rb") as file:
        catalogue = read_po(file, locale="fr")
    for message in (one for one in catalogue if one.id):
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        assert all(forms), message.id
        for form in forms:
            assert sorted(VALUES.findall(form)) == sorted(VALUES.findall(ids[-1])), message.id


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (words.OUTBOX, OutboxStatus),
        (words.OUTBOX_MEANS, OutboxStatus),
        (words.INBOX, InboxStatus),
        (words.REASONS, CancelReason),
        (words.REASONS, Refusal),
        (words.REASONS, HoldReason),
        (words.MODES, ReplyMode),
        (words.MODE_MEANS, ReplyMode),
    ],
)
def test_every_status_and_reason_has_a_sentence(table: dict[str, str], codes: type[StrEnum]) -> None:
    assert {str(code) for code in codes} - set(table) == set()


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,en;q=0.8", "fr"),
        ("de,en;q=0.5,fr;q=0.7", "fr"),
        ("fr;q=0", "en"),
        ("de", "en"),
        ("fr;q=x, ;;;, en", "en"),
        ("*", "en"),
        ("FR", "fr"),
    ],
)
def test_the_language_is_the_best_that_the_browser_asks_for(asked: str, code: str) -> None:
    assert best(asked, "en") == code


def test_times_are_the_hosts_and_short_where_that_is_clear() -> None:
    paris = ZoneInfo("Europe/Paris")
    french, english = language("fr"), language("en")
    assert french.moment(NOW, paris, now=NOW) == "13:00"
    assert french.moment(NOW - timedelta(days=1), paris, now=NOW) == "19 nov. 13:00"
    assert english.moment(NOW - timedelta(days=400), paris, now=NOW) == "16 Oct 2025 14:00"
    assert "13:00:00" in english.full_moment(NOW, paris)


def test_durations_name_their_two_largest_parts() -> None:
    seconds = [5, 65, 3 * 3600 + 59, 26 * 3600, -4]
    assert [language("en").duration(s) for s in seconds] == ["5 s", "1 min", "3 h 00 min", "1 d 2 h", "0 s"]
    assert language("fr").duration(26 * 3600) == "1 j 2 h"
    assert language("fr").ago(NOW - timedelta(minutes=3), NOW) == "il y a 3 minutes"
    assert language("en").ago(NOW, NOW) == "just now"
    assert (
        language("fr")
        .say_many("%(num)s conversation", "%(num)s conversations", 1234)
        .endswith("conversations")
    )
