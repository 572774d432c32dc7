"""How variables become typed settings, whatever they are called: reading, checking, saying what is wrong.

    .env ──┐
           ├──▶ read() ──▶ instances of subclasses of Variables, and a list of problems (a line for each)
    environment

Which variables there are is written down in ``settings.py`` and in each channel's ``settings.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from dotenv.parser import parse_stream
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo

# A variable's first word claims all of the environment that begins so. PLAYWRIGHT_* is Playwright's own except
# for ours, and MAX_* is too common a beginning to be claimed whole; systemd sets NOTIFY_SOCKET.
_NARROWER_PREFIXES = {
    "PLAYWRIGHT_": "PLAYWRIGHT_SESSION",
    "MAX_": "MAX_MESSAGE",  # MAX_AUDIO is known by its whole names
    "NOTIFY_": "NOTIFY_URL",
    "TIME_": "TIME_ZONE",  # TIME_STYLE is of ls
    "TRUSTED_": "TRUSTED_PROX",
}
# Other programs have variables that begin like these: in the environment only our own names are claimed.
_SHARED_PREFIXES = frozenset({"OPENROUTER_", "COHERE_", "RAG_", "CHAT_", "TRANSCRIBE_"})

_LONG_WORD, _NEAR = 5, 0.8
"""A misspelt word is recognised if the right one is at least this long, and this share of both is the same."""


def variable(
    default: Any,
    meaning: str,
    unit: str = "",
    *,
    shown: str | None = None,
    formerly: str | None = None,
    **limits: Any,
) -> Any:
    """A field that is set by a variable. ``shown`` is its default in words where the value says little.

    ``formerly`` is the whole name that the variable had once, which is still taken.
    """
    extra: dict[str, Any] = {"unit": unit, "shown": shown, "formerly": formerly}
    return Field(default, description=meaning, json_schema_extra=extra, **limits)


class Variables(BaseModel):
    """Fields that variables set: ``prefix`` + the field's name, in capitals. Reads nothing by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)

    prefix: ClassVar[str] = ""


