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


@pytest.mark.parametrize("hard_class", [HardClass.SAFETY, HardClass.MEDICAL])
def test_danger_and_illness_without_a_text_of_their_own_take_the_hosts_default_too(tmp_path, hard_class):
    own = host(tmp_path, '[fr]\ndefault = "Bonjour {guest} ! En cas de danger : {emergency}."\n')
    assert own.text_for(hard_class, "fr", "Ines", "le 15") == "Bonjour Ines ! En cas de danger : le 15."
    assert own.text_for(hard_class, "de", "Ines", "112") == Holding().text_for(
        hard_class, "de", "Ines", "112"
    )


@pytest.mark.parametrize(
    "name",
    [
        "Ines", "José Ángel", "Jean-Luc", "O'Brien", "D’Arc", "J. R. Roy", "J.R. Roy", "Dr. Roy", "Anna M.", "李明", "三郎",
        "प्रिया शर्मा", "Zoe\u0308", "さくら", "Å", "x" * 40,
    ],
)  # fmt: skip
def test_a_plain_name_stands_in_the_text(tmp_path, name):
    own = host(tmp_path, '[fr]\ndefault = "Bonjour {guest} !"\n')
    assert own.text_for(None, "fr", name, None) == f"Bonjour {name} !"


@pytest.mark.parametrize(
    "name",
    [
        "", "   ", "x" * 41, "Ines7", "call 0612345678", "٣٤٥", "evil.com", "t.co", "Ines evil.com", "www.ines.ly",
        "evil dot com", "https://evil.example", "ines@mail.example", "@ines", "<b>Ines</b>", "**Ines**", "[Ines](x)",
        "Ines\nCall me", "Ines_Roy", "{emergency}", "Ines, pay me", "Ines\u200b\u202eRoy", "...", "Ines ❤", "Ines!",
        "Ines whatsapp",
    ],
)  # fmt: skip
def test_what_is_no_plain_name_is_left_out_of_the_text(tmp_path, name):
    own = host(tmp_path, '[fr]\ndefault = "Bonjour {guest} !"\n[en]\ndefault = "{guest}, we have it."\n')
    assert own.text_for(None, "fr", name, None) == "Bonjour !"
    assert own.text_for(None, "en", name, None) == "We have it."
    assert own.is_one("Bonjour !")
    assert own.is_one("We have it.")


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


def test_who_asks_for_a_person_is_told_that_it_is_automatic_also_in_a_hosts_words(tmp_path):
    own = host(tmp_path, '[en]\ndefault = "We have it, {guest}."\n')
    text = own.text_for(HardClass.PERSON, "en", "Ines", None)
    assert text == f"We have it, Ines.\n\n{own.disclosure('en')}"
    assert own.is_one(text)
    assert own.text_for(HardClass.REFUND, "en", "Ines", None) == "We have it, Ines."
    spoken = host(tmp_path, '[en]\ndefault = "We have it."\nperson = "I am a machine."\n')
    assert spoken.text_for(HardClass.PERSON, "en", "", None) == "I am a machine."
