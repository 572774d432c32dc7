"""What a guest is told while a person is asked: the host's texts, else the shipped ones."""

from __future__ import annotations

import pytest

from src.assistant.holding import Holding, load_holding, shipped_texts
from src.assistant.reading import detect_language
from src.assistant.values import HardClass

LANGUAGES = ("en", "fr", "de", "es", "it", "pt", "nl", "pl", "ru", "ja", "zh", "ko")


def host(tmp_path, text):
    (tmp_path / "holding.toml").write_text(text, encoding="utf-8")
    return load_holding(tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_shipped_in_its_own_language(language):
    texts = shipped_texts()[language]
    assert set(texts) == {"default", "safety", "medical", "person", "emergency", "disclosure"}
    for name in ("default", "safety", "medical", "person"):
        text = Holding().text_for(None if name == "default" else HardClass(name), language, "Ines", "112")
        assert detect_language(text).code == language
        assert "{" not in text
    assert "112" in Holding().text_for(HardClass.SAFETY, language, "Ines", "112")


def test_a_class_without_a_text_takes_the_default_and_an_unknown_language_english():
    assert Holding().text_for(HardClass.REFUND, "fr", "", None) == shipped_texts()["fr"]["default"]
    assert Holding().text_for(None, "sv", "", None) == shipped_texts()["en"]["default"]
    assert Holding().text_for(None, None, "", None) == shipped_texts()["en"]["default"]


def test_without_a_number_of_the_listing_the_guest_is_sent_to_the_emergency_services():
    assert "the emergency services" in Holding().text_for(HardClass.SAFETY, "en", "", None)


def test_the_hosts_own_text_wins_and_names_the_guest(tmp_path):
    own = host(tmp_path, '[fr]\ndefault = "Bonjour {guest} !"\nrefund = "Voyons cela."\n')
    assert own.text_for(None, "fr", "Ines", None) == "Bonjour Ines !"
    assert own.text_for(HardClass.REFUND, "fr", "Ines", None) == "Voyons cela."
    assert own.text_for(HardClass.COMPLAINT, "fr", "Ines", None) == "Bonjour Ines !"
    assert own.text_for(None, "de", "Ines", None) == shipped_texts()["de"]["default"]


def test_in_danger_the_number_is_told_although_the_host_wrote_only_a_default(tmp_path):
    own = host(tmp_path, '[fr]\ndefault = "Bonjour {guest} !"\n')
    assert "le 15" in own.text_for(HardClass.SAFETY, "fr", "Ines", "le 15")


def test_a_language_that_only_the_host_has_is_used(tmp_path):
    own = host(tmp_path, '[sv]\ndefault = "Tack, {guest}!"\ndisclosure = "Automatiskt svar."\n')
    assert own.text_for(HardClass.BOOKING, "sv", "Ines", None) == "Tack, Ines!"
    assert own.disclosure("sv") == "Automatiskt svar."


def test_one_class_of_the_hosts_leaves_the_others_as_shipped(tmp_path):
    own = host(tmp_path, '[en]\nsafety = "Run, and call {emergency}."\n')
    assert own.text_for(HardClass.SAFETY, "en", "", "112") == "Run, and call 112."
    assert own.text_for(HardClass.REFUND, "en", "", None) == shipped_texts()["en"]["default"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[en]\nrefnud = "x"\n', "refnud is no class"),
        ("[en]\ndefault = 3\n", "default is no text"),
        ('[en]\ndefault = "Hi {name}"\n', "has {name}"),
        ('en = "x"\n', "en is no table"),
        ("[en\n", "cannot be read"),
    ],
)
def test_what_is_wrong_in_the_hosts_file_is_left_out_and_named(tmp_path, text, words):
    own = host(tmp_path, text)
    (finding,) = own.findings
    assert words in finding.text
    assert own.text_for(None, "en", "", None) == shipped_texts()["en"]["default"]


def test_our_own_holding_texts_are_known_again_whoever_the_guest_was(tmp_path):
    own = host(tmp_path, '[fr]\ndefault = "Bonjour {guest}, bien reçu."\n')
    assert own.is_one("Bonjour  Ines Martin, bien reçu.")
    assert own.is_one(Holding().text_for(HardClass.SAFETY, "ja", "Ines", "119"))
    assert not own.is_one("Bonjour Ines, la bouilloire est dans le placard.")
    assert not own.is_one("")


def test_the_disclosure_is_in_the_guests_language():
    lines = {Holding().disclosure(language) for language in LANGUAGES}
    assert len(lines) == 12
    assert Holding().disclosure("sv") == Holding().disclosure("en")
