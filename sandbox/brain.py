"""What the sandbox AI says: short, polite, in the guest's language, and always the same for the same question."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["en", "fr", "ja"]

_FRENCH = re.compile(
    r"\b(bonjour|bonsoir|merci|est-ce|quelle?s?|où|nous|vous|le|la|les|des|une?|pour|avec|heure|s'il|salut)\b",
    re.IGNORECASE,
)
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")

# topic -> what gives it away -> the answer in each language
_TOPICS: list[tuple[str, re.Pattern[str], dict[Language, str]]] = [
    (
        "check-in",
        re.compile(r"check.?in|arriv|チェックイン|到着", re.IGNORECASE),
        {
            "en": "Check-in is from 3 pm, and you can come at any time in the evening.",
            "fr": "L'arrivée (check-in) est possible à partir de 15 h, aussi tard que vous voulez.",
            "ja": "チェックインは15時からで、夜遅くても大丈夫です。",
        },
    ),
    (
        "check-out",
        re.compile(r"check.?out|leav(e|ing)|départ|チェックアウト", re.IGNORECASE),
        {
            "en": "Check-out is until 11 am.",
            "fr": "Le départ (check-out) est à 11 h au plus tard.",
            "ja": "チェックアウトは11時までです。",
        },
    ),
    (
        "wifi",
        re.compile(r"wi-?fi|internet|password|mot de passe|ワイファイ|ネット|パスワード", re.IGNORECASE),
        {
            "en": "The wifi is fast, and its name and password are on the card beside the door.",
            "fr": "Le wifi est rapide : le nom et le mot de passe sont sur la carte près de la porte.",
            "ja": "Wi-Fiの名前とパスワードは、ドアの横のカードに書いてあります。",
        },
    ),
    (
        "parking",
        re.compile(r"park|garer|stationn|駐車", re.IGNORECASE),
        {
            "en": "There is free parking in the street in front of the house.",
            "fr": "Il y a un parking gratuit dans la rue, devant la maison.",
            "ja": "家の前の通りに無料の駐車スペースがあります。",
        },
    ),
    (
        "towels",
        re.compile(r"towel|serviette|linge|タオル", re.IGNORECASE),
        {
            "en": "Towels and linen are in the cupboard of the bedroom, two for each guest.",
            "fr": "Les serviettes et les draps sont dans l'armoire de la chambre, deux par personne.",
            "ja": "タオルは寝室の棚に、お一人様2枚ずつあります。",
        },
    ),
    (
        "pets",
        re.compile(r"\b(pet|dog|cat)s?\b|chien|chat\b|animal|ペット|犬|猫", re.IGNORECASE),
        {
            "en": "Well-behaved pets are welcome.",
            "fr": "Les animaux bien élevés sont les bienvenus.",
            "ja": "ペットも歓迎です。",
        },
    ),
]

_GREETING: dict[Language, str] = {
    "en": "Hello {name}, thank you for your message!",
    "fr": "Bonjour {name}, merci pour votre message !",
    "ja": "{name}様、メッセージをありがとうございます。",
}
_NOTHING_KNOWN: dict[Language, str] = {
    "en": "I will gladly look into that and come back to you.",
    "fr": "Je regarde cela volontiers et je reviens vers vous.",
    "ja": "確認して、すぐにご連絡いたします。",
}


def language_of(text: str) -> Language:
    """The language of a text: Japanese by its letters, French by its small words, else English."""
    if _JAPANESE.search(text):
        return "ja"
    return (
        "fr"
        if len(_FRENCH.findall(text)) >= 2 or re.match(r"\s*(bonjour|salut|merci)", text, re.IGNORECASE)
        else "en"
    )


def topics_of(text: str) -> list[str]:
    """What the guest asks about, in the order of the list above."""
    return [topic for topic, pattern, _ in _TOPICS if pattern.search(text)]


def answer(sender: str, message: str) -> str:
    """A reply to this guest that names everything that was asked for."""
    language = language_of(message)
    parts = [answers[language] for topic, pattern, answers in _TOPICS if pattern.search(message)]
    greeting = _GREETING[language].format(name=sender.split(maxsplit=1)[0] if sender.strip() else "")
    joint = "" if language == "ja" else " "
    return (
        joint.join([greeting, *(parts or [_NOTHING_KNOWN[language]])]).replace(" ,", ",").replace("  ", " ")
    )
