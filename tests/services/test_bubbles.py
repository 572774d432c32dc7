"""One text as several messages: where it is taken apart, and where never."""

import pytest

from src.services.bubbles import COMFORTABLE, fit_parts, split_text

SENTENCE = "The house has a garden with an old walnut tree and a bench. "


def test_blank_lines_part_a_text():
    assert split_text("Hello!\n\nYes, there is.\n \nSee you", 5) == ["Hello!", "Yes, there is.", "See you"]


def test_a_short_text_stays_whole():
    assert split_text("Hello! Yes, there is. See you", 5) == ["Hello! Yes, there is. See you"]


def test_a_long_paragraph_is_parted_at_the_ends_of_its_sentences():
    pieces = split_text(SENTENCE * 8, 5)
    assert len(pieces) > 1
    assert all(len(piece) <= COMFORTABLE and piece.endswith(".") for piece in pieces)
    assert " ".join(pieces).split() == (SENTENCE * 8).split()


@pytest.mark.parametrize(
    "whole",
    [
        "What you need:\n\n- towels\n\n- a key\n\n- patience",
        "1. Take the tram.\n\n2. Get off at the church.\n\n3. Ring.",
    ],
)
def test_a_list_stays_together_with_what_introduces_it(whole):
    assert split_text(f"Hello\n\n{whole}", 5) == ["Hello", whole]


@pytest.mark.parametrize("word", ["https://example.org/a.b?c=1.5", "1.200,50", "3.5", "z. B.", "Dr. Weiss"])
def test_no_address_number_or_abbreviation_is_torn(word):
    text = f"It is like this, you see {word} Anna says so as well. " * 8
    for piece in split_text(text, 20):
        assert piece.count(word) == piece.count("you see"), piece


@pytest.mark.parametrize("most", [1, 2, 3])
def test_there_are_never_more_pieces_than_asked_for_and_nothing_is_lost(most):
    text = "One\n\nTwo\n\nThree\n\nFour\n\nFive"
    pieces = split_text(text, most)
    assert len(pieces) == most
    assert "\n\n".join(pieces) == text


def test_too_many_parts_go_together_into_the_last():
    assert fit_parts(["One", " ", "Two", "Three"], 2) == ["One", "Two\n\nThree"]
    assert fit_parts(["One", "Two"], 1) == ["One\n\nTwo"]
