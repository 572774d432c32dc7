"""The channel's own variables, and which addresses are Airbnb's (field guide, section 1)."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

from src.settings import Variables, is_loopback, variable

# First-party list, early 2025, "possibly not complete". A domain that is missing costs a host a clear error;
# one that is wrong would let the product type into a stranger's page, so nothing is matched by pattern.
_ENDINGS = """
com ca co.uk ie fr de es cat it pt nl be lu ch at dk se no fi is pl cz hu gr ru rs si ba me al am az lt lv com.ee
com.hr com.ro com.mt com.tr com.ua jp co.kr com.tw com.hk cn com.sg com.my com.ph com.vn com.kh la co.th co.id
co.in com.au co.nz co.za co.il ae mx com.br com.ar cl com.co com.pe com.ec com.py com.bo co.ve co.cr com.gt com.hn
com.ni com.pa com.sv com.bz gy
"""
DOMAINS = frozenset(f"airbnb.{ending}" for ending in _ENDINGS.split())

_SUBDOMAIN = re.compile(r"(?:www|[a-z]{2})\.")


def _split(url: str) -> SplitResult | None:
    """The parts of an address that every reader splits the same way; None for one with tricks in it."""
    if not url.isascii() or "\\" in url or any(char <= " " for char in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if the port is not a number
    except ValueError:
        return None
    return parts if parts.hostname and parts.username is None and parts.password is None else None


def _is_airbnb(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    prefix = _SUBDOMAIN.match(host)
    in_list = host in DOMAINS or (prefix is not None and host[prefix.end() :] in DOMAINS)
    return in_list and parts.scheme == "https" and parts.port in (None, 443)


def is_own_host(url: str, base_url: str) -> bool:
    """Whether ``url`` is a page of the site that ``base_url`` (``AIRBNB_BASE_URL``) names. Pure.

    Any of Airbnb's own domains will do, because the site moves a session to its country's domain. A simulated
    site on loopback is only itself: the same scheme, host and port.
    """
    here, base = _split(url), _split(base_url)
    if here is None or base is None:
        return False
    if _is_airbnb(base):
        return _is_airbnb(here)
    return (here.scheme, here.hostname, _port(here)) == (base.scheme, base.hostname, _port(base))


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _base_url(url: str) -> str:
    parts = _split(url)
    if parts is not None and parts.path in ("", "/") and not parts.query and not parts.fragment:
        if _is_airbnb(parts):
            return url.rstrip("/")
        if parts.scheme in ("http", "https") and is_loopback(parts.hostname or ""):
            return url.rstrip("/")
    raise ValueError("is not one of Airbnb's own addresses; write https://www.airbnb.com or your country's")


class AirbnbSettings(Variables):
    """``AIRBNB_*``."""

    prefix = "AIRBNB_"

    headless: bool = variable(default=True, meaning="no browser window", unit="true or false")
    base_url: Annotated[str, AfterValidator(_base_url)] = variable(
        "https://www.airbnb.com", "the site: only Airbnb's own domains and loopback are accepted", "address"
    )


SETTINGS = AirbnbSettings
