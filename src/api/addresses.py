"""Who calls: the address of a visitor, also behind a proxy, and what an address stands for."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.requests import Request

from src.setting_types import IpAddress, IpNetwork, ip_address


def network_of(address: str) -> str:
    """What throttles and limits count: the IPv4 address; of IPv6 its /64, since one household has all of that.

    What is no address comes back as it is.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def visitor_of(request: Request, trusted: Sequence[IpNetwork]) -> str:
    """The caller's address; empty if unknown.

    It is the one that is connected to us, unless that is a trusted proxy. Then it is the last in X-Forwarded-For
    that is not: each proxy writes at the end who called it, and what stands before that may be anybody's
    invention. If there is no such, the outermost trusted proxy stands for all behind it.
    """
    connected = request.client.host if request.client else ""
    visitor = _parsed(connected)
    if visitor is None:
        return connected
    told = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while told and any(visitor in network for network in trusted):
        before = _parsed(told.pop())
        if before is None:
            break
        visitor = before
    return str(visitor)


def _parsed(text: str) -> IpAddress | None:
    """An address of the header, which some proxies write with a port: ``1.2.3.4:5678``, ``[2001:db8::1]:5678``."""
    text = text.strip()
    if text.startswith("["):
        text = text.partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return ip_address(text)
    except ValueError:
        return None
