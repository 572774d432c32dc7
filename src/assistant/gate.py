"""Hard rules on a draft, in a fixed order: the last wall before a guest. Pure.

Each rule is a small function that returns what it found, or None. None of them asks a model, and none can be
talked into anything (ADR 0038). The first that finds something holds the draft; the host sees its `reason`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from difflib import SequenceMatcher
from functools import lru_cache

from src.assistant.addresses import find_address
from src.assistant.figures import Figures, find_foreign, read_figures
from src.assistant.reading import detect_language, normal_form
from src.assistant.rules import is_closing
from src.assistant.secrets import Placeholder, Secret, find_values, names_in
from src.assistant.values import Fact, Stay, Turn
from src.assistant.wordlist import LANGUAGES, fold, load_draft_list

LONGEST = 1_500
"""Characters of a message: what a guest reads on a phone."""
_LEAKED_WORDS = 8
_ECHOED, _ECHO_WORDS = 0.6, 6
_SAME = 0.95
_LETTERS_FOR_LANGUAGE = 20

_PLACEHOLDERS = re.compile(r"\{\{.*?\}\}")
_MARKUP = re.compile(
    r"\*\*|__|```|~~|^\s{0,3}#{1,6}\s|\[[^\]]+\]\(|</?[a-z!][^>]*>|^\s*\|.*\|\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_ROLE = re.compile(
    r"^\s*(?:system|assistant|user|guest|host|human|ai|bot|message|draft)\s*[:>]",
    re.IGNORECASE | re.MULTILINE,
)
_JSON = re.compile(r"[{}]|^\s*\[|\"\s*:\s*[\"\d\[tfn]")
_NO_WORD = re.compile(r"[A-Za-z0-9+/=_-]{40,}|(?:\S ){12,}\S(?!\S)")  # base64, hex; letters one by one
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class GateDraft:
    """What a model wrote."""

    message: str
    sources: tuple[str, ...] = ()  # ids of facts
    missing: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()
    language: str = "en"  # that it should be in: the guest's


@dataclass(frozen=True, slots=True)
class GateContext:
    """What a draft is compared with."""

    cited: tuple[Fact, ...] = ()
    today: date = date(1970, 1, 1)  # in the listing's time zone
    stay: Stay = field(default_factory=Stay)
    hours: tuple[str, ...] = ()  # the listing's check-in and check-out times, as text
    guest_text: str = ""
    history: tuple[Turn, ...] = ()
    secrets: tuple[Secret, ...] = ()
    placeholders: tuple[Placeholder, ...] = ()
    canary: str = ""
    nonce: str = ""
    instructions: str = ""  # our own fixed prompts
    other_listings: tuple[str, ...] = ()  # names of the host's other listings
    contradicting: bool = False  # whether a cited fact disagrees with another


@dataclass(frozen=True, slots=True)
class GateFinding:
    """Why a draft is held. `detail` is for the writer's second try, which `mendable` allows; no secret is in it."""

    reason: str
    detail: str
    mendable: bool = False


Rule = Callable[[GateDraft, GateContext], GateFinding | None]


def inspect(draft: GateDraft, context: GateContext) -> GateFinding | None:
    """The first rule that the draft breaks, or None: then it may go on to the second look."""
    return next((found for rule in RULES if (found := rule(draft, context)) is not None), None)


def find_empty(draft: GateDraft, _: GateContext) -> GateFinding | None:
    if normal_form(draft.message).strip():
        return None
    return GateFinding("empty", "The message is empty.")


def find_too_long(draft: GateDraft, _: GateContext) -> GateFinding | None:
    if len(draft.message) <= LONGEST:
        return None
    return GateFinding("too_long", f"Write at most {LONGEST} characters.", mendable=True)


def find_markup(draft: GateDraft, _: GateContext) -> GateFinding | None:
    text = _PLACEHOLDERS.sub("", draft.message)
    if not (_MARKUP.search(text) or _ROLE.search(text) or _JSON.search(text) or _NO_WORD.search(text)):
        return None
    return GateFinding(
        "not_plain", "Write plain sentences, without markup, braces or names of roles.", mendable=True
    )


def find_secret(draft: GateDraft, context: GateContext) -> GateFinding | None:
    if not find_values(draft.message, context.secrets):
        return None
    return GateFinding("secret_in_text", "A secret's value is in the message.")


