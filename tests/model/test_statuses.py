"""The state machines, their pictures, and the rows: what is written twice agrees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

import pytest

from src.db import statements
from src.model import rows
from src.model.statuses import (
    FINAL_INBOX,
    FINAL_OUTBOX,
    INBOX_TRANSITIONS,
    OPEN_INBOX,
    OUTBOX_TRANSITIONS,
    InboxStatus,
    OutboxStatus,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "state-machines.md"


def arrows(heading: str) -> set[tuple[str, str]]:
    """The arrows of the Mermaid picture under a heading of docs/state-machines.md."""
    part = DOCUMENT.read_text(encoding="utf-8").split(f"(`{heading}`)\n")[1]
    picture = part.split("```mermaid\n")[1].split("```")[0]
    return set(re.findall(r"^ +(\S+) --> ([^\s:]+)", picture, re.MULTILINE))


@pytest.mark.parametrize(
    ("table", "transitions", "starts", "final"),
    [
        ("queue_inbox", INBOX_TRANSITIONS, {"pending"}, FINAL_INBOX),
        ("queue_outbox", OUTBOX_TRANSITIONS, {"pending", "draft"}, FINAL_OUTBOX),
    ],
)
def test_the_picture_shows_every_move_and_no_other(
    table: str, transitions: Mapping[StrEnum, frozenset[StrEnum]], starts: set[str], final: frozenset[StrEnum]
):
    moves = {(str(source), str(target)) for source in transitions for target in transitions[source]}
    ends = {(str(status), "[*]") for status in final}
    assert arrows(table) == moves | ends | {("[*]", start) for start in starts}


@pytest.mark.parametrize(
    ("statuses", "transitions"),
    [(InboxStatus, INBOX_TRANSITIONS), (OutboxStatus, OUTBOX_TRANSITIONS)],
)
def test_every_status_has_its_moves_and_can_be_reached(statuses, transitions):
    assert set(transitions) == set(statuses)
    assert set().union(*transitions.values()) | {"draft"} >= set(statuses)


def test_a_request_is_open_or_final_and_final_means_that_nothing_follows():
    assert set(InboxStatus) == OPEN_INBOX | FINAL_INBOX
    assert {status for status, targets in INBOX_TRANSITIONS.items() if not targets} == FINAL_INBOX


def test_after_an_unconfirmed_press_nothing_follows_but_the_proof():
    assert OUTBOX_TRANSITIONS[OutboxStatus.UNCONFIRMED] == {OutboxStatus.SENT}
    assert OutboxStatus.UNCONFIRMED in FINAL_OUTBOX


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (rows.AccountState, statements.ACCOUNTS),
        (rows.WorkerBeat, statements.WORKERS),
        (rows.Rule, statements.MODES),
        (rows.StoredConversation, statements.CONVERSATIONS),
        (rows.StoredMessage, statements.MESSAGES),
        (rows.Request, statements.INBOX),
        (rows.Job, statements.OUTBOX),
    ],
)
def test_a_row_has_a_field_for_each_column(row, table):
    assert {field.name for field in fields(row)} == set(table.columns.keys())
