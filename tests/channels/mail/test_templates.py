"""The host's templates: what they become, and which field of a call is wrong where they do not fit."""

from pathlib import Path

import pytest

from src.channels.mail import wire
from src.channels.mail.templates import fill
from src.model.notices import BadNotice
from src.settings import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello.txt").write_text("Subject: Hello {{ name }}\n\nDear {{ name }},\nwelcome.\n")
    (tmp_path / "page.txt").write_text("Subject: Hi\n\nHi {{ name }}\n")
    (tmp_path / "page.html").write_text("<p>Hi {{ name }}</p>")
    return tmp_path


def problem(folder: Path, name: str, data: dict[str, str]) -> str:
    with pytest.raises(BadNotice) as caught:
        fill(folder, name, data)
    return caught.value.field


def test_a_template_becomes_a_subject_and_words(folder: Path):
    made = fill(folder, "hello", {"name": "Ana"})
    assert wire.split(made.text) == ("Hello Ana", "Dear Ana,\nwelcome.")
    assert made.html is None


def test_values_are_no_markup_in_the_page(folder: Path):
    made = fill(folder, "page", {"name": "<b>Ana</b>"})
    assert made.html == "<p>Hi &lt;b&gt;Ana&lt;/b&gt;</p>"
    assert made.text.endswith("Hi <b>Ana</b>")


@pytest.mark.parametrize("name", ["nobody", "../hello", "hello.txt", "", "HELLO", "/etc/passwd"])
def test_an_unknown_template_is_named(folder: Path, name: str):
    assert problem(folder, name, {"name": "Ana"}) == "template"


def test_a_missing_value_is_named(folder: Path):
    with pytest.raises(BadNotice, match="'name' is undefined") as caught:
        fill(folder, "hello", {})
    assert caught.value.field == "data"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\u2028", "\nBcc: eve@mail.example\n\nbuy"])
def test_a_line_end_in_a_header_is_refused(folder: Path, end: str):
    assert problem(folder, "hello", {"name": f"Ana{end}Bcc: x"}) == "data"


def test_a_template_cannot_reach_the_program(folder: Path):
    (folder / "evil.txt").write_text("Subject: x\n\n{{ ''.__class__.__mro__[1].__subclasses__() }}\n")
    assert problem(folder, "evil", {}) in ("template", "data")


def test_what_a_value_says_is_not_a_template(folder: Path):
    assert "{{ 7 * 7 }}" in fill(folder, "hello", {"name": "{{ 7 * 7 }}"}).text


def test_a_template_without_a_subject_says_so(folder: Path):
    (folder / "bare.txt").write_text("Hello\n")
    assert problem(folder, "bare", {}) == "template"


def test_the_shipped_templates_can_be_filled():
    shipped = ROOT / "config" / "mail"
    fill(shipped, "registered", {"name": "Ana", "event": "the walk"})
    data = {"name": "Ana", "house": "the mill", "arrival": "1 May", "departure": "4 May"}
    assert "Your booking of the mill" in fill(shipped, "booking-confirmed", data).text
