"""Logins of people: a signed cookie, the token that every form carries, and the wait after wrong passwords.

A login is ``<end, unix seconds>.<random>.<mac>``. Its key hangs on the passwords, so that changing one of them ends
every login; logging out notes the random part in the database (``db/sessions.py``).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from src.api.addresses import network_of
from src.settings import ServingSettings

LOGIN_COOKIE = "nightporter_login"
FORM_COOKIE = "nightporter_form"
LASTS = timedelta(days=14)
FREE_TRIES = 5
LONGEST_WAIT = timedelta(minutes=15)
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Login:
    """A login that is in force as far as its cookie says."""

    id: str
    until: datetime


class Sessions:
    """Makes and checks cookies. Holds no login: several processes with one database accept the same ones."""

    def __init__(self, settings: ServingSettings, secret: bytes) -> None:
        passwords = [one for one in (settings.dashboard_password, settings.api_key) if one is not None]
        self._passwords = [one.get_secret_value().encode() for one in passwords]
        self._login_key = _derived(secret, b"login", *self._passwords)
        self._form_key = _derived(secret, b"form")
        address = urlsplit(settings.dashboard_url)
        self._https = address.scheme == "https"
        self.public_host = (address.hostname or "").lower()
        self.public_netloc = address.netloc.lower()

    @property
    def has_password(self) -> bool:
        """Whether anybody can log in at all."""
        return bool(self._passwords)

    def opens(self, password: str) -> bool:
        """Whether it is the dashboard's password, or the API key. In constant time."""
        shown = password.encode()
        return sum(hmac.compare_digest(shown, one) for one in self._passwords) > 0

    def begin(self, response: Response, now: datetime) -> None:
        """Log in: sets the cookie."""
        end = int((now + LASTS).timestamp())
        body = f"{end}.{secrets.token_urlsafe(18)}"
        self._set(
            response, LOGIN_COOKIE, f"{body}.{self._mac(self._login_key, body)}", int(LASTS.total_seconds())
        )

    def login_of(self, request: Request, now: datetime) -> Login | None:
        """The login that the request's cookie proves, if it is ours and not over; whether it was ended is a row."""
        body, _, mac = request.cookies.get(LOGIN_COOKIE, "").rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(self._login_key, body).encode()):
            return None
        end, _, login_id = body.partition(".")
        until = datetime.fromtimestamp(int(end), UTC)
        return Login(login_id, until) if now < until else None

    def forget(self, response: Response) -> None:
        """Take the login's cookie away."""
        response.delete_cookie(LOGIN_COOKIE, httponly=True, samesite="lax", secure=self._https)

    # --- forms -------------------------------------------------------------------------------------------

    def form_token(self, request: Request) -> tuple[str, str | None]:
        """What a form of this browser carries, masked anew each time; and the cookie to set if it has none yet."""
        known = request.cookies.get(FORM_COOKIE, "")
        if _is_ours(known):
            return _masked(self._mac(self._form_key, known)), None
        made = secrets.token_urlsafe(24)
        return _masked(self._mac(self._form_key, made)), made

    def set_form_cookie(self, response: Response, value: str) -> None:
        self._set(response, FORM_COOKIE, value, None)

    def is_own_form(self, request: Request, token: str) -> bool:
        """Whether a form was sent from a page that we made for this very browser."""
        known = request.cookies.get(FORM_COOKIE, "")
        expected = self._mac(self._form_key, known)
        return _is_ours(known) and hmac.compare_digest(_unmasked(token), bytes.fromhex(expected))

    def _set(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        response.set_cookie(
            name, value, max_age=max_age, httponly=True, samesite="lax", secure=self._https, path="/"
        )

    @staticmethod
    def _mac(key: bytes, body: str) -> str:
        return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()


def _derived(secret: bytes, *parts: bytes) -> bytes:
    made = hmac.new(secret, digestmod=hashlib.sha256)
    for part in parts:
        made.update(len(part).to_bytes(4) + part)
    return made.digest()


def _masked(mac: str) -> str:
    """A random mask and the token under it: no two answers have the same, so that no length tells of it."""
    plain = bytes.fromhex(mac)
    mask = secrets.token_bytes(len(plain))
    return (mask + _xor(plain, mask)).hex()


def _unmasked(token: str) -> bytes:
    """What stood under the mask; nothing for what is no token of ours."""
    try:
        both = bytes.fromhex(token)
    except ValueError:
        return b""
    half = len(both) // 2
    return _xor(both[half:], both[:half]) if len(both) == 2 * half else b""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _is_ours(value: str) -> bool:
    return 16 <= len(value) <= 64 and value.isascii()


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Wrong passwords of one address: how many, when the last one came, and which, as long as it is only one."""

    times: int
    last: datetime
    only: bytes | None


class Throttle:
    """After some wrong passwords an address waits, each time twice as long. In memory: a restart forgives.

    An address is that of the visitor (``addresses.visitor_of``), of IPv6 its /64.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()

    def wait(self, address: str, now: datetime) -> timedelta | None:
        """How long this address still has to wait before it may try again; None if it need not."""
        found = self._wrong.get(network_of(address))
        if found is None or found.times < FREE_TRIES:
            return None
        pause = min(timedelta(seconds=2.0 ** min(found.times - FREE_TRIES + 1, 20)), LONGEST_WAIT)
        left = found.last + pause - now
        return left if left > timedelta(0) else None

    def is_guessing(self, address: str) -> bool:
        """Whether different wrong ones came from there. The same one again and again is an old one, no guess."""
        found = self._wrong.get(network_of(address))
        return found is not None and found.only is None

    def failed(self, address: str, now: datetime, shown: str) -> None:
        """A wrong password came from there."""
        network, mark = network_of(address), _mark(shown)
        before = self._wrong.pop(network, _Wrong(0, now, mark))
        self._wrong[network] = _Wrong(before.times + 1, now, mark if before.only == mark else None)
        while len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)

    def refused(self, address: str, shown: str) -> None:
        """Something wrong was shown while the address waits. That makes it wait no longer."""
        found = self._wrong.get(network_of(address))
        if found is not None and found.only != _mark(shown):
            self._wrong[network_of(address)] = replace(found, only=None)

    def succeeded(self, address: str) -> None:
        """The right one came from there: forget its wrong ones."""
        self._wrong.pop(network_of(address), None)


def _mark(shown: str) -> bytes:
    return hashlib.sha256(shown.encode("utf-8", "replace")).digest()
