"""The channel on an app's tables: looking, reading, the press, and what became of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.pgnotify.app import MAPPING
from src.channels.pgnotify.channel import message_id
from src.errors import (
    CannotWrite,
    ChannelGone,
    NotPressed,
    PageChanged,
    PermanentError,
    SettingsError,
    WallHit,
)
from src.model.inbox import AuthorRole, MessageKind
from src.model.sending import Finding, Press, Receipt
from tests.support.waiting import until

pytestmark = pytest.mark.postgres

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PRESS = Press("job-1", None)


def texts(view):
    return [m.text for m in view.messages]


# --- looking and reading -----------------------------------------------------------------------------------------


async def test_a_conversation_is_read_with_roles_names_and_kinds(app, channel):
    match = app.match(app.profile("Uwe"))
    app.user_writes(match, "Hello")
    app.bot_person_writes(match, "Hi Uwe")
    app.stranger_writes(match, "Be nice")
    app.user_writes(match, "https://pictures.example/1", kind="image")
    gone = app.user_writes(match, "Oops", deleted_at=datetime.now(UTC))
    view = await channel.read(match)
    assert [(m.role, m.kind, m.author_name) for m in view.messages] == [
        (AuthorRole.GUEST, MessageKind.TEXT, "Uwe"),
        (AuthorRole.HOST, MessageKind.TEXT, "Bea (a bot)"),
        (AuthorRole.TEAM, MessageKind.TEXT, None),
        (AuthorRole.GUEST, MessageKind.MEDIA, "Uwe"),
        (AuthorRole.GUEST, MessageKind.TEXT, "Uwe"),
    ]
    assert view.messages[-1].external_id == gone
    assert view.messages[-1].deleted
    assert texts(view) == ["Hello", "Hi Uwe", "Be nice", None, None]
    assert (view.guest_name, view.is_hosting, view.viewer_is_host, view.compared) == ("Uwe", True, True, True)


async def test_a_match_that_has_ended_or_lost_its_user_is_not_answered(app, channel):
    over, left = app.match(), app.match()
    for match in (over, left):
        app.user_writes(match, "Hello")
    app.unmatch(over)
    app.conn.execute("DELETE FROM profiles WHERE id = (SELECT user_id FROM matches WHERE id = %s)", (left,))
    for match in (over, left):
        assert not (await channel.read(match)).is_hosting
        with pytest.raises(CannotWrite):
            await channel.write(match, "Hello?")


async def test_a_ring_names_the_conversation_and_only_that_is_told(app, channel):
    first, second = app.match(), app.match()
    app.user_writes(first, "Hello")
    await channel.glance(LONG_AGO, thorough=True)
    while await channel.wait_for_news(0.3):
        await channel.glance(LONG_AGO)
    app.user_writes(second, "Good morning")
    assert await channel.wait_for_news(5)
    glance = await channel.glance(LONG_AGO)
    assert [c.external_id for c in glance.conversations] == [second]
    assert not glance.complete
    assert glance.conversations[0].opened


@pytest.mark.parametrize("payload", ["", "look!", "{}", '{"match_id": "42"}', "[1]", '{"match_id": null}'])
async def test_a_note_that_cannot_be_read_is_a_ring_all_the_same(app, channel, payload):
    match = app.match()
    await channel.glance(LONG_AGO, thorough=True)
    while await channel.wait_for_news(0.3):
        await channel.glance(LONG_AGO)
    app.conn.execute("ALTER TABLE messages DISABLE TRIGGER ALL")
    app.user_writes(match, "Hello")
    app.conn.execute("SELECT pg_notify('bot_events', %s)", (payload,))
    assert await channel.wait_for_news(5)
    glance = await channel.glance(LONG_AGO)
    assert glance.complete
    assert [texts(c) for c in glance.conversations] == [["Hello"]]


async def test_without_triggers_the_look_at_an_interval_finds_it(app, make_channel):
    channel = make_channel(poll_sec=0.05)
    await channel.open()
    app.conn.execute("DROP FUNCTION tell_bots CASCADE")
    match = app.match()
    await channel.glance(LONG_AGO, thorough=True)
    app.user_writes(match, "Hello")
    assert await channel.wait_for_news(5)
    await channel.glance(LONG_AGO)
    glance = await channel.glance(datetime.now(UTC) - timedelta(minutes=10))
    assert [c.external_id for c in glance.conversations] == [match]
    await channel.close()


async def test_whether_new_rows_announce_themselves_is_said_with_each_look(app, channel):
    async def bell(*, thorough):
        while await channel.wait_for_news(0.3):
            await channel.glance(LONG_AGO)
        return (await channel.glance(LONG_AGO, thorough=thorough)).bell

    assert await bell(thorough=True) == "rings"
    app.conn.execute("DROP FUNCTION tell_bots CASCADE")
    assert await bell(thorough=True) == "none"
    app.conn.execute("SELECT pg_notify('bot_events', 'the app rings by itself')")
    assert await channel.wait_for_news(5)
    assert (await channel.glance(LONG_AGO)).bell == "rings"


async def test_without_a_bell_in_the_mapping_none_is_said(app, make_channel):
    channel = make_channel(f'bell = "none"\n{MAPPING}')
    await channel.open()
    assert (await channel.glance(LONG_AGO, thorough=True)).bell == "none"
    await channel.close()


async def test_a_listener_that_was_cut_is_opened_anew_and_everything_is_looked_at(app, channel):
    match = app.match()
    await channel.glance(LONG_AGO, thorough=True)
    app.cut()
    app.user_writes(match, "Hello")
    seen = []
    for _ in range(20):
        await channel.wait_for_news(5)
        seen = (await channel.glance(LONG_AGO)).conversations
        if seen:
            break
    assert [texts(c) for c in seen] == [["Hello"]]


async def test_a_version_changes_with_any_row_also_one_dated_long_before(app, channel):
    match = app.match()
    app.user_writes(match, "One")
    before = (await channel.read(match)).fingerprint
    assert (await channel.read(match)).fingerprint == before
    app.user_writes(match, "Zero", created_at=LONG_AGO)
    after = await channel.read(match)
    assert after.newest.text == "One"
    assert after.fingerprint != before


async def test_an_edit_is_seen_though_nothing_but_the_text_tells(app, channel):
    match = app.match()
    message = app.user_writes(match, "One")
    before = (await channel.read(match)).fingerprint
    app.conn.execute("UPDATE messages SET content = 'Two' WHERE id = %s", (message,))
    assert (await channel.read(match)).fingerprint != before


# --- the press -------------------------------------------------------------------------------------------------


async def ready(channel, match, text="An answer"):
    await channel.read(match)
    await channel.write(match, text)
    await channel.reread(match)


async def test_the_press_writes_one_row_under_an_id_that_follows_from_the_job(app, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    await ready(channel, match)
    receipt = await channel.press_send(match, PRESS)
    assert receipt.external_id == message_id(PRESS) == app.rows(match)[-1].id
    assert app.answers(match) == ["An answer"]
    assert await channel.find(match, PRESS) == receipt
    assert await channel.find(match, Press("job-2", None)) is Finding.NOT_SENT


async def test_the_same_press_twice_is_one_row(app, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    await ready(channel, match)
    first = await channel.press_send(match, PRESS)
    await ready(channel, match)
    assert await channel.press_send(match, PRESS) == first
    assert app.answers(match) == ["An answer"]


@pytest.mark.parametrize("when", [None, LONG_AGO], ids=["now", "dated long before"])
@pytest.mark.parametrize("who", ["user_writes", "bot_person_writes"])
async def test_nothing_is_written_over_a_row_that_was_not_read(app, channel, who, when):
    match = app.match()
    app.user_writes(match, "Hello")
    await ready(channel, match)
    if when is None:
        getattr(app, who)(match, "Wait")
    else:
        app.user_writes(match, "Wait", created_at=when)
    with pytest.raises(NotPressed):
        await channel.press_send(match, PRESS)
    assert app.texts(match).count("An answer") == 0


async def test_the_press_waits_for_a_row_that_is_not_committed_yet_and_then_refuses(app, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    with app.writing_slowly(match, "Wait"):
        await ready(channel, match)
        pressing = asyncio.create_task(channel.press_send(match, PRESS))
        await until(lambda: app.waiting() == 1)
    with pytest.raises(NotPressed):
        await pressing
    assert app.texts(match) == ["Hello", "Wait"]


async def test_a_row_that_stays_uncommitted_too_long_gives_the_reply_back(app, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    with app.writing_slowly(match, "Wait"):
        await ready(channel, match)
        with pytest.raises(NotPressed):
            await channel.press_send(match, PRESS)
    assert app.texts(match) == ["Hello", "Wait"]


async def test_what_the_press_may_not_do_is_given_back_and_named_at_the_next_look(app, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    await ready(channel, match)
    app.conn.execute("ALTER TABLE messages RENAME COLUMN content TO body")
    with pytest.raises(NotPressed):
        await channel.press_send(match, PRESS)
    with pytest.raises(PageChanged) as changed:
        await channel.read(match)
    assert "messages.content" in str(changed.value)
    assert changed.value.evidence


async def test_find_waits_for_a_commit_that_may_still_be_on_its_way(app, channel, make_channel):
    match = app.match()
    app.user_writes(match, "Hello")
    await ready(channel, match)
    other = make_channel()
    await other.open()
    await other.read(match)
    link, ask = channel._link, channel._statements
    values = {"id": match, "key": message_id(PRESS), "sender": app.bot, "text": "An answer"}
    async with link.transaction() as within:
        await within.rows(ask.lock, values)
        await within.rows(ask.insert, {**values, "version": channel._here[match].version})
        finding = asyncio.create_task(other.find(match, PRESS))
        await until(lambda: app.waiting() == 1)
        assert not finding.done()
    assert isinstance(await finding, Receipt)
    await other.close()


# --- trouble ---------------------------------------------------------------------------------------------------


async def test_reading_goes_on_over_a_new_connection_after_a_cut(app, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    for _ in range(5):
        app.cut()
        assert texts(await channel.read(match)) == ["Hello"]


async def test_a_press_on_a_lost_connection_is_certainly_none(app, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    await ready(channel, match)
    app.cut()
    with pytest.raises(NotPressed):
        await channel.press_send(match, PRESS)
    assert await channel.find(match, PRESS) is Finding.NOT_SENT


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        (('text = "content"', 'text = "contents"'), "messages.contents"),
        (('table = "matches"', 'table = "pairs"'), "pairs"),
        (('sent_at = "created_at"', 'sent_at = "content"'), "messages.content"),
    ],
)
async def test_a_mapping_that_does_not_fit_is_a_setting_to_be_mended(make_channel, mapping, named):
    old, new = mapping
    channel = make_channel(MAPPING.replace(old, new, 1))
    with pytest.raises(SettingsError, match="PGNOTIFY_MAPPING") as error:
        await channel.open()
    assert named in str(error.value)


async def test_a_server_that_is_away_is_waited_for(make_channel, app):
    channel = make_channel(url="postgresql://postgres@127.0.0.1:1/app")
    with pytest.raises(ChannelGone):
        await channel.open()


async def test_a_refused_user_is_a_wall(make_channel, app):
    url = app.url.replace("postgres@", "nobody-here@")
    channel = make_channel(url=url)
    with pytest.raises((WallHit, ChannelGone)):
        await channel.open()


async def test_a_conversation_that_is_not_there_is_said_to_be_none(channel, app):
    for name in (app.bot, "42", "../etc"):
        with pytest.raises(PermanentError):
            await channel.read(name)


async def test_a_clock_that_is_behind_does_not_make_messages_old(app, channel):
    match = app.match()
    app.user_writes(match, "Hello", created_at=datetime.now(UTC) - timedelta(minutes=1))
    now = datetime.now(UTC)
    view = await channel.read(match)
    assert abs((now - view.newest.sent_at).total_seconds() - 60) < 5