def find_unknown_placeholder(draft: GateDraft, context: GateContext) -> GateFinding | None:
    known = {one.name for one in context.placeholders}
    written = _PLACEHOLDERS.findall(draft.message)
    names = names_in(draft.message)
    if set(names) <= known and len(written) == len([1 for one in written if names_in(one)]):
        return None
    return GateFinding("unknown_placeholder", "Use only the placeholders that the facts name.")


def find_early_secret(draft: GateDraft, context: GateContext) -> GateFinding | None:
    due = {one.name for one in context.placeholders if one.available}
    if set(names_in(draft.message)) <= due:
        return None
    return GateFinding("secret_not_due", "A placeholder may not be told yet.")


def find_leak(draft: GateDraft, context: GateContext) -> GateFinding | None:
    squeezed = _squeeze(draft.message)
    marks = [_squeeze(mark) for mark in (context.canary, context.nonce) if mark]
    leaked = any(mark in squeezed or mark[::-1] in squeezed for mark in marks)
    if not leaked and not any(run in squeezed for run in _runs(context.instructions)):
        return None
    return GateFinding("prompt_leak", "The message repeats instructions.")


def find_echo(draft: GateDraft, context: GateContext) -> GateFinding | None:
    said, heard = _pieces(draft.message, 3), set(_pieces(context.guest_text, 3))
    echoed = len(said) >= _ECHO_WORDS and sum(piece in heard for piece in said) >= _ECHOED * len(said)
    whole = len(_squeeze(draft.message)) >= 4 and _squeeze(draft.message) in _squeeze(context.guest_text)
    if not echoed and not whole:
        return None
    return GateFinding("echo", "The message repeats the guest's own words.")


def find_contact(draft: GateDraft, _: GateContext) -> GateFinding | None:
    kind = find_address(_PLACEHOLDERS.sub(" ", draft.message))
    if kind is None:
        return None
    return GateFinding("contact", f"Leave out every link, address, number and platform ({kind}).")


def find_number(draft: GateDraft, context: GateContext) -> GateFinding | None:
    days = (context.stay.check_in, context.stay.check_out, context.today)
    foreign = find_foreign(read_figures(_without_days(draft.message, days)), _known_figures(context))
    if foreign is None:
        return None
    return GateFinding("number_not_in_facts", f"The number {foreign} is in no fact that was named.")


def find_promise(draft: GateDraft, context: GateContext) -> GateFinding | None:
    finding = GateFinding("promise", "State the rule that the facts give; grant, offer and announce nothing.")
    if draft.promises:
        return finding
    folded = fold(draft.message)
    for language in _languages_of(draft):
        tables = load_draft_list(language)
        if tables["promise"].find(folded):
            return finding
        for name in ("free", "approved"):
            if tables[name].find(folded) and not _facts_say(name, context.cited):
                return finding
    return None


def find_no_source(draft: GateDraft, context: GateContext) -> GateFinding | None:
    if context.cited or is_closing(draft.message, draft.language):
        return None
    return GateFinding("no_source", "Name the facts that the message rests on.")


def find_contradiction(_: GateDraft, context: GateContext) -> GateFinding | None:
    return GateFinding("contradiction", "The facts disagree.") if context.contradicting else None


def find_expired(_: GateDraft, context: GateContext) -> GateFinding | None:
    for fact in context.cited:
        too_late = fact.valid_until is not None and fact.valid_until < context.today
        too_early = fact.valid_from is not None and fact.valid_from > context.today
        if too_late or too_early:
            return GateFinding("expired", f"The fact {fact.id} is not valid today.")
    return None


def find_other_language(draft: GateDraft, _: GateContext) -> GateFinding | None:
    text = _PLACEHOLDERS.sub(" ", draft.message)
    if sum(letter.isalpha() for letter in text) < _LETTERS_FOR_LANGUAGE and not _script_differs(
        text, draft.language
    ):
        return None
    found = detect_language(text)
    if found is None or found.code == draft.language:
        return None
    if not found.sure and not _script_differs(text, draft.language):
        return None
    return GateFinding("language", f"Write in the guest's language ({draft.language}).", mendable=True)


def find_person(draft: GateDraft, _: GateContext) -> GateFinding | None:
    folded = fold(draft.message)
    if not any(load_draft_list(language)["person"].find(folded) for language in _languages_of(draft)):
        return None
    return GateFinding(
        "person", "Do not speak as a person, of colleagues, or of things that you did.", mendable=True
    )


