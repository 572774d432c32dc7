"""The port: what the core asks of a site, whatever site it is.

A channel drives one account's inbox. Its methods are called one at a time (SYNC and SEND take turns), never
concurrently. Every method may raise:

* ``WallHit``        a challenge, a login page or a block was met: the caller halts and touches nothing more
* ``PageChanged``    the page or its data are not understood: the caller halts
* ``ChannelGone``    the browser or connection went away: the caller closes the channel and opens it anew later
* ``TransientError`` the site or the network did not answer as it should this time
* ``NotUnderstood``  the site answered, but not in a way that is understood (a TransientError)

and the further errors that its docstring names. "Repeatable" says whether a call may be made again after an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Protocol

from src.model.inbox import InboxGlance, SeenConversation
from src.model.remote import Gesture, Picture


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


class Channel(Protocol):
    """One account's inbox on one site."""

    name: str
    """The folder under ``channels/``, also stored with the account."""

    def is_conversation_id(self, external_id: str) -> bool:
        """Whether the text has the form of this site's conversation ids. Pure."""
        ...

    async def open(self) -> None:
        """Go to the inbox and prove that it is there and readable. Repeatable."""
        ...

    async def open_for_person(self, timeout: float, shown: Callable[[Screen], None] = lambda _: None) -> None:
        """Show the inbox to a person and wait until the person has got in; only looks, at most ``timeout`` seconds.

        With a window the person sits before it; without one, ``shown`` gets what a person far away sees and drives,
        good until this returns. Raises TimeoutError. A wall is what the person is here for, so none is raised.
        """
        ...

    async def close(self) -> None:
        """Let go of the page. Never raises; may be called at any time, also twice."""
        ...

    async def glance(self, since: datetime, *, thorough: bool = False) -> InboxGlance:
        """Look at the list of conversations, back to those whose last activity is before ``since``.

        ``thorough`` (the first glance of a process) does not trust the list's order: it goes on until a whole
        stretch of the list is older. Otherwise it stops where the known begins.
        Opens no conversation. What the page has fetched by itself since the last glance is used first.
        An empty list is returned only if the site says beyond doubt that there is nothing. Repeatable.
        """
        ...

    async def wait_for_news(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until the page has learned of something new by itself. Repeatable."""
        ...

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = ...,
        anew: bool = False,
    ) -> SeenConversation:
        """Open a conversation and return it as the site has it now, not from a memory of the page.

        Reads further back until ``enough`` holds (default: at once), or the beginning is reached. ``anew``
        loads the whole page by address: slower, independent of all that the page did before. Raises
        ``PermanentError(reason="no_such_conversation")`` if the site does not have it. Repeatable; the site
        may mark the conversation as read.
        """
        ...

    async def write(self, external_id: str, text: str) -> None:
        """Put ``text`` into the composer of the open conversation, read it back, find Send ready. Presses nothing.

        Needs a ``read`` of the same conversation before. Raises ``ComposerBusy`` if another text is there (it is
        left untouched), ``CannotWrite`` if the conversation has no composer, ``TransientError`` if the composer
        does not take the text exactly (it is emptied again). Repeatable.
        """
        ...

    async def clear(self, external_id: str) -> None:
        """Empty the composer that ``write`` filled. Best effort: raises only the common errors. Repeatable."""
        ...

    async def reread(self, external_id: str) -> SeenConversation:
        """The open conversation again, as fresh as the page can tell without being left. Repeatable."""
        ...

    async def press_send(self, external_id: str) -> None:
        """Press Send once. NOT repeatable: after any error but ``NotPressed`` the message may have been sent."""
        ...

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        """Watch the open conversation until ``until`` holds for what the *site* (not the page's optimism) says.

        Returns that view of it, or None after ``timeout`` seconds. Repeatable.
        """
        ...

    async def save_login(self) -> object:
        """Keep what makes the login survive a crash of the browser, mode 0600. Repeatable; may raise OSError."""
        ...

    async def worn(self) -> str | None:
        """Why it should be closed and opened anew before the next job (age, memory); None if it need not. Cheap."""
        ...

    async def evidence(self, label: str) -> str | None:
        """Keep what the page shows now (a screenshot, mode 0600) and return its path; None if impossible."""
        ...
