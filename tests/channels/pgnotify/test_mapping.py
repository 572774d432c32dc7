"""The mapping's file: what it may say, and how what is wrong with it is named."""

from __future__ import annotations

import pytest

from sandbox.pgnotify.app import MAPPING
from src.channels.pgnotify.bell import Ear
from src.channels.pgnotify.mapping import load_mapping
from src.channels.pgnotify.setup_sql import setup_sql
from src.errors import SettingsError


def loaded(tmp_path, text):
    path = tmp_path / "app.toml"
    path.write_text(text)
    return load_mapping(path)


def test_names_are_taken_as_they_stand(tmp_path):
    mapping = loaded(tmp_path, MAPPING)
    assert mapping.columns() == {
        "messages": [
            "id",
            "match_id",
            "sender_id",
            "content",
            "created_at",
            "edited_at",
            "deleted_at",
            "kind",
        ],
        "matches": ["id", "user_id", "bot_id", "status", "created_at"],
        "profiles": ["id", "display_name", "is_bot"],
    }
    assert mapping.viewer == "is_bot=True"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('text = "content"', 'txt = "content"', "[messages] txt is not known; did you mean text?"),
        ('text = "content"', "", "[messages] text is missing"),
        ("[people]", "[peoples]", "[peoples] is not known; did you mean people?"),
        ("[people]", "[people]\nids = []", "[people] ids must be a list of texts"),
        ("[people]", '[people]\nids = ["a"]', "[people] needs either"),
        ('"status", equals = "active"', '"status"', "[conversations] open must be written"),
        ('table = "matches"', "table = 7", "[conversations] table must be a text"),
        ('id = "id"', f'id = "{"x" * 64}"', "must be a name of 1 to 63 bytes"),
        ('["user_id", "bot_id"]', '"user_id"', "[conversations] members must be a list"),
        ("[messages]", "[messages", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path, old, new, said):
    with pytest.raises(SettingsError) as error:
        loaded(tmp_path, MAPPING.replace(old, new, 1))
    assert all(line.startswith("PGNOTIFY_MAPPING: ") for line in error.value.problems)
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="there is no file"):
        load_mapping(tmp_path / "none.toml")


def test_every_name_and_value_is_quoted_in_what_is_printed(tmp_path):
    odd = MAPPING.replace('"content"', "'con\"tent; DROP TABLE x'").replace('"active"', '"it\'s"')
    printed = setup_sql(loaded(tmp_path, odd))
    assert '"con""tent; DROP TABLE x"' in printed
    assert '("con""tent' not in printed.replace('"con""tent; DROP TABLE x"', "")


@pytest.mark.parametrize(
    "payload",
    [
        '{"match_id": "m-1", "sender_id": "u", "bot_id": "b"}',
        '{"match_id": "m-1", "bot_id": "b", "something": {"new": true}}',
        '{"table": "messages", "record": {"match_id": "m-1"}}',
        '{"room": "m-1"}',
        '{"conversation_id": "m-1"}',
    ],
)
def test_a_note_names_its_conversation(payload):
    ear = Ear("room", lambda text: text.startswith("m-"))
    ear.told(payload)
    assert ear.take() == ({"m-1"}, False, False)


@pytest.mark.parametrize(
    "payload", ["", "x", "{", "null", "[]", '"m-1"', '{"match_id": {}}', '{"match_id": "u-1"}']
)
def test_a_note_without_a_name_is_a_ring(payload):
    ear = Ear("room", lambda text: text.startswith("m-"))
    ear.told(payload)
    assert ear.take() == (set(), True, False)
    assert ear.take() == (set(), False, False)
