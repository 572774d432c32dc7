"""What an address on the network stands for: one machine or household, which is what throttles and limits count."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """The IPv4 address; of IPv6 its /64, since one household has that many addresses of its own.

    An IPv4 caller of a socket that listens on ``::`` comes as ``::ffff:a.b.c.d`` (RFC 4291, 2.5.5.2): that is
    the IPv4 address, not a part of one /64 with all the others. What is no address comes back as it is.
    """
    try:
        found = plain(ipaddress.ip_address(address))
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def plain(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that stands in an IPv6 one (``::ffff:a.b.c.d``); any other as it is."""
    return getattr(address, "ipv4_mapped", None) or address
