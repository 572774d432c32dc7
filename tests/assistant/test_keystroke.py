"""The host's secrets as the services ask for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from src.assistant.keystroke import KeystrokeSecrets
from src.model.secrets import is_filled_in
from tests.assistant.knowledge.folders import LISTING, SECRETS, write

VALUE = "48#21"


@pytest.fixture
def knowledge(tmp_path):
    return write(
        tmp_path / "knowledge",
        {"listings/4711/listing.toml": LISTING, "listings/4711/secrets.toml": SECRETS},
    )


@pytest.fixture
def secrets(knowledge):
    return KeystrokeSecrets(knowledge)


def test_a_value_that_was_changed_a_moment_ago_is_still_masked(knowledge, secrets):
    assert secrets.mask(VALUE, "4711") == "{{door_code}}"
    write(knowledge, {"listings/4711/secrets.toml": SECRETS.replace(VALUE, "77#11")})
    secrets._live.current(at_once=True)

    assert secrets.mask(f"{VALUE} 77#11", "4711") == "{{door_code}} {{door_code}}"


def test_a_conversation_without_a_listing_hides_every_listings_secrets(secrets):
    assert secrets.mask(f"Use {VALUE}.", None) == "Use {{door_code}}."
    assert secrets.mask(f"Use {VALUE}.", "9999") == "Use {{door_code}}."


@pytest.mark.parametrize(
    ("stored", "shown", "same"),
    [
        ("Code {{a}}.", "Code 1 (2).", True),
        ("{{a}} and {{b}}", "x and y", True),
        ("Code {{a}}.", "Code .", False),
        ("Code {{a}}.", "Other 12.", False),
        ("Code 12.", "Code 12.", False),
        ("(a.b) {{a}}", "(aXb) 12", False),
    ],
)
def test_a_stored_text_is_known_again_whatever_was_filled_in(stored, shown, same):
    assert is_filled_in(stored, shown) is same


def test_what_reads_the_folder_is_loaded_only_where_there_is_one(tmp_path):
    code = (
        "import sys; from pathlib import Path; from src.assistant.keystroke import KeystrokeSecrets as K; "
        f"assert K(Path({str(tmp_path / 'none')!r})).mask('x', None) == 'x'; "
        "print([m for m in ('yaml', 'markdown_it', 'icalendar', 'openai', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
