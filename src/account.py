"""An account: one inbox at one remote, with everything that is its own. A value, made once at start.

Who works for an account is given the account, or its rules: nothing else of the configuration is needed there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr

from src.setting_types import Count, Hours, Minutes, Seconds, SecretUrl, lower
from src.variables import Variables, variable

DEFAULT_CHANNEL = "airbnb"
DEFAULT_ACCOUNT = "default"
CHAT, MAIL, WIDGET = "chat", "mail", "widget"
UNLISTED_CHANNELS = frozenset({CHAT, MAIL})
"""They serve without a line in the accounts' file, and count for no verdict on the whole then."""

_OF_ANY_AGE = frozenset({"airbnb", MAIL})

_NO_CAP = 1_000_000

Ai = Literal["webhook", "assistant"]
Disclosure = Literal["label", "first_message"]
Login = Literal["browser", "code", "none"]

_EXAMPLE_DOMAINS = ("example", "example.com", "example.net", "example.org")


class AccountSettings(Variables):
    """What each account may have of its own; what it does not say is the variable's value for all."""

    ai_webhook_url: SecretUrl | None = variable(
        None, "where new guest messages are POSTed; without it the built-in assistant answers", "an address"
    )
    scrape_interval_sec: Seconds = variable(45.0, "time between SYNC cycles", "seconds", gt=0)
    send_worker_interval_sec: Seconds = variable(
        15.0, "longest wait between looks at the outbox", "seconds", gt=0
    )
    grouping_delay_sec: Seconds = variable(
        15.0, "a burst of messages goes to the AI after this long without a new one", "seconds", ge=0
    )
    grouping_max_sec: Seconds = variable(60.0, "and at the latest after this long", "seconds", ge=0)
    max_message_age_hours: Hours = variable(
        24.0, "older unanswered messages are history, not work", "hours", gt=0
    )
    reply_mode: Annotated[Literal["auto", "draft", "off"], BeforeValidator(lower)] = variable(
        "auto",
        "auto sends; draft waits for a person's approval (default with the built-in assistant); off only reads",
        "auto, draft or off",
    )
    assistant_autonomy: Annotated[Literal["ask", "earned", "full"], BeforeValidator(lower)] = variable(
        "ask",
        "who allows a subject to be answered by itself: you, its record, or nobody is asked",
        "ask, earned or full",
    )
    human_pause_min: Minutes = variable(
        15.0, "after the host writes in a thread, the AI keeps quiet there this long", "minutes", ge=0
    )
    quiet_alert_hours: Hours = variable(
        6.0,
        "replies go out, and the service tells nothing of them or of anything else for this long: you are told",
        "hours",
        gt=0,
    )
    history_messages: Count = variable(
        60, "how many of a conversation's last messages go to the AI beside the new ones", "messages"
    )
    history_days: Annotated[float, Field(allow_inf_nan=False, gt=0, le=36_500)] = variable(
        7.0, "and none older than this; on Airbnb and in mail of any age", "days"
    )
    reply_cap_conversation_hour: Count = variable(
        6,
        "automatic replies in a conversation within an hour; above it the next waits for you",
        "replies",
    )
    reply_cap_conversation_day: Count = variable(20, "the same within 24 hours", "replies")
    reply_cap_account_hour: Count = variable(60, "the same for the whole inbox within an hour", "replies")
    reply_cap_rounds: Count = variable(
        8, "quick exchanges in a row without you; above it the next reply waits for you", "exchanges"
    )
    reply_cap_same_message: Count = variable(
        3, "a guest who writes the same so often is answered by you", "messages"
    )
    reply_cap_same_reply: Count = variable(
        3,
        "equal replies in a conversation within 24 hours; above it the next one waits for you",
        "replies",
    )

    def without_default_caps(self) -> AccountSettings:
        """The same without the caps on automatic replies, but for those that somebody has set to another number.

        For channels with limits of their own on what comes in: CHAT_RATE_LIMIT, WIDGET_RATE_….
        """
        caps = {
            name: _NO_CAP
            for name, field in AccountSettings.model_fields.items()
            if name.startswith("reply_cap_") and getattr(self, name) == field.default
        }
        return self.model_copy(update=caps)

    @property
    def has_webhook(self) -> bool:
        """Whether there is an address of an AI. One that stands in an example counts as none."""
        return self.ai_webhook_url is not None and not self.webhook_is_example

    @property
    def webhook_is_example(self) -> bool:
        host = urlsplit(self.ai_webhook_url.get_secret_value()).hostname or "" if self.ai_webhook_url else ""
        return any(host == domain or host.endswith(f".{domain}") for domain in _EXAMPLE_DOMAINS)


@dataclass(frozen=True, slots=True)
class Account:
    """One inbox. ``name`` stands in every row that is its own."""

    name: str
    channel: str
    """The folder under ``channels/``, or a package elsewhere by its dotted name."""
    session_dir: Path
    """The saved login where there is one, and what keeps a second process of this machine out."""
    settings: AccountSettings = field(default_factory=AccountSettings)
    own: Variables = field(default_factory=Variables)
    """The channel's own settings."""
    ai: Ai | None = None
    """Who answers; None: nobody is configured."""
    disclosure: Disclosure | None = None
    """How people are told that an AI writes; None: they are not."""
    listed: bool = True
    """It stands in the accounts' file, or it is the one account without such a file."""

    @property
    def history_from(self) -> timedelta | None:
        """How far back the AI is told what was said; None: as far as ``history_messages`` goes."""
        return None if self.channel in _OF_ANY_AGE else timedelta(days=self.settings.history_days)

    @property
    def counts(self) -> bool:
        """Whether it counts for the verdict on the whole, the exit code and the picker."""
        return self.listed or self.channel not in UNLISTED_CHANNELS

    @property
    def is_called_for(self) -> bool:
        """The caller waits for the reply and takes it: no worker reads or sends."""
        return self.channel == CHAT and getattr(self.own, "send_url", None) is None

    @property
    def kept_for_caller(self) -> timedelta:
        """How long the caller may still take a new reply, before a worker sends it."""
        if self.channel != CHAT:
            return timedelta(0)
        return timedelta(seconds=getattr(self.own, "wait_sec", 0.0) + 2)

    @property
    def site(self) -> str | None:
        """What the widget's pages call it; None for other channels."""
        return (getattr(self.own, "site", None) or self.name) if self.channel == WIDGET else None

    @property
    def drives_browser(self) -> bool:
        """Whether it has a browser, which can show a window."""
        return "headless" in type(self.own).model_fields

    @property
    def login(self) -> Login:
        """What a person does to log in there: type into a browser, scan a code with a phone, or nothing at all."""
        if self.drives_browser:
            return "browser"
        return "code" if getattr(self.own, "logs_in_by_code", False) else "none"

    @property
    def is_out_only(self) -> bool:
        """Nothing comes in, so no AI answers there: what goes out is asked for by the host's own programs."""
        return self.channel == MAIL

    def secret_values(self) -> list[str]:
        """What must never be printed."""
        return [value for model in (self.settings, self.own) for value in secrets_in(model)]


def secrets_in(model: Variables) -> list[str]:
    """Every secret among the fields; of an address also its password and its query."""
    found: list[str] = []
    for name in type(model).model_fields:
        secret = getattr(model, name)
        if isinstance(secret, SecretStr):
            text = secret.get_secret_value()
            password = urlsplit(text).password or "" if "://" in text else ""
            query = urlsplit(text).query if "://" in text else ""
            found += [text, password, unquote(password), query]
    return [value for value in found if value]
