"""The mapping: which of the app's tables and columns hold the conversations. A TOML file of names, never of SQL.

[messages]                      [conversations]                 [people]
table = "public.messages"       table = "matches"               table = "profiles"
id = "id"                       id = "id"                       id = "id"
conversation = "match_id"       members = ["user_id", "bot_id"] name = "display_name"
sender = "sender_id"                                            ours = {column = "is_bot", equals = true}
text = "content"
sent_at = "created_at"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from src.errors import SettingsError

Value = str | int | float | bool

_KEYS: dict[str, dict[str, type]] = {
    "messages": {
        "table": str,
        "id": str,
        "conversation": str,
        "sender": str,
        "text": str,
        "sent_at": str,
        "edited_at": str,
        "deleted_at": str,
        "kind": str,
        "text_kinds": list,
    },
    "conversations": {"table": str, "id": str, "members": list, "open": dict, "started_at": str},
    "people": {"table": str, "id": str, "name": str, "ours": dict, "ids": list},
    "write": {"values": dict},
    "typing": {"table": str, "conversation": str, "sender": str, "at": str},
    "bell": {"messages": str, "conversations": str},
}
_NEEDED = {
    "messages": ("table", "id", "conversation", "sender", "text", "sent_at"),
    "conversations": ("table", "id", "members"),
    "people": ("table", "id"),
    "typing": ("table", "conversation", "sender", "at"),
}
_OPTIONAL = frozenset({"typing"})
_LONGEST_NAME = 63
"""PostgreSQL cuts longer names off, and would then find another column."""


@dataclass(frozen=True, slots=True)
class Equals:
    """A column and the value that it has where something holds."""

    column: str
    equals: Value


@dataclass(frozen=True, slots=True)
class Typing:
    """The table in which it shows who types: a row for a conversation and a profile, with a time."""

    table: str
    conversation: str
    sender: str
    at: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """The names, as they stand in the file."""

    messages: str
    message_id: str
    conversation: str
    sender: str
    text: str
    sent_at: str
    conversations: str
    conversation_id: str
    members: tuple[str, ...]
    people: str
    person_id: str
    edited_at: str | None = None
    deleted_at: str | None = None
    kind: str | None = None
    text_kinds: tuple[str, ...] = ("text",)
    open: Equals | None = None
    started_at: str | None = None
    name: str | None = None
    ours: Equals | None = None
    our_ids: tuple[str, ...] = ()
    values: dict[str, Value] = field(default_factory=dict)
    typing: Typing | None = None
    bell_messages: str | None = "bot_events"
    bell_conversations: str | None = "new_match"

    @property
    def viewer(self) -> str:
        """Whose inbox this is: the one profile, or how ours are told apart where there are several."""
        if self.ours is not None:
            return f"{self.ours.column}={self.ours.equals}"
        return ",".join(sorted(self.our_ids))

    def columns(self) -> dict[str, list[str]]:
        """Table → the columns of it that are used, in the order of the file."""
        of_messages = [self.message_id, self.conversation, self.sender, self.text, self.sent_at]
        of_messages += [name for name in (self.edited_at, self.deleted_at, self.kind) if name]
        of_conversations = [self.conversation_id, *self.members]
        of_conversations += [self.open.column] if self.open else []
        of_conversations += [self.started_at] if self.started_at else []
        of_people = [self.person_id, *([self.name] if self.name else [])]
        of_people += [self.ours.column] if self.ours else []
        found: dict[str, list[str]] = {}
        for table, names in (
            (self.messages, [*of_messages, *self.values]),
            (self.conversations, of_conversations),
            (self.people, of_people),
        ):
            there = found.setdefault(table, [])
            there += [name for name in names if name not in there]
        if self.typing is not None:
            there = found.setdefault(self.typing.table, [])
            used = (self.typing.conversation, self.typing.sender, self.typing.at)
            there += [name for name in used if name not in there]
        return found


def load_mapping(path: Path, variable: str = "PGNOTIFY_MAPPING") -> Mapping:
    """Read the file. SettingsError with a line for each thing that is wrong, naming ``variable`` and the key."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError([f"{variable}: there is no file {path}"]) from None
    except (OSError, UnicodeDecodeError):
        raise SettingsError([f"{variable}: {path} cannot be read; it must be a text file in UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{variable}: {path} is no TOML: {error}"]) from None
    if given.get("bell") == "none":
        given["bell"] = {"messages": "", "conversations": ""}
    problems = list(_problems(given))
    if problems:
        raise SettingsError([f"{variable}: {path.name}: {line}" for line in problems])
    return _made(given)


