"""``accounts.toml``: one table for each account, its keys a channel's own variables in lower case, without prefix.

    read() ──▶ AccountsFile ──▶ accounts()     (every problem a line that names the account and the key)

A secret is written as ``"env:NAME"``, or as it is in a file that only its owner may read.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from pydantic import SecretStr

from src.account import WIDGET, Account, AccountSettings, Ai, Disclosure
from src.variables import AnyVariables, Variables, make_named, names

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_ENV = re.compile(r"env:(\w+)")
_CHOICES: dict[str, tuple[str, ...]] = {"ai": get_args(Ai), "disclosure": get_args(Disclosure)}
_OWN_KEYS = ("name", "channel", "session_dir", *_CHOICES)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Around:
    """What the file does not say: the variables, and which channels there are."""

    root: Path
    given: Mapping[str, str]
    """The variables that are set, by name; those that ``env:`` names, too."""
    unusable: frozenset[str]
    """Variables whose value is wrong: that is said once, not for each account again."""
    channels: tuple[str, ...]
    model_of: Callable[[str], type[Variables]]
    has_model: bool
    """There is a model service for the built-in assistant."""


class AccountsFile:
    """The tables of a file that could be read."""

    def __init__(self, path: Path, tables: list[dict[str, Any]]) -> None:
        self._path = path
        self._tables = tables

    @classmethod
    def read(cls, root: Path, named: str | None, problems: list[str]) -> AccountsFile | None:
        """The file that ``ACCOUNTS_FILE`` names (default ``accounts.toml``); None without one, or with problems."""
        path = root / Path(named or "accounts.toml").expanduser()
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            if named:
                problems.append(
                    f"ACCOUNTS_FILE: there is no file {path}; correct the path, or leave it empty"
                )
            return None
        except (OSError, UnicodeDecodeError):
            problems.append(
                f"ACCOUNTS_FILE: {path.name} cannot be read; it must be a readable text file in UTF-8"
            )
            return None
        except tomllib.TOMLDecodeError as error:
            # What is written there may be a secret: only the place of the mistake is said.
            where = re.search(r"\(at [^)]*\)", str(error))
            problems.append(
                f"ACCOUNTS_FILE: {path.name} is not TOML {where.group() if where else ''}".rstrip()
            )
            return None
        tables = found.get("account", [])
        for key in found.keys() - {"account"}:
            problems.append(f"{key}: is not a key of {path.name}; did you mean account? Write [[account]]")
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            problems.append(f"account: must be a list of tables in {path.name}; write [[account]]")
        elif not tables:
            problems.append(
                f"ACCOUNTS_FILE: {path.name} has no account; write [[account]] with name and channel"
            )
        else:
            return cls(path, tables)
        return None

    @property
    def variables(self) -> set[str]:
        """Every variable that is named as ``env:NAME``."""
        return {
            found.group(1)
            for table in self._tables
            for value in table.values()
            if isinstance(value, str) and (found := _ENV.fullmatch(value))
        }

    def accounts(self, around: Around, problems: list[str]) -> tuple[Account, ...]:
        """Every account that could be made; the others are problems."""
        tables = [_Table(self._path, number, table, around) for number, table in enumerate(self._tables, 1)]
        made = [account for table in tables if (account := table.account()) is not None]
        for table in tables:
            problems += table.problems
        problems += self._alike(made)
        return tuple(made)

    def _alike(self, made: list[Account]) -> Iterator[str]:
        names_seen: set[str] = set()
        folders: dict[Path, str] = {}
        sites: dict[str, str] = {}
        for account in made:
            if account.name in names_seen:
                yield f"{self._path.name}, account {account.name}: there are two of this name; give one another"
            elif account.session_dir in folders:
                other = folders[account.session_dir]
                yield (
                    f"{self._path.name}, account {account.name}: session_dir is that of account {other}; "
                    "give each a folder of its own"
                )
            if account.site is not None and account.site in sites:
                yield (
                    f"{self._path.name}, account {account.name}: site is that of account {sites[account.site]}; "
                    "give each a name of its own"
                )
            names_seen.add(account.name)
            folders.setdefault(account.session_dir, account.name)
            if account.site is not None:
                sites.setdefault(account.site, account.name)


class _Table:
    """One account's table while it is read."""

    def __init__(self, path: Path, number: int, table: dict[str, Any], around: Around) -> None:
        self._path = path
        self._table = table
        self._around = around
        name = table.get("name")
        self._who = (
            f"account {name}" if isinstance(name, str) and _NAME.fullmatch(name) else f"account {number}"
        )
        self.problems: list[str] = []

    def account(self) -> Account | None:
        """The account; None if something of it is wrong (``problems``)."""
        name, channel = self._table.get("name"), self._table.get("channel")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self._wrong("name", "must be 1 to 32 of a-z, 0-9 and -")
        if not isinstance(channel, str) or (model := self._model(channel)) is None:
            if not isinstance(channel, str):
                self._wrong("channel", f"is missing; write {self._channels}")
            return None
        self._check_keys(model)
        settings = self._made(AccountSettings)
        own = self._made(model)
        ai = cast("Ai | None", self._choice("ai")) or self._ai(settings)
        if "reply_mode" not in self._table and "REPLY_MODE" not in self._around.given:
            # Nobody waits for a reply there, so a person looks at what an assistant wrote.
            mode = "draft" if ai == "assistant" and channel != "chat" else "auto"
            settings = settings.model_copy(update={"reply_mode": mode})
        if channel == WIDGET:
            settings = settings.without_default_caps()
        self._check_ai(ai, settings)
        self._check_grouping(settings)
        folder = self._folder(name if isinstance(name, str) else "")
        disclosure = self._disclosure(own)
        if self.problems:
            return None
        return Account(str(name), channel, folder, settings, own, ai, disclosure)

    def _wrong(self, key: str, words: str) -> None:
        self.problems.append(f"{self._path.name}, {self._who}: {key}: {words}")

    @property
    def _channels(self) -> str:
        return " or ".join(f'"{one}"' for one in self._around.channels)

    def _model(self, channel: str) -> type[Variables] | None:
        try:
            return self._around.model_of(channel)
        except ModuleNotFoundError:
            near = get_close_matches(channel, self._around.channels, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"write {self._channels}"
            self._wrong("channel", f"{channel[:40]!r} is no channel; {advice}")
            return None

    def _check_keys(self, model: type[Variables]) -> None:
        known = [*_OWN_KEYS, *names(AccountSettings).values(), *names(model).values()]
        for key, value in self._table.items():
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.5)
                self._wrong(key, f"is not a key of an account; did you mean {near[0] if near else 'name'}?")
            elif not isinstance(value, str | bool | int | float) and not _is_list_of_texts(value):
                self._wrong(key, "must be text, a list of texts, a number, true or false")

    def _made(self, model: type[AnyVariables]) -> AnyVariables:
        """The model from this account's keys, and from the variables for what they do not say."""
        around, values, said = self._around, {}, {}
        for variable, field in names(model).items():
            if field in self._table:
                said[field] = field
                text = self._text(field, is_secret=_names_secret(model.model_fields[field].annotation))
                if text:
                    values[field] = text
            elif variable in around.given and variable not in around.unusable:
                values[field] = around.given[variable].strip()
        wrong: list[str] = []
        made = make_named(model, values, said, around.root, wrong)
        self.problems += [f"{self._path.name}, {self._who}: {line}" for line in wrong]
        return made

    def _text(self, key: str, *, is_secret: bool = False) -> str | None:
        value = self._table[key]
        if isinstance(value, bool):
            return str(value).lower()
        text = " ".join(value) if _is_list_of_texts(value) else str(value).strip()
        if found := _ENV.fullmatch(text):
            text = self._around.given.get(found.group(1), "").strip()
            if not text:
                self._wrong(
                    key, f"{found.group()} is not set; set {found.group(1)} in .env or the environment"
                )
            return text or None
        if is_secret and _holds_secret(text) and self._path.stat().st_mode & _OTHERS:
            self._wrong(
                key,
                f"a secret stands here, and others may read the file; run: chmod 600 {self._path}"
                f', or write {key} = "env:NAME"',
            )
        return text

    def _choice(self, key: str) -> str | None:
        if key not in self._table:
            return None
        text = self._text(key)
        if text is not None and text not in _CHOICES[key]:
            self._wrong(key, f"is not possible; write {' or '.join(_CHOICES[key])}")
            return None
        return text

    def _disclosure(self, own: Variables) -> Disclosure | None:
        """How people are told that an AI answers. What only such people may meet is refused without it."""
        found = getattr(own, "disclosure", None) if hasattr(own, "disclosure") else self._choice("disclosure")
        advice = "needs people to be told that an AI answers; write disclosure = first_message or label"
        if found is None and getattr(own, "pace", "none") == "human":
            self._wrong("pace", f"human {advice}")
        if found is None and getattr(own, "start", False):
            self._wrong("start", f"on {advice}")
        least, most = getattr(own, "start_delay_min_sec", 0.0), getattr(own, "start_delay_max_sec", 0.0)
        if most < least:
            self._wrong("start_delay_max_sec", f"{most:g} is less than start_delay_min_sec ({least:g})")
        return cast("Disclosure | None", found)

    def _ai(self, settings: AccountSettings) -> Ai | None:
        if settings.has_webhook:
            return "webhook"
        return "assistant" if self._around.has_model else None

    def _check_ai(self, ai: Literal["webhook", "assistant"] | None, settings: AccountSettings) -> None:
        if ai == "webhook" and not settings.has_webhook:
            self._wrong("ai", "is webhook, but there is no ai_webhook_url here and no AI_WEBHOOK_URL in .env")
        if ai == "assistant" and not self._around.has_model:
            self._wrong("ai", "is assistant, but no model service is set; write ASSISTANT_API_KEY into .env")

    def _check_grouping(self, settings: AccountSettings) -> None:
        mine = {"grouping_max_sec", "grouping_delay_sec"} & self._table.keys()
        if mine and settings.grouping_max_sec < settings.grouping_delay_sec:
            self._wrong(
                "grouping_max_sec",
                f"{settings.grouping_max_sec:g} is less than grouping_delay_sec "
                f"({settings.grouping_delay_sec:g}); make it at least as long",
            )

    def _folder(self, name: str) -> Path:
        text = self._text("session_dir") if "session_dir" in self._table else f"session/{name}"
        folder = (self._around.root / Path(text or f"session/{name}").expanduser()).resolve()
        if folder.exists() and not folder.is_dir():
            self._wrong("session_dir", "is a file, not a folder; write the path of a folder")
        return folder


def _is_list_of_texts(value: Any) -> bool:
    """The same as these texts with spaces between them, as a variable would have them."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _names_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_names_secret(one) for one in get_args(annotation))


def _holds_secret(text: str) -> bool:
    """Of an address only a password or a query is one."""
    if "://" not in text:
        return bool(text)
    try:
        parts = urlsplit(text)
    except ValueError:
        return True
    return bool(parts.password or parts.query)
