"""Ways to reach somebody outside: links, e-mail addresses, phone numbers, handles, platforms. Pure.

Written plainly or hidden ("name at mail dot com", "0 6 1 2 …"). Made to hold a draft, so it rather finds too much.
"""

from __future__ import annotations

import importlib
import re

from src.assistant.reading import normal_form

_TLDS = (
    "com|net|org|info|io|co|app|me|ai|ly|biz|eu|de|fr|es|it|pt|nl|pl|ru|uk|ch|at|be|us|ca|br|jp|cn|kr|tv|gg|to|xyz|"
    "site|online|shop|store|link|page|club|dev|cloud|email|chat|live|pro|mobi|cc|su|ua|cz|se|no|dk|fi|gr|ie|in|au|nz"
)
_STRONG_TLDS = "com|net|org|info|io|app|xyz|biz|eu|de|fr|es|it|pt|nl|pl|ru|co"
_DOT = (
    r"(?:[\[({<]\s*)?(?:dot|punkt|punto|point|ponto|punt|kropka|tochka|точка|ドット|点|點|점)(?:\s*[\])}>])?"
)
_AT = (
    r"(?:[\[({<]\s*)?(?:at|arroba|arobase|chiocciola|apenstaart\w*|klammeraffe|małpa|"
    r"собака|собачка|アット|艾特|골뱅이)(?:\s*[\])}>])?"
)

_PATTERNS = (
    ("link", re.compile(r"\b(?:https?|ftp|hxxps?)\s*:\s*/\s*/|\bwww\s*\.|\bwww\d?\b", re.IGNORECASE)),
    (
        "link",
        re.compile(rf"(?<![\w@])[a-z0-9][a-z0-9-]*\.(?:[a-z0-9-]+\.)*(?:{_TLDS})(?![\w-])", re.IGNORECASE),
    ),
    ("link", re.compile(rf"[a-z0-9-]{{2,}}\s*(?:\[\.\]|\(\.\)|\{{\.\}})\s*(?:{_TLDS})\b", re.IGNORECASE)),
    ("link", re.compile(rf"[a-z0-9-]{{2,}} \. (?:{_STRONG_TLDS})\b", re.IGNORECASE)),
    ("link", re.compile(rf"[a-z0-9-]{{2,}}\s+{_DOT}\s+(?:{_TLDS})\b", re.IGNORECASE)),
    ("link", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")),
    ("e-mail", re.compile(r"[\w.+-]+\s?[@＠]\s?[\w-]+")),
    (
        "e-mail",
        re.compile(rf"[\w.+-]{{2,}}\s+{_AT}\s+[\w-]{{2,}}(?:\s+{_DOT}\s+|\.)[a-z]{{2,}}", re.IGNORECASE),
    ),
    ("e-mail", re.compile(r"[\w.+-]{2,}\s*[\[({]\s*(?:at|@)\s*[\])}]\s*[\w-]+", re.IGNORECASE)),
    ("handle", re.compile(r"(?<!\w)@[\w.]{3,}")),
    ("account", re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,7}(?:\s?[A-Z0-9]{1,3})?\b")),
    (
        "platform",
        re.compile(
            r"\b(?:whats\s?app|telegram|viber|wechat|weixin|kakao\s?talk|instagram|insta|facebook|messenger|skype|"
            r"snapchat|tik\s?tok|imessage|face\s?time|discord|linkedin|twitter|line\s?id|vrbo|expedia|home\s?away|"
            r"trip\s?advisor|abritel|leboncoin|idealista|fewo-?direkt|hometogo|agoda|craigslist|kleinanzeigen|"
            r"marktplaats|paypal|revolut|venmo|zelle|bizum|cash\s?app|western\s?union|moneygram|bitcoin|ethereum)\b|"
            r"\bon signal\b|\bbooking\s?\.\s?com\b|微信|加v|"
            r"ватсап|вотсап|телеграм|вайбер|카톡|카카오톡|왓츠앱|"
            r"ライン(?:の)?id|カカオ",
            re.IGNORECASE,
        ),
    ),
)
# Where a number without a country's prefix may be from: the countries of the languages that have word lists.
_REGIONS = (
    "US",
    "GB",
    "FR",
    "DE",
    "ES",
    "IT",
    "PT",
    "BR",
    "NL",
    "PL",
    "RU",
    "JP",
    "CN",
    "KR",
    "CH",
    "AT",
    "BE",
)
_MANY_DIGITS = re.compile(r"(?<![\d:])\+?(?:\d[\s.\-/()_,]{0,3}){9,}(?![\d:])")
_ISO_DATES = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d{1,2}:\d{2}\b")
_LETTERS_APART = re.compile(r"(?<!\w)(?:[^\W_][ \-_.*|]{1,3}){4,}[^\W_](?!\w)")
_DIGIT_WORDS = (
    "zero|oh|one|two|three|four|five|six|seven|eight|nine|zéro|un|deux|trois|quatre|cinq|sept|huit|neuf|null|eins|zwei|"
    "drei|vier|fünf|sechs|sieben|acht|neun|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|due|tre|quattro|cinque|"
    "sei|sette|otto|nove|um|dois|três|quatro|sete|oito|nul|een|twee|drie|vijf|zes|zeven|negen"
)
_SPELLED = re.compile(rf"\b(?:(?:{_DIGIT_WORDS})[\s,.\-]+){{6,}}(?:{_DIGIT_WORDS})\b", re.IGNORECASE)


def find_address(text: str) -> str | None:
    """The kind of address in the text: link, e-mail, phone, handle, account or platform. None if there is none."""
    seen = normal_form(text)
    together = _LETTERS_APART.sub(lambda spaced: re.sub(r"[ \-_*|]", "", spaced.group()), seen)
    for candidate in dict.fromkeys((seen, together)):
        for kind, pattern in _PATTERNS:
            if pattern.search(candidate):
                return kind
    return "phone" if _has_phone(seen) else None


def _has_phone(text: str) -> bool:
    if sum(letter.isdigit() for letter in text) < 7:
        return _SPELLED.search(text) is not None
    without_dates = _ISO_DATES.sub(" , ", text)
    if _MANY_DIGITS.search(without_dates) or _SPELLED.search(text):
        return True
    phonenumbers = importlib.import_module("phonenumbers")  # late: 21 MB that only a draft with digits needs
    return any(
        next(iter(phonenumbers.PhoneNumberMatcher(without_dates, region)), None) is not None
        for region in (None, *_REGIONS)
    )
