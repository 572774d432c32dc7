"""What the product says by itself is kept when words are taken out; all else is somebody's own."""

import ast
from pathlib import Path

from src.api.dashboard.words import REASONS
from src.db import statements
from src.model.reasons import OUR_REASONS
from src.settings import ROOT


def test_every_reason_that_the_dashboard_explains_is_one_of_ours():
    assert set(REASONS) - OUR_REASONS == set()


def test_every_reason_that_is_written_in_the_core_is_one_of_ours():
    """What stands behind ``reason=`` as a plain word, wherever a status is moved."""
    written = set()
    for path in [*(ROOT / "src" / "services").rglob("*.py"), *(ROOT / "src" / "channels").rglob("*.py")]:
        for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.keyword)
                and node.arg == "reason"
                and isinstance(node.value, ast.Constant)
            ):
                written.add(node.value.value)
    assert {one for one in written if isinstance(one, str)} - OUR_REASONS == set()


def test_a_reason_is_short_and_has_no_spaces_so_that_no_word_of_a_guest_is_among_them():
    assert all(one.isascii() and one.replace("_", "").isalpha() for one in OUR_REASONS)
    assert {table.name for table in (statements.INBOX, statements.OUTBOX) if "reason" in table.c} == {
        "queue_inbox",
        "queue_outbox",
    }
