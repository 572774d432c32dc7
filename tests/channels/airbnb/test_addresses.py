"""Which addresses are Airbnb's own, and which conversation an address names."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from src.channels.airbnb.pages import lines_of, on_inbox_address, plain, thread_in_address
from src.channels.airbnb.settings import DOMAINS, AirbnbSettings, is_own_host

REAL = "https://www.airbnb.com"
SIMULATED = "http://127.0.0.1:8123"


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_every_country_is_an_own_host_with_and_without_www_or_a_language(domain: str):
    for prefix in ("", "www.", "fr."):
        assert is_own_host(f"https://{prefix}{domain}/hosting/messages", REAL)


@pytest.mark.parametrize(
    "url",
    [
        "https://airbnb.xyz/hosting/messages",
        "https://www.airbnb.com.evil.example/hosting/messages",
        "https://airbnb.com.evil.example/",
        "https://evil.example/www.airbnb.com",
        "https://evil.example/?airbnb.com",
        "https://evil.example#airbnb.com",
        "https://www.airbnb.com@evil.example/hosting/messages",
        "https://user@www.airbnb.com/hosting/messages",
        "https://user:secret@www.airbnb.com/",
        "https://www.airbnb.com:8443/hosting/messages",
        "https://www.airbnb.com:80/",
        "https://www.airbnb.com:99999/",
        "https://www.airbnb.com:x/",
        "http://www.airbnb.com/hosting/messages",
        "ftp://www.airbnb.com/",
        "javascript:alert('https://www.airbnb.com/')",
        "data:text/html,https://www.airbnb.com/",
        "//www.airbnb.com/",
        "www.airbnb.com",
        "https://www.airbnb.com\\@evil.example/",
        "https://evil.example\\.airbnb.com/",
        "https://www.airbnb.com\t.evil.example/",
        "https://www.airbnb.com .evil.example/",
        "https://www.airbnb.com.",
        "https://evilairbnb.com/",
        "https://www-airbnb.com/",
        "https://api.airbnb.com/",
        "https://a.b.airbnb.com/",
        "https://wwww.airbnb.com/",
        "https://f1.airbnb.com/",
        "https://airbnb.co/",
        "https://www.аirbnb.com/",
        "https://www.airbnb.com\u2024evil.example/",
        "https://xn--irbnb-3ve.com/",
        "about:blank",
        "chrome-error://chromewebdata/",
        "",
    ],
)
def test_a_look_alike_is_not_an_own_host(url: str):
    assert not is_own_host(url, REAL)
    assert not is_own_host(url, SIMULATED)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8123/hosting/messages", True),
        ("http://127.0.0.1:8124/hosting/messages", False),
        ("https://127.0.0.1:8123/hosting/messages", False),
        ("http://localhost:8123/hosting/messages", False),
        ("http://127.0.0.1/hosting/messages", False),
        ("http://127.0.0.1:8123@evil.example/", False),
        ("https://www.airbnb.com/hosting/messages", False),
    ],
)
def test_a_simulated_site_is_only_itself(url: str, own: bool):
    assert is_own_host(url, SIMULATED) is own


@pytest.mark.parametrize(
    "url", ["https://www.airbnb.fr", "https://airbnb.co.uk/", "http://127.0.0.1:8123", "http://localhost:1/"]
)
def test_own_addresses_are_taken_as_the_site(url: str):
    assert AirbnbSettings(base_url=url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "https://airbnb.xyz",
        "https://www.airbnb.com.evil.example",
        "https://user@www.airbnb.com",
        "http://www.airbnb.com",
        "https://www.airbnb.com/hosting/messages",
        "https://www.airbnb.com?x=1",
        "http://192.168.0.7:8123",
        "http://127.0.0.1.evil.example",
        "",
    ],
)
def test_any_other_address_is_refused_as_the_site(url: str):
    with pytest.raises(ValidationError):
        AirbnbSettings(base_url=url)


@pytest.mark.parametrize(
    ("path", "number", "inbox"),
    [
        ("/hosting/messages", None, True),
        ("/hosting/messages/", None, True),
        ("/hosting/messages?unread=", None, True),
        ("/hosting/messages/2100000003", 2100000003, True),
        ("/hosting/messages/2100000003/", 2100000003, True),
        ("/hosting/messages/2100000003?unread=", 2100000003, True),
        ("/hosting/messages/2100000003/details", None, True),
        ("/hosting/messages/abc", None, True),
        ("/hosting/messagesX", None, False),
        ("/guest/messages/2100000003", None, False),
        ("/login?redirect_url=/hosting/messages/7", None, False),
        ("/", None, False),
    ],
)
def test_an_address_names_its_conversation(path: str, number: int | None, inbox: bool):
    assert thread_in_address(REAL + path) == number
    assert on_inbox_address(REAL + path) is inbox


def test_a_composers_text_is_compared_as_it_would_be_sent():
    assert plain("a\u00a0b\r\nc\rd\n\n") == "a b\nc\nd"
    assert plain("  kept  ") == "  kept  "


def test_no_line_that_is_typed_holds_a_line_end():
    assert lines_of("a\r\nb\rc\n\nd") == ["a", "b", "c", "", "d"]
