"""Codes in words: the same code may mean another thing for a draft than for a message."""

import pytest

from src.api.dashboard import words
from src.languages import language


@pytest.mark.parametrize("code", ["expired", "empty"])
def test_a_held_draft_and_a_message_do_not_share_a_sentence(code):
    english = language("en")
    held, message = words.reason(english, code, held=True), words.reason(english, code)
    assert held != message
    assert "fact" in held or "wrote nothing" in held
