"""Where the simulated inbox keeps its threads and messages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sandbox.airbnb.clock import When, as_ms, now_ms
from sandbox.airbnb.model import Message, Participant, Person, Role, Stay, Thread

Listener = Callable[[Thread, Message | None], None]

DEFAULT_LISTING = "710000000000000001"


class Store:
    """Threads and messages with their ids, and who is told of changes."""

    def __init__(self, viewer_name: str = "Robin") -> None:
        self.lock = threading.RLock()
        self.viewer = Person(viewer_name, 70_000_001)
        self._listeners: list[Listener] = []
        self.clear()

    def clear(self) -> None:
        """Forget every thread and start the ids again; listeners stay."""
        with self.lock:
            self._threads: dict[int, Thread] = {}
            self._messages: dict[int, Message] = {}
            self.next_thread_number = 2_100_000_003
            self.next_message_number = 20_000_000_017
            self._next_account = 70_000_100

    def listen(self, listener: Listener) -> None:
        """Call ``listener(thread, message or None)`` after every change."""
        self._listeners.append(listener)

    # --- looking ---------------------------------------------------------------------------------------------

    @property
    def threads(self) -> list[Thread]:
        """Every thread, the latest activity first, as the list shows them."""
        with self.lock:
            found = list(self._threads.values())
        return sorted(found, key=lambda thread: (thread.activity_ms, thread.number), reverse=True)

    def thread(self, number: int) -> Thread:
        """The thread with this number. Raises KeyError when there is none."""
        return self._threads[number]

    def message(self, number: int) -> Message:
        """The message with this number. Raises KeyError when there is none."""
        return self._messages[number]

    def texts(self, thread: Thread) -> list[str]:
        """The texts of a thread in order, without deleted messages and cards."""
        with self.lock:
            entries = list(thread.messages)
        return [entry.text for entry in entries if entry.content_type == "TEXT_CONTENT" and not entry.deleted]

    # --- threads ---------------------------------------------------------------------------------------------

    def person(self, name: str, account_type: str = "USER") -> Person:
        """A new account with this name."""
        with self.lock:
            self._next_account += 13
            return Person(name, self._next_account, account_type)

    def add_thread(
        self,
        guest: str | None = "Alex",
        kind: str = "HOME_BOOKING",
        listing_id: str | None = DEFAULT_LISTING,
        trip_stage: str | None = "UPCOMING_RESERVATIONS",
        hosting: bool = True,
        viewer_role: Role = "HOST",
        cotravellers: Sequence[str] = (),
        cohost: str | None = None,
        unread: bool = False,
        priority: bool = False,
        says: str | None = None,
        title: str | None = None,
        chips: Sequence[str] = (),
        listing_name: str = "Harbour loft",
        city: str = "Lisbon",
        check_in: datetime | None = None,
        nights: int = 3,
        status: str | None = None,
        at: When = None,
        others: Sequence[tuple[str, Role]] = (),
    ) -> Thread:
        """A new conversation; by default a guest's with the viewer as its host, and empty.

        ``says`` is the guest's first message (sent ``at``). ``others`` adds people with any role.
        """
        created = now_ms() if at is None else as_ms(at)
        people = [Participant(self.person(guest), "GUEST")] if guest is not None else []
        people.append(Participant(self.viewer, viewer_role))
        people += [Participant(self.person(name), "COTRAVELER") for name in cotravellers]
        people += [Participant(self.person(cohost), "COHOST")] if cohost is not None else []
        people += [Participant(self.person(name), role) for name, role in others]
        start = check_in or datetime.fromtimestamp(created / 1000, UTC) + timedelta(days=5)
        with self.lock:
            number = self.next_thread_number
            self.next_thread_number += 7
            stay = Stay(
                listing_id=listing_id,
                listing_name=listing_name,
                city=city,
                check_in=start,
                check_out=start + timedelta(days=nights),
                guests=1 + len(cotravellers),
                code=_code(number) if trip_stage else None,
                status=status or _STATUS.get(trip_stage, "Enquiry sent"),
            )
            thread = Thread(
                number=number,
                kind=kind,
                viewer=self.viewer,
                participants=people,
                stay=stay,
                created_at_ms=created,
                trip_stage=trip_stage,
                hosting=hosting,
                unread=unread,
                priority=priority,
                title=title,
                chips=tuple(chips),
            )
            self._threads[number] = thread
        self.changed(thread, None)
        if says is not None:
            self.write(thread, thread.guest, says, at)
        return thread

    # --- messages --------------------------------------------------------------------------------------------

    def write(
        self,
        thread: Thread,
        author: Person,
        text: str,
        at: When = None,
        content_type: str = "TEXT_CONTENT",
        sub_type: str | None = None,
        translated: str | None = None,
        uuid: str | None = None,
        sent_in: int | None = None,
    ) -> Message:
        """Put any message into a thread; the other methods are this one with the right arguments."""
        with self.lock:
            number = self.next_message_number
            self.next_message_number += 11
            created = as_ms(at) if at is not None else now_ms()
            if at is None and thread.messages:
                created = max(created, thread.messages[-1].created_at_ms + 1)
            message = Message(
                thread=thread,
                number=number,
                author=author,
                text=text,
                created_at_ms=created,
                content_type=content_type,
                sub_type=sub_type,
                translated=translated,
                sent_in=sent_in,
            )
            if uuid is not None:
                message.uuid = uuid
            self._messages[number] = message
            late = bool(thread.messages) and thread.messages[-1].created_at_ms > created
            thread.messages.append(message)
            if late:
                thread.messages.sort(key=lambda entry: (entry.created_at_ms, entry.number))
            thread.unread = author != self.viewer
            thread.bump(created)
        self.changed(thread, message)
        return message

    def changed(self, thread: Thread, message: Message | None) -> None:
        """Tell the listeners."""
        for listener in list(self._listeners):
            listener(thread, message)


_STATUS: dict[str | None, str] = {
    "CURRENTLY_HOSTING": "Currently hosting",
    "UPCOMING_RESERVATIONS": "Confirmed",
    "PAST_RESERVATIONS": "Completed",
    "CANCELED_RESERVATIONS": "Cancelled",
}


def _code(number: int) -> str:
    """A confirmation code of the usual form: HM and eight letters or digits."""
    letters = "ABCDEFHKMNPQRSTWXYZ2345689"
    spread = number * 2_654_435_761
    return "HM" + "".join(letters[(spread >> shift) % len(letters)] for shift in range(0, 40, 5))
