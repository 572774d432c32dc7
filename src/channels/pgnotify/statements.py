"""The statements on the app's tables, put together from the mapping's names. Names are quoted, values are bound."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from src.channels.pgnotify.catalogue import TIMES, WITHOUT_ZONE, Catalogue, chooses_ids, inserted, table_name
from src.channels.pgnotify.mapping import Equals, Mapping

STARTS_READ = 1000
"""How many conversations in which nobody has written one look covers, newest first."""
MESSAGES_READ = 500
"""How many of a conversation's newest messages are read at once; as many are judged."""


@dataclass(frozen=True, slots=True)
class Statements:
    """Composed once for a mapping and its catalogue."""

    heads: sql.Composed
    """Conversations with a row since ``since``: id, version, time of the newest row."""
    started: sql.Composed | None
    """Conversations that began since ``since`` and in which nobody has written: their ids, newest first."""
    whole: sql.Composed
    """Conversations by ``ids``, each with its newest ``most`` messages, a row for each message."""
    lock: sql.Composed
    """Make other writers of the conversation wait until the transaction ends."""
    insert: sql.Composed
    """Our message, if the conversation still has ``version``."""
    ours: sql.Composed
    """Our message by its id."""


def compose(mapping: Mapping, catalogue: Catalogue) -> Statements:
    """Pure."""
    names = _Names(mapping, catalogue)
    return Statements(
        names.heads(), names.started(), names.whole(), names.lock(), names.insert(), names.ours()
    )