def find_repetition(draft: GateDraft, context: GateContext) -> GateFinding | None:
    ours = [turn.text for turn in context.history if turn.role == "assistant"]
    if not ours:
        return None
    before, now = fold(ours[-1]), fold(draft.message)
    if len(now) < 20 or SequenceMatcher(None, before, now, autojunk=False).ratio() < _SAME:
        return None
    return GateFinding("same_again", "The message repeats the one before.")


def find_other_listing(draft: GateDraft, context: GateContext) -> GateFinding | None:
    folded = fold(draft.message)
    for name in context.other_listings:
        if len(name) >= 4 and re.search(rf"(?<!\w){re.escape(fold(name))}(?!\w)", folded):
            return GateFinding("other_listing", "The message names another listing.")
    return None


RULES: tuple[Rule, ...] = (
    find_empty,
    find_too_long,
    find_markup,
    find_secret,
    find_unknown_placeholder,
    find_early_secret,
    find_leak,
    find_echo,
    find_contact,
    find_number,
    find_promise,
    find_no_source,
    find_contradiction,
    find_expired,
    find_other_language,
    find_person,
    find_repetition,
    find_other_listing,
)


def _known_figures(context: GateContext) -> Figures:
    """Figures that may be said: of cited facts, the stay, the listing's hours; counts and dates of the guest."""
    said = "\n".join([*(f"{fact.title}\n{fact.text}" for fact in context.cited), *context.hours])
    heard = [context.guest_text, *(turn.text for turn in context.history if turn.role == "guest")]
    ours, theirs = read_figures(said), read_figures("\n".join(heard))
    numbers = ours.numbers | theirs.numbers | frozenset(_of_the_stay(context))
    return Figures(ours.times, numbers)


def _of_the_stay(context: GateContext) -> Iterable[float]:
    stay = context.stay
    if stay.guests:
        yield float(stay.guests)
    for day in (stay.check_in, stay.check_out):
        if day is not None:
            yield from (float(day.day), float(day.year))
    if stay.check_in and stay.check_out:
        yield float((stay.check_out - stay.check_in).days)
    if stay.check_out:
        yield float((stay.check_out - context.today).days)


def _without_days(text: str, days: Iterable[date | None]) -> str:
    """The text without these days in figures: 04.03.2027, 4/3, 2027-03-04."""
    for day in days:
        if day is not None:
            first, second = rf"0?{day.day}", rf"0?{day.month}"
            year = rf"(?:{day.year}|{day.year % 100:02})"
            either = rf"(?:{first}[./-]{second}|{second}[./-]{first})(?:[./-]{year})?"
            text = re.sub(rf"(?<!\d)(?:{day.isoformat()}|{either})(?!\d)", " ", text)
    return text


def _facts_say(name: str, facts: Iterable[Fact]) -> bool:
    folded = [fold(fact.text) for fact in facts]
    return any(load_draft_list(language)[name].find(text) for language in LANGUAGES for text in folded)


def _languages_of(draft: GateDraft) -> tuple[str, ...]:
    if draft.language not in LANGUAGES:
        return LANGUAGES
    return tuple(dict.fromkeys((draft.language, "en")))


def _script_differs(text: str, language: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "\u0250" for letter in letters)
    writes_latin = language not in {
        "ru",
        "uk",
        "bg",
        "el",
        "ja",
        "zh",
        "ko",
        "ar",
        "he",
        "th",
        "hi",
        "sr",
        "ka",
        "hy",
        "fa",
    }
    return bool(letters) and (latin * 2 < len(letters) if writes_latin else latin * 4 > len(letters) * 3)


def _squeeze(text: str) -> str:
    return "".join(_WORDS.findall(normal_form(text).casefold()))


@lru_cache(maxsize=8)
def _runs(text: str) -> frozenset[str]:
    """Every eight words in a row, squeezed: also found with blanks between all letters."""
    words = _WORDS.findall(normal_form(text).casefold())
    return frozenset("".join(words[at : at + _LEAKED_WORDS]) for at in range(len(words) - _LEAKED_WORDS + 1))


def _pieces(text: str, size: int) -> list[tuple[str, ...]]:
    """Runs of words; of characters where words are written without blanks."""
    words = _WORDS.findall(fold(text))
    if words and max(map(len, words)) > 24:
        words = list("".join(words))
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
