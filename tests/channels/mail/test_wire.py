"""What goes over the wire, and what an answer means."""

import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser

import pytest

from src.channels.mail import wire
from src.channels.mail.session import _with_dots
from src.channels.mail.wire import Later, Never, NoLogin, is_address, judge

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


def made(text: str, html: str | None = None) -> EmailMessage:
    raw = wire.make_message(
        key="job-1", sender="porter@house.example", to="ana@mail.example", text=text, html=html, now=NOW
    )
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return BytesParser(EmailMessage, policy=email.policy.default).parsebytes(raw)


def test_a_mail_says_that_it_is_automatic_and_has_the_id_of_its_job():
    mail = made(wire.join("Grüße", "Hallo Ana,\nbis bald – ☀"))
    assert mail["Message-ID"] == "<job-1@house.example>"
    assert (mail["Auto-Submitted"], mail["Subject"]) == ("auto-generated", "Grüße")
    assert (mail["From"], mail["To"]) == ("porter@house.example", "ana@mail.example")
    assert mail.get_content().splitlines() == ["Hallo Ana,", "bis bald – ☀"]


def test_a_page_goes_beside_the_words():
    mail = made(wire.join("Hi", "words"), "<p>page</p>")
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert (plain.get_content().strip(), page.get_content().strip()) == ("words", "<p>page</p>")


@pytest.mark.parametrize("subject", ["", "  ", "two\nlines", "bell\x07", "x" * 501])
def test_a_subject_that_is_no_header_is_refused(subject: str):
    with pytest.raises(ValueError, match="subject"):
        wire.join(subject, "words")


@pytest.mark.parametrize(
    "text", ["words alone", "Subject: \n\nwords", "Subject: x\n\n ", "Subject: x\nBcc: y\n\nz"]
)
def test_a_text_that_a_person_broke_is_no_mail(text: str):
    with pytest.raises(ValueError, match=r"subject|Subject"):
        wire.split(text)


@pytest.mark.parametrize("text", ["ana@mail.example", "a.b+c@x-y.example", "o'neil@localhost"])
def test_a_plain_address_is_one(text: str):
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    ["", "ana", "@mail.example", "ana@", "a b@mail.example", "ana@mail.example\r\nRCPT TO:<eve@mail.example>",
     "Ana <ana@mail.example>", "ana@mail.example,eve@mail.example", "ana@mail.example\n", "é@mail.example",
     "a@" + "b" * 260],
)  # fmt: skip
def test_what_is_more_or_less_than_an_address_is_none(text: str):
    assert not is_address(text)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(421, Later), (450, Later), (451, Later), (554, Never), (550, Never), (552, Never), (535, NoLogin),
     (530, NoLogin), (-1, Later)],
)  # fmt: skip
def test_only_the_code_of_an_answer_counts(code: int, kind: type):
    assert isinstance(judge(code, "RCPT"), kind)


def test_a_line_that_is_a_dot_does_not_end_the_mail():
    assert _with_dots(b"a\r\n.\r\n.b\r\n") == b"a\r\n..\r\n..b\r\n"
    assert _with_dots(b"no end") == b"no end\r\n"
