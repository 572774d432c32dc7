"""The host's templates, filled: ``NAME.txt``, its first line ``Subject: …``, and maybe ``NAME.html``. Blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import StrictUndefined, TemplateError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from src.channels.mail import wire
from src.model.notices import BadNotice, Notice, Value

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LARGEST = 64 * 1024


def names(folder: Path) -> list[str]:
    """The templates that there are."""
    return sorted(file.stem for file in folder.glob("*.txt") if _NAME.fullmatch(file.stem))


def fill(folder: Path, name: str, data: Mapping[str, Value]) -> Notice:
    """The template with these values. BadNotice names the field: an unknown template, a missing value.

    Templates run in Jinja's sandbox: they are the host's, but the values may be anybody's.
    """
    if not _NAME.fullmatch(name) or not (folder / f"{name}.txt").is_file():
        known = ", ".join(names(folder)) or "none yet"
        raise BadNotice("template", f"is not a template in {folder} (there: {known})")
    words = _filled(folder / f"{name}.txt", data, html=False)
    head, _, body = words.partition("\n")
    if not head.startswith(wire.SUBJECT):
        raise BadNotice("template", f"{name}.txt must begin with a line `Subject: …`")
    if _breaks_a_line(folder / f"{name}.txt", data):
        raise BadNotice("data", "a value in the subject has a line end")
    try:
        text = wire.join(head.removeprefix(wire.SUBJECT), body.strip("\n"))
        wire.split(text)
    except ValueError as error:
        raise BadNotice("data", str(error)) from None
    page = folder / f"{name}.html"
    return Notice(text, _filled(page, data, html=True) if page.is_file() else None)


def _breaks_a_line(file: Path, data: Mapping[str, Value]) -> bool:
    """Whether the subject's own template line became several lines: a value carried a line end into a header."""
    first = _read(file).partition("\n")[0]
    return len(_render(first, data, html=False, name=file.name).splitlines()) != 1


def _filled(file: Path, data: Mapping[str, Value], *, html: bool) -> str:
    return _render(_read(file), data, html=html, name=file.name)


def _render(source: str, data: Mapping[str, Value], *, html: bool, name: str) -> str:
    environment = SandboxedEnvironment(
        undefined=StrictUndefined, autoescape=html, keep_trailing_newline=False
    )
    try:
        filled = environment.from_string(source).render(dict(data))
    except UndefinedError as error:
        raise BadNotice("data", f"{error.message} ({name} needs it)") from None
    except TemplateError as error:
        raise BadNotice("template", f"{name} cannot be filled: {type(error).__name__}") from None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise BadNotice("data", f"does not fit {name} ({type(error).__name__})") from None
    if len(filled) > _LARGEST:
        raise BadNotice("data", f"makes {name} longer than {_LARGEST} characters")
    return filled


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadNotice("template", f"{file.name} cannot be read ({type(error).__name__})") from None
