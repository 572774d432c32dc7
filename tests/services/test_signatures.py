"""What a developer is told about a signature, for each of the usual mistakes."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from src.services.signatures import diagnose

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of some length").decode()
BODY = b'{"message": "Oui"}'
STAMP = str(int(NOW.timestamp()))
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))


def digest(key, data):
    return hmac.digest(key, data, hashlib.sha256)


def b64(data):
    return base64.b64encode(data).decode()


def signed(signature, stamp=STAMP):
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}


ALL = f"msg_1.{STAMP}.".encode() + BODY


def test_what_the_reference_library_signs_is_right():
    signature = Webhook(SECRET).sign("msg_1", NOW, BODY.decode())
    assert diagnose(SECRET, signed(f"v1,bm9uZQ== {signature}"), BODY, NOW).ok


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (signed("v1," + b64(digest(KEY, BODY))), "body_alone"),
        (signed("v1," + b64(digest(SECRET.encode(), ALL))), "secret_not_decoded"),
        (signed("v1," + b64(digest(SECRET.removeprefix("whsec_").encode(), ALL))), "secret_not_decoded"),
        (signed("v1," + digest(KEY, ALL).hex()), "hexadecimal"),
        (signed("v1,nonsense"), "signature_malformed"),
        (signed(b64(digest(KEY, ALL))), "signature_malformed"),
        (signed("v1," + b64(digest(b"x" * 24, ALL))), "wrong_signature"),
        (signed("v1,x", str(int(NOW.timestamp()) - 301)), "timestamp_too_old"),
        (signed("v1,x", str(int(NOW.timestamp()) + 301)), "timestamp_too_new"),
        (signed("v1,x", STAMP + "000"), "timestamp_in_milliseconds"),
        (signed("v1,x", NOW.isoformat()), "timestamp_malformed"),
        ({"webhook-id": "msg_1", "webhook-signature": "v1,x"}, "missing_header"),
    ],
)
def test_each_mistake_is_named_and_no_secret_is(headers, reason):
    found = diagnose(SECRET, headers, BODY, NOW)
    assert (found.ok, found.reason) == (False, reason)
    right = b64(digest(KEY, ALL))
    assert right not in found.advice
    assert SECRET not in found.advice


def test_a_line_break_that_was_not_signed_is_found_and_a_missing_secret_too():
    headers = signed("v1," + b64(digest(KEY, ALL)))
    assert diagnose(SECRET, headers, BODY + b"\n", NOW).reason == "body_changed"
    assert diagnose(None, headers, BODY, NOW).reason == "no_secret"
    assert diagnose(OTHER, headers, BODY, NOW).reason == "wrong_signature"
