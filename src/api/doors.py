"""Who is let in: a valid token, the API key, a valid signature; with neither key nor secret set, this machine.

Whoever shows something that is wrong stays outside, wherever the call comes from.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from loguru import logger
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import Request

from src.errors import NightporterError
from src.services import tokens
from src.settings import Settings, is_loopback

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


class Unauthorized(NightporterError):
    """Not let in."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How somebody was let in; ``request_id`` only with a token."""

    by: Literal["token", "key", "signature", "loopback"]
    request_id: str | None = None


class Doors:
    """Checks a request before anything in it is used."""

    def __init__(self, settings: Settings, token_secret: bytes) -> None:
        self._token_secret = token_secret
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key else None
        secret = settings.webhook_secret
        self._webhook = Webhook(secret.get_secret_value()) if secret else None

    async def callback(self, request: Request) -> Entry:
        """For the AI: token, key, signature or loopback. Raises ``Unauthorized``."""
        given = request.query_params.getlist("token")
        if len(given) == 1:
            request_id = tokens.verify(self._token_secret, given[0])
            if request_id is not None:
                return Entry("token", request_id)
        return await self._others(request, shown=bool(given))

    async def operator(self, request: Request) -> Entry:
        """For a person's programs: key, signature or loopback. Raises ``Unauthorized``."""
        return await self._others(request, shown=False)

    async def _others(self, request: Request, *, shown: bool) -> Entry:
        headers = request.headers
        keys = [*headers.getlist("x-api-key"), *headers.getlist("authorization")]
        if self._key is not None and any(self._is_key(key) for key in keys):
            return Entry("key")
        signed = any(name.startswith("webhook-sig") for name in headers)
        if signed and await self._is_signed(request):
            return Entry("signature")
        if shown or keys or signed:
            raise self._refused(request, "what it showed is wrong")
        if self._key is None and self._webhook is None and _is_direct_and_local(request):
            return Entry("loopback")
        raise self._refused(request, "it showed nothing")

    def _is_key(self, shown: str) -> bool:
        kind, _, rest = shown.partition(" ")
        value = rest.strip() if kind.lower() == "bearer" and rest else shown
        return hmac.compare_digest(value.encode("latin-1", "replace"), self._key or b"")

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

    @staticmethod
    def _refused(request: Request, why: str) -> Unauthorized:
        client = request.client.host if request.client else "unknown"
        logger.bind(path=request.url.path, client=client).warning("a call was not let in: {}", why)
        return Unauthorized()


def _is_direct_and_local(request: Request) -> bool:
    """A program on this machine that calls us by a loopback name, and no web page that a browser here shows.

    The Host header tells a page of elsewhere whose name was pointed at this machine (DNS rebinding), Origin and
    Sec-Fetch-Site one that calls us across sites.
    """
    headers = request.headers
    if request.client is None or not is_loopback(request.client.host):
        return False
    if _FORWARDING_HEADERS & set(headers.keys()):
        return False
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not is_loopback(_host_of(f"//{hosts[0]}")):
        return False
    if any(_netloc_of(origin) != hosts[0].lower() for origin in headers.getlist("origin")):
        return False
    return headers.get("sec-fetch-site", "none") in {"none", "same-origin"}


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
