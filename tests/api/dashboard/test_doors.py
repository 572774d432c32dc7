"""Who gets to see the pages: login, its cookie, its forms, the Host header, wrong passwords."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import re

import httpx
import pytest

from src.api.server import serve
from tests.support.api import KEY, client, inbox  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401

PASSWORD = "correct horse battery"
PAGES = ["/", "/conversations", "/outbox", "/reconnect"]


def token_of(page):
    return re.findall(r'name="form_token" value="([0-9a-f]+)"', page.text)[0]


async def log_in(one, password=PASSWORD, **more):
    page = await one.get("/login")
    form = {"form_token": token_of(page), "password": password}
    return await one.post("/login", data=form, **more)


async def test_on_this_machine_the_pages_are_open_and_to_others_never(client):
    for path in PAGES:
        assert (await client().get(path)).status_code == 200
        for outside in (
            client(peer="203.0.113.9"),
            client(headers={"x-forwarded-for": "203.0.113.9"}),
        ):
            assert (await outside.get(path)).status_code == 401


async def test_another_name_that_points_here_sees_nothing(client):
    for settings in ({}, {"dashboard_password": PASSWORD}):
        strange = await client(base_url="http://rebound.example:8000", **settings).get("/")
        assert strange.status_code == 421
        assert "DASHBOARD_URL" in strange.text
    ours = {"base_url": "https://porter.example", "dashboard_url": "https://porter.example"}
    assert (await client(**ours, dashboard_password=PASSWORD).get("/")).status_code == 303
    assert (await client(**ours).get("/")).status_code == 401


async def test_a_link_of_another_site_leads_to_a_page_but_its_form_does_nothing(client):
    one = client()
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert (await one.get("/", headers=followed)).status_code == 200
    assert (await one.get("/", headers={"sec-fetch-site": "cross-site"})).status_code == 401
    refused = await one.post("/logout", headers={"origin": "https://evil.example"})
    assert refused.status_code == 401


@pytest.mark.parametrize(
    "settings", [{"dashboard_password": PASSWORD}, {"api_key": PASSWORD.replace(" ", "-")}]
)
async def test_with_a_password_everybody_logs_in_and_out_again(client, settings):
    one = client(**settings)
    (password,) = settings.values()
    asked = await one.get("/", params={"done": "paused", "x": "1"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2F%3Fx%3D1")
    assert (await log_in(one, "wrong password")).status_code == 401
    entered = await log_in(one, password, params={"next": "/?x=1"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/?x=1")
    cookie = next(c for c in entered.headers.get_list("set-cookie") if c.startswith("nightporter_login"))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    page = await one.get("/")
    assert page.status_code == 200
    assert (await one.get("/api/outbox")).status_code == 200
    kept = dict(one.cookies)
    assert (await one.post("/logout", data={"form_token": token_of(page)})).status_code == 303
    one.cookies.update(kept)  # whoever has copied the cookie has nothing
    assert (await one.get("/")).status_code == 303
    assert (await one.get("/api/outbox")).status_code == 401


async def test_a_login_ends_with_its_time_and_with_its_password(client, clock):
    one = client(dashboard_password=PASSWORD)
    await log_in(one)
    cookies = dict(one.cookies)
    other = client(dashboard_password="another password")
    other.cookies.update(cookies)
    assert (await other.get("/")).status_code == 303
    assert (await one.get("/")).status_code == 200
    clock.advance(15 * 86_400)
    assert (await one.get("/")).status_code == 303


@pytest.mark.parametrize("cookie", ["", ".", "x.y.z", "9999999999.abc.", "²³.a.b", "9" * 400])
async def test_a_made_up_login_is_none(client, cookie):
    one = client(dashboard_password=PASSWORD, headers={"cookie": f"nightporter_login={cookie}".encode()})
    assert (await one.get("/")).status_code == 303


async def test_over_https_the_cookies_are_for_https_alone(client):
    one = client(
        base_url="https://porter.example", dashboard_url="https://porter.example", dashboard_password=PASSWORD
    )
    entered = await log_in(one)
    assert entered.status_code == 303
    assert all("Secure" in cookie for cookie in entered.headers.get_list("set-cookie"))


async def test_wrong_passwords_make_their_address_wait_and_nobody_else(client, clock):
    one = client(dashboard_password=PASSWORD)
    for _ in range(5):
        assert (await log_in(one, "wrong")).status_code == 401
    waiting = await log_in(one)
    assert (waiting.status_code, waiting.headers["retry-after"]) == (429, "3")
    clock.advance(3)
    assert (await log_in(one, "wrong")).status_code == 401
    assert (await log_in(one)).headers["retry-after"] == "5"
    clock.advance(5)
    assert (await log_in(one)).status_code == 303


@pytest.fixture
async def app_for(client):
    """Clients with these addresses of one and the same application."""
    made = []

    def make(*peers, **settings):
        app = client(**settings)._transport.app
        for peer in peers:
            transport = httpx.ASGITransport(app, client=(peer, 50_000))
            made.append(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000"))
        return made[-len(peers) :]

    yield make
    for one in made:
        await one.aclose()


async def guess(one, times=5):
    for _ in range(times):
        answer = await log_in(one, "wrong")
    return answer.status_code


@pytest.mark.parametrize(
    ("guesser", "other"),
    [
        ("::ffff:203.0.113.9", "::ffff:203.0.113.10"),
        ("2001:db8:0:1::9", "2001:db8:0:2::9"),
        ("203.0.113.9", "203.0.113.10"),
        ("fe80::1%eth0", "fe80:0:0:1::1%eth0"),
    ],
    ids=["IPv4 on a socket for both", "IPv6", "IPv4", "link-local"],
)
async def test_one_client_that_guesses_locks_out_no_other_one(app_for, guesser, other):
    one, another = app_for(guesser, other, dashboard_password=PASSWORD)
    assert await guess(one, 6) == 429
    assert (await log_in(another)).status_code == 303


async def test_on_a_socket_for_both_kinds_each_ipv4_client_has_its_own_throttle(client):
    app = client(dashboard_password=PASSWORD)._transport.app
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(app, "::", 0, stop=stop, on_started=address.set_result))
    port = (await address).rpartition(":")[2]

    def from_(source):
        transport = httpx.AsyncHTTPTransport(local_address=source)
        return httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}")

    async with from_("127.0.0.2") as one, from_("127.0.0.3") as another:
        assert await guess(one, 6) == 429
        assert (await log_in(another)).status_code == 303
    stop.set()
    await running


async def test_an_ipv4_client_is_the_same_on_a_socket_for_both(app_for):
    mapped, plain = app_for("::ffff:203.0.113.9", "203.0.113.9", dashboard_password=PASSWORD)
    await guess(mapped)
    assert (await log_in(plain)).status_code == 429


async def test_behind_a_trusted_proxy_each_visitor_has_a_throttle_of_its_own(app_for):
    (one,) = app_for("127.0.0.1", dashboard_password=PASSWORD, trusted_proxies="127.0.0.1 10.0.0.0/8")
    one.headers["x-forwarded-for"] = "203.0.113.9"
    assert await guess(one, 6) == 429
    for same in (
        "198.51.100.1, 203.0.113.9",  # what the guesser itself had put there
        "203.0.113.9, 10.1.2.3",  # through a second proxy of ours
        "203.0.113.9:4711",
        "::ffff:203.0.113.9",
    ):
        one.headers["x-forwarded-for"] = same
        assert (await log_in(one)).status_code == 429, same
    for other in ("203.0.113.10", "203.0.113.9, 203.0.113.10", "[2001:db8::1]:4711", "unknown"):
        one.headers["x-forwarded-for"] = other
        assert (await log_in(one)).status_code == 303, other


async def test_what_an_untrusted_caller_says_about_itself_is_not_believed(app_for):
    one, proxy = app_for(
        "203.0.113.9", "127.0.0.1", dashboard_password=PASSWORD, trusted_proxies="10.0.0.0/8"
    )
    for stranger in (one, proxy):
        for number in range(5):
            stranger.headers["x-forwarded-for"] = f"198.51.100.{number}"
            assert (await log_in(stranger, "wrong")).status_code == 401
        assert (await log_in(stranger)).status_code == 429


async def test_a_forwarded_call_is_not_one_of_this_machine_whoever_is_trusted(client):
    for trusted in ("", "127.0.0.1"):
        one = client(trusted_proxies=trusted, headers={"x-forwarded-for": "127.0.0.1"})
        assert (await one.get("/api/outbox")).status_code == 401
        assert (await one.get("/")).status_code == 401


async def test_a_form_without_its_token_changes_nothing(client):
    one = client(dashboard_password=PASSWORD)
    await log_in(one)
    for token in ("", "0" * 64, token_of(await client(dashboard_password=PASSWORD).get("/login"))):
        refused = await one.post("/logout", data={"form_token": token})
        assert refused.status_code == 409
    assert (await one.get("/")).status_code == 200
    assert (await one.post("/seen-to", data={"form_token": "0" * 64})).status_code == 409
    elsewhere = await one.post("/api/pause", headers={"origin": "https://evil.example"})
    assert elsewhere.status_code == 401


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "evil"]
)
async def test_nobody_is_sent_to_another_site(client, to):
    one = client(dashboard_password=PASSWORD)
    assert (await log_in(one, params={"next": to})).headers["location"] == "/"
    assert (await one.get("/language", params={"to": "fr", "next": to})).headers["location"] == "/"


async def test_a_program_with_the_key_needs_no_login(client):
    one = client(api_key=KEY, peer="203.0.113.9", headers={"x-api-key": KEY})
    assert (await one.get("/")).status_code == 200
    wrong = client(api_key=KEY, peer="203.0.113.9", headers={"x-api-key": "wrong"})
    assert (await wrong.get("/")).status_code == 401


async def test_every_page_forbids_what_it_does_not_need(client):
    for path in (*PAGES, "/login"):
        headers = (await client().get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_files_of_the_pages_are_kept_by_the_browser_until_they_change(client):
    page = (await client().get("/login")).text
    (sheet,) = re.findall(r'href="(/static/dashboard\.css\?v=\w+)"', page)
    found = await client().get(sheet)
    assert (found.status_code, found.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in found.headers["cache-control"]
    assert (await client().get("/static/../page.py")).status_code == 404


async def test_the_language_is_the_browsers_or_the_one_that_was_chosen(client):
    one = client()
    assert '<html lang="en">' in (await one.get("/login")).text
    french = {"accept-language": "de, fr-CA;q=0.9, en;q=0.5"}
    assert '<html lang="fr">' in (await one.get("/login", headers=french)).text
    chosen = await one.get("/language", params={"to": "en", "next": "/login"})
    assert chosen.headers["location"] == "/login"
    assert '<html lang="en">' in (await one.get("/login", headers=french)).text
