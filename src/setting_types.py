"""What a variable's value must look like: addresses, secrets, names, numbers within limits.

A value that does not is refused with what to write in its place, and never quoted: it may be a secret.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr

from src.quiet_hours import QuietHours

LANGUAGES = ("en", "fr")
"""What pages, alerts and the widget speak."""

_POSTGRES = ("postgresql+psycopg", "postgresql", "postgres")  # the last two mean the first, as with psql
_DAY_SEC = 86_400
_LEAST_SECRET_BYTES = 24  # Standard Webhooks
_SHORTEST_KEY = 16
"""A program sends it, so nobody has to remember it: long enough that it cannot be tried out."""
_SHORTEST_PASSWORD = 10
"""With the waits between wrong ones (``api/sessions.py``) even a plain one of this length is not guessed."""


IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def ip_address(text: str) -> IpAddress:
    """The address (with or without brackets). ValueError if it is not one.

    An IPv4 caller of a socket that listens on ``::`` comes as ``::ffff:a.b.c.d`` (RFC 4291, 2.5.5.2). That is
    the IPv4 address.
    """
    found = ipaddress.ip_address(text.strip("[]"))
    return getattr(found, "ipv4_mapped", None) or found


def is_loopback(host: str) -> bool:
    """Whether a host name or address (with or without brackets) means this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def http_url(text: str) -> str:
    """The text if it is a complete http or https address. Raises ValueError without quoting it."""
    try:
        parts = urlsplit(text)
        complete = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    if not complete or any(char.isspace() or char == "\\" for char in text):
        raise ValueError("is not a web address; write it whole, like https://host/path")
    return text


def _secret_url(secret: SecretStr) -> SecretStr:
    return SecretStr(http_url(secret.get_secret_value()))


def addresses_in(secret: SecretStr) -> list[str]:
    """The addresses that stand in a list of them, with spaces or commas between."""
    return secret.get_secret_value().replace(",", " ").split()


def _apprise_urls(secret: SecretStr) -> SecretStr:
    """What Apprise will make of an address is its own business; only that it is one can be seen here."""
    for address in addresses_in(secret):
        scheme, separator, rest = address.partition("://")
        if not separator or not rest or not scheme.replace("+", "").isalnum():
            raise ValueError(
                "holds something that is no Apprise address; write them like ntfys://topic mailtos://…"
            )
    return secret


def _header_value(secret: SecretStr) -> SecretStr:
    if not all("!" <= char <= "~" for char in secret.get_secret_value()):
        raise ValueError("holds a space or a character outside ASCII; use letters, digits and signs only")
    return secret


def _key(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SHORTEST_KEY:
        raise ValueError(f"is too short; write at least {_SHORTEST_KEY} random characters")
    return secret


def _signing_secret(secret: SecretStr) -> SecretStr:
    kind, _, body = secret.get_secret_value().partition("_")
    try:
        key = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if kind != "whsec" or len(key) < _LEAST_SECRET_BYTES:
        raise ValueError("is not a signing secret; write whsec_ and the base64 of at least 24 random bytes")
    return secret


def _database_url(secret: SecretStr) -> SecretStr:
    scheme, _, rest = secret.get_secret_value().partition("://")
    if scheme.startswith("postgresql+") and scheme != "postgresql+psycopg":
        raise ValueError("names another driver; write postgresql+psycopg://user:password@host/name")
    if scheme == "sqlite":
        if not rest.startswith("/") or rest[1:].partition("?")[0] in {"", ":memory:"}:
            raise ValueError("must be a file that all processes share; write sqlite:///./data/inbox.db")
        return secret
    try:
        complete = scheme in _POSTGRES and len(urlsplit(f"x://{rest}").path) > 1
    except ValueError:
        complete = False
    if not complete:
        raise ValueError("is no database; write sqlite:///./data/inbox.db or postgresql+psycopg://host/name")
    return secret


def _host(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if set(text) & set("/:@?# "):
            raise ValueError("is not a host; write only an address like 127.0.0.1") from None
    return text


def networks_in(text: str) -> list[IpNetwork]:
    """The addresses and networks in a list. ValueError if an item is neither."""
    found = []
    for one in text.replace(",", " ").split():
        try:
            network: IpNetwork = ipaddress.ip_network(one if "/" in one else ip_address(one))
        except ValueError:
            raise ValueError(
                "holds something that is no address; write them like 127.0.0.1 10.0.0.0/8"
            ) from None
        if network.prefixlen == 0:
            raise ValueError("trusts everybody; write the addresses of your own proxies only")
        found.append(network)
    return found


def _networks(text: str) -> str:
    networks_in(text)
    return text


def _password(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SHORTEST_PASSWORD:
        raise ValueError(f"is too short; write at least {_SHORTEST_PASSWORD} characters")
    return secret


def _time_zone(name: str) -> str:
    try:
        return name and ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone; write a name like Europe/Paris, or leave it empty") from None


def _quiet_hours(text: str) -> str:
    if text:
        QuietHours.read(text)
    return text


def _origins(text: str) -> str:
    found = text.replace(",", " ").lower().split()
    for one in found:
        parts = urlsplit(one)
        if (
            parts.scheme not in ("http", "https")
            or not parts.netloc
            or one != f"{parts.scheme}://{parts.netloc}"
        ):
            raise ValueError("must be origins like https://shop.example, with spaces between them")
    return " ".join(found)


def lower(value: Any) -> Any:
    """For words that may be written large."""
    return value.lower() if isinstance(value, str) else value


# The upper limits are far from any use; they keep times that are added to them within the calendar.
Seconds = Annotated[float, Field(allow_inf_nan=False, le=_DAY_SEC)]
Minutes = Annotated[float, Field(allow_inf_nan=False, le=60 * 24 * 366)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Hours = Annotated[float, Field(allow_inf_nan=False, le=24 * 366)]

SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
AppriseUrls = Annotated[SecretStr, AfterValidator(_apprise_urls)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]
ApiKey = Annotated[HeaderValue, AfterValidator(_key)]
SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
Password = Annotated[SecretStr, AfterValidator(_password)]
Networks = Annotated[str, AfterValidator(_networks)]
Origins = Annotated[str, AfterValidator(_origins)]
"""Web pages' scheme, host and port, with spaces between them. As browsers say them: in small letters."""
Host = Annotated[str, AfterValidator(_host)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
QuietTimes = Annotated[str, AfterValidator(_quiet_hours)]
