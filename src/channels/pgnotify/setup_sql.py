"""What the owner of the app's database runs once: a role, its rights, policies, a trigger, indexes.

It is only printed. Every name and value of the mapping is quoted.
"""

# ruff: noqa: S608, ISC004 - a text to be read by a person, not a statement that is run

from __future__ import annotations

from psycopg import sql

from src.channels.pgnotify.catalogue import quoted
from src.channels.pgnotify.mapping import Equals, Mapping

ROLE = "nightporter"


def setup_sql(mapping: Mapping) -> str:
    """SQL for the owner of the database to read, adapt and run, and how to take all of it back. Pure."""
    return (
        _HEAD
        + "\n".join(_grants(mapping) + _policies(mapping) + _trigger(mapping) + _indexes(mapping))
        + "\n"
    )


_HEAD = f"""-- Read this before you run it, and change what does not suit you. Nightporter itself runs none of it.
-- Run it as the owner of the tables. The password goes into the address: postgresql://{ROLE}:…@host:5432/…

CREATE ROLE {ROLE} LOGIN PASSWORD 'write-a-long-random-one' NOSUPERUSER NOCREATEDB NOCREATEROLE;
"""


def _name(text: str) -> str:
    return quoted(text)


def _column(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _columns(names: list[str]) -> str:
    return ", ".join(_column(name) for name in names)


def _value(value: object) -> str:
    return sql.Literal(value).as_string(None)


def _schemas(mapping: Mapping) -> list[str]:
    return sorted({table.split(".")[0] if "." in table else "public" for table in mapping.columns()})


def _grants(mapping: Mapping) -> list[str]:
    by_table = mapping.columns()
    written = [mapping.message_id, mapping.conversation, mapping.sender, mapping.text, mapping.sent_at]
    written += [name for name in mapping.values if name not in written]
    lines = ["", "-- It reads the mapping's columns, and no others."]
    lines += [f"GRANT USAGE ON SCHEMA {_column(schema)} TO {ROLE};" for schema in _schemas(mapping)]
    lines += [
        f"GRANT SELECT ({_columns(names)}) ON {_name(table)} TO {ROLE};" for table, names in by_table.items()
    ]
    lines += [
        "-- It writes messages.",
        f"GRANT INSERT ({_columns(written)}) ON {_name(mapping.messages)} TO {ROLE};",
        "-- The right to change one column is what SELECT … FOR UPDATE asks for. Nightporter changes nothing there:",  # noqa: E501
        "-- it holds a conversation for the moment in which it answers, so that nobody is answered over.",
        f"GRANT UPDATE ({_column(mapping.conversation_id)}) ON {_name(mapping.conversations)} TO {ROLE};",
    ]
    if mapping.typing is not None:
        used = _columns([mapping.typing.conversation, mapping.typing.sender, mapping.typing.at])
        lines += [
            "-- It shows that our profile types.",
            f"GRANT INSERT ({used}), UPDATE ({_column(mapping.typing.at)})"
            f" ON {_name(mapping.typing.table)} TO {ROLE};",
        ]
    return lines


def _is(asked: Equals) -> str:
    return f"{_column(asked.column)} = {_value(asked.equals)}"


def _ours(mapping: Mapping) -> str:
    person = _column(mapping.person_id)
    if mapping.ours is not None:
        return f"SELECT {person} FROM {_name(mapping.people)} WHERE {_is(mapping.ours)}"
    ids = ", ".join(_value(one) for one in mapping.our_ids)
    return f"SELECT {person} FROM {_name(mapping.people)} WHERE {person}::text IN ({ids})"


def _policies(mapping: Mapping) -> list[str]:
    ours = _ours(mapping)
    members = " OR ".join(f"{_column(name)} IN ({ours})" for name in mapping.members)
    home = _column(mapping.conversation)
    conversations = (
        f"SELECT {_column(mapping.conversation_id)} FROM {_name(mapping.conversations)} WHERE {members}"
    )
    messages, matches, people = map(_name, (mapping.messages, mapping.conversations, mapping.people))
    return [
        "",
        "-- Policies: they hold where row-level security is on (as on Supabase), and do nothing elsewhere.",
        "-- It sees conversations of our profiles only, and writes there in their name only. WITH CHECK (false)",
        "-- lets it lock a conversation and change nothing of it.",
        f"CREATE POLICY {ROLE}_reads ON {people} FOR SELECT TO {ROLE} USING (true);",
        f"CREATE POLICY {ROLE}_reads ON {matches} FOR SELECT TO {ROLE} USING ({members});",
        f"CREATE POLICY {ROLE}_locks ON {matches} FOR UPDATE TO {ROLE} USING ({members}) WITH CHECK (false);",
        f"CREATE POLICY {ROLE}_reads ON {messages} FOR SELECT TO {ROLE} USING ({home} IN ({conversations}));",
        f"CREATE POLICY {ROLE}_writes ON {messages} FOR INSERT TO {ROLE}"
        f" WITH CHECK ({_column(mapping.sender)} IN ({ours}) AND {home} IN ({conversations}));",
    ]


def _trigger(mapping: Mapping) -> list[str]:
    if mapping.bell_messages is None:
        return []
    key = mapping.conversation.replace("'", "''")
    return [
        "",
        "-- The bell: ids only, never the text, for a note of 8,000 bytes would make the app's own INSERT fail.",
        "-- Leave it out where your app rings already. It takes a lock at each commit; above some hundred messages",
        '-- a second rather write bell = "none" and PGNOTIFY_POLL_SEC=0.2.',
        f"CREATE FUNCTION {ROLE}_ring() RETURNS trigger LANGUAGE plpgsql AS $$",
        "BEGIN",
        f"  PERFORM pg_notify({_value(mapping.bell_messages)},"
        f" json_build_object('{key}', NEW.{_column(mapping.conversation)})::text);",
        "  RETURN NULL;",
        "END $$;",
        f"CREATE TRIGGER {ROLE}_ring AFTER INSERT OR UPDATE ON {_name(mapping.messages)}",
        f"  FOR EACH ROW EXECUTE FUNCTION {ROLE}_ring();",
    ]


def _index_of_starts(mapping: Mapping) -> list[str]:
    if mapping.started_at is None:
        return []
    return [
        f"CREATE INDEX CONCURRENTLY {ROLE}_by_beginning ON {_name(mapping.conversations)}"
        f" ({_column(mapping.started_at)});"
    ]


def _indexes(mapping: Mapping) -> list[str]:
    messages = _name(mapping.messages)
    undo = [f"DROP TRIGGER {ROLE}_ring ON {messages};", f"DROP FUNCTION {ROLE}_ring();"]
    return [
        "",
        "-- Where there are none yet (`pgnotify check` says so).",
        f"CREATE INDEX CONCURRENTLY {ROLE}_by_time ON {messages} ({_column(mapping.sent_at)});",
        f"CREATE INDEX CONCURRENTLY {ROLE}_by_conversation ON {messages}"
        f" ({_column(mapping.conversation)}, {_column(mapping.sent_at)});",
        *_index_of_starts(mapping),
        "",
        "-- To take all of it back:",
        *(f"--   {line}" for line in (undo if mapping.bell_messages else [])),
        f"--   DROP POLICY {ROLE}_writes ON {messages}; DROP POLICY {ROLE}_reads ON {messages};",
        f"--   DROP POLICY {ROLE}_locks ON {_name(mapping.conversations)};"
        f" DROP POLICY {ROLE}_reads ON {_name(mapping.conversations)};",
        f"--   DROP POLICY {ROLE}_reads ON {_name(mapping.people)};",
        f"--   DROP INDEX {ROLE}_by_time; DROP INDEX {ROLE}_by_conversation;"
        + (f" DROP INDEX {ROLE}_by_beginning;" if mapping.started_at else ""),
        f"--   DROP OWNED BY {ROLE}; DROP ROLE {ROLE};",
    ]
