"""The port: what the core asks of a remote inbox, whatever it is behind: a page, a table, a service.

``Channel`` is the part that every channel has. What only some can do is a protocol of its own (``Watches``,
``Hears``, ``ShowsTyping``, ``Fetches``, ``Attended``), and ``Capabilities`` says which; the core asks that, never
the channel's name. A test holds the two against each other for every folder.

A channel drives one account's inbox. Its methods are called one at a time (SYNC and SEND take turns), never
concurrently; only ``hear`` may be called at any time, and ``Capabilities.at_once`` may allow SEND more.
Every method may raise:

* ``WallHit``        a challenge, a login page or a block was met: the caller halts and touches nothing more
* ``PageChanged``    the page, the tables or their data are not understood: the caller halts
* ``ChannelGone``    the browser or connection went away: the caller closes the channel and opens it again later
* ``TransientError`` the site or the network did not answer as it should this time
* ``NotUnderstood``  the site answered, but not in a way that is understood (a TransientError)

and the further errors that its docstring names. "Repeatable" says whether a call may be made again after an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import Protocol, runtime_checkable

from src.model.hearing import Heard, Incoming, Media
from src.model.inbox import InboxGlance, SeenConversation
from src.model.remote import Gesture, Picture
from src.model.sending import Finding, Press, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can do. Fixed for its life."""

    watches: bool = True
    """It has a list to look at: ``Watches``."""
    hears: bool = False
    """It is told by HTTP: ``Hears``."""
    has_history: bool = True
    """``read`` asks the remote; without it the channel knows only what it was told (``Place.store``)."""
    shows_typing: bool = False
    """``ShowsTyping``."""
    fetches: bool = False
    """``Fetches``."""
    bubbles: int = 1
    """Most parts of one answer."""
    gap_sec: float = 0.0
    """Least time between two of them."""
    longest_text: int = 5000
    """In characters."""
    takes_key: bool = False
    """The remote makes the same message only once for one ``Press.key``."""
    compares: bool = False
    """The press happens only if nothing stands in the conversation that was not read."""
    tells_delivery: bool = False
    """It says what became of a message after it was taken."""
    starts: bool = False
    """It may write first."""
    takes_operator: bool = False
    """A person may write there from the dashboard."""
    at_once: int = 1
    """Conversations in hand at a time; 1 for a browser.

    With more, what was read and written in one of them stays while another one is read, and calls about different
    conversations may come at the same time; those about one never do.
    """
    answers_within: timedelta | None = None
    """After the person's last message, where a reply is not possible for ever."""
    ids_are_personal: bool = False
    """A conversation's id is a phone number or an address: logs name our own id."""

    @property
    def always_finds(self) -> bool:
        """What became of a press can be found out at any later time, beyond doubt."""
        return self.takes_key and self.compares


class Screen(Protocol):
    """The browser as one person far away sees and drives it. Keeps nothing of what is shown or typed."""

    @property
    def place(self) -> str:
        """Scheme and host of the page that is shown; '' if there is none."""
        ...

    def pictures(self) -> AsyncIterator[Picture]:
        """Pictures of the page as it changes, the newest only if the taker is slow; ends with the browser.

        The first one comes at once. A second taker ends the first one's pictures. May raise ChannelGone.
        """
        ...

    async def act(self, gestures: list[Gesture]) -> None:
        """Do what the person did, in this order; what the page does not take is left out. May raise ChannelGone."""
        ...


