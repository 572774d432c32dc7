"""That an AI answers: how people are told of it, and which texts would deny it. Pure.

Nobody who is told nothing may be led to take a machine for a person. So a human pace, several messages for one
answer and first messages exist only where people are told, and no AI may say that it is human.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

DENIES_BEING_AI = "denies_being_ai"
"""Why a reply waits for a person: it says that a person writes."""

_TEXTS: Mapping[str, str] = {
    "en": "I am an AI assistant and answer here automatically.",
    "fr": "Je suis un assistant IA et je réponds ici automatiquement.",
    "pt": "Sou um assistente de IA e respondo aqui automaticamente.",
}
_COMMON: Mapping[str, str] = {
    "en": "the you is are and to of your for with it this that have we can be my i at on",
    "fr": "le la les vous est et de des un une pour avec je nous votre bonjour merci pas que au en tu ça",
    "pt": "o os você é e de do da um uma para com eu nós seu sua olá obrigado obrigada não que em oi está",
}
_WORD = re.compile(r"[^\W\d_]+")

_MACHINE = {
    "en": r"(?:robot|bot|chat\s?bot|ai|a\.i\.|artificial intelligence|machine|computer|program|virtual assistant)",
    "fr": r"(?:robot|bot|chatbot|ia|i\.a\.|intelligence artificielle|machine|automate|programme|ordinateur)",
    "pt": r"(?:rob[ôo]t?|bot|chatbot|ia|intelig[êe]ncia artificial|m[áa]quina|programa|computador)",
    "es": r"(?:robot|bot|chatbot|ia|inteligencia artificial|m[áa]quina|programa|ordenador)",
    "de": r"(?:roboter|bot|chatbot|ki|k\.i\.|künstliche intelligenz|maschine|computer|programm)",
    "it": r"(?:robot|bot|chatbot|ia|intelligenza artificiale|macchina|programma|computer)",
    "nl": r"(?:robot|bot|chatbot|ai|kunstmatige intelligentie|machine|computer|programma)",
}
# That a person writes, then that no machine does, in each language.
_DENIALS = (
    (
        r"\b(?:i\s?am|i['’]?m)\s+(?:(?:really|actually|definitely|of course|just|only|very much|100\s?%)\s+)*"
        r"(?:a\s+|an\s+)?(?:(?:real|actual|living|genuine|normal)\s+)*(?:human(?:\s+being)?|person)\b"
    ),
    r"\b(?:i\s?am|i['’]?m)\s+(?:a\s+)?real\s+(?:man|woman|girl|guy|boy|lady)\b",
    (
        r"\b(?:you\s?are|you['’]?re)\s+(?:talking|speaking|chatting|writing)\s+(?:to|with)\s+(?:a\s+)?"
        r"(?:(?:real|actual|living)\s+)*(?:human(?:\s+being)?|person)\b"
    ),
    (
        rf"\b(?:i\s?am|i['’]?m)\s+(?:(?:really|definitely|certainly|of course)\s+)*"
        rf"(?:not\s+(?:an?\s+|some\s+)?|no\s+){_MACHINE['en']}\b"
    ),
    rf"\b(?:there\s+is|there['’]s|this\s+is)\s+(?:no|not\s+an?)\s+{_MACHINE['en']}\b",
    (
        r"\bje\s+suis\s+(?:(?:bien|vraiment|réellement|tout à fait)\s+)*(?:une?\s+)?(?:vraie?\s+)?"
        r"(?:humaine?|être\s+humain|personne)\b"
    ),
    r"\b(?:vous\s+parlez|tu\s+parles)\s+(?:bien\s+)?(?:à|avec)\s+une?\s+(?:vraie?\s+)?(?:personne|humaine?|être\s+humain)\b",
    rf"\bje\s+(?:ne\s+)?suis\s+pas\s+(?:une?\s+)?{_MACHINE['fr']}\b",
    r"\bsou\s+(?:(?:mesmo|realmente)\s+)*(?:uma?\s+)?(?:pessoa|humano|humana|ser\s+humano)\b",
    rf"\bn[ãa]o\s+sou\s+(?:uma?\s+)?{_MACHINE['pt']}\b",
    r"\bsoy\s+(?:(?:realmente|de verdad)\s+)*(?:una?\s+)?(?:persona|humano|humana|ser\s+humano)\b",
    rf"\bno\s+soy\s+(?:una?\s+)?{_MACHINE['es']}\b",
    (
        r"\bich\s+bin\s+(?:(?:wirklich|tatsächlich|natürlich|doch|nur|auch)\s+)*(?:eine?\s+)?"
        r"(?:(?:echter?|richtiger?)\s+)*(?:mensch|person)\b"
    ),
    rf"\bich\s+bin\s+(?:(?:wirklich|doch|natürlich)\s+)*keine?\s+{_MACHINE['de']}\b",
    r"\bsono\s+(?:(?:davvero|proprio)\s+)*(?:una?\s+)?(?:vera\s+|vero\s+)?(?:persona|umano|umana|essere\s+umano)\b",
    rf"\bnon\s+sono\s+(?:una?\s+)?{_MACHINE['it']}\b",
    r"\bik\s+ben\s+(?:(?:echt|gewoon|wel)\s+)*(?:een\s+)?(?:echte?\s+)?(?:mens|persoon)\b",
    rf"\bik\s+ben\s+geen\s+{_MACHINE['nl']}\b",
)
_DENIAL = re.compile("|".join(_DENIALS), re.IGNORECASE)


def denies_being_ai(text: str) -> bool:
    """Whether the text says that a person writes, or that no machine does, in one of seven languages.

    Rather one text too many than one too few: what is found is only looked at by a person.
    """
    return _DENIAL.search(text) is not None


def default_text(answer: str) -> str:
    """The sentence that tells it, in the language of the answer where that is English, French or Portuguese."""
    words = [word.lower() for word in _WORD.findall(answer)]
    scores = {code: sum(word in common.split() for word in words) for code, common in _COMMON.items()}
    best = max(scores, key=lambda code: scores[code])
    return _TEXTS[best if scores[best] else "en"]
