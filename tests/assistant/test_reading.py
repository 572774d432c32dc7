import pytest

from src.assistant.reading import clean_text, normal_form


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
