"""What guests, hosts and the site do by themselves, at any moment: shared by the levels that make up stories."""

from __future__ import annotations

from src.model.inbox import AuthorRole
from tests.support.site import FakeConversation, FakeMessage, FakeSite

GUESTS = frozenset({AuthorRole.GUEST, AuthorRole.COTRAVELLER})
HOSTS = frozenset({AuthorRole.HOST, AuthorRole.TEAM})
HAPPENINGS = (
    *["guest"] * 6,
    *("host", "cohost", "cotraveller", "edit", "unsend", "host_unsends", "card", "photo", "bulletin", "new"),
)
"""The names of what may happen; a guest's message is the most frequent."""
CONVERSATIONS_AT_MOST = 3


class Texts:
    """Texts that no two are alike of, also for the tolerant comparison of replies."""

    def __init__(self, number: int = 0) -> None:
        self._number = number

    def __call__(self) -> str:
        self._number += 1
        return f"Text {self._number} " + "abcdefghij"[self._number % 10] * (20 + self._number % 7)


def do(site: FakeSite, what: str, pick: int, which: int, text: Texts) -> None:
    """One of ``HAPPENINGS``, in the conversation number ``pick``, to the message number ``which`` from its end."""
    places = list(site.conversations.values())
    where = places[pick % len(places)]
    if what in {"guest", "cotraveller", "host", "cohost"}:
        getattr(site, f"{what}_writes")(where, text())
    elif what in {"card", "photo", "bulletin"}:
        getattr(site, what)(where)
    elif what == "edit":
        if message := _message(where, which, GUESTS):
            site.edit(message, text())
    elif what == "unsend":
        if message := _message(where, which, GUESTS):
            site.unsend(message)
    elif what == "host_unsends":
        message = _message(where, which, HOSTS)
        if message is not None and not message.pressed:
            site.unsend(message)
    elif len(site.conversations) < CONVERSATIONS_AT_MOST:
        site.conversation(text())


def _message(where: FakeConversation, which: int, roles: frozenset[AuthorRole]) -> FakeMessage | None:
    found = [m for m in where.messages if m.role in roles and m.text and not m.deleted]
    return found[-1 - which % len(found)] if found else None
