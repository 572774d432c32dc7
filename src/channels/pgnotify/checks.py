"""``pgnotify check``: what the channel rests on, asked of the app's database. It leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from psycopg import sql

from src.channels.pgnotify import catalogue as catalogues
from src.channels.pgnotify.bell import Bell, Ear
from src.channels.pgnotify.catalogue import Catalogue, table_name
from src.channels.pgnotify.link import Link
from src.channels.pgnotify.mapping import Mapping
from src.channels.pgnotify.statements import compose
from src.errors import NightporterError, SettingsError
from src.model.sending import Press

_BELL_SEC = 5.0
_CLOCK_SEC = 60.0
_CLOCK = sql.SQL("SELECT now()")
_RING = sql.SQL("SELECT pg_notify(%(channel)s, '')")


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, what was found, and what to do if it is not well."""

    what: str
    words: str
    ok: bool = True
    help: str = ""


async def checks(mapping: Mapping, conninfo: str) -> AsyncIterator[Check]:
    """The findings in their order. SettingsError if the mapping does not fit; else what a Link raises."""
    link = await Link.open(conninfo)
    try:
        found = await catalogues.look_up(link, mapping)
        wrong = catalogues.differences(mapping, found)
        if wrong:
            raise SettingsError([f"PGNOTIFY_MAPPING: {line}" for line in wrong])
        yield Check("mapping", "every table and column is there, and may be read and written as needed")
        for check in (_identity(mapping, found), _ids(mapping, found), *_order(mapping, found)):
            yield check
        for ask in (_profiles, _trial, _triggers):
            yield await ask(link, mapping, found)
        yield await _bell(link, mapping, conninfo)
        yield await _clock(link)
    finally:
        await link.close()


def _identity(mapping: Mapping, _found: Catalogue) -> Check:
    return Check("inbox", f"of the profiles with {mapping.viewer}")


def _ids(mapping: Mapping, found: Catalogue) -> Check:
    if catalogues.chooses_ids(mapping, found):
        return Check("ids", "ours are chosen by us: what became of a reply can always be said")
    kind = found.type_of(mapping.messages, mapping.message_id)
    return Check(
        "ids",
        f"{mapping.messages}.{mapping.message_id} is {kind}: after a cut a reply is looked for by its text",
        ok=False,
        help="a uuid or text column with a unique index that the role may write takes this doubt away",
    )


def _order(mapping: Mapping, found: Catalogue) -> list[Check]:
    lacking = [
        words
        for there, words in (
            (
                found.foreign_key,
                f"{mapping.messages}.{mapping.conversation} has no foreign key to the conversations",
            ),
            (found.may_lock, f"the role may not lock rows of {mapping.conversations}"),
        )
        if not there
    ]
    compares = Check(
        "press", "nobody is answered over: a reply is only written if nothing stands there unread"
    )
    if lacking:
        compares = Check(
            "press",
            f"compares is off: {'; '.join(lacking)}. Who writes in the instant of the press may be answered over",
            ok=False,
            help="`pgnotify sql` prints the grant; the foreign key is the app's own to add",
        )
    leading = {index[0] for index in found.indexes if index}
    missing = [name for name in (mapping.sent_at, mapping.conversation) if name not in leading]
    indexes = Check("indexes", "there is one for the time, and one for the conversation")
    if missing:
        indexes = Check(
            "indexes",
            f"none of {mapping.messages} begins with {' or '.join(missing)}: each look reads the whole table",
            ok=False,
            help="`pgnotify sql` prints them",
        )
    return [compares, indexes]


async def _profiles(link: Link, mapping: Mapping, _found: Catalogue) -> Check:
    if mapping.ours is not None:
        asked = sql.SQL("SELECT count(*) FROM {} WHERE {} = {}").format(
            table_name(mapping.people), sql.Identifier(mapping.ours.column), sql.Literal(mapping.ours.equals)
        )
    else:
        asked = sql.SQL("SELECT count(*) FROM {} WHERE {}::text = ANY({})").format(
            table_name(mapping.people), sql.Identifier(mapping.person_id), sql.Literal(list(mapping.our_ids))
        )
    ((number,),) = await link.rows(asked)
    if number:
        return Check("profiles", f"{number} of ours")
    return Check(
        "profiles", "none is ours: nothing would be answered", ok=False, help="look at [people] ours or ids"
    )


