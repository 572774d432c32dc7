"""Who visits a site's pages: names that nobody can guess, and the token by which a browser proves one.

    v-<32 hex>                a browser; from the id of its first message, so a repetition is the same visitor
    u-<32 hex>                somebody whom the site knows, the same on every device
    <name>.<user>.<mac>       the token: HMAC-SHA256(the database's secret, account, name, user)

Nothing is stored for it, and a token is good for one account alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from binascii import Error
from dataclasses import dataclass

_LONGEST_TOKEN = 600
LONGEST_USER = 200


@dataclass(frozen=True, slots=True)
class Visitor:
    """``name`` is the conversation's, ``user`` what the site calls the person (None: it does not say)."""

    name: str
    user: str | None = None


def by_first_message(secret: bytes, account: str, client_id: str) -> Visitor:
    """The visitor whose first message has this id. The same every time."""
    return Visitor(f"v-{_mac(secret, account, 'visitor', client_id)[:16].hex()}")


def by_user(secret: bytes, account: str, user: str) -> Visitor:
    """Somebody whom the site knows by this name."""
    return Visitor(f"u-{_mac(secret, account, 'user', user)[:16].hex()}", user)


def is_said_by_site(key: bytes, user: str, proof: str) -> bool:
    """Whether ``proof`` is the site's: HMAC-SHA256 of the user's name with its key, in hex. Constant time."""
    expected = hmac.new(key, user.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), proof.lower().encode("utf-8", "replace"))


def token_of(secret: bytes, account: str, visitor: Visitor) -> str:
    """What the visitor's browser shows from then on. The same every time."""
    user = _text(visitor.user.encode()) if visitor.user else ""
    return f"{visitor.name}.{user}.{_text(_mac(secret, account, 'token', visitor.name, visitor.user or ''))}"


def of_token(secret: bytes, account: str, token: str) -> Visitor | None:
    """The visitor, if the token was made for this account; else None. Takes any text; constant time."""
    if len(token) > _LONGEST_TOKEN or not token.isascii() or token.count(".") != 2:
        return None
    name, user, _ = token.split(".")
    try:
        called = base64.urlsafe_b64decode(user + "=" * (-len(user) % 4)).decode() if user else None
    except (ValueError, Error):
        return None
    visitor = Visitor(name, called)
    return visitor if hmac.compare_digest(token_of(secret, account, visitor), token) else None


def address_key(secret: bytes, account: str, network: str) -> str:
    """What stands for an address in the rows that a limit counts: nobody can tell the address from it."""
    return _mac(secret, account, "address", network)[:16].hex()


def _mac(secret: bytes, *parts: str) -> bytes:
    made = hmac.new(secret, b"widget", hashlib.sha256)
    for part in parts:
        raw = part.encode()
        made.update(len(raw).to_bytes(4) + raw)
    return made.digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
