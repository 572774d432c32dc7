"""The channel's own variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from src.channels.mail.wire import is_address
from src.setting_types import is_loopback, lower
from src.settings import Variables, variable

DEV_LOG = "dev-log"
"""In place of a server: every mail is written into the log folder."""


def _sender(text: str) -> str:
    if text and not is_address(text):
        raise ValueError("must be a plain address like porter@your-house.example")
    return text


class MailSettings(Variables):
    """``SMTP_*``: the server that takes the mails."""

    prefix = "SMTP_"

    host: str = variable(
        "", f"the server that takes mails; {DEV_LOG} writes them into the log folder", "a name", shown="none"
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = variable(587, "and its port", "a port")
    user: str = variable("", "the login there", "a name", shown="none")
    password: SecretStr | None = variable(None, "and its password", "a password")
    from_: Annotated[str, AfterValidator(_sender)] = variable(
        "", "who the mails are from", "an address", shown="none"
    )
    tls: Annotated[Literal["starttls", "tls", "none"], BeforeValidator(lower)] = variable(
        "starttls", "how the connection is encrypted; none only on this machine", "starttls, tls or none"
    )
    templates_dir: Path = variable(
        Path("config/mail"), "your templates: NAME.txt, and NAME.html if wanted", "a folder"
    )

    @property
    def configured(self) -> bool:
        return bool(self.host)

    def problems(self) -> list[str]:
        """What is missing, or contradicts: a line each."""
        found = []
        if not self.host:
            found.append(f"SMTP_HOST: is not set; write your provider's server, or {DEV_LOG} to try it")
        if not self.from_:
            found.append("SMTP_FROM: is not set; write the address that the mails are from")
        if self.tls == "none" and self.host not in ("", DEV_LOG) and not is_loopback(self.host):
            found.append("SMTP_TLS: none is for a server on this machine only; write starttls or tls")
        if bool(self.user) != (self.password is not None):
            found.append("SMTP_USER: goes with SMTP_PASSWORD; set both or none")
        return found


SETTINGS = MailSettings
