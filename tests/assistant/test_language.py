"""In which language a guest writes: by script, by the identifier, by the conversation."""

from __future__ import annotations

import pytest

from src.assistant.reading import detect_language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("What time can we check in on Friday?", "en"),
        ("Bonjour, y a-t-il un parking près de la maison ?", "fr"),
        ("Gibt es in der Küche einen Wasserkocher?", "de"),
        ("¿A qué hora podemos entrar en el apartamento?", "es"),
        ("C'è un parcheggio vicino alla casa?", "it"),
        ("Há estacionamento perto da casa, por favor?", "pt"),
        ("Is er een parkeerplaats bij het huis?", "nl"),
        ("Czy w kuchni jest czajnik elektryczny?", "pl"),
        ("Есть ли рядом с домом парковка?", "ru"),
        ("Чи є біля будинку місце для паркування автомобіля?", "uk"),
        ("駐車場はありますか？", "ja"),
        ("房子附近有停车场吗？", "zh"),
        ("집 근처에 주차장이 있나요?", "ko"),
        ("Υπάρχει πάρκινγκ κοντά στο σπίτι;", "el"),
        ("האם יש חניה ליד הבית?", "he"),
    ],
)
def test_a_whole_sentence_is_known_for_sure(text, code):
    found = detect_language(text)
    assert (found.code, found.sure) == (code, True)


def test_a_few_words_take_the_language_of_the_conversation():
    before = ["Bonjour, nous arrivons vendredi vers huit heures du soir."]
    assert detect_language("wifi ?", before).code == "fr"
    assert detect_language("ok, top", before).sure


def test_a_short_but_clear_sentence_in_another_language_is_not_overruled():
    assert detect_language("Wann ist Check-in?", ["Hello, we are looking forward to it."]).code == "de"


def test_a_few_words_alone_are_a_guess():
    assert not detect_language("wifi?").sure


def test_what_has_no_letters_has_the_conversations_language_or_none():
    assert detect_language("👍 12:30") is None
    assert detect_language("???", ["Gibt es in der Küche einen Wasserkocher?"]).code == "de"


def test_addresses_and_placeholders_are_no_words():
    assert detect_language("https://example.com/where-is-the-kettle {{door_code}}") is None
