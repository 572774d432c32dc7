"""Finding conversations, with the same result on either database."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import search
from src.db.search import Filters
from src.model.inbox import AuthorRole, SeenPerson
from src.model.values import ReplyMode
from tests.support.api import ACCOUNT, inbox, thread_id  # noqa: F401


@pytest.fixture
def found(db, inbox, make_message):
    guests = {
        "Élodie": "Où est la clé ?",
        "ÅSA": "100 % [sûr] de 2*3?",
        "Straße": "ДОБРЫЙ день",
        "Elodie": "Ελλάδα",
    }
    for number, (name, text) in enumerate(guests.items()):
        people = (
            SeenPerson("guest-1", AuthorRole.GUEST, name),
            SeenPerson("host-1", AuthorRole.HOST, "Henk"),
        )
        inbox.conversation(thread_id(number + 1), make_message(text), people=people)

    def find(text):
        with db.read() as conn:
            rows = search.conversations(
                conn, ACCOUNT, Filters(text), default_mode=ReplyMode.AUTO, after=None, limit=50
            )
        return {one.guest_name for one in rows}

    return find


CASES = [
    ("élodie", {"Élodie"}),
    ("ÉLODIE", {"Élodie"}),
    ("élo", {"Élodie"}),
    ("elodie", {"Elodie"}),  # another letter: it is not found on PostgreSQL either
    ("åsa", {"ÅSA"}),
    ("OÙ", {"Élodie"}),
    ("CLÉ ?", {"Élodie"}),
    ("[SÛR] DE 2*3?", {"ÅSA"}),
    ("100 % [sûr", {"ÅSA"}),
    ("s*û", set()),
    ("?ûr", set()),
    ("û_", set()),
    ("straße", {"Straße"}),
    ("STRASSE", set()),
    ("добрый ДЕНЬ", {"Straße"}),
    ("ΕΛΛ", {"Elodie"}),
    ("é\\", set()),
    ("é^]-", set()),
]


@pytest.mark.parametrize(("text", "names"), CASES)
def test_large_and_small_letters_are_the_same_in_every_alphabet(found, text, names):
    assert found(text) == names


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql C"], indirect=True)
def test_a_postgresql_with_the_locale_c_finds_the_same(found):
    assert {text: found(text) for text, _ in CASES} == dict(CASES)
