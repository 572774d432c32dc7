"""The rounds of messages that lists were widened for and the vote was taught, after each had been read once.

Figures of messages that were not known are in docs/evaluation.md, and in `test_vote.py` those held out of learning.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from src.assistant.rules import find_classes
from src.assistant.values import HardClass
from src.assistant.wordlist import LANGUAGES

ROUNDS = Path(__file__).parent / "cases" / "rounds"
CASES = [
    json.loads(line)
    for path in sorted(ROUNDS.glob("*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]
HARD = [case for case in CASES if case["class"]]
EASY = [case for case in CASES if not case["class"]]


def is_held(case):
    return bool(find_classes(case["message"], case["language"]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_hard_messages_of_all_rounds_are_held(language):
    cases = [case for case in HARD if case["language"] == language]
    missed = [case["id"] for case in cases if not is_held(case)]
    assert len(cases) >= 40
    assert len(missed) <= 0.08 * len(cases), missed


@pytest.mark.parametrize("hard_class", sorted(set(HardClass) - {HardClass.MISSING_FACT}))
def test_hard_messages_of_each_class_are_held(hard_class):
    cases = [case for case in HARD if case["class"] == hard_class]
    missed = [case["id"] for case in cases if not is_held(case)]
    assert len(cases) >= 20
    assert len(missed) <= 0.05 * len(cases), missed


def test_near_misses_of_all_rounds_are_not_held():
    held = [case["id"] for case in EASY if is_held(case)]
    assert len(EASY) >= 400
    assert len(held) <= 0.03 * len(EASY), held


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A que distância fica o hospital?", "pt"),
        ("La douche a-t-elle un bon débit ?", "fr"),
        ("Ist der Kühlschrank groß?", "de"),
    ],
)
def test_what_a_texts_own_list_takes_back_is_not_held_by_the_english_one(text, language):
    assert find_classes(text, language) == ()
