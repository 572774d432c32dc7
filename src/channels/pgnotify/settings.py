"""The channel's own variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from src.setting_types import Minutes, Seconds, lower
from src.settings import Variables, variable

SCHEMES = ("postgresql", "postgresql+psycopg", "postgres")


def _address(secret: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(secret.get_secret_value())
        complete = parts.scheme in SCHEMES and len(parts.path) > 1 and parts.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise ValueError("is no PostgreSQL database; write postgresql://user:password@host:5432/name")
    return secret


class PgnotifySettings(Variables):
    """``PGNOTIFY_*``: an app's own PostgreSQL tables as an inbox."""

    prefix = "PGNOTIFY_"

    url: Annotated[SecretStr, AfterValidator(_address)] | None = variable(
        None, "the app's database, with a role of its own (`pgnotify sql` prints it)", "postgresql://…"
    )
    mapping: Path | None = variable(None, "which tables and columns are messages, by name", "a TOML file")
    poll_sec: Seconds = variable(
        10.0, "the newest rows are looked at this often, rung for or not", "seconds", gt=0
    )
    self_ring_sec: Seconds = variable(
        15.0, "the bell is tried this often; one that is not heard is opened again", "seconds", gt=0
    )
    thorough_min: Minutes = variable(
        10.0, "everything within MAX_MESSAGE_AGE_HOURS is looked at this often", "minutes", gt=0
    )

    pace: Annotated[Literal["none", "human"], BeforeValidator(lower)] = variable(
        "none", "human reads and types as long as a person would; needs disclosure", "none or human"
    )
    disclosure: Annotated[Literal["label", "first_message"], BeforeValidator(lower)] | None = variable(
        None,
        "how people are told that an AI answers: the app shows a label, or our first message says it",
        "label or first_message",
    )
    disclosure_text: str | None = variable(
        None,
        "what the first message begins with",
        "text",
        shown="“I am an AI assistant …”, in English, French or Portuguese",
    )

    start: bool = variable(
        default=False,
        meaning="on writes first when a conversation begins; needs disclosure",
        unit="on or off",
        shown="off",
    )
    start_delay_min_sec: Seconds = variable(
        0.0, "a first message is written at the earliest after", "seconds", ge=0
    )
    start_delay_max_sec: Seconds = variable(60.0, "and at the latest after", "seconds", ge=0)
    start_max_age_min: Minutes = variable(
        10.0, "a conversation that began longer ago gets no first message", "minutes", gt=0
    )

    @property
    def conninfo(self) -> str:
        """The address as libpq takes it."""
        text = self.url.get_secret_value() if self.url else ""
        return text.replace("postgresql+psycopg://", "postgresql://", 1)


SETTINGS = PgnotifySettings
