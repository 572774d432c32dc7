"""The simulated inbox: what guests, hosts and Airbnb do to it.

Every change tells the listeners, so that open pages can learn of it. All methods may be called from any thread.
"""

from __future__ import annotations

from sandbox.airbnb.clock import When, now_ms
from sandbox.airbnb.content import CARDS
from sandbox.airbnb.model import Message, Participant, Person, Reaction, Thread
from sandbox.airbnb.store import Store

AIRBNB_SERVICE = Person("Airbnb", 95, "SERVICE")
AIRBNB_EXTERNAL_SERVICE = Person("Airbnb", 2, "EXTERNAL_SERVICE")
"""The two services that write cards and bulletins (field guide, section 2.6)."""


class Inbox(Store):
    """One host's inbox."""

    def guest_writes(
        self,
        thread: Thread,
        text: str,
        by: str | Person | None = None,
        at: When = None,
        translated: str | None = None,
    ) -> Message:
        """A guest's text; ``by`` names a co-traveller. Raises LookupError when nobody here has that name."""
        if isinstance(by, Person):
            author = by
        elif by is None:
            author = thread.guest
        else:
            known = {person.name: person for person in thread.with_role("GUEST", "COTRAVELER")}
            if by not in known:
                raise LookupError(f"no guest called {by!r} in thread {thread.number}")
            author = known[by]
        return self.write(thread, author, text, at, translated=translated)

    def host_writes(self, thread: Thread, text: str, at: When = None) -> Message:
        """The viewer answers from the phone: an own message that no request of the page made."""
        return self.write(thread, self.viewer, text, at)

    def cohost_writes(self, thread: Thread, text: str, at: When = None) -> Message:
        """A co-host's text; a co-host joins the thread when there is none."""
        cohosts = thread.with_role("COHOST")
        if not cohosts:
            thread.participants.append(Participant(self.person("Kim"), "COHOST"))
            cohosts = thread.with_role("COHOST")
        return self.write(thread, cohosts[0], text, at)

    def service_bulletin(
        self, thread: Thread, text: str = "Your reservation is confirmed.", at: When = None
    ) -> Message:
        """Airbnb's own line, e.g. after an instant booking (field guide, section 2.6)."""
        return self.write(thread, AIRBNB_SERVICE, text, at, "VIEWER_BASED_CONTENT", "STAYS_INSTANT_BOOKED")

    def static_bulletin(self, thread: Thread, text: str = "This trip has ended.", at: When = None) -> Message:
        """``STATIC_BULLETIN_CONTENT``: named in the field guide (section 2.6), never captured."""
        return self.write(thread, AIRBNB_SERVICE, text, at, "STATIC_BULLETIN_CONTENT")

    def card(
        self,
        thread: Thread,
        sub_type: str = "STAY_ALTERATION_WITHOUT_LISTING_CHANGE_PENDING",
        by: Person | None = None,
        text: str | None = None,
        at: When = None,
    ) -> Message:
        """A card of this ``contentSubType``, by whoever "authors" it on the real site unless ``by`` says else.

        Known ones are in ``sandbox.airbnb.content.CARDS``; any other is drawn like a claim card.
        """
        kind = CARDS.get(sub_type, CARDS["STAYS_ACH_HDP_CLAIM_CLOSED"])
        authors = {"host": self.viewer, "external": AIRBNB_EXTERNAL_SERVICE, "service": AIRBNB_SERVICE}
        author = by or authors.get(kind.author) or thread.guest
        return self.write(thread, author, text or kind.title, at, kind.content_type, sub_type)

    def media(self, thread: Thread, by: Person | None = None, at: When = None) -> Message:
        """A photo without a text."""
        return self.write(thread, by or thread.guest, "sent a photo", at, "MEDIA_CONTENT")

    def strange(self, thread: Thread, content_type: str = "HOLOGRAM_CONTENT", at: When = None) -> Message:
        """A message of a kind that nobody has seen yet."""
        return self.write(thread, thread.guest, "hello from the future", at, content_type)

    # --- changes ---------------------------------------------------------------------------------------------

    def react(
        self, thread: Thread, emoji: str = "❤️", by: Person | None = None, message: Message | None = None
    ) -> Reaction:
        """An emoji on a message (the newest one unless said otherwise): no new message."""
        with self.lock:
            target = message or thread.messages[-1]
            reaction = Reaction(by or thread.guest, emoji, max(now_ms(), target.created_at_ms + 1))
            target.reactions.append(reaction)
            thread.bump(reaction.at_ms)
        self.changed(thread, None)
        return reaction

    def edit(self, message: Message, text: str) -> None:
        """The author changes the text; the id stays, ``editedAtMs`` is set."""
        with self.lock:
            message.text = text
            message.edited_at_ms = message.updated_at_ms = max(now_ms(), message.created_at_ms + 1)
            message.thread.touch(message.updated_at_ms)
        self.changed(message.thread, None)

    def unsend(self, message: Message) -> None:
        """The author takes it back: its content goes, its preview stays (field guide, section 2.6)."""
        with self.lock:
            message.deleted_at_ms = message.updated_at_ms = max(now_ms(), message.created_at_ms + 1)
            message.thread.touch(message.updated_at_ms)
        self.changed(message.thread, None)

    def mark_read(self, thread: Thread) -> None:
        """Take the ``unread`` tag away."""
        if thread.unread:
            thread.unread = False
            self.changed(thread, None)

    def mark_unread(self, thread: Thread) -> None:
        """Set the ``unread`` tag again."""
        if not thread.unread:
            thread.unread = True
            self.changed(thread, None)

    # --- threads that must not be answered (field guide, section 7) --------------------------------------------

    def support_thread(self, text: str = "We are looking into your case.") -> Thread:
        """Airbnb's staff. The JSON of such a thread was never seen: type and roles are guesses."""
        thread = self.add_thread(
            guest=None, kind="SUPPORT", listing_id=None, trip_stage=None, hosting=False, title="Airbnb Support",
            others=[("Sam from Airbnb", "AGENT")], status="Open",
        )  # fmt: skip
        agent = Person("Sam from Airbnb", thread.with_role("AGENT")[0].account_id, "AGENT")
        thread.participants[-1] = Participant(agent, "AGENT")
        self.write(thread, agent, text)
        return thread

    def ambassador_thread(self, text: str = "Welcome! Ask me anything about hosting.") -> Thread:
        """A Superhost Ambassador: looks like any other row (field guide, section 7)."""
        thread = self.add_thread(
            guest=None, kind="AMBASSADOR", listing_id=None, trip_stage=None, hosting=False,
            others=[("Dana", "AMBASSADOR")], status="",
        )  # fmt: skip
        self.write(thread, thread.with_role("AMBASSADOR")[0], text)
        return thread

    def announcement_thread(self, text: str = "Welcome to hosting on Airbnb!") -> Thread:
        """Airbnb's announcements: ``WELCOME_ANNOUNCEMENT`` (field guide, section 7)."""
        thread = self.add_thread(
            guest=None, kind="WELCOME_ANNOUNCEMENT", listing_id=None, trip_stage=None, hosting=False,
            title="Airbnb", status="",
        )  # fmt: skip
        self.static_bulletin(thread, text)
        return thread

    def own_trip_thread(self, text: str = "Looking forward to your stay!", host: str = "Noor") -> Thread:
        """The account owner travels: the viewer is the guest, another host writes."""
        thread = self.add_thread(
            guest=None,
            viewer_role="GUEST",
            hosting=False,
            others=[(host, "HOST")],
            listing_id="820000000000000009",
        )
        self.write(thread, thread.with_role("HOST")[0], text)
        return thread

    def cohost_direct_thread(
        self, text: str = "Can you do the cleaning on Friday?", cohost: str = "Kim"
    ) -> Thread:
        """Host and co-host among themselves: ``STAY_COHOST_DIRECT``."""
        thread = self.add_thread(
            guest=None, kind="STAY_COHOST_DIRECT", trip_stage=None, cohost=cohost, status=""
        )
        self.cohost_writes(thread, text)
        return thread

    def enquiry_thread(self, text: str = "Is it quiet at night?", guest: str = "Jun") -> Thread:
        """A guest asks before booking: a hosting thread without a trip."""
        return self.add_thread(guest=guest, trip_stage="INQUIRIES", says=text, status="Enquiry sent")