def _problems(given: dict[str, Any]) -> list[str]:
    found = []
    for table, keys in given.items():
        if table not in _KEYS or not isinstance(keys, dict):
            found.append(_unknown(f"[{table}]", table, _KEYS))
            continue
        for key, value in keys.items():
            if key not in _KEYS[table]:
                found.append(_unknown(f"[{table}] {key}", key, _KEYS[table]))
            elif not isinstance(value, _KEYS[table][key]):
                found.append(f"[{table}] {key} must be {_word(_KEYS[table][key])}")
            else:
                found += _wrong_value(f"[{table}] {key}", key, value)
    for table, needed in _NEEDED.items():
        there = given.get(table)
        if there is None and table in _OPTIONAL:
            continue
        if not isinstance(there, dict):
            found.append(f"[{table}] is missing")
        else:
            found += [f"[{table}] {key} is missing" for key in needed if key not in there]
    people = given.get("people")
    if isinstance(people, dict) and ("ours" in people) is ("ids" in people):
        found.append(
            "[people] needs either ours = {column, equals} or ids = [...], to know which profiles are ours"
        )
    return found


def _wrong_value(where: str, key: str, value: Any) -> list[str]:
    if key in ("open", "ours"):
        good = set(value) == {"column", "equals"} and isinstance(value["column"], str)
        if not good or not isinstance(value["equals"], (str, int, float, bool)):
            return [f'{where} must be written {{column = "…", equals = …}}']
        return _wrong_name(f"{where} column", value["column"])
    if key == "values":
        wrong = [name for name, one in value.items() if not isinstance(one, (str, int, float, bool))]
        return [f"{where}.{name} must be a text, a number, true or false" for name in wrong] + [
            line for name in value for line in _wrong_name(f"{where}.{name}", name)
        ]
    if isinstance(value, list):
        if not value or not all(isinstance(one, str) and one for one in value):
            return [f"{where} must be a list of texts, with at least one"]
        return [line for one in value for line in _wrong_name(where, one)] if key == "members" else []
    if key == "table":
        return [line for part in value.split(".") for line in _wrong_name(where, part)]
    if where.startswith("[bell]") and not value:
        return []
    return _wrong_name(where, value)


def _wrong_name(where: str, name: str) -> list[str]:
    if not name or len(name.encode()) > _LONGEST_NAME or "\0" in name:
        return [f"{where} must be a name of 1 to {_LONGEST_NAME} bytes"]
    return []


def _unknown(where: str, name: str, known: Any) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"{where} is not known; " + (
        f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    )


def _word(kind: type) -> str:
    words: dict[type, str] = {str: "a text", list: "a list", dict: "a table"}
    return words[kind]


def _equals(given: dict[str, Any] | None) -> Equals | None:
    return Equals(given["column"], given["equals"]) if given else None


def _made(given: dict[str, Any]) -> Mapping:
    messages, conversations, people = given["messages"], given["conversations"], given["people"]
    bell = given.get("bell", {})
    return Mapping(
        messages=messages["table"],
        message_id=messages["id"],
        conversation=messages["conversation"],
        sender=messages["sender"],
        text=messages["text"],
        sent_at=messages["sent_at"],
        edited_at=messages.get("edited_at"),
        deleted_at=messages.get("deleted_at"),
        kind=messages.get("kind"),
        text_kinds=tuple(messages.get("text_kinds", ["text"])),
        conversations=conversations["table"],
        conversation_id=conversations["id"],
        members=tuple(conversations["members"]),
        open=_equals(conversations.get("open")),
        started_at=conversations.get("started_at"),
        people=people["table"],
        person_id=people["id"],
        name=people.get("name"),
        ours=_equals(people.get("ours")),
        our_ids=tuple(people.get("ids", ())),
        values=dict(given.get("write", {}).get("values", {})),
        typing=Typing(**given["typing"]) if "typing" in given else None,
        bell_messages=bell.get("messages", "bot_events") or None,
        bell_conversations=bell.get("conversations", "new_match") or None,
    )
