import sys
import unicodedata

import pytest

from src.assistant import reading
from src.assistant.reading import clean_text, detect_language, normal_form


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Is there parking?", "Is there parking?"),
        ("ｒｅｆｕｎｄ　ｐｌｅａｓｅ", "refund please"),
        ("re\u200bfu\u00adnd\u2060", "refund"),
        ("r\u0435fund plе\u0430se", "refund please"),  # Cyrillic letters in Latin words
        ("the \u0441\u043e\u0440 is here", "the cop is here"),  # a word wholly of look-alikes in a Latin text
        ("\u03c1\u03b1ypal", "paypal"),  # Greek
        ("верните дeньги", "верните деньги"),  # a Latin "e" in a Russian word
        ("Где ключи от квартиры?", "Где ключи от квартиры?"),
        ("Πού είναι το κλειδί;", "Πού είναι το κλειδί;"),
        ("\U000e0041\U000e0042hello", "hello"),  # tag characters
        ("ガス臭い", "ガス臭い"),
        ("ｶﾞｽ", "ガス"),
        ("한국어 환불", "한국어 환불"),
        ("Grüße, l'été", "Grüße, l'été"),
        ("a\r\nb\u2028c", "a\nb\nc"),
    ],
)
def test_the_normal_form_shows_what_a_person_reads(text, normal):
    assert normal_form(text) == normal
    assert normal_form(normal_form(text)) == normal


def test_cleaning_keeps_the_letters_of_both_scripts():
    assert clean_text("r\u0435fund\u200b") == "r\u0435fund"


def test_russian_with_an_english_brand_in_it_is_left_as_it_is():
    assert normal_form("Где оставить рюкзак Osprey? Тут сор.") == "Где оставить рюкзак Osprey? Тут сор."


def test_every_single_character_is_seen_or_not_by_what_unicode_says_of_it():
    """A plain text takes a short way, and each character is judged once; neither may change what is seen."""
    shown = frozenset("\n\t")
    blank = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
    breaks = frozenset("\r\x0b\x0c\x85\u2028\u2029")
    for point in range(sys.maxunicode + 1):
        letter = chr(point)
        if letter in breaks:
            assert clean_text(letter) == "\n"
            continue
        seen = "".join(
            one
            for one in unicodedata.normalize("NFKC", letter)
            if one in shown
            or not (
                one in blank
                or 0xFE00 <= ord(one) <= 0xFE0F
                or 0xE0100 <= ord(one) <= 0xE01EF
                or unicodedata.category(one) in {"Cc", "Cf", "Co", "Cn", "Cs"}
            )
        )
        assert clean_text(letter) == unicodedata.normalize("NFKC", seen), hex(point)


def test_the_language_of_a_text_is_identified_once(monkeypatch):
    detector, asked = reading._identifier(), []

    class Counting:
        def detect(self, text, **options):
            asked.append(text)
            return detector.detect(text, **options)

    monkeypatch.setattr(reading, "_identifier", Counting)
    reading._identify.cache_clear()
    text = "Wo finde ich bitte den Wasserkocher in dieser Küche?"
    assert {detect_language(text) for _ in range(3)} == {reading.Language("de", sure=True)}
    assert len(asked) == 1
