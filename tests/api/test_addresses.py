"""Who calls, behind any chain of proxies, whatever was written into the header before."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from src.api.addresses import network_of, visitor_of
from src.setting_types import networks_in

TRUSTED = networks_in("127.0.0.1 ::1 10.0.0.0/8 2001:db8:ffff::/48")
OURS = st.sampled_from(["127.0.0.1", "::1", "10.0.0.7", "::ffff:10.9.9.9", "2001:db8:ffff::5"])
STRANGERS = (
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
    .map(str)
    .filter(lambda text: not any(ipaddress.ip_address(text) in network for network in TRUSTED))
)
MADE_UP = st.one_of(
    OURS, STRANGERS, st.sampled_from(["unknown", "", "_hidden", "127.0.0.1:80", "[::1]:80", "x" * 99])
)


def written(address, style):
    if style == "port":
        return f"[{address}]:4711" if ":" in address else f"{address}:4711"
    return f"::ffff:{address}" if style == "mapped" and "." in address and ":" not in address else address


def asked_by(connected, *headers):
    found = [(b"x-forwarded-for", header.encode()) for header in headers]
    return Request({"type": "http", "client": (connected, 4711), "headers": found})


@given(
    visitor=STRANGERS,
    invented=st.lists(MADE_UP, max_size=3),
    proxies=st.lists(OURS, min_size=1, max_size=3),
    style=st.sampled_from(["plain", "port", "mapped"]),
    split=st.integers(0, 6),
)
def test_the_visitor_is_who_called_our_outermost_proxy(visitor, invented, proxies, style, split):
    told = [*invented, written(visitor, style), *proxies[:-1]]
    headers = [", ".join(part) for part in (told[:split], told[split:]) if part]
    found = visitor_of(asked_by(proxies[-1], *headers), TRUSTED)
    assert network_of(found) == network_of(visitor)


@given(visitor=STRANGERS, invented=st.lists(MADE_UP, max_size=4))
def test_who_is_connected_without_a_proxy_of_ours_is_the_visitor_whatever_it_says(visitor, invented):
    found = visitor_of(asked_by(visitor, ", ".join(invented)), TRUSTED)
    assert network_of(found) == network_of(visitor)


@given(one=st.ip_addresses(v=4), other=st.ip_addresses(v=4))
def test_two_ipv4_addresses_are_one_network_only_if_they_are_the_same(one, other):
    assert (network_of(f"::ffff:{one}") == network_of(str(other))) == (one == other)
