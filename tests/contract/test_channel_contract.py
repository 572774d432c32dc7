"""What every channel promises (``src/channels/base.py``), asked of the real one and of the fake that takes its place.

The tests of the services run on the fake; that they mean anything rests on this.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.ids import encode
from src.channels.airbnb.settings import AirbnbSettings
from src.channels.airbnb.thread_reader import ThreadReader
from src.channels.base import Attended, Watches
from src.errors import (
    CannotWrite,
    ChannelGone,
    ComposerBusy,
    NotUnderstood,
    PermanentError,
    TransientError,
)
from src.model.inbox import AuthorRole, MessageKind, SeenConversation
from src.model.sending import Press
from tests.support.airbnb import SharedBrowser
from tests.support.channel import FakeChannel
from tests.support.site import FakeConversation, FakeSite

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PRESS = Press("job-1", None)
SOON_SEC = 5.0
AT_ONCE_SEC = 0.2


class World(Protocol):
    """A channel that is open, and people who write on its site. Conversations go by the site's id."""

    unknown: str
    """The id of a conversation that the site does not have."""

    @property
    def channel(self) -> Watches: ...

    def conversation(self, *texts: str, minutes_ago: float = 0) -> str: ...
    def guest_writes(self, external_id: str, text: str) -> None: ...
    def host_writes(self, external_id: str, text: str) -> None: ...
    def cohost_writes(self, external_id: str, text: str) -> None: ...
    def photo(self, external_id: str) -> None: ...
    def somebody_is_writing(self, text: str) -> None: ...
    def nobody_can_write(self) -> None: ...
    def the_composer_swallows_everything(self) -> None: ...
    def messages_are_told_a_few_at_a_time(self) -> None: ...
    def texts(self, external_id: str) -> list[str]: ...
    def presses(self, external_id: str) -> int: ...


class FakeWorld:
    """Only memory."""

    unknown = "thread-404"

    def __init__(self) -> None:
        self.site = FakeSite(lambda: datetime.now(UTC))
        self.channel = FakeChannel(self.site)

    def _of(self, external_id: str) -> FakeConversation:
        return self.site.conversations[external_id]

    def conversation(self, *texts: str, minutes_ago: float = 0) -> str:
        made = self.site.conversation()
        for text in texts:
            self.site.guest_writes(made, text, datetime.now(UTC) - timedelta(minutes=minutes_ago))
        return made.external_id

    def guest_writes(self, external_id: str, text: str) -> None:
        self.site.guest_writes(self._of(external_id), text)

    def host_writes(self, external_id: str, text: str) -> None:
        self.site.host_writes(self._of(external_id), text)

    def cohost_writes(self, external_id: str, text: str) -> None:
        self.site.cohost_writes(self._of(external_id), text)

    def photo(self, external_id: str) -> None:
        self.site.photo(self._of(external_id))

    def somebody_is_writing(self, text: str) -> None:
        for where in self.site.conversations.values():
            where.draft = text

    def nobody_can_write(self) -> None:
        for where in self.site.conversations.values():
            where.has_composer = False

    def the_composer_swallows_everything(self) -> None:
        for where in self.site.conversations.values():
            where.takes_text = False

    def messages_are_told_a_few_at_a_time(self) -> None:
        self.site.stretch = 20

    def texts(self, external_id: str) -> list[str]:
        return self._of(external_id).texts

    def presses(self, external_id: str) -> int:
        return sum(press.conversation is self._of(external_id) for press in self.site.presses)


class AirbnbWorld:
    """The real channel with a real browser on the simulated site."""

    unknown = encode("MessageThread", 99)

    def __init__(self, site: SimulatedSite, channel: AirbnbChannel) -> None:
        self.site = site
        self.channel = channel

    def _of(self, external_id: str) -> Thread:
        return next(thread for thread in self.site.inbox.threads if thread.id == external_id)

    def conversation(self, *texts: str, minutes_ago: float = 0) -> str:
        at = datetime.now(UTC) - timedelta(minutes=minutes_ago) if minutes_ago else None
        thread = self.site.inbox.add_thread(guest="Gerda", at=at)
        for text in texts:
            self.site.inbox.guest_writes(thread, text, at=at)
        return thread.id

    def guest_writes(self, external_id: str, text: str) -> None:
        self.site.inbox.guest_writes(self._of(external_id), text)

    def host_writes(self, external_id: str, text: str) -> None:
        self.site.inbox.host_writes(self._of(external_id), text)

    def cohost_writes(self, external_id: str, text: str) -> None:
        self.site.inbox.cohost_writes(self._of(external_id), text)

    def photo(self, external_id: str) -> None:
        self.site.inbox.media(self._of(external_id))

    def somebody_is_writing(self, text: str) -> None:
        self.site.faults.prefill(text)

    def nobody_can_write(self) -> None:
        self.site.faults.no_composer()

    def the_composer_swallows_everything(self) -> None:
        self.site.faults.ignore_typing()

    def messages_are_told_a_few_at_a_time(self) -> None:
        """As the real site does."""

    def texts(self, external_id: str) -> list[str]:
        return self.site.inbox.texts(self._of(external_id))

    def presses(self, external_id: str) -> int:
        return len(self.site.log.presses(self._of(external_id).number))