@runtime_checkable
class Channel(Protocol):
    """One account's inbox at one remote: what every channel has."""

    name: str
    """The folder under ``channels/``, also stored with the account."""
    capabilities: Capabilities

    def is_conversation_id(self, external_id: str) -> bool:
        """Whether the text has the form of this remote's conversation ids. Pure."""
        ...

    async def open(self) -> None:
        """Reach the inbox and prove that it is there and readable. Repeatable."""
        ...

    async def close(self) -> None:
        """Let go of the remote. Never raises; may be called at any time, also twice."""
        ...

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = ...,
        anew: bool = False,
    ) -> SeenConversation:
        """Open a conversation and return it as the site has it now, not from a memory of it.

        Reads further back until ``enough`` holds (default: at once), or the beginning is reached. ``anew``
        loads everything from the start: slower, independent of all that was done before. Raises
        ``PermanentError(reason="no_such_conversation")`` if the site does not have it. Repeatable; the site
        may mark the conversation as read.
        """
        ...

    async def write(self, external_id: str, text: str) -> None:
        """Make ``text`` ready in the conversation that was read, so that the press is all that is left to do.

        On a page it is put into the composer, read back, and Send found ready; elsewhere it is checked and kept.
        Needs a ``read`` of the same conversation before. Raises ``ComposerBusy`` if another text is there (it is
        left untouched), ``CannotWrite`` if the conversation takes no message, ``TransientError`` if the composer
        does not take the text exactly (it is emptied again). Repeatable.
        """
        ...

    async def clear(self, external_id: str) -> None:
        """Take back what ``write`` made ready. Best effort: raises only the common errors. Repeatable."""
        ...

    async def reread(self, external_id: str) -> SeenConversation:
        """The open conversation again, as fresh as can be told without leaving it. Repeatable."""
        ...

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        """Send what ``write`` made ready, once: a click, a call, an INSERT.

        Returns the remote's receipt where it gives one; None where the message has to be looked for. NOT
        repeatable: after any error but ``NotPressed`` the message may have been sent.

        A channel that learns later which message came of it tells that in all views of the conversation from then
        on: in ``made``, under ``press.key``. Never a guess.
        """
        ...

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        """Watch the open conversation until ``until`` holds for what the *site* (not the page's optimism) says.

        Returns that view of it, or None after ``timeout`` seconds. Repeatable.
        """
        ...

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:
        """What became of a press whose end nobody saw: a lost answer, a crash. Presses nothing. Repeatable.

        The receipt where the remote has the message and gives its id. NOT_SENT only if it is beyond doubt, also for
        the future: the reply then goes back into the queue. A remote that cannot tell is UNKNOWN, or SENT where it
        tells no id, and the conversation is read.
        """
        ...


