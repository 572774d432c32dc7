"""The worlds that the channels of the contract suite live in: a channel, and people who write where it looks.

A world claims the parts of the suite that its channel has to keep.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import SecretStr

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from sandbox.pgnotify.app import MAPPING, TYPING_MAPPING, App
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.ids import encode
from src.channels.base import Place, Watches
from src.channels.pgnotify.channel import PgnotifyChannel
from src.channels.pgnotify.settings import PgnotifySettings
from src.model.inbox import AuthorRole, SeenConversation
from src.model.sending import Press
from tests.support.channel import FakeChannel
from tests.support.site import FakeConversation, FakeSite
from tests.support.table import WideChannel

PRESS = Press("job-1", None)


class World(Protocol):
    """A channel that is open, and people who write on its site. Conversations go by the site's id."""

    claims: ClassVar[frozenset[str]]
    """The parts of the suite, by the names of their files: ``test_channels_that_<claim>.py``."""
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
    """Only memory: a page."""

    claims: ClassVar = frozenset({"watch", "compose", "log_in"})
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

    claims: ClassVar = frozenset({"watch", "compose", "log_in"})
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


class TableWorld(FakeWorld):
    """Only memory: a table."""

    claims: ClassVar = frozenset({"watch", "compare"})

    def __init__(self) -> None:
        super().__init__()
        self.channel = WideChannel(self.site)


class PgnotifyWorld:
    """The real channel on a made-up app's real database."""

    claims: ClassVar = frozenset({"watch", "compare", "show_typing"})
    unknown = "6f0f0b9e-6b1c-4a55-9d0e-2f0f0a4f7a10"

    def __init__(self, app: App, folder: Path) -> None:
        mapping = folder / "mapping.toml"
        mapping.write_text(MAPPING + TYPING_MAPPING)
        settings = PgnotifySettings(url=SecretStr(app.url), mapping=mapping)
        place = Place(account="bea", session_dir=folder / "session", evidence_dir=folder / "evidence")
        self.app = app
        self.channel = PgnotifyChannel(settings, place)
        self._by_people: set[str] = set()

    def conversation(self, *texts: str, minutes_ago: float = 0) -> str:
        match = self.app.match(self.app.profile("Gerda"))
        for text in texts:
            at: dict[str, Any] = {}
            if minutes_ago:
                at["created_at"] = datetime.now(UTC) - timedelta(minutes=minutes_ago)
            self.app.user_writes(match, text, **at)
        return match

    def guest_writes(self, external_id: str, text: str) -> None:
        self.app.user_writes(external_id, text)

    def host_writes(self, external_id: str, text: str) -> None:
        self._by_people.add(self.app.bot_person_writes(external_id, text))

    def cohost_writes(self, external_id: str, text: str) -> None:
        self.app.stranger_writes(external_id, text)

    def photo(self, external_id: str) -> None:
        self.app.user_writes(external_id, "a picture's address", kind="image")

    def somebody_is_writing(self, text: str) -> None:
        """There is no composer."""

    def nobody_can_write(self) -> None:
        self.app.conn.execute("UPDATE matches SET status = 'unmatched'")

    def the_composer_swallows_everything(self) -> None:
        """There is no composer."""

    def messages_are_told_a_few_at_a_time(self) -> None:
        self.channel.messages_at_once = 20

    def goes_away(self) -> None:
        """The app's database ends our connections, and what we look for in it is gone."""
        self.app.conn.execute("ALTER TABLE typing RENAME TO moved_away")
        self.app.cut()

    def typing_shown(self) -> int:
        asked = "SELECT count(*) FROM typing WHERE typing_at IS NOT NULL"
        (number,) = self.app.conn.execute(asked).fetchone() or (0,)
        return int(number)

    def texts(self, external_id: str) -> list[str]:
        return self.app.texts(external_id)

    def presses(self, external_id: str) -> int:
        return len(self.app.answers(external_id)) - len(self._by_people)


def texts(view: SeenConversation) -> list[str | None]:
    return [message.text for message in view.messages]


def has(text: str, role: AuthorRole = AuthorRole.HOST) -> Callable[[SeenConversation], bool]:
    """Whether a view has this text by this role."""

    def there(view: SeenConversation) -> bool:
        return any(message.text == text and message.role is role for message in view.messages)

    return there