@pytest.fixture(scope="module")
def simulated_site() -> Iterator[SimulatedSite]:
    with SimulatedSite() as site:
        yield site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SharedBrowser]:
    started = SharedBrowser(tmp_path_factory.mktemp("session"), headless=True, executable=None)
    await started.start()
    yield started
    await started.really_stop()


@pytest.fixture(params=["fake", pytest.param("airbnb", marks=pytest.mark.browser)])
def make_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world of each kind in turn; its channel is not open yet."""
    if request.param == "fake":
        fake = FakeWorld()
        fake.channel.is_open = False
        yield fake
        return
    site: SimulatedSite = request.getfixturevalue("simulated_site")
    site.reset()
    shared: SharedBrowser = request.getfixturevalue("browser")
    settings = AirbnbSettings(base_url=site.url)
    channel = AirbnbChannel(settings, shared, evidence_dir=tmp_path / "evidence")
    yield AirbnbWorld(site, channel)
    site.reset()


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def closed_at_the_end(make_world: World) -> AsyncIterator[None]:
    yield
    await make_world.channel.close()


@pytest_asyncio.fixture(loop_scope="module")
async def world(make_world: World) -> World:
    await make_world.channel.open()
    return make_world


def texts(view: SeenConversation) -> list[str | None]:
    return [message.text for message in view.messages]


def has(text: str, role: AuthorRole = AuthorRole.HOST):
    def there(view: SeenConversation) -> bool:
        return any(message.text == text and message.role is role for message in view.messages)

    return there


# --- opening and closing ---------------------------------------------------------------------------------------


async def test_it_can_be_closed_twice_and_opened_again(make_world: World):
    channel = make_world.channel
    make_world.conversation("Hello")
    await channel.close()
    for _ in range(2):
        await channel.open()
        await channel.glance(LONG_AGO)
        await channel.close()
        await channel.close()


async def test_what_is_closed_says_that_the_browser_is_gone(make_world: World):
    external_id = make_world.conversation("Hello")
    await make_world.channel.open()
    await make_world.channel.close()
    with pytest.raises(ChannelGone):
        await make_world.channel.glance(LONG_AGO)
    with pytest.raises(ChannelGone):
        await make_world.channel.read(external_id)


async def test_it_knows_the_form_of_its_ids(make_world: World):
    external_id = make_world.conversation("Hello")
    assert make_world.channel.is_conversation_id(external_id)
    assert make_world.channel.is_conversation_id(make_world.unknown)
    for other in ("", "1234567", "../etc/passwd", "Hello"):
        assert not make_world.channel.is_conversation_id(other)


async def test_the_login_can_be_saved(world: World):
    assert isinstance(world.channel, Attended)
    await world.channel.save_login()


# --- the list --------------------------------------------------------------------------------------------------


async def test_a_glance_shows_every_conversation_with_its_newest_message_newest_first(make_world: World):
    world = make_world
    ids = [world.conversation(f"Question {n}", f"Again {n}", minutes_ago=60 * (3 - n)) for n in range(3)]
    await world.channel.open()
    glance = await world.channel.glance(LONG_AGO, thorough=True)
    assert glance.complete
    assert [c.external_id for c in glance.conversations] == ids[::-1]
    assert [c.newest.text for c in glance.conversations] == ["Again 2", "Again 1", "Again 0"]
    for conversation in glance.conversations:
        assert not conversation.opened
        assert (conversation.is_stay, conversation.is_hosting, conversation.viewer_is_host) == (True,) * 3
        assert conversation.viewer_id == glance.viewer_id
        assert conversation.newest.role is AuthorRole.GUEST
        assert conversation.last_activity_at >= conversation.newest.sent_at


async def test_an_empty_inbox_is_an_empty_glance(world: World):
    glance = await world.channel.glance(LONG_AGO, thorough=True)
    assert (glance.conversations, glance.complete) == ((), True)
    assert glance.viewer_id


async def test_a_glance_reaches_back_as_far_as_it_was_asked(make_world: World):
    world = make_world
    ids = [world.conversation(f"Question {n}", minutes_ago=60 * n) for n in range(40)]
    await world.channel.open()
    since = datetime.now(UTC) - timedelta(hours=30.5)
    for thorough in (True, False):
        glance = await world.channel.glance(since, thorough=thorough)
        assert glance.complete
        assert [c.external_id for c in glance.conversations][:31] == ids[:31]


async def test_a_second_glance_shows_what_is_new(make_world: World):
    world = make_world
    first, second = world.conversation("One", minutes_ago=10), world.conversation("Two", minutes_ago=5)
    await world.channel.open()
    await world.channel.glance(LONG_AGO)
    world.guest_writes(first, "Three")
    assert await world.channel.wait_for_news(SOON_SEC)
    glance = await world.channel.glance(LONG_AGO)
    assert [c.external_id for c in glance.conversations] == [first, second]
    assert glance.conversations[0].newest.text == "Three"


async def test_a_fingerprint_stays_until_the_newest_message_is_another_one(make_world: World):
    world = make_world
    external_id = world.conversation("One")
    await world.channel.open()
    prints = []
    for _ in range(2):
        (conversation,) = (await world.channel.glance(LONG_AGO)).conversations
        prints.append(conversation.newest.fingerprint)
    world.guest_writes(external_id, "Two")
    assert await world.channel.wait_for_news(SOON_SEC)
    (conversation,) = (await world.channel.glance(LONG_AGO)).conversations
    assert prints[0] == prints[1] != conversation.newest.fingerprint
    view = await world.channel.read(external_id)
    assert view.newest.fingerprint == conversation.newest.fingerprint


async def test_without_news_the_wait_ends_with_its_time(make_world: World):
    world = make_world
    world.conversation("One")
    await world.channel.open()
    await world.channel.glance(LONG_AGO)
    assert not await world.channel.wait_for_news(AT_ONCE_SEC)


async def test_news_end_the_wait(make_world: World):
    world = make_world
    external_id = world.conversation("One")
    await world.channel.open()
    await world.channel.glance(LONG_AGO)
    waiting = asyncio.create_task(world.channel.wait_for_news(SOON_SEC * 4))
    await asyncio.sleep(0)
    world.guest_writes(external_id, "Two")
    assert await waiting


# --- reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("anew", [False, True])
async def test_reading_returns_roles_kinds_and_texts_in_their_order(world: World, anew: bool):
    external_id = world.conversation("Is there a cot?")
    world.host_writes(external_id, "Let me see")
    world.cohost_writes(external_id, "It is in the\nwardrobe")
    world.photo(external_id)
    world.guest_writes(external_id, "Found it 😊")
    view = await world.channel.read(external_id, anew=anew)
    assert (view.external_id, view.opened, view.has_older) == (external_id, True, False)
    assert [(m.role, m.kind) for m in view.messages] == [
        (AuthorRole.GUEST, MessageKind.TEXT),
        (AuthorRole.HOST, MessageKind.TEXT),
        (AuthorRole.TEAM, MessageKind.TEXT),
        (AuthorRole.GUEST, MessageKind.MEDIA),
        (AuthorRole.GUEST, MessageKind.TEXT),
    ]
    assert texts(view) == ["Is there a cot?", "Let me see", "It is in the\nwardrobe", None, "Found it 😊"]
    assert len({m.external_id for m in view.messages}) == 5
    assert [m.sent_at for m in view.messages] == sorted(m.sent_at for m in view.messages)


@pytest.mark.parametrize("anew", [False, True])
async def test_reading_again_shows_what_the_site_has_now(world: World, anew: bool):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    world.guest_writes(external_id, "Two")
    assert texts(await world.channel.read(external_id, anew=anew)) == ["One", "Two"]


async def test_reading_goes_back_until_it_is_enough(world: World):
    world.messages_are_told_a_few_at_a_time()
    external_id = world.conversation(*(f"Message {n}" for n in range(80)), minutes_ago=5)
    view = await world.channel.read(external_id)
    assert view.has_older
    assert view.newest.text == "Message 79"
    wanted = has("Message 10", AuthorRole.GUEST)
    assert not wanted(view)
    view = await world.channel.read(external_id, enough=wanted, anew=True)
    assert wanted(view)
    everything = await world.channel.read(external_id, enough=lambda _: False, anew=True)
    assert texts(everything) == [f"Message {n}" for n in range(80)]
    assert not everything.has_older


@pytest.mark.parametrize("anew", [False, True])
async def test_a_conversation_that_the_site_does_not_have_is_a_permanent_error(
    world: World, anew: bool, monkeypatch: pytest.MonkeyPatch
):
    """Or is not understood: how the real site says it is not known (the simulated one answers with an error)."""
    monkeypatch.setattr(ThreadReader, "ADDRESS_SEC", 1.0)
    world.conversation("Hello")
    with pytest.raises((PermanentError, NotUnderstood)) as caught:
        await world.channel.read(world.unknown, anew=anew)
    assert getattr(caught.value, "reason", "no_such_conversation") == "no_such_conversation"
    assert world.channel.name == "airbnb" or isinstance(caught.value, PermanentError)


async def test_rereading_shows_what_has_come_since(world: World):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    assert texts(await world.channel.reread(external_id)) == ["One"]
    world.guest_writes(external_id, "Two")
    assert texts(await world.channel.reread(external_id)) == ["One", "Two"]


@pytest.mark.parametrize("method", ["write", "reread", "press_send"])
async def test_nothing_is_done_in_a_conversation_that_is_not_the_open_one(world: World, method: str):
    opened, other = world.conversation("One"), world.conversation("Two")
    await world.channel.read(opened)
    arguments = {"write": ("Hello",), "press_send": (PRESS,)}.get(method, ())
    with pytest.raises(TransientError):
        await getattr(world.channel, method)(other, *arguments)
    assert world.texts(opened) == ["One"]
    assert world.texts(other) == ["Two"]


# --- writing ---------------------------------------------------------------------------------------------------


async def test_a_text_is_written_pressed_once_and_followed_until_the_site_has_it(world: World):
    external_id = world.conversation("Is there a cot?")
    text = "Yes, there is one:\nin the wardrobe.\n\nKind regards 😊"
    await world.channel.read(external_id)
    await world.channel.write(external_id, text)
    assert world.presses(external_id) == 0
    before = await world.channel.reread(external_id)
    assert texts(before) == ["Is there a cot?"]
    await world.channel.press_send(external_id, PRESS)
    view = await world.channel.follow(external_id, has(text), SOON_SEC * 2)
    assert view is not None
    assert world.presses(external_id) == 1
    assert world.texts(external_id) == ["Is there a cot?", text]
    assert view.newest.external_id not in {m.external_id for m in before.messages}
    again = await world.channel.read(external_id, anew=True)
    assert texts(again) == ["Is there a cot?", text]
    assert again.newest.external_id == view.newest.external_id


async def test_following_ends_with_its_time(world: World):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    assert await world.channel.follow(external_id, has("Nobody writes this"), AT_ONCE_SEC) is None


async def test_what_was_written_can_be_taken_out_again(world: World):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    await world.channel.write(external_id, "First try")
    await world.channel.clear(external_id)
    await world.channel.clear(external_id)
    await world.channel.write(external_id, "Second try")
    await world.channel.press_send(external_id, PRESS)
    assert await world.channel.follow(external_id, has("Second try"), SOON_SEC * 2)
    assert world.texts(external_id) == ["One", "Second try"]


async def test_writing_can_be_repeated(world: World):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    for _ in range(2):
        await world.channel.write(external_id, "Hello")
    await world.channel.press_send(external_id, PRESS)
    assert await world.channel.follow(external_id, has("Hello"), SOON_SEC * 2)
    assert world.texts(external_id) == ["One", "Hello"]


async def test_a_composer_in_which_somebody_writes_is_left_alone(world: World):
    external_id = world.conversation("One")
    world.somebody_is_writing("Dear Gerda, I")
    await world.channel.read(external_id, anew=True)
    for _ in range(2):
        with pytest.raises(ComposerBusy):
            await world.channel.write(external_id, "Hello")
        await world.channel.clear(external_id)
    assert world.presses(external_id) == 0


async def test_a_conversation_without_composer_cannot_be_written_to(world: World):
    external_id = world.conversation("One")
    world.nobody_can_write()
    await world.channel.read(external_id, anew=True)
    with pytest.raises(CannotWrite):
        await world.channel.write(external_id, "Hello")


async def test_a_composer_that_does_not_take_the_text_is_left_empty(world: World):
    external_id = world.conversation("One")
    world.the_composer_swallows_everything()
    await world.channel.read(external_id, anew=True)
    for _ in range(2):
        with pytest.raises(TransientError) as caught:
            await world.channel.write(external_id, "Hello")
        assert not isinstance(caught.value, ComposerBusy)
    assert world.presses(external_id) == 0


async def test_an_answer_from_the_phone_before_the_press_is_seen(world: World):
    external_id = world.conversation("Is there a cot?")
    await world.channel.read(external_id)
    await world.channel.write(external_id, "Yes")
    world.host_writes(external_id, "It is in the wardrobe")
    view = await world.channel.reread(external_id)
    assert texts(view) == ["Is there a cot?", "It is in the wardrobe"]
    assert view.newest.role is AuthorRole.HOST
    await world.channel.clear(external_id)
