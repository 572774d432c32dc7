"""What stops us: challenges, login pages, blocks. Detection only; nothing is solved, avoided or disguised.

The positive test comes first (``on_inbox_address`` and the list: we are where we think we are); the known walls
name what it is otherwise. Sources: field guide, section 4; rules 4.5. Each check is tested on true walls and on
look-alikes.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, Response

from src.channels.airbnb import probes, selectors
from src.errors import WallHit

CHALLENGE, LOGGED_OUT, BLOCKED = "challenge", "logged_out", "blocked"

_CHALLENGE_STATUS = frozenset({420, 440})  # 4.2: Airlock, bot validation
_BLOCKED_DOCUMENT = frozenset({403, 405, 429, 503})  # 4.5, rule 3
# 4.5, rule 2: 401/403 count only on what carries messages; telemetry alone proves nothing.
_MESSAGING_OPERATION = re.compile(r"/api/v\d/[A-Za-z]*(Inbox|Thread|Message|InstantEvent)[A-Za-z]*(/|$)")
_TELEMETRY = re.compile(r"(?i)(tracking|logging|telemetry|metrics|analytics|beacon)")


def by_address(url: str) -> WallHit | None:
    """A wall that the address names (4.3). Only the path counts: a query may quote anything."""
    path = urlsplit(url).path.rstrip("/").lower() or "/"
    for fragment in selectors.WALL_PATHS_CHALLENGE:
        if path == fragment or path.startswith(f"{fragment}/"):
            return WallHit(CHALLENGE, f"the site moved to {fragment}")
    for fragment in selectors.WALL_PATHS_LOGIN:
        if path == fragment or path.startswith(f"{fragment}/"):
            return WallHit(LOGGED_OUT, f"the site moved to {fragment}")
    return None


def by_response(response: Response, *, main_document: bool) -> WallHit | None:
    """A wall that an answer's status names (4.2; 4.5, rules 2 and 3)."""
    status, path = response.status, urlsplit(response.url).path
    if main_document:
        if status in _CHALLENGE_STATUS:
            return WallHit(CHALLENGE, f"the page answered {status}")
        if status == 401:
            return WallHit(LOGGED_OUT, "the page answered 401")
        if status in _BLOCKED_DOCUMENT:
            return WallHit(BLOCKED, f"the page answered {status}")
        return None
    if "/api/" not in path:
        return None
    if status in _CHALLENGE_STATUS:
        return WallHit(CHALLENGE, f"an API call answered {status}")
    if status == 429:
        return WallHit(BLOCKED, "an API call answered 429")
    if status == 405 and is_messaging(path):
        return WallHit(BLOCKED, "a messaging call answered 405")
    if status in (401, 403) and is_messaging(path):
        return WallHit(LOGGED_OUT, f"a messaging call answered {status}")
    return None


def is_messaging(path: str) -> bool:
    """Whether the path is one of the operations that carry the inbox, a conversation or a message (2.2)."""
    return bool(_MESSAGING_OPERATION.search(path)) and not _TELEMETRY.search(path)


def by_body(payload: object) -> WallHit | None:
    """A wall in a JSON body, whatever its status (4.2: ``client_error_info.airlock``, ``airlockV2``)."""
    if not isinstance(payload, dict):
        return None
    info = payload.get("client_error_info")
    for holder in (payload, info if isinstance(info, dict) else {}):
        if any(isinstance(holder.get(key), dict) for key in ("airlock", "airlockV2")):
            return WallHit(CHALLENGE, "an answer asks for verification (airlock)")
    if isinstance(payload.get("ghostingAppeal"), dict):
        return WallHit(BLOCKED, "an answer says that the account is suspended")
    return None


def by_text(text: str) -> WallHit | None:
    """A block in words, where data or the inbox should be (4.2). Never ask this of what guests may have written."""
    words = text.lower()
    hit = next((block for block in selectors.WALL_BLOCK_TEXTS if block in words), None)
    return None if hit is None else WallHit(BLOCKED, f"an answer says {hit!r}")


async def by_page(page: Page) -> WallHit | None:
    """A wall that the page shows: address, then elements, visible ones only (4.4). One round trip."""
    return by_address(page.url) or by_elements((await probes.look(page))["wall"])


def by_elements(seen: dict[str, Any]) -> WallHit | None:
    """The wall that a probe of the page found, if any."""
    if seen["challenge"]:
        return WallHit(CHALLENGE, f"the page shows {seen['challenge']}")
    if seen["login"]:
        return WallHit(LOGGED_OUT, f"the page shows {seen['login']}")
    if seen["title"].strip() in selectors.WALL_TITLES:
        return WallHit(BLOCKED, f"the page is titled {seen['title'].strip()!r}")
    return None


async def by_words(page: Page) -> WallHit | None:
    """A wall by what an *unknown* page says. Never ask this of a page with the inbox: guests write such words."""
    words = (await page.locator("body").inner_text(timeout=3_000)).lower().replace("’", "'")
    hit = next((text for text in selectors.WALL_TEXTS if text in words), None)
    return by_text(words) if hit is None else WallHit(CHALLENGE, f"an unknown page says {hit!r}")
