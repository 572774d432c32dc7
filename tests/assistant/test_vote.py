"""The learned vote: its file, what it holds of messages that it had not learned from, and where it is asked."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from scripts.learn_vote import CASES, FALSE_HOLDS, digest_of_files, read_messages, read_taught
from src.assistant import vote as module
from src.assistant.features import BUCKETS, find_features
from src.assistant.rules import VOTE, find_by_lists, find_classes
from src.assistant.values import HardClass
from src.assistant.vote import FILE, load_vote, vote
from src.assistant.wordlist import LANGUAGES


def test_the_weights_are_learned_from_the_messages_as_they_are():
    assert load_vote().about["learned_from"] == digest_of_files(), "run  python scripts/learn_vote.py"


def test_the_weights_stay_small():
    assert FILE.stat().st_size < 400_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_vote_holds_most_hard_messages_that_it_had_not_learned_from(language):
    hard, held, easy, held_easy = load_vote().about["held_out"][language]
    assert hard >= 250
    assert easy >= 200
    assert held >= 0.42 * hard
    assert held_easy <= (FALSE_HOLDS + 0.01) * easy


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_messages_of_each_kind_to_learn_from(language):
    texts = read_taught(CASES / "taught" / f"{language}.txt")
    assert set(texts) == {*HardClass, "answer", "opening", "ending"} - {HardClass.MISSING_FACT}
    assert sum(len(lines) for name, lines in texts.items() if name in set(HardClass)) >= 200
    assert len(texts["answer"]) >= 170


def test_no_message_is_taught_as_hard_and_as_answerable():
    found, _ = read_messages()
    hard = {(one.language, one.text.casefold()) for one in found if one.hard_class}
    easy = {(one.language, one.text.casefold()) for one in found if not one.hard_class}
    assert hard & easy == set()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hand on heart, the vase in the hall was us", "en"),
        ("Heute früh war abgeschlossen, jetzt steht alles offen", "de"),
        ("手渡しでお札のほうがいいのですが", "ja"),
    ],
)
def test_what_no_list_knows_is_held_by_the_vote(text, language):
    assert find_by_lists(text, language) == ()
    (hit,) = find_classes(text, language)
    assert hit.phrase == VOTE


@pytest.mark.parametrize("language", LANGUAGES)
def test_thanks_and_a_plain_question_are_not_held_by_the_vote(language):
    texts = read_taught(CASES / "taught" / f"{language}.txt")
    held = [text for text in texts["answer"] + texts["ending"] if vote(text, language)]
    assert len(held) <= 0.03 * len(texts["answer"]), held


def test_lists_that_find_something_are_not_overruled(monkeypatch):
    monkeypatch.setattr("src.assistant.rules.vote", lambda *_: pytest.fail("the vote was asked"))
    assert find_classes("It smells of gas", "en")[0].hard_class is HardClass.SAFETY


def test_a_text_without_words_is_not_held():
    assert vote("👍🏽 !!", "en") is None
    assert vote("", None) is None


def test_the_most_careful_threshold_counts_where_the_language_is_not_known():
    text = "Hand on heart, the vase in the hall was us"
    assert vote(text, "en") is not None
    thresholds = load_vote().about["thresholds"]
    strict = {**load_vote().about, "thresholds": {"en": thresholds["en"], "xx": 1e6}}
    weights = module.Weights(strict, load_vote().hard, load_vote().classes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_vote", lambda: weights)
        assert vote(text, "en") is not None
        assert vote(text, None) is None
        assert vote(text, "sv") is None


def test_features_are_the_same_for_what_looks_the_same():
    assert find_features("Ça SENT le gaz") == find_features("ca sent le gaz")
    assert all(0 <= one < BUCKETS for one in find_features("Ça sent le gaz ? 煙が出ています 연기가 나요"))


def test_a_file_that_is_not_whole_names_what_to_do(tmp_path, monkeypatch):
    line = json.dumps({"classes": ["safety"]}).encode()
    (tmp_path / "vote.bin").write_bytes(line + b"\n" + zlib.compress(b"\x00"))
    monkeypatch.setattr(module, "FILE", Path(tmp_path / "vote.bin"))
    with pytest.raises(ValueError, match=r"learn_vote\.py"):
        module.load_vote.__wrapped__()
