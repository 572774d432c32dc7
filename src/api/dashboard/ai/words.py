"""A sentence for every topic, step and outcome of the assistant. Keys are what its runs and records hold."""

from __future__ import annotations

from src.languages import Language
from src.languages import sentence as _

TOPICS = {
    "parking": _("Parking"),
    "wifi": _("Wi-Fi"),
    "check_in": _("Check-in"),
    "check_out": _("Check-out"),
    "access": _("Getting in"),
    "luggage": _("Luggage"),
    "heating_cooling": _("Heating and cooling"),
    "kitchen": _("Kitchen"),
    "appliances": _("Appliances"),
    "bathroom": _("Bathroom"),
    "bedding": _("Beds and linen"),
    "cleaning": _("Cleaning"),
    "laundry": _("Laundry"),
    "trash": _("Rubbish"),
    "pets": _("Pets"),
    "children": _("Children"),
    "smoking": _("Smoking"),
    "noise": _("Noise"),
    "transport": _("Getting around"),
    "location": _("Where it is"),
    "restaurants": _("Restaurants"),
    "activities": _("Things to do"),
    "amenities": _("What there is"),
    "house_rules": _("House rules"),
    "other": _("Everything else"),
}

CUTS = {
    "second_try": _("the first draft was refused by the fixed rules"),
    "search_unsure": _("the search was not sure that it found the right facts"),
    "language_unsure": _("the guest's language is not certain"),
    "check": _("the second look found something"),
}

_OUTCOMES = {
    "timeout": _("it was too slow"),
    "unreadable": _("what it said could not be used"),
    "refused": _("it refused"),
    "filtered": _("the service filtered it"),
    "html": _("the service gave a web page"),
    "no_choices": _("the service gave no answer"),
    "no_message": _("the service gave no answer"),
    "http_401": _("the service refuses the key"),
    "http_402": _("there is no credit"),
    "http_403": _("the service refuses the key"),
    "http_404": _("the service does not know it"),
    "http_429": _("the service has too much to do"),
}
_OTHER_OUTCOME = _("the service failed")
_OTHER_FORM = _("the service wants to be asked in another way")


FINDINGS = {
    "expired": _("Has ended"),
    "old": _("Long not reviewed"),
    "contradiction": _("Contradiction"),
    "secret": _("Gives a code away"),
    "placeholder": _("Code is missing"),
    "agent": _("Agent is missing"),
    "empty": _("Empty"),
    "twice": _("Two folders"),
}
FINDINGS_MEAN = {
    "expired": _("It is told to nobody any more."),
    "contradiction": _("An answer that rests on it waits for you."),
    "empty": "",
}
LEFT_OUT = _("The whole file is left out until it is mended.")


def topic(lang: Language, code: str | None) -> str:
    """The subject in words."""
    return lang.gettext(TOPICS.get(code or "other", TOPICS["other"]))


def outcome(lang: Language, code: str) -> str:
    """How a call of a model ended, in words."""
    if code.startswith("no_") and code not in _OUTCOMES:
        return lang.gettext(_OTHER_FORM)
    return lang.gettext(_OUTCOMES.get(code, _OTHER_OUTCOME))
