"""What goes over the wire and what comes back: a reply's message, and what the server's answer means. Pure.

A reply's text is ``Subject: …``, an empty line, and the words. Sources: RFC 5322 (messages), RFC 3834 (marks of
automatic mail), RFC 5321 sections 4.2.1 and 6.1 (answers; whose a mail is after the final dot), RFC 4954 (login).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

SUBJECT = "Subject: "
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}")
_LONGEST_ADDRESS = 254
_LONGEST_SUBJECT = 500
_LOGIN_REFUSED = frozenset({530, 534, 535, 538})
"""The login is wrong, or one is asked for (RFC 4954, section 6): every mail meets this until that is changed."""
_GOING_AWAY = 421


def is_address(text: str) -> bool:
    """Whether this is one plain address: no name, no list, no line end."""
    return len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def join(subject: str, words: str) -> str:
    """The text of a reply. ValueError for a subject that is no header: empty, too long, or with a line end."""
    if not subject.strip() or len(subject) > _LONGEST_SUBJECT or not subject.isprintable():
        raise ValueError("the subject must be one line")
    return f"{SUBJECT}{subject.strip()}\n\n{words}"


def split(text: str) -> tuple[str, str]:
    """Subject and words of a reply's text. ValueError if it has no subject (a person took it out)."""
    head, _, words = text.partition("\n\n")
    if (
        not head.startswith(SUBJECT)
        or not head.removeprefix(SUBJECT).strip().isprintable()
        or not words.strip()
    ):
        raise ValueError("the text must begin with a line `Subject: …`, then an empty line, then the words")
    subject = head.removeprefix(SUBJECT).strip()
    if not subject:
        raise ValueError("the subject is empty")
    return subject, words


def message_id(key: str, sender: str) -> str:
    """Always the same for one reply, so that a server that sees it twice can drop the copy."""
    return f"<{key}@{sender.rpartition('@')[2]}>"


def make_message(*, key: str, sender: str, to: str, text: str, html: str | None, now: datetime) -> bytes:
    """The whole mail, its lines ended as SMTP wants them. ValueError for what cannot be one."""
    subject, words = split(text)
    message = EmailMessage(policy=SMTP.clone(max_line_length=78))
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = subject
    message["Date"] = now
    message["Message-ID"] = message_id(key, sender)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words if words.endswith("\n") else f"{words}\n")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


@dataclass(frozen=True, slots=True)
class Later:
    """Not taken now, certainly: greylisted, too busy, out of reach."""

    why: str


@dataclass(frozen=True, slots=True)
class Never:
    """Not taken, certainly, and it would not be the next time: no such mailbox, too large, refused."""

    error: str


@dataclass(frozen=True, slots=True)
class NoLogin:
    """The server does not let us in: a matter of the account, not of this mail."""

    error: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The server has it and is responsible for it from now on."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The final dot may have reached the server, and no answer came back."""

    why: str


Verdict = Later | Never | NoLogin | Taken | Unknown


def judge(code: int, step: str) -> Later | Never | NoLogin:
    """What a refusal means, at whatever step. Only the code counts: the words beside it differ by server."""
    if code in _LOGIN_REFUSED:
        return NoLogin(f"{step}: {code}")
    if 500 <= code < 600 and code != _GOING_AWAY:
        return Never(f"{step}: {code}")
    return Later(f"{step}: {code}")
