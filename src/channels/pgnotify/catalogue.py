"""What the app's database really has of the mapping: columns, types, rights, the foreign key, the indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from src.channels.pgnotify.link import Link
from src.channels.pgnotify.mapping import Mapping

WITHOUT_ZONE = "timestamp without time zone"
TIMES = frozenset({"timestamp with time zone", WITHOUT_ZONE})
TEXTS = frozenset({"text", "character varying"})
ID_LENGTH = 36
"""Of a uuid as text."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue has it."""

    type: str
    """Without a length: ``character varying``."""
    length: int | None
    has_default: bool
    may_select: bool
    may_insert: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is there of the mapping's tables, and what the role may do with it."""

    columns: dict[str, dict[str, Column]]
    """Table → column. A table that is not there, or cannot be seen, is left out."""
    foreign_key: bool
    """``messages.conversation`` refers to ``conversations.id``: a lock on the conversation holds inserts off."""
    may_lock: bool
    """The role may lock a row of the conversations (UPDATE of any one column)."""
    unique_ids: bool
    """``messages.id`` is unique."""
    indexes: frozenset[tuple[str, ...]]
    """The leading columns of the indexes of the messages."""
    row_security: frozenset[str]
    """The tables with row-level security."""

    def column(self, table: str, name: str) -> Column | None:
        return self.columns.get(table, {}).get(name)

    def type_of(self, table: str, name: str) -> str:
        """The column's type; '' if it is not there."""
        found = self.column(table, name)
        return found.type if found else ""


_COLUMNS = sql.SQL("""
SELECT given.name, a.attname, format_type(a.atttypid, NULL),
       CASE WHEN a.atttypmod > 4 THEN a.atttypmod - 4 END,
       a.atthasdef OR a.attidentity <> '',
       has_column_privilege(c.oid, a.attnum, 'SELECT'), has_column_privilege(c.oid, a.attnum, 'INSERT')
  FROM unnest(%(tables)s::text[], %(quoted)s::text[]) AS given(name, quoted)
  JOIN pg_class c ON c.oid = to_regclass(given.quoted)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
""")
_FACTS = sql.SQL("""
SELECT EXISTS (
         SELECT FROM pg_constraint k
         JOIN pg_attribute mine ON mine.attrelid = k.conrelid AND mine.attnum = k.conkey[1]
         JOIN pg_attribute their ON their.attrelid = k.confrelid AND their.attnum = k.confkey[1]
         WHERE k.contype = 'f' AND array_length(k.conkey, 1) = 1
           AND k.conrelid = to_regclass(%(messages)s) AND k.confrelid = to_regclass(%(conversations)s)
           AND mine.attname = %(conversation)s AND their.attname = %(conversation_id)s),
       coalesce(has_any_column_privilege(to_regclass(%(conversations)s), 'UPDATE'), false),
       EXISTS (
         SELECT FROM pg_index i
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = to_regclass(%(messages)s) AND i.indisunique AND i.indnkeyatts = 1
           AND i.indpred IS NULL AND a.attname = %(message_id)s)
""")
_INDEXES = sql.SQL("""
SELECT array_agg(a.attname::text ORDER BY k.place)
  FROM pg_index i
 CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = to_regclass(%(messages)s) AND i.indisvalid AND i.indpred IS NULL
 GROUP BY i.indexrelid
""")
_ROW_SECURITY = sql.SQL("""
SELECT given.name FROM unnest(%(tables)s::text[], %(quoted)s::text[]) AS given(name, quoted)
  JOIN pg_class c ON c.oid = to_regclass(given.quoted) WHERE c.relrowsecurity
""")


_TRIGGERS = sql.SQL("""
SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
 WHERE t.tgrelid = to_regclass(%(messages)s) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
   AND (position(%(channel)s IN p.prosrc) > 0 OR position(%(channel)s IN encode(t.tgargs, 'escape')) > 0)
""")


