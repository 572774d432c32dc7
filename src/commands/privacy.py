"""No start while other users of this machine may read a login or a secret: exit 2, with the command that helps."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from src.account import DEFAULT_ACCOUNT, Account
from src.channels.browser import PROFILE_FOLDER, STATE_FILE
from src.errors import SettingsError
from src.settings import ROOT

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ALWAYS_SECRET = (
    "API_KEY",
    "WEBHOOK_SECRET",
    "DASHBOARD_PASSWORD",
    "NOTIFY_URLS",
    "ALERT_WEBHOOK_URL",
    "HEARTBEAT_URL",
    "TRANSCRIBE_KEY",
)
_MAYBE_SECRET = ("AI_WEBHOOK_URL", "DATABASE_URL", "TRANSCRIBE_URL")
"""Addresses: secret if a password or a query stands in them."""


def refuse_open_files(accounts: Iterable[Account], root: Path = ROOT) -> None:
    """Raise SettingsError if others may read the saved login, or an `.env` in which there are secrets.

    What holds nothing yet is no reason: a fresh clone's ``session/`` is closed when the browser first starts, and a
    copy of `.env.example` has no secret in it. Repeatable; changes nothing.
    """
    problems = [*(line for account in accounts for line in _login(account)), *_env(root / ".env")]
    if problems:
        raise SettingsError(problems)


def _login(account: Account) -> Iterator[str]:
    folder = account.session_dir
    name = (
        "PLAYWRIGHT_SESSION_DIR"
        if account.name == DEFAULT_ACCOUNT
        else f"account {account.name}, session_dir"
    )
    if _is_open(folder) and any((folder / name).exists() for name in (STATE_FILE, PROFILE_FOLDER)):
        yield (
            f"{name}: other users of this machine may read the saved login;"
            f" run: chmod 700 {shlex.quote(str(folder))}"
        )


def _env(path: Path) -> Iterator[str]:
    if not _is_open(path):
        return
    values = dotenv_values(path, encoding="utf-8-sig")  # as the settings are read
    found = sorted(name for name, value in values.items() if _is_secret(name, value or ""))
    if found:
        yield (
            f"{found[0]}: other users of this machine may read it in .env;"
            f" run: chmod 600 {shlex.quote(str(path))}"
        )


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False  # not there, or not readable: the part that needs it says so


def _is_secret(name: str, value: str) -> bool:
    if not value.strip():
        return False
    if name in _MAYBE_SECRET:
        try:
            parts = urlsplit(value)
        except ValueError:
            return False
        return bool(parts.password or parts.query)
    return name in _ALWAYS_SECRET
