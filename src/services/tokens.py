"""The token in ``callback_url``: lets the AI in for one request, and tells which one.

``<request id>.<base64url of HMAC-SHA256(the database's secret, request id)>``. Nothing is stored: a token is valid
as long as its database is, and what it may still do is decided by the state of its request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

_LONGEST = 200


def make(secret: bytes, request_id: str) -> str:
    """The token for a request. The same every time."""
    digest = hmac.new(secret, request_id.encode(), hashlib.sha256).digest()
    return f"{request_id}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def verify(secret: bytes, token: str) -> str | None:
    """The request id if the token was made with this secret, else None. Takes any text; constant time."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    request_id, _, _ = token.rpartition(".")
    expected = make(secret, request_id)
    return request_id if request_id and hmac.compare_digest(expected, token) else None