@runtime_checkable
class Watches(Channel, Protocol):
    """There is a list of conversations to look at."""

    async def glance(self, since: datetime, *, thorough: bool = False) -> InboxGlance:
        """Look at the list of conversations, back to those whose last activity is before ``since``.

        ``thorough`` (the first glance of a process) does not trust the list's order: it goes on until a whole
        stretch of the list is older. Otherwise it stops where the known begins.
        Opens no conversation that would be marked as read by it; where a look costs the remote no more, a
        conversation may be told whole (``opened``). What was told since the last glance is used first.
        An empty list is returned only if the site says beyond doubt that there is nothing. Repeatable.
        """
        ...

    async def wait_for_news(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until something new was told by itself. Repeatable."""
        ...


@runtime_checkable
class Hears(Channel, Protocol):
    """The remote calls us by HTTP."""

    def hear(self, call: Incoming) -> Heard:
        """What a call tells. Pure, at most some milliseconds. ``CallRefused`` if the caller is not let in."""
        ...


@runtime_checkable
class CatchesUp(Channel, Protocol):
    """It is told of messages as they come, and its remote keeps them: what nobody was told can be fetched."""

    async def missed(self, since: datetime) -> tuple[SeenConversation, ...]:
        """What was written since then, known or not: once after each opening, and nothing after that. Repeatable.

        Nothing where the remote keeps no messages.
        """
        ...


@runtime_checkable
class ShowsTyping(Channel, Protocol):
    """The person can be shown that an answer is being written."""

    async def typing(self, external_id: str, on: bool) -> None:
        """Show it, or stop. Best effort: it never counts and never delays. Repeatable."""
        ...


@runtime_checkable
class Fetches(Channel, Protocol):
    """Files of a message can be fetched."""

    async def fetch(self, media: str, limit: int) -> Media:
        """The file behind a message's pointer, at most ``limit`` bytes. ``TooLarge`` before it is read whole."""
        ...


@dataclass(frozen=True, slots=True)
class Examination:
    """One thing that a service says of an account, for `doctor`."""

    words: str
    """As it is; nothing personal."""
    advice: str | None = None
    """What to do; None where all is well."""


@runtime_checkable
class Examines(Channel, Protocol):
    """The service can be asked how the account stands there."""

    async def examine(self) -> tuple[Examination, ...]:
        """What it says, a thing each; sends nothing to anybody. Repeatable."""
        ...


@runtime_checkable
class Attended(Channel, Protocol):
    """A person logs in here: there is a login to keep, and something to see when it is lost."""

    async def open_for_person(self, timeout: float, shown: Callable[[Screen], None] = lambda _: None) -> None:
        """Show the inbox to a person and wait until the person has got in; only looks, at most ``timeout`` seconds.

        With a window the person sits before it; without one, ``shown`` gets what a person far away sees and drives,
        good until this returns. Raises TimeoutError. A wall is what the person is here for, so none is raised.
        """
        ...

    async def save_login(self) -> object:
        """Keep what makes the login survive a crash of the browser, mode 0600. Repeatable; may raise OSError."""
        ...

    async def worn(self) -> str | None:
        """Why it should be restarted before the next job (age, memory); None if it need not. Cheap."""
        ...

    async def evidence(self, label: str) -> str | None:
        """Keep what the page shows now (a screenshot, mode 0600) and return its path; None if impossible.

        Few are kept, see ``channels/evidence``: of what is not understood, the one of some minutes ago may do.
        """
        ...


class Store(Protocol):
    """What is stored here of the account's conversations, for a channel whose remote keeps none, or is ourselves.

    The maker of the channel hands it in; a channel knows no SQL of ours.
    """

    async def view(self, external_id: str, most: int = 50) -> SeenConversation | None:
        """The conversation as it was heard, its newest ``most`` messages; None if nothing was ever heard of it.

        Its ``version`` is another one after each message that is stored.
        """
        ...

    async def put_own(self, external_id: str, press: Press, text: str, *, over: str | None) -> Receipt | None:
        """Store our message, and its reply as sent, if nothing came after the view of version ``over``.

        None, and nothing done, if something did, or the reply is not in hand any more. The same press stores one
        message, however often it is called. FAILED with ``held`` for what may not be stored (a secret).
        """
        ...

    async def name(self, press: Press, external_id: str) -> None:
        """The remote named the message that a press made: news about that id is about this reply. Repeatable.

        Best effort: what is settled meanwhile, or cannot be written, is left as it is.
        """
        ...

    async def send_instead(self, press: Press, text: str) -> None:
        """What the press is about to send in place of the reply; StaleJob if it must not be made any more."""
        ...

    async def html(self, press: Press) -> str | None:
        """The text of a press as a page, if it has one; None where a person has changed the text. Repeatable."""
        ...

    async def is_proven(self) -> bool:
        """Whether the remote has told of a message that went out after the last halt; True without a halt."""
        ...

    async def told_of(self, press: Press) -> Receipt | None:
        """What the remote has told by itself of the message of a press; None if nothing yet. Repeatable.

        FAILED without an id where it could not deliver a message that was never proven.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an account's channel lives on this machine, and what it may use there."""

    account: str
    session_dir: Path
    """For what must outlive a start (a browser's profile); the channel makes it if it needs it."""
    evidence_dir: Path
    """For what shows a person what was not understood; mode 0600."""
    executable: str | None = None
    """The browser to use; None: the one that is found."""
    common_browser: bool = False
    """Many accounts here have a browser: without windows they share one, each with its saved login."""
    memory_limit_mb: float = inf
    """A browser that takes more is worn."""
    headless: bool | None = None
    """None: as the channel's settings say."""
    store: Store | None = None
    prove: Callable[[str, str], None] | None = None
    """Blocks; SettingsError if a database's address, which a variable names, changes its server under a client."""
