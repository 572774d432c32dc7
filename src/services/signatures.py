"""Why a signature is not right, for the developer of an AI: the usual mistakes are tried one by one. Pure.

The form is that of the Standard Webhooks specification: HMAC-SHA256 over ``id.timestamp.body``, base64, "v1,".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

TOLERANCE_SEC = 300
"""Of the timestamp; the specification's reference libraries have the same."""
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``reason`` is a stable word, ``valid`` if all is well; ``advice`` says what to do. Quotes no secret."""

    reason: str
    advice: str

    @property
    def ok(self) -> bool:
        return self.reason == "valid"


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a call shows any part of a signature."""
    return any(name in headers for name in _HEADERS)


def diagnose(secret: str | None, headers: Mapping[str, str], body: bytes, now: datetime) -> Diagnosis:
    """Whether a call is signed rightly, and if not, which mistake it looks like. ``secret`` is ``whsec_…``."""
    if secret is None:
        return Diagnosis("no_secret", "WEBHOOK_SECRET is not set here, so no signature can be right")
    missing = [name for name in _HEADERS if not headers.get(name)]
    if missing:
        return Diagnosis("missing_header", f"send the header {', '.join(missing)}")
    stamp = headers["webhook-timestamp"]
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 15):
        return Diagnosis(
            "timestamp_malformed", "webhook-timestamp must be whole seconds since 1970, as digits"
        )
    wrong_clock = _clock(int(stamp), now)
    if wrong_clock is not None:
        return wrong_clock
    given = [part.partition(",") for part in headers["webhook-signature"].split()]
    sent = [value for version, _, value in given if version == "v1" and value]
    if not sent:
        return Diagnosis(
            "signature_malformed", "webhook-signature must be v1, a comma, and the base64 of the HMAC"
        )
    key = base64.b64decode(secret.removeprefix("whsec_") + "==")
    signed = b".".join([headers["webhook-id"].encode(), stamp.encode(), body])
    if _is_among(sent, _base64(key, signed)):
        return Diagnosis("valid", "the signature is right")
    return _mistake(sent, secret, key, signed, body)


def _clock(stamp: int, now: datetime) -> Diagnosis | None:
    off = now.timestamp() - stamp
    if abs(off) <= TOLERANCE_SEC:
        return None
    if abs(now.timestamp() - stamp / 1000) <= TOLERANCE_SEC:
        return Diagnosis("timestamp_in_milliseconds", "webhook-timestamp must be in seconds")
    word, side = ("timestamp_too_old", "behind") if off > 0 else ("timestamp_too_new", "ahead of")
    advice = (
        f"webhook-timestamp is {abs(off):.0f} s {side} this machine's clock; {TOLERANCE_SEC} s are allowed"
    )
    return Diagnosis(word, advice)


def _mistake(sent: list[str], secret: str, key: bytes, signed: bytes, body: bytes) -> Diagnosis:
    text_as_key = (secret.encode(), secret.removeprefix("whsec_").encode())
    tries = (
        ("body_alone", "sign id.timestamp.body, not the body alone", [_base64(key, body)]),
        (
            "secret_not_decoded",
            "the key is what the base64 after whsec_ stands for, not its text",
            [_base64(text, part) for text in text_as_key for part in (signed, body)],
        ),
        ("hexadecimal", "write the HMAC as base64, not as hexadecimal", [_hex(key, signed), _hex(key, body)]),
        (
            "body_changed",
            "sign the very bytes that are sent: here they end in a line break that was not signed",
            [_base64(key, signed.rstrip(b"\r\n"))] if signed.endswith(b"\n") else [],
        ),
    )
    for reason, advice, candidates in tries:
        if any(_is_among(sent, candidate) for candidate in candidates):
            return Diagnosis(reason, advice)
    if not any(_is_digest(value) for value in sent):
        return Diagnosis("signature_malformed", "what follows v1, must be the base64 of 32 bytes")
    return Diagnosis(
        "wrong_signature",
        "another secret was used, or other bytes were signed than were sent: sign the body as it goes out, "
        "with the webhook-id and webhook-timestamp of the same call",
    )


def _base64(key: bytes, data: bytes) -> str:
    return base64.b64encode(hmac.digest(key, data, hashlib.sha256)).decode()


def _hex(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def _is_among(sent: list[str], right: str) -> bool:
    return any(hmac.compare_digest(value.encode(), right.encode()) for value in sent)


def _is_digest(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == hashlib.sha256().digest_size
    except (ValueError, binascii.Error):
        return False
