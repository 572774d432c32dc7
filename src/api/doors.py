"""Who is let in: a valid token, the API key, a valid signature, a login; with none of them set, this machine.

A caller with a wrong key is refused, wherever the call comes from.

                 token   key   signature   login   this machine
    callback       x      x        x         -     without API_KEY and WEBHOOK_SECRET
    operator       -      x        x         x     without API_KEY, WEBHOOK_SECRET and DASHBOARD_PASSWORD
    page           -      x        -         x     without API_KEY and DASHBOARD_PASSWORD
    chat           -      x        -         -     without API_KEY and CHAT_API_KEY; CHAT_API_KEY opens it, too

A browser sends a login along by itself, so what changes something must come from a page of ours: a form has its
token, and nothing may say that it comes from elsewhere.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from loguru import logger
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from src.api.addresses import visitor_of
from src.api.sessions import Login, Sessions, Throttle
from src.db import sessions as ended
from src.db.engine import Database
from src.errors import NightporterError
from src.services import tokens
from src.setting_types import is_loopback, networks_in
from src.settings import ServingSettings

# Any of these means that the caller is not the one whose address we see.
_FORWARDING_HEADERS = frozenset(
    {
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-server",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "cf-connecting-ip",
        "true-client-ip",
        "fly-client-ip",
    }
)


_SAFE = frozenset({"GET", "HEAD"})


class Unauthorized(NightporterError):
    """Not let in."""


class TooManyGuesses(Unauthorized):
    """Too many wrong keys came from this address."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("too many wrong keys came from this address; try again later")
        self.wait_sec = int(wait.total_seconds()) + 1


class WrongHost(NightporterError):
    """The name by which a page was asked for is not the dashboard's: another site's name may point here."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How somebody was let in; ``request_id`` only with a token, ``login`` only with one."""

    by: Literal["token", "key", "signature", "loopback", "login"]
    request_id: str | None = None
    login: Login | None = None