def table_name(name: str) -> sql.Identifier:
    """``public.messages`` or ``messages``, quoted."""
    return sql.Identifier(*name.split("."))


def quoted(name: str) -> str:
    """The same as text, for ``to_regclass``."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


async def look_up(link: Link, mapping: Mapping) -> Catalogue:
    """Ask the database. Reads the catalogue only; raises what a Link raises."""
    tables = sorted(mapping.columns())
    names: dict[str, Any] = {"tables": tables, "quoted": [quoted(name) for name in tables]}
    columns: dict[str, dict[str, Column]] = {}
    for table, column, *facts in await link.rows(_COLUMNS, names):
        columns.setdefault(table, {})[column] = Column(*facts)
    asked = {
        "messages": quoted(mapping.messages),
        "conversations": quoted(mapping.conversations),
        "conversation": mapping.conversation,
        "conversation_id": mapping.conversation_id,
        "message_id": mapping.message_id,
    }
    ((foreign_key, may_lock, unique_ids),) = await link.rows(_FACTS, asked)
    indexes = await link.rows(_INDEXES, {"messages": asked["messages"]})
    secured = await link.rows(_ROW_SECURITY, names)
    return Catalogue(
        columns,
        foreign_key,
        may_lock,
        unique_ids,
        frozenset(tuple(row[0]) for row in indexes),
        frozenset(row[0] for row in secured),
    )


def chooses_ids(mapping: Mapping, catalogue: Catalogue) -> bool:
    """Whether our messages get an id of our own choice: then what became of a press can always be said."""
    found = catalogue.column(mapping.messages, mapping.message_id)
    if found is None or not catalogue.unique_ids or not found.may_insert:
        return False
    fits = found.type in TEXTS and (found.length or ID_LENGTH) >= ID_LENGTH
    return found.type == "uuid" or fits


def compares(catalogue: Catalogue) -> bool:
    """Whether a lock on the conversation makes other writers wait (``docs/adr``, compare-and-insert)."""
    return catalogue.foreign_key and catalogue.may_lock


def differences(mapping: Mapping, catalogue: Catalogue) -> list[str]:
    """What the mapping names and the database has not, or has otherwise, a line each; empty if all is well."""
    found: list[str] = []
    for table, names in mapping.columns().items():
        there = catalogue.columns.get(table)
        if there is None:
            found.append(f"there is no table {table} that this role may see")
            continue
        found += [f"there is no column {table}.{name}" for name in names if name not in there]
        seen = [name for name in names if name in there and not there[name].may_select]
        found += [f"the role may not read {table}.{name}" for name in seen if name not in mapping.values]
    found += [
        f"{table}.{name} is {kind}; it must be a time (timestamp with time zone)"
        for table, name in ((mapping.messages, mapping.sent_at), (mapping.conversations, mapping.started_at))
        if name and (kind := catalogue.type_of(table, name)) and kind not in TIMES
    ]
    found += [
        f"the role may not insert {mapping.messages}.{name}"
        for name in inserted(mapping, catalogue)
        if (column := catalogue.column(mapping.messages, name)) and not column.may_insert
    ]
    return found


def inserted(mapping: Mapping, catalogue: Catalogue) -> list[str]:
    """The columns that a reply is written with."""
    names = [mapping.conversation, mapping.sender, mapping.text, *mapping.values]
    if chooses_ids(mapping, catalogue):
        names.insert(0, mapping.message_id)
    sent_at = catalogue.column(mapping.messages, mapping.sent_at)
    if sent_at and not sent_at.has_default and mapping.sent_at not in names:
        names.append(mapping.sent_at)
    return names


async def has_trigger(link: Link, mapping: Mapping) -> bool:
    """Whether a trigger of the messages names the bell. An app that rings by itself has none."""
    if mapping.bell_messages is None:
        return False
    asked = {"messages": quoted(mapping.messages), "channel": mapping.bell_messages}
    ((number,),) = await link.rows(_TRIGGERS, asked)
    return bool(number)
