"""Who may be answered without a person: how edits are judged, and what a record allows."""

from dataclasses import replace

import pytest

from src.model.autonomy import TOPICS, Judgement, is_offered, judge, permission
from src.model.rows import TopicRecord
from src.model.values import utc_now

NEW = TopicRecord("default", "1", "parking", "stay", "draft", None, 0, 0, 0, 0, 0, None, 0, utc_now())
EARNED = replace(NEW, in_a_row=10, conversations=5)
LOST = replace(NEW, reason="rewritten")


def test_there_are_25_topics():
    assert len(set(TOPICS)) == len(TOPICS) == 25


@pytest.mark.parametrize(
    ("drafted", "approved", "judgement"),
    [
        ("Park in the yard, please.", "Park in the yard, please.", Judgement.UNCHANGED),
        ("Park in the yard, please.", "Park in the yard please.", Judgement.EDITED),
        ("x" * 20, "x" * 17 + "abc", Judgement.EDITED),
        ("x" * 20, "x" * 16 + "abcd", Judgement.REWRITTEN),
        ("x" * 20, "x" * 30, Judgement.REWRITTEN),
        ("There is no parking.", "The yard is yours.", Judgement.REWRITTEN),
    ],
)
def test_up_to_fifteen_percent_of_the_characters_is_a_slight_edit(drafted, approved, judgement):
    assert judge(drafted, approved) is judgement


@pytest.mark.parametrize(
    ("record", "policy", "allowed"),
    [
        (None, "ask", None),
        (NEW, "ask", None),
        (EARNED, "ask", None),
        (EARNED, "earned", True),
        (NEW, "earned", None),
        (None, "full", True),
        (NEW, "full", True),
        (LOST, "ask", False),
        (LOST, "earned", False),
        (LOST, "full", False),
        (replace(EARNED, reason="rewritten"), "ask", False),
        (replace(EARNED, reason="rewritten"), "earned", True),
        (replace(NEW, level="auto", reason="host"), "ask", True),
        (replace(NEW, reason="host"), "full", False),
    ],
)
def test_what_a_record_allows(record, policy, allowed):
    assert permission(record, policy) is allowed


@pytest.mark.parametrize(
    ("in_a_row", "conversations", "offered"), [(10, 5, True), (9, 9, False), (20, 4, False)]
)
def test_ten_in_a_row_from_five_conversations_are_offered(in_a_row, conversations, offered):
    record = replace(NEW, in_a_row=in_a_row, conversations=conversations)
    assert is_offered(record, "ask") is offered
    assert not is_offered(record, "earned")
    assert not is_offered(replace(record, level="auto", reason="host"), "ask")