class Doors:
    """Checks a request before anything in it is used."""

    def __init__(self, settings: ServingSettings, db: Database, clock: Callable[[], datetime]) -> None:
        self._token_secret = db.secret
        self._db = db
        self._clock = clock
        self.sessions = Sessions(settings, db.secret)
        self._guesses = Throttle()
        self._trusted = networks_in(settings.trusted_proxies)
        self._closed_to_machine = settings.dashboard_password is not None
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key else None
        secret = settings.webhook_secret
        self._webhook = Webhook(secret.get_secret_value()) if secret else None

    async def callback(self, request: Request) -> Entry:
        """For the AI: token, key, signature or loopback. Raises ``Unauthorized``.

        A token opens also while its address waits for wrong keys: nobody guesses one.
        """
        given = request.query_params.getlist("token")
        if len(given) == 1:
            request_id = tokens.verify(self._token_secret, given[0])
            if request_id is not None:
                return Entry("token", request_id)
        return await self._others(request, shown=bool(given))

    async def operator(self, request: Request) -> Entry:
        """For a person's programs and pages: key, signature, login or loopback. Raises ``Unauthorized``."""
        login = await self.login(request)
        if login is not None:
            if request.method not in _SAFE and not comes_from_here(request, self.sessions.public_netloc):
                raise self._refused(request, "it comes from another site's page")
            return Entry("login", login=login)
        return await self._others(request, shown=False, machine=not self._closed_to_machine)

    async def chat(self, request: Request, chat_key: SecretStr | None) -> Entry:
        """For a question-and-answer call: either key, or loopback where no key is set. Raises ``Unauthorized``."""
        if self._shows_key(request):
            return Entry("key")
        own = chat_key.get_secret_value().encode() if chat_key else None
        if own is not None and self._shows_key(request, own):
            return Entry("key")
        if self._keys(request):
            raise self._wrong_key(request, guessable=own is not None)
        if self._key is None and own is None and _is_direct_and_local(request):
            return Entry("loopback")
        raise self._refused(request, "it showed nothing")

    async def page(self, request: Request) -> Entry:
        """For a person's browser: key, login or loopback. Raises ``Unauthorized``, or ``WrongHost`` before that.

        What a form sends is checked beside this: ``Sessions.is_own_form``.
        """
        self.check_host(request)
        if request.method not in _SAFE and not comes_from_here(request, self.sessions.public_netloc):
            raise self._refused(request, "it comes from another site's page")
        if self._shows_key(request):
            return Entry("key")
        if self._keys(request):
            raise self._wrong_key(request)
        login = await self.login(request)
        if login is not None:
            return Entry("login", login=login)
        # A link in a mail leads here from another site: looking at a page is not calling it.
        if not self.sessions.has_password and _is_direct_and_local(request, looking=request.method in _SAFE):
            return Entry("loopback")
        raise Unauthorized

    async def login(self, request: Request) -> Login | None:
        """The login that a request brings, if it is in force."""
        login = self.sessions.login_of(request, self._clock())
        if login is None or await run_in_threadpool(self._has_ended, login.id):
            return None
        return login

    def check_host(self, request: Request) -> None:
        """Raises ``WrongHost`` unless the Host header is this machine's, a plain address or DASHBOARD_URL's."""
        hosts = request.headers.getlist("host")
        host = _host_of(f"//{hosts[0]}") if len(hosts) == 1 else ""
        if not (host and (host == self.sessions.public_host or is_loopback(host) or _is_address(host))):
            raise WrongHost

    def visitor(self, request: Request) -> str:
        """The caller's address; behind a trusted proxy, the one that the proxy names. Empty if unknown."""
        return visitor_of(request, self._trusted)

    def _has_ended(self, login_id: str) -> bool:
        with self._db.read() as conn:
            return ended.has_ended(conn, login_id)

    @staticmethod
    def _keys(request: Request) -> list[str]:
        return [*request.headers.getlist("x-api-key"), *request.headers.getlist("authorization")]

    async def _others(self, request: Request, *, shown: bool, machine: bool = True) -> Entry:
        if self._shows_key(request):
            return Entry("key")
        signed = any(name.startswith("webhook-sig") for name in request.headers)
        if signed and await self._is_signed(request):
            return Entry("signature")
        if self._keys(request):
            raise self._wrong_key(request)
        if shown or signed:
            raise self._refused(request, "what it showed is wrong")
        if machine and self._key is None and self._webhook is None and _is_direct_and_local(request):
            return Entry("loopback")
        raise self._refused(request, "it showed nothing")

    def _shows_key(self, request: Request, key: bytes | None = None) -> bool:
        """Whether the API key is shown. Who has to wait for guessing does not learn whether it is the right one.

        A program with an old key shows the same one again and again. That is no guess, and keeps nobody out who
        shares its address and has the right one.
        """
        key = key or self._key
        if key is None or not any(_is_key(shown, key) for shown in self._keys(request)):
            return False
        visitor = self.visitor(request)
        if self._guesses.is_guessing(visitor) and self._guesses.wait(visitor, self._clock()) is not None:
            return False
        self._guesses.succeeded(visitor)
        return True

    def _wrong_key(self, request: Request, *, guessable: bool = False) -> Unauthorized:
        """What to raise for a key that does not open. It counts as a guess, unless its address waits already."""
        visitor, now = self.visitor(request), self._clock()
        if self._key is not None or guessable:
            shown, wait = "\n".join(self._keys(request)), self._guesses.wait(visitor, now)
            if wait is not None:
                self._guesses.refused(visitor, shown)
                return TooManyGuesses(wait)
            self._guesses.failed(visitor, now, shown)
        return self._refused(request, "what it showed is wrong")

    async def _is_signed(self, request: Request) -> bool:
        if self._webhook is None:
            return False
        try:
            self._webhook.verify(await request.body(), dict(request.headers), json_parse=False)
        except (
            WebhookVerificationError,
            ValueError,
        ):  # ValueError: the library's, for headers of a wrong form
            return False
        return True

    def _refused(self, request: Request, why: str) -> Unauthorized:
        logger.bind(path=request.url.path, client=self.visitor(request) or "unknown").warning(
            "a call was not let in: {}", why
        )
        return Unauthorized()


def _is_key(shown: str, key: bytes) -> bool:
    kind, _, rest = shown.partition(" ")
    value = rest.strip() if kind.lower() == "bearer" and rest else shown
    return hmac.compare_digest(value.encode("latin-1", "replace"), key)


def comes_from_here(request: Request, public: str = "") -> bool:
    """Whether no header of the browser says that another site's page sent this.

    ``public``: host and port of DASHBOARD_URL, for a proxy that asks for us by another name.
    """
    ours = {request.headers.get("host", "").lower(), public} - {""}
    if any(_netloc_of(origin) not in ours for origin in request.headers.getlist("origin")):
        return False
    return request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}


def _is_direct_and_local(request: Request, *, looking: bool = False) -> bool:
    """A program on this machine that calls us by a loopback name, and no web page that a browser here shows.

    The Host header tells a page of elsewhere whose name was pointed at this machine (DNS rebinding), Origin and
    Sec-Fetch-Site one that calls us across sites. ``looking``: a page that a person opens, which a link of another
    site may lead to; that site sees nothing of it.
    """
    headers = request.headers
    if request.client is None or not is_loopback(request.client.host):
        return False
    if _FORWARDING_HEADERS & set(headers.keys()):
        return False
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not is_loopback(_host_of(f"//{hosts[0]}")):
        return False
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return comes_from_here(request) or (looking and opened and "origin" not in headers)


def _is_address(host: str) -> bool:
    """A plain IP address, which no other name can be made to point to."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _netloc_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