AnyVariables = TypeVar("AnyVariables", bound=Variables)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable, for `doctor`, the documentation and the test of `.env.example`."""

    name: str
    default: str
    unit: str
    meaning: str


def table(models: Sequence[type[Variables]]) -> list[Variable]:
    """Every variable of these models, in the order of declaration."""
    rows = []
    for model in models:
        for name, field_name in names(model).items():
            field = model.model_fields[field_name]
            unit, shown = _unit_and_shown(field)
            rows.append(Variable(name, shown or _written(field.default), unit, field.description or ""))
    return rows


def names(model: type[Variables]) -> dict[str, str]:
    """Variable name to field name. (A field made without ``variable`` is internal; ``from_`` is called FROM.)"""
    fields = model.model_fields.items()
    return {
        f"{model.prefix}{name.rstrip('_')}".upper(): name
        for name, field in fields
        if field.json_schema_extra is not None
    }


def old_names(model: type[Variables]) -> dict[str, str]:
    """Variable name to the name that it had once, where it had another."""
    found = {name: model.model_fields[field].json_schema_extra for name, field in names(model).items()}
    return {
        name: str(extra["formerly"])
        for name, extra in found.items()
        if isinstance(extra, dict) and extra.get("formerly")
    }


def _unit_and_shown(field: FieldInfo) -> tuple[str, str | None]:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return str(extra.get("unit", "")), str(extra["shown"]) if extra.get("shown") else None


def _written(default: object) -> str:
    """A default as one would write it into `.env`."""
    match default:
        case None:
            return "none"
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case Path():
            return f"./{default}"
        case SecretStr():
            return default.get_secret_value()
        case _:
            return str(default)


def given_values(
    root: Path,
    environ: Mapping[str, str],
    known: set[str],
    problems: list[str],
    also: Collection[str] = (),
) -> dict[str, str]:
    """The known variables of ``<root>/.env`` and the environment (which wins); an empty one is not set.

    Unknown keys become problems: all of the file's, and of the environment's those that begin like ours or are
    so near to one of ours that they can hardly mean anything else. ``also``: names of others that are wanted, too.
    """
    given = _read_file(root / ".env", known.union(also), problems)
    words = {f"{name.split('_')[0]}_" for name in known} - _SHARED_PREFIXES
    prefixes = tuple({_NARROWER_PREFIXES.get(word, word) for word in words})
    odd = sorted(name for name in environ if name.startswith(prefixes) and name not in known.union(also))
    problems += [_unknown(name, known, "in the environment") for name in odd]
    others = sorted(set(environ) - set(odd) - known.union(also))
    problems += [_misspelt(name, near) for name in others if (near := _meant_by(name, known))]
    given.update({name: environ[name] for name in known.union(also) if environ.get(name, "").strip()})
    return given


def _read_file(path: Path, known: set[str], problems: list[str]) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        problems.append(".env: cannot be read; it must be a readable text file in UTF-8")
        return {}
    given: dict[str, str] = {}
    lines: dict[str, int] = {}
    for binding in bindings:
        name, line = binding.key, binding.original.line
        if binding.error:
            problems.append(f".env: line {line} is not NAME=value; correct it or make it a comment with #")
            continue
        if name is None:
            continue
        if name in lines:
            problems.append(f"{name}: is set twice in .env (lines {lines[name]} and {line}); keep one")
        elif name not in known:
            problems.append(_unknown(name, known, f"in .env, line {line}"))
        elif binding.value is None:
            problems.append(f"{name}: has no value in .env, line {line}; write {name}=value")
        elif binding.value.strip():
            given[name] = binding.value
        lines.setdefault(name, line)
    return given


def _unknown(name: str, known: set[str], where: str) -> str:
    near = get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.75)
    advice = f"did you mean {near[0]}?" if near else "remove it (see .env.example for all there are)"
    return f"{name}: is not a setting ({where}); {advice}"


def _misspelt(name: str, near: str) -> str:
    return (
        f"{name}: is not a setting (in the environment); did you mean {near}? "
        "If it is another program's, keep it out of Nightporter's environment"
    )


def _meant_by(name: str, known: set[str]) -> str | None:
    """Which of our names is meant by another: by one with the same letters, or all words right but a long one.

    Short words and names with more or fewer words are left alone: PORT, APP_PORT and TEST_DATABASE_URL mean others.
    """
    letters, words = _letters_of(name), name.upper().split("_")
    for ours in sorted(known):
        if letters == _letters_of(ours):
            return ours
        pairs = [(a, b) for a, b in zip(words, ours.split("_"), strict=False) if a != b]
        if len(words) == len(ours.split("_")) and len(pairs) == 1:
            (word, right), *_ = pairs
            if len(right) >= _LONG_WORD and get_close_matches(word, [right], cutoff=_NEAR):
                return ours
    return None


def _letters_of(name: str) -> str:
    return "".join(char for char in name.upper() if char.isalnum())


def make(
    model: type[AnyVariables], given: Mapping[str, str], root: Path, problems: list[str]
) -> AnyVariables:
    """The model from its variables, paths resolved against ``root``. A wrong value is a problem and not used."""
    fields, written = names(model), {name: name for name in names(model)}
    for name, old in old_names(model).items():
        if name in given and old in given and given[name].strip() != given[old].strip():
            problems.append(f"{old}: is the old name of {name}, and the two differ; keep {name}")
        elif old in given:
            written[name] = old
    values = {field: given[written[name]].strip() for name, field in fields.items() if written[name] in given}
    return make_named(model, values, {field: written[name] for name, field in fields.items()}, root, problems)


def make_named(
    model: type[AnyVariables],
    values: Mapping[str, Any],
    name_of: Mapping[str, str],
    root: Path,
    problems: list[str],
) -> AnyVariables:
    """The same from the values of its fields; ``name_of`` says how a field is called where it was written."""
    try:
        made = model(**values)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]): dict(problem) for problem in error.errors(include_url=False)}
        for field, name in name_of.items():
            if field in wrong:
                problems.append(
                    f"{name}: {_in_words(wrong[field], model.model_fields[field], values[field])}"
                )
        made = model(**{field: value for field, value in values.items() if field not in wrong})
    return made.model_copy(update=dict(_absolute(made, root, problems)))


def _in_words(problem: Mapping[str, Any], field: FieldInfo, value: str) -> str:
    """What is wrong and what to do, from pydantic's error. Quotes a value only where none can be secret."""
    unit, _ = _unit_and_shown(field)
    number = isinstance(field.default, (int, float))
    kind, limits = str(problem["type"]), problem.get("ctx", {})
    quoted = f"{value[:40]!r} " if number or kind == "literal_error" else ""
    phrases: dict[str, Callable[[], str]] = {
        "value_error": lambda: str(limits["error"]),
        "bool_parsing": lambda: f"{quoted}is neither true nor false; write one of them",
        "literal_error": lambda: f"{quoted}is not possible; write {unit}",
        "greater_than": lambda: f"{quoted}must be more than {limits['gt']:g}; write {unit}",
        "greater_than_equal": lambda: f"{quoted}must be at least {limits['ge']:g}; write {unit}",
        "less_than_equal": lambda: f"{quoted}must be at most {limits['le']:g}; write {unit}",
    }
    if kind in phrases:
        return phrases[kind]()
    return (
        f"{quoted}is not a number; write {unit}, for example {field.default}" if number else f"write {unit}"
    )


def _absolute(made: Variables, root: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    """The paths among the fields, whole. One that begins with the home of a user who is not here is a problem."""
    for name, field in names(type(made)).items():
        value = getattr(made, field)
        try:
            if isinstance(value, Path):
                yield field, Path(os.path.normpath(root / value.expanduser()))
            elif isinstance(value, SecretStr) and (url := value.get_secret_value()).startswith("sqlite:///"):
                # sqlite:////absolute and sqlite:///relative: what follows the third slash is the path.
                path = os.path.normpath(root / Path(url.removeprefix("sqlite:///")).expanduser())
                yield field, SecretStr(f"sqlite:///{path}")
        except RuntimeError:
            problems.append(f"{name}: begins with the home of a user who is not here; write the whole path")