class _Names:
    def __init__(self, mapping: Mapping, catalogue: Catalogue) -> None:
        self._m = mapping
        self._c = catalogue
        self.messages = table_name(mapping.messages)
        self.conversations = table_name(mapping.conversations)
        self.people = table_name(mapping.people)
        self.id_type = self._type(mapping.conversations, mapping.conversation_id)
        self.message_type = self._type(mapping.messages, mapping.message_id)

    def _type(self, table: str, column: str) -> sql.SQL:
        # As ``format_type`` of the catalogue gives it back: a name of a type, quoted where it must be.
        return sql.SQL(self._c.type_of(table, column) or "text")

    @staticmethod
    def _of(alias: str, column: str) -> sql.Identifier:
        return sql.Identifier(alias, column)

    def _time(self, alias: str, table: str, column: str) -> sql.Composed:
        """A time with its zone: one without is UTC."""
        if self._c.type_of(table, column) == WITHOUT_ZONE:
            return sql.SQL("({} AT TIME ZONE 'UTC')").format(self._of(alias, column))
        return sql.SQL("{}").format(self._of(alias, column))

    def _optional_time(self, column: str | None) -> sql.Composed | sql.SQL:
        if column is None or self._c.type_of(self._m.messages, column) not in TIMES:
            return sql.SQL("NULL::timestamptz")
        return self._time("y", self._m.messages, column)

    def _is_deleted(self) -> sql.Composed | sql.SQL:
        column = self._m.deleted_at
        if column is None:
            return sql.SQL("false")
        if self._c.type_of(self._m.messages, column) == "boolean":
            return sql.SQL("coalesce({}, false)").format(self._of("y", column))
        return sql.SQL("({} IS NOT NULL)").format(self._of("y", column))

    def _version(self, conversation: sql.Composable) -> sql.Composed:
        """Changes with any row of the conversation, wherever it stands by its date: a sum has no order."""
        parts = [self._m.message_id, self._m.sender, self._m.text]
        parts += [name for name in (self._m.edited_at, self._m.deleted_at, self._m.kind) if name]
        words = sql.SQL(", ").join(
            sql.SQL("coalesce({}::text, chr(30))").format(self._of("x", name)) for name in parts
        )
        return sql.SQL(
            "(SELECT count(*) || ':' || coalesce(sum(hashtextextended(concat_ws(chr(31), {words}), 0)), 0)"
            " FROM {messages} x WHERE {home} = {conversation})"
        ).format(
            words=words,
            messages=self.messages,
            home=self._of("x", self._m.conversation),
            conversation=conversation,
        )

    def _is(self, alias: str, asked: Equals) -> sql.Composed:
        return sql.SQL("coalesce({} = {}, false)").format(
            self._of(alias, asked.column), sql.Literal(asked.equals)
        )

    def _is_ours(self, alias: str) -> sql.Composed:
        if self._m.ours is not None:
            return self._is(alias, self._m.ours)
        return sql.SQL("({}::text = ANY({}))").format(
            self._of(alias, self._m.person_id), sql.Literal(list(self._m.our_ids))
        )

    def heads(self) -> sql.Composed:
        conversation = self._of("m", self._m.conversation)
        return sql.SQL(
            "SELECT {conversation}::text, {version}, max({sent_at}) FROM {messages} m"
            " WHERE {raw} >= {since} GROUP BY {conversation} ORDER BY 3 DESC"
        ).format(
            conversation=conversation,
            version=self._version(conversation),
            sent_at=self._time("m", self._m.messages, self._m.sent_at),
            messages=self.messages,
            raw=self._of("m", self._m.sent_at),
            since=self._since(),
        )

    def _since(self) -> sql.SQL:
        # Compared as the column is, so that its index serves.
        bare = self._c.type_of(self._m.messages, self._m.sent_at) == WITHOUT_ZONE
        return sql.SQL("(%(since)s::timestamptz AT TIME ZONE 'UTC')" if bare else "%(since)s::timestamptz")

    def started(self) -> sql.Composed | None:
        began = self._m.started_at
        if began is None:
            return None
        bare = self._c.type_of(self._m.conversations, began) == WITHOUT_ZONE
        since = "(%(since)s::timestamptz AT TIME ZONE 'UTC')" if bare else "%(since)s::timestamptz"
        home = self._of("c", self._m.conversation_id)
        return sql.SQL(
            "SELECT {home}::text, {began} FROM {conversations} c WHERE {raw} >= {since}"
            " AND NOT EXISTS (SELECT FROM {messages} x WHERE {of} = {home}) ORDER BY 2 DESC LIMIT {most}"
        ).format(
            home=home,
            began=self._time("c", self._m.conversations, began),
            conversations=self.conversations,
            raw=self._of("c", began),
            since=sql.SQL(since),
            messages=self.messages,
            of=self._of("x", self._m.conversation),
            most=sql.Literal(STARTS_READ),
        )

    def whole(self) -> sql.Composed:
        home = self._of("c", self._m.conversation_id)
        members = [sql.SQL("{}::text").format(self._of("c", name)) for name in self._m.members]
        joins, facts = [], []
        for number, member in enumerate(self._m.members):
            alias = f"p{number}"
            joins.append(
                sql.SQL("LEFT JOIN {people} {alias} ON {id} = {member}").format(
                    people=self.people,
                    alias=sql.Identifier(alias),
                    id=self._of(alias, self._m.person_id),
                    member=self._of("c", member),
                )
            )
            name = (
                sql.SQL("{}::text").format(self._of(alias, self._m.name)) if self._m.name else sql.SQL("NULL")
            )
            there = sql.SQL("({} IS NOT NULL)").format(self._of(alias, self._m.person_id))
            facts += [name, self._is_ours(alias), there]
        return sql.SQL(
            "SELECT {home}::text, now(), {is_open}, v.version, {members}, {facts},"
            " y.id, y.sender, y.text, y.sent_at, y.edited_at, y.deleted, y.kind, {began}"
            # OFFSET 0 keeps it a step of its own: else the version is made again for each message that is shown.
            " FROM {conversations} c {joins} CROSS JOIN LATERAL (SELECT {version} AS version OFFSET 0) v"
            " LEFT JOIN LATERAL ({newest}) y ON true"
            " WHERE {home} = ANY(%(ids)s::{id_type}[]) ORDER BY 1, y.sent_at, y.id"
        ).format(
            home=home,
            began=self._time("c", self._m.conversations, self._m.started_at)
            if self._m.started_at
            else sql.SQL("NULL::timestamptz"),
            is_open=self._is("c", self._m.open) if self._m.open else sql.SQL("true"),
            version=self._version(home),
            members=sql.SQL(", ").join(members),
            facts=sql.SQL(", ").join(facts),
            conversations=self.conversations,
            joins=sql.SQL(" ").join(joins),
            newest=self._newest(home),
            id_type=self.id_type,
        )

    def _newest(self, home: sql.Identifier) -> sql.Composed:
        kind = (
            sql.SQL("{}::text").format(self._of("y", self._m.kind)) if self._m.kind else sql.SQL("NULL::text")
        )
        return sql.SQL(
            "SELECT {id}::text AS id, {sender}::text AS sender, {text}::text AS text, {sent_at} AS sent_at,"
            " {edited_at} AS edited_at, {deleted} AS deleted, {kind} AS kind"
            " FROM {messages} y WHERE {conversation} = {home} ORDER BY {order} DESC, {id} DESC LIMIT %(most)s"
        ).format(
            id=self._of("y", self._m.message_id),
            sender=self._of("y", self._m.sender),
            text=self._of("y", self._m.text),
            sent_at=self._time("y", self._m.messages, self._m.sent_at),
            edited_at=self._optional_time(self._m.edited_at),
            deleted=self._is_deleted(),
            kind=kind,
            messages=self.messages,
            conversation=self._of("y", self._m.conversation),
            home=home,
            order=self._of("y", self._m.sent_at),
        )

    def lock(self) -> sql.Composed:
        # An INSERT of a message locks the conversation FOR KEY SHARE by the foreign key, until it commits. Only
        # FOR UPDATE excludes that: it waits for them, and they for us.
        return sql.SQL("SELECT 1 FROM {conversations} WHERE {id} = %(id)s::{type} FOR UPDATE").format(
            conversations=self.conversations, id=sql.Identifier(self._m.conversation_id), type=self.id_type
        )

    def insert(self) -> sql.Composed:
        names = inserted(self._m, self._c)
        given: dict[str, sql.Composable] = {
            self._m.message_id: sql.SQL("%(key)s::{}").format(self.message_type),
            self._m.conversation: sql.SQL("%(id)s::{}").format(
                self._type(self._m.messages, self._m.conversation)
            ),
            self._m.sender: sql.SQL("%(sender)s::{}").format(self._type(self._m.messages, self._m.sender)),
            self._m.text: sql.SQL("%(text)s"),
            self._m.sent_at: sql.SQL("clock_timestamp()"),
            **{name: sql.Literal(value) for name, value in self._m.values.items()},
        }
        return sql.SQL(
            "INSERT INTO {messages} ({names}) SELECT {values} WHERE {version} = %(version)s"
            " ON CONFLICT DO NOTHING RETURNING {id}::text, {sent_at}"
        ).format(
            messages=self.messages,
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(given[name] for name in names),
            version=self._version(
                sql.SQL("%(id)s::{}").format(self._type(self._m.messages, self._m.conversation))
            ),
            id=sql.Identifier(self._m.message_id),
            sent_at=self._returned_time(),
        )

    def _returned_time(self) -> sql.Composed:
        bare = self._c.type_of(self._m.messages, self._m.sent_at) == WITHOUT_ZONE
        return sql.SQL("{} AT TIME ZONE 'UTC'" if bare else "{}").format(sql.Identifier(self._m.sent_at))

    def ours(self) -> sql.Composed:
        chosen = chooses_ids(self._m, self._c)
        return sql.SQL("SELECT {id}::text, {sent_at} FROM {messages} WHERE {id} = %(key)s::{type}").format(
            id=sql.Identifier(self._m.message_id),
            sent_at=self._returned_time(),
            messages=self.messages,
            type=self.message_type if chosen else sql.SQL("text"),
        )
