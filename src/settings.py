"""Every variable of the configuration, typed, with its unit and default. Made once at start, then passed on.

    load_settings() ──▶ Settings          (settings.of(ChannelSettings): a channel's own)
                   └──▶ SettingsError     (all problems at once, a line each)

A channel brings its own variables: ``src/channels/<name>/settings.py`` with a subclass of ``Variables``
called ``SETTINGS``; it is found by its place, nothing here names a site.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from src.account import CHAT, DEFAULT_ACCOUNT, DEFAULT_CHANNEL, MAIL, Account, AccountSettings, Ai
from src.accounts_file import AccountsFile, Around
from src.assistant_settings import AssistantSettings
from src.errors import SettingsError
from src.setting_types import (
    ApiKey,
    AppriseUrls,
    Count,
    DatabaseUrl,
    Host,
    Hours,
    Networks,
    Password,
    QuietTimes,
    SecretUrl,
    SigningSecret,
    TimeZone,
    addresses_in,
    http_url,
    is_loopback,
    lower,
)
from src.variables import (
    AnyVariables,
    Variable,
    Variables,
    given_values,
    make,
    names,
    old_names,
    table,
    variable,
)
from src.voice_settings import VoiceSettings

__all__ = ["Settings", "Variable", "Variables", "is_loopback", "load_settings", "variable", "variables"]

ROOT = Path(__file__).resolve().parent.parent


class ServingSettings(Variables):
    """How programs and people reach this one, and who is let in."""

    api_host: Host = variable("127.0.0.1", "where the API listens", "an address")
    api_port: int = variable(
        8000,
        "and on which port; PORT, which hosting platforms set, stands in for it",
        "a port, 1 to 65535",
        ge=1,
        le=65_535,
    )
    trusted_proxies: Networks = variable(
        "",
        "your own proxies before the API: what they say in X-Forwarded-For about who calls is believed",
        "addresses or networks",
        shown="none",
    )
    callback_base_url: str = variable(
        "",
        "how the AI reaches the API",
        "an address",
        shown="http://localhost:<API_PORT>",
        validate_default=True,
    )
    api_key: ApiKey | None = variable(
        None,
        "required as X-API-KEY (or Bearer) where a callback does not carry its own token",
        "at least 16 characters",
    )
    webhook_secret: SigningSecret | None = variable(
        None, "signs requests to the AI and lets signed callbacks in (Standard Webhooks)", "whsec_…"
    )
    dashboard_password: Password | None = variable(
        None, "opens the dashboard; without it API_KEY does, where one is set", "at least 10 characters"
    )
    dashboard_url: str = variable(
        "",
        "how people reach the dashboard; links in alerts begin with it",
        "an address",
        shown="http://localhost:<API_PORT>",
        validate_default=True,
    )
    dashboard_language: Annotated[Literal["en", "fr"], BeforeValidator(lower)] = variable(
        "en", "of alerts, and of the dashboard where the browser asks for neither", "en or fr"
    )
    time_zone: TimeZone = variable(
        "",
        "in which times are shown, days begin, and quiet hours are counted",
        "a name like Europe/Paris",
        shown="this machine's",
        formerly="DASHBOARD_TIME_ZONE",
    )

    approve_undo_sec: float = variable(
        5.0,
        "a reply that is approved on a page waits so long, and can be taken back; by the API it is due at once",
        "seconds; 0: at once",
        ge=0,
        le=60,
    )

    @field_validator("callback_base_url", "dashboard_url")
    @classmethod
    def _base_url(cls, value: str, info: ValidationInfo) -> str:
        url = http_url(value or f"http://localhost:{info.data.get('api_port', 8000)}")
        if urlsplit(url).query or urlsplit(url).fragment:
            raise ValueError("must end before any ? or #; write it like https://host or https://host/path")
        return url.rstrip("/")


class AlertSettings(ServingSettings):
    """Who is told when a person is needed; links in alerts lead to the dashboard."""

    notify_urls: AppriseUrls | None = variable(
        None, "whom alerts go to: Apprise addresses, with spaces between them", "addresses like ntfys://topic"
    )
    alert_webhook_url: SecretUrl | None = variable(None, "where alerts are POSTed as JSON", "an address")
    alert_repeat_hours: Hours = variable(
        6.0, "an alert that is still true is repeated after this long", "hours", gt=0
    )
    quiet_hours: QuietTimes = variable(
        "",
        "alerts that can wait come as one after these hours; what is urgent, and a halt, come at once",
        "two times like 22-7",
        shown="none",
    )
    heartbeat_url: SecretUrl | None = variable(
        None, "called about once a minute while the inbox is really read (a dead man's switch)", "an address"
    )

    @property
    def alert_addresses(self) -> list[str]:
        """The addresses of ``NOTIFY_URLS``, one each."""
        return addresses_in(self.notify_urls) if self.notify_urls else []


class Settings(AccountSettings, AlertSettings, VoiceSettings):
    """The configuration of the core. When made by ``load_settings``, paths (the database's too) are absolute."""

    accounts_file: Path | None = variable(
        None,
        "several accounts, each with its channel; without the file there is the one of the variables",
        "a file",
        shown="./accounts.toml",
    )
    playwright_session_dir: Path = variable(Path("./session"), "the saved browser login", "a folder")
    ai_concurrency: Annotated[int, Field(ge=1, le=64)] = variable(
        8,
        "how many messages may be with an AI at once; one account gets at most half of it while others wait",
        "messages",
    )
    database_url: DatabaseUrl = variable(
        SecretStr("sqlite:///./data/inbox.db"), "SQLite, or postgresql+psycopg://…", "an address"
    )
    crash_loop_starts: Count = variable(
        5,
        "how many starts may fail within 10 minutes before the account halts (a killed start counts a quarter)",
        "starts",
    )
    halt_wait: bool = variable(
        default=False,
        meaning="at a halt, wait until it is cleared and go on, in place of ending with exit code 10 or 11",
        unit="true or false",
    )
    log_format: Annotated[Literal["text", "json"], BeforeValidator(lower)] = variable(
        "text", "text for people, json for programs: one JSON object a line", "text or json"
    )
    retention_days: Annotated[float, Field(allow_inf_nan=False, le=36_500)] = variable(
        90.0, "guests' words and names are taken out of the database after this long", "days", gt=0
    )
    log_dir: Path = variable(
        Path("./logs"), "app.log has everything, api.log and worker.log their part", "a folder"
    )
    browser_memory_mb: Annotated[float, Field(allow_inf_nan=False, ge=200, le=1_000_000)] = variable(
        1200.0, "a browser that takes more is closed between two jobs and opened again", "megabytes"
    )
    browser_executable_path: Path | None = variable(
        None, "the browser to use", "a file", shown="found: Playwright's own, else a Chrome or Chromium"
    )

    channels: tuple[Variables, ...] = ()
    listed: tuple[Account, ...] = ()
    """Of the accounts' file; without one there is the account of these settings."""
    assistant: AssistantSettings = AssistantSettings()
    chat_reply_mode: str = "auto"
    """Where somebody waits for an answer, nobody is asked first unless REPLY_MODE says so."""

    def of(self, model: type[AnyVariables]) -> AnyVariables:
        """A channel's own settings; its defaults if none were loaded."""
        return next((one for one in self.channels if isinstance(one, model)), None) or model()

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account of this installation; never empty."""
        if self.listed:
            return self.listed
        model = channel_model(DEFAULT_CHANNEL)
        folder = self.playwright_session_dir
        return (Account(DEFAULT_ACCOUNT, DEFAULT_CHANNEL, folder, self._for_all, self.of(model), self.ai),)

    @property
    def _for_all(self) -> AccountSettings:
        """What the variables say for every account that says nothing of its own."""
        values = {name: getattr(self, name) for name in AccountSettings.model_fields}
        return AccountSettings.model_construct(**values)

    def _unlisted(self, channel: str, ai: Ai | None, **changes: object) -> Account:
        """The account of a channel that serves without a line in the accounts' file."""
        folder = self.playwright_session_dir.with_name(f"{self.playwright_session_dir.name}-{channel}")
        own = self._for_all.model_copy(update=changes)
        return Account(channel, channel, folder, own, self.of(channel_model(channel)), ai, listed=False)

    @property
    def chat(self) -> Account | None:
        """The account of those who ask in one call; None if another channel's account has its name.

        Its replies have no caps of ours unless one is set: somebody waits for each, and CHAT_RATE_LIMIT holds.
        """
        listed = next((one for one in self.accounts if one.channel == CHAT), None)
        if listed is None and CHAT in self.accounts_by_name:
            return None
        if listed is None:
            listed = self._unlisted(CHAT, self.ai, reply_mode=self.chat_reply_mode)
        return replace(listed, settings=listed.settings.without_default_caps())

    @property
    def mail(self) -> Account | None:
        """The account of confirmations by mail; None without SMTP_HOST, or if another channel's has its name."""
        listed = next((one for one in self.accounts if one.is_out_only), None)
        if listed is not None or MAIL in self.accounts_by_name:
            return listed
        has_server = getattr(self.of(channel_model(MAIL)), "configured", False)
        return self._unlisted(MAIL, None, reply_mode="auto") if has_server else None

    @property
    def asked(self) -> dict[str, Account]:
        """Every account that this installation serves, by name: those of ``accounts``, the chat and the mail."""
        return {**self.accounts_by_name, **{one.name: one for one in (self.chat, self.mail) if one}}

    @property
    def accounts_by_name(self) -> dict[str, Account]:
        """The same, by name."""
        return {account.name: account for account in self.accounts}

    @property
    def logs_as_json(self) -> bool:
        return self.log_format == "json"

    @property
    def ai(self) -> Ai | None:
        """Who answers the guests: the host's own AI where its address is set, else the built-in assistant."""
        if self.has_webhook:
            return "webhook"
        return "assistant" if self.assistant.configured else None

    @property
    def ai_problem(self) -> str | None:
        """Why there is no AI to ask, as a line for a person; None if there is one."""
        if self.ai is not None:
            return None
        what = "is still the example" if self.webhook_is_example else "is not set"
        return (
            f"AI_WEBHOOK_URL: {what}, and neither is ASSISTANT_API_KEY; write the address of your AI's webhook, "
            "or the key of a model service for the built-in assistant, into .env"
        )

    def secret_values(self) -> list[str]:
        """What must never be printed, for ``logs.hide``."""
        database = urlsplit(self.database_url.get_secret_value()).password or ""
        found = [database, unquote(database)]
        found += [
            secret.get_secret_value()
            for secret in (self.api_key, self.webhook_secret, self.dashboard_password, self.transcribe_key)
            if secret
        ]
        for secret in (self.ai_webhook_url, self.alert_webhook_url, self.heartbeat_url, self.transcribe_url):
            if secret:
                url = urlsplit(secret.get_secret_value())
                found += [url.password or "", url.query, secret.get_secret_value()]
        # What names a private heartbeat or an Apprise service is in the path or the host: all of it is hidden.
        found += self.alert_addresses
        found += self.assistant.secret_values()
        found += [value for account in self.listed for value in account.secret_values()]
        return [value for value in found if value]


def channel_models() -> tuple[type[Variables], ...]:
    """The settings of every channel: ``SETTINGS`` of each ``src/channels/<name>/settings.py``, by name."""
    return tuple(channel_model(name) for name in channel_names())


def channel_names() -> list[str]:
    """The channels whose folders are in ``src/channels``."""
    return sorted(place.parent.name for place in (Path(__file__).parent / "channels").glob("*/settings.py"))


def channel_model(name: str) -> type[Variables]:
    """The settings of one channel; a dotted name is a package elsewhere. ModuleNotFoundError if there is none."""
    place = name if "." in name else f"src.channels.{name}.settings"
    model: type[Variables] = importlib.import_module(place).SETTINGS
    return model


def variables(models: Sequence[type[Variables]] | None = None) -> list[Variable]:
    """Every variable of the core and of the given (by default all) channels."""
    return table([Settings, AssistantSettings, *(channel_models() if models is None else models)])


def load_settings(
    root: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    *,
    models: Sequence[type[Variables]] | None = None,
    need_ai: bool = False,
) -> Settings:
    """Read ``<root>/.env``, then the environment (which wins), and check everything.

    ``models`` are the channels' settings (by default those of all channels); with ``need_ai`` it is a
    problem too that there is neither a webhook nor a model. Raises ``SettingsError`` with all problems, without
    any secret's value. Repeatable; changes nothing.
    """
    models = channel_models() if models is None else models
    all_models: list[type[Variables]] = [Settings, AssistantSettings, *models]
    known = {name for model in all_models for name in [*names(model), *old_names(model).values()]}
    problems: list[str] = []
    environ = os.environ if environ is None else environ
    file = AccountsFile.read(root, _named_file(root, environ), problems)
    given = given_values(root, environ, known, problems, also=file.variables if file else ())
    if "API_PORT" not in given and environ.get("PORT", "").strip().isdecimal():
        given["API_PORT"] = environ["PORT"]  # hosting platforms say with it where they reach a program
    channels = tuple(make(model, given, root, problems) for model in models)
    assistant = make(AssistantSettings, given, root, problems)
    settings = make(Settings, given, root, problems)
    settings = settings.model_copy(update={"channels": channels, "assistant": assistant})
    if "REPLY_MODE" in given:
        settings = settings.model_copy(update={"chat_reply_mode": settings.reply_mode})
    if "REPLY_MODE" not in given and settings.ai == "assistant":
        settings = settings.model_copy(update={"reply_mode": "draft"})
    # A contradiction with a value that is wrong anyway would only confuse: it stands on the default.
    bad = {problem.partition(":")[0] for problem in problems} & known
    if file is not None:
        names_here, has_model = tuple(channel_names()), assistant.configured
        around = Around(root, given, frozenset(bad), names_here, channel_model, has_model)
        settings = settings.model_copy(update={"listed": file.accounts(around, problems)})
    problems += [line for line in _contradictions(settings, need_ai) if not any(name in line for name in bad)]
    if problems:
        raise SettingsError(problems)
    return settings


def _named_file(root: Path, environ: Mapping[str, str]) -> str | None:
    """``ACCOUNTS_FILE``, before everything else is read: the file may name further variables."""
    try:
        written = dotenv_values(root / ".env", encoding="utf-8-sig").get("ACCOUNTS_FILE")
    except (OSError, UnicodeDecodeError):
        written = None  # said when the rest is read
    return (environ.get("ACCOUNTS_FILE") or written or "").strip() or None


def _contradictions(settings: Settings, need_ai: bool) -> Iterator[str]:
    if settings.grouping_max_sec < settings.grouping_delay_sec:
        yield (
            f"GROUPING_MAX_SEC: {settings.grouping_max_sec:g} is less than GROUPING_DELAY_SEC "
            f"({settings.grouping_delay_sec:g}); make it at least as long"
        )
    if not is_loopback(settings.api_host) and settings.api_key is None:
        yield (
            "API_KEY: is not set although API_HOST lets other machines in; "
            "write a long random one, or API_HOST=127.0.0.1"
        )
    browser = settings.browser_executable_path
    if browser and not (_is(Path.is_file, browser) and os.access(browser, os.X_OK)):
        yield "BROWSER_EXECUTABLE_PATH: is not a program; write the browser's full path, or leave it empty"
    for name, folder in (
        ("PLAYWRIGHT_SESSION_DIR", settings.playwright_session_dir),
        ("LOG_DIR", settings.log_dir),
    ):
        if _is(Path.exists, folder) and not _is(Path.is_dir, folder):
            yield f"{name}: is a file, not a folder; write the path of a folder"
    yield from settings.assistant.contradictions()
    if need_ai and any(account.ai is None for account in settings.accounts) and settings.ai_problem:
        yield settings.ai_problem


def _is(what: Callable[[Path], bool], path: Path) -> bool:
    """What pathlib says of a path; False of one that cannot even be looked at (no right, too long)."""
    try:
        return what(path)
    except OSError:
        return False
