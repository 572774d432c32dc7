"""How the simulated site is set up. Each choice is something that differs between sources of the field guide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox.airbnb.labels import Locale
from sandbox.airbnb.responses import SendResponse

Composer = Literal["contenteditable", "nested", "plaintext-only", "textarea", "missing"]


@dataclass
class SiteOptions:
    """All options; they may be changed while the site runs and count from the next page load on."""

    viewer_name: str = "Robin"
    """The host whose inbox this is."""
    locale: Locale = "en"
    """Language of every label, ``aria-label`` and date."""
    composer: Composer = "contenteditable"
    """Where to type: the test id itself, a box inside it, ``plaintext-only``, a textarea, or nowhere."""
    list_shape: Literal["inboxItems", "threads"] = "inboxItems"
    """Both are in use (field guide, section 2.5); ``threads`` has no ``priorityItems``."""
    has_older_as_bool: bool = False
    """``hasOlder``/``hasNewer`` as booleans instead of "YES"/"NO"."""
    page_size: int = 15
    """Threads in one list answer, at most."""
    message_page_size: int = 50
    """Messages in one thread answer, at most."""
    send_response: SendResponse = "full"
    """What a send answers: the message, its ids, or nothing."""
    live: bool = True
    """Whether open pages learn of changes by themselves."""
    live_delay: float = 0.0
    """Seconds between a change and the page hearing of it."""
    asks_on_return: bool = True
    """Whether the page asks for its list when somebody comes back to the tab, or the network does."""
    list_every: float = 0.0
    """The page asks for its list by itself each time so many seconds have passed; 0: never."""
    api_latency: float = 0.0
    """Seconds that every API call takes longer."""
    asset_latency: float = 0.0
    """Seconds that every static asset takes longer."""
    assets: int = 0
    """How many static assets the page loads besides its own script and style (cached by the browser)."""
    auto_open_first: bool = False
    """The bare inbox opens its first thread by itself (and so marks it read)."""
    login_required: bool = False
    """Documents and calls need the cookies that ``/login`` sets (or ``SimulatedSite.sign_in`` made)."""
    no_store: bool = False
    """Pages and answers say ``no-store``; a real site may let the browser keep them, as this one does by default."""
    cookie_max_age: int | None = 31_536_000
    """Lifetime of the login cookies in seconds; None: they go when the browser closes."""
    virtualised: bool = False
    """Only the rows near the visible part of the list are in the DOM."""
    load_more_button: bool = False
    """The list continues by a button instead of by scrolling."""
    optimistic_item_id: Literal["uuid", "none", "number"] = "uuid"
    """``data-item-id`` of a bubble that is still being sent (never documented)."""
    last_item_marker: bool = True
    """``#thread_page_last_item`` is there (field guide, section 3.2: disputed)."""
    guest_label: Literal["role", "bare"] = "role"
    """"Sent by Ana · Booker" or "Sent by Ana" (field guide, section 3.3: contradiction)."""
    own_labelled: bool = False
    """Own messages carry a sender button, too (field guide, section 3.3: contradiction)."""
    header_omits_guest: bool = False
    """The thread's title names co-travellers and co-hosts only (field guide, section 3.2)."""
    mark_read_after: float = 1.0
    """Seconds until an open thread counts as read (field guide, section 3.6)."""
    telemetry: bool = True
    """The page reports what it does to ``/api/v2/``, as the real one constantly does."""
    telemetry_status: int = 200
    """What those reports get; 403 is no wall."""
    cookie_banner: bool = False
    """A cookie banner, at the bottom, covering nothing important."""
    notification_modal: bool = False
    """A harmless dialog over the page until it is closed."""
    look_alikes: bool = False
    """What looks like a wall and is none: reCAPTCHA v3 badge, off-screen and hidden frames, empty airlock box."""
    list_loader_stays: bool = False
    """The list's loader never goes away, though the rows are there (field guide, section 3.1)."""
