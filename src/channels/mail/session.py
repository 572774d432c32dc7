"""One mail handed to a server: every step of SMTP up to the final dot, and what its end means. Blocks."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable

from src.channels.mail.settings import MailSettings
from src.channels.mail.wire import Later, Never, NoLogin, Taken, Unknown, Verdict, judge

TIMEOUT_SEC = 20.0
"""For each answer of the server. After the final dot it may take minutes (RFC 5321, 4.5.3.2.6), but no other mail
could go out meanwhile: what is not known by then is left to a person."""
_OK, _GO_ON = 250, 354


def hand_over(settings: MailSettings, to: str, message: bytes) -> Verdict:
    """Connect, log in, hand one message over. Never raises; NOT repeatable after ``Unknown`` or ``Taken``."""
    try:
        with _connected(settings) as server:
            refused = _introduce(server, settings) or _address(server, settings, to)
            return refused or _send(server, message)
    except smtplib.SMTPAuthenticationError as error:
        return NoLogin(f"login: {error.smtp_code}")
    except smtplib.SMTPResponseException as error:
        return judge(error.smtp_code, "greeting")
    except smtplib.SMTPNotSupportedError as error:
        return NoLogin(f"login: {error}")
    except (smtplib.SMTPException, OSError, ValueError) as error:  # a name that cannot be one is a ValueError
        return Later(f"no connection ({type(error).__name__})")


class _Closing:
    """A connection that is dropped at the end: what the goodbye would bring changes nothing."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self._server = server

    def __enter__(self) -> smtplib.SMTP:
        return self._server

    def __exit__(self, *_: object) -> None:
        self._server.close()


def _connected(settings: MailSettings) -> _Closing:
    if settings.tls == "tls":
        context = ssl.create_default_context()
        return _Closing(smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_SEC, context=context))
    return _Closing(smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_SEC))


def _introduce(server: smtplib.SMTP, settings: MailSettings) -> Verdict | None:
    server.ehlo_or_helo_if_needed()
    if settings.tls == "starttls":
        code, _ = server.starttls(context=ssl.create_default_context())
        if code != 220:
            return judge(code, "STARTTLS")
        server.ehlo()
    if settings.password is not None:
        server.login(settings.user, settings.password.get_secret_value())
    return None


def _address(server: smtplib.SMTP, settings: MailSettings, to: str) -> Verdict | None:
    steps: list[tuple[str, Callable[[], tuple[int, bytes]]]] = [
        ("MAIL", lambda: server.mail(settings.from_)),
        ("RCPT", lambda: server.rcpt(to)),
    ]
    for step, ask in steps:
        code, _ = ask()
        if code not in (_OK, 251):
            return judge(code, step)
    return None


def _send(server: smtplib.SMTP, message: bytes) -> Verdict:
    code, _ = server.docmd("DATA")
    if code != _GO_ON:
        return judge(code, "DATA")
    # Without the final dot a server must not deliver what it has (RFC 5321, 4.1.1.4): until then nothing is sent.
    server.send(_with_dots(message))
    try:
        server.send(b".\r\n")
        code, _ = server.getreply()
    except (smtplib.SMTPException, OSError) as error:
        return Unknown(f"no answer to the final dot ({type(error).__name__})")
    if code == _OK:
        return Taken()
    if code == -1:  # smtplib's code for a missing answer
        return Unknown("no answer to the final dot")
    refused = judge(code, "final dot")
    return Never(refused.error) if isinstance(refused, NoLogin) else refused


def _with_dots(message: bytes) -> bytes:
    """A line that begins with a dot gets another one (RFC 5321, 4.5.2); the last line is ended."""
    lines = message.split(b"\r\n")
    if lines[-1] == b"":
        lines.pop()
    return b"".join((b"." if line[:1] == b"." else b"") + line + b"\r\n" for line in lines)