async def _trial(link: Link, mapping: Mapping, found: Catalogue) -> Check:
    """A reply in the newest conversation, rolled back: rights, row-level security and constraints in one."""
    heads = await link.rows(
        sql.SQL("SELECT {}::text FROM {} ORDER BY {} DESC LIMIT 20").format(
            sql.Identifier(mapping.conversation),
            table_name(mapping.messages),
            sql.Identifier(mapping.sent_at),
        )
    )
    statements = compose(mapping, found)
    ids = list(dict.fromkeys(row[0] for row in heads if row[0] is not None))
    rows = await link.rows(statements.whole, {"ids": ids, "most": 1})
    number = len(mapping.members)
    for row in rows:
        ours = [row[4 + n] for n in range(number) if row[4 + number + 3 * n + 1]]
        if ours:
            return await _try_one(link, statements, row, ours[0])
    return Check("rights", "not tried: there is no conversation of ours with a message yet")


async def _try_one(link: Link, statements: Any, row: tuple[Any, ...], sender: str) -> Check:
    from src.channels.pgnotify.channel import message_id  # noqa: PLC0415 - which imports much more

    values = {
        "id": row[0],
        "key": message_id(Press(str(uuid4()), None)),
        "sender": sender,
        "text": "A trial that is taken back",
        "version": row[3],
    }
    try:
        async with link.transaction() as within:
            within.keep = False
            await within.rows(statements.lock, values)
            written = await within.rows(statements.insert, values)
    except NightporterError as error:
        return Check(
            "rights",
            f"a reply cannot be written ({error})",
            ok=False,
            help="`pgnotify sql` prints grants and policies; what has no default goes into [write] values",
        )
    if written:
        return Check("rights", "a reply was written in a conversation, as a trial, and taken back")
    return Check("rights", "not tried: somebody wrote there in the same moment; run it again")


async def _triggers(link: Link, mapping: Mapping, _found: Catalogue) -> Check:
    if mapping.bell_messages is None:
        return Check("trigger", "none is wanted: new rows are found by looks")
    if await catalogues.has_trigger(link, mapping):
        return Check("trigger", f"{mapping.messages} rings {mapping.bell_messages}")
    return Check(
        "trigger",
        f"no trigger of {mapping.messages} names {mapping.bell_messages}: new rows are found by looks, up to"
        " PGNOTIFY_POLL_SEC late",
        ok=False,
        help="`pgnotify sql` prints one; an app that rings by itself needs none",
    )


async def _bell(link: Link, mapping: Mapping, conninfo: str) -> Check:
    ear = Ear(mapping.conversation, lambda _: True)
    bell = Bell.at(conninfo, (f"nightporter_check_{uuid4().hex}",), ear)
    try:
        async with asyncio.timeout(_BELL_SEC):
            await ear.news.wait()  # it is open
        heard = await bell.heard_within(lambda: link.rows(_RING, {"channel": bell.own}), _BELL_SEC)
    except TimeoutError:
        heard = False
    finally:
        await bell.leave(ear)
    if heard:
        return Check("bell", "it rings through this address")
    return Check(
        "bell",
        "LISTEN hears nothing through this address: a pooler in transaction mode",
        ok=False,
        help="write the database's direct address, or set the pooler to session mode",
    )


async def _clock(link: Link) -> Check:
    ((theirs,),) = await link.rows(_CLOCK)
    apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart < _CLOCK_SEC:
        return Check("clocks", "agree")
    return Check("clocks", f"differ by {apart:.0f} s; ages are judged by the database's own", ok=True)
