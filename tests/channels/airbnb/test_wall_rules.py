"""What an address, a status or a body says about walls, and what only sounds like one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

import pytest

from sandbox.airbnb.walls import Wall, WallKind, in_call
from src.channels.airbnb import walls

API = "https://www.airbnb.com/api/v3"
LIST = f"{API}/ViaductInboxData/ab12"
THREAD = f"{API}/ViaductGetThreadAndDataQuery/ab12"
SEND = f"{API}/CreateBulkMessagesMutation/ab12"

EXPECTED = {
    "airlock_page": "challenge",
    "http_420": "challenge",
    "http_440": "challenge",
    "http_429": "blocked",
    "http_405": "blocked",
    "ip_blocked": "blocked",
    "access_denied": "blocked",
    "suspended": "blocked",
    "login_redirect": "logged_out",
    "logged_out_api": "logged_out",
}


def response(url: str, status: int) -> Any:
    return SimpleNamespace(url=url, status=status)


def kind_of(wall: Any) -> str | None:
    return None if wall is None else wall.kind


# --- addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/airlock", "challenge"),
        ("/airlock?al_id=4711", "challenge"),
        ("/airlock/redirect", "challenge"),
        ("/verify", "challenge"),
        ("/two-factor", "challenge"),
        ("/challenge/", "challenge"),
        ("/account-fov", "challenge"),
        ("/account-activation/now", "challenge"),
        ("/login", "logged_out"),
        ("/login?redirect_url=%2Fhosting%2Fmessages", "logged_out"),
        ("/LOGIN/", "logged_out"),
        ("/login_with_redirect", "logged_out"),
        ("/signup_login", "logged_out"),
        ("/signup", "logged_out"),
        ("/authenticate", "logged_out"),
        ("/forgot_password", "logged_out"),
    ],
)
def test_an_address_of_a_wall_is_named(path: str, kind: str):
    assert kind_of(walls.by_address(f"https://www.airbnb.com{path}")) == kind


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/hosting/messages",
        "/hosting/messages/2100000003",
        "/hosting/messages?query=login",
        "/hosting/messages?redirect=/airlock",
        "/hosting/messages#/login",
        "/hosting/messages/login",
        "/loginhelp",
        "/login-tips",
        "/airlocks",
        "/verified-hosts",
        "/challenges-of-hosting",
        "/signup-bonus",
        "/help/article/2908?q=captcha",
    ],
)
def test_an_address_that_only_mentions_a_wall_is_none(path: str):
    assert walls.by_address(f"https://www.airbnb.com{path}") is None


# --- statuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (302, None),
        (400, None),
        (404, None),
        (500, None),
        (502, None),
        (401, "logged_out"),
        (403, "blocked"),
        (405, "blocked"),
        (429, "blocked"),
        (503, "blocked"),
        (420, "challenge"),
        (440, "challenge"),
    ],
)
def test_the_status_of_the_page_itself(status: int, kind: str | None):
    page = response("https://www.airbnb.com/hosting/messages", status)
    assert kind_of(walls.by_response(page, main_document=True)) == kind


@pytest.mark.parametrize("url", [LIST, THREAD, SEND])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (400, None),
        (500, None),
        (503, None),
        (401, "logged_out"),
        (403, "logged_out"),
        (405, "blocked"),
        (429, "blocked"),
        (420, "challenge"),
        (440, "challenge"),
    ],
)
def test_the_status_of_a_call_that_carries_messages(url: str, status: int, kind: str | None):
    assert kind_of(walls.by_response(response(url, status), main_document=False)) == kind


@pytest.mark.parametrize(
    "path", ["/api/v2/client_events", "/api/v3/MessageTrackingMutation/ab", "/api/v3/Whatever/ab"]
)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (401, None),
        (403, None),
        (405, None),
        (429, "blocked"),
        (420, "challenge"),
        (440, "challenge"),
    ],
)
def test_telemetry_that_is_refused_proves_nothing_but_a_challenge_counts_anywhere(
    path: str, status: int, kind: str | None
):
    call = response(f"https://www.airbnb.com{path}", status)
    assert kind_of(walls.by_response(call, main_document=False)) == kind


@pytest.mark.parametrize("status", [401, 403, 405, 420, 429, 440])
def test_an_asset_or_a_frame_is_no_wall_whatever_it_answers(status: int):
    for path in ("/assets/app.js", "/pictures/x.svg", "/recaptcha/api2/anchor", "/inbox/Message"):
        call = response(f"https://www.airbnb.com{path}", status)
        assert walls.by_response(call, main_document=False) is None


@pytest.mark.parametrize(
    ("path", "messaging"),
    [
        ("/api/v3/ViaductInboxData/ab12", True),
        ("/api/v3/ViaductGetThreadAndDataQuery/ab12", True),
        ("/api/v3/ViaductGetThreadAndData", True),
        ("/api/v3/CreateBulkMessagesMutation/ab12", True),
        ("/api/v3/CreateMessageViaductMutation/ab12", True),
        ("/api/v3/ThreadCreateMessageItem/ab12", True),
        ("/api/v3/CreateLastMessageReadViaductMutation/ab12", True),
        ("/api/v3/CreateInstantEventViaductMutation/ab12", True),
        ("/api/v3/ViaductGetMessages/ab12", True),
        ("/api/v3/FetchInboxItems/ab12", True),
        ("/api/v2/threads", False),
        ("/api/v3/StayHostingDetailsQuery/ab12", False),
        ("/api/v3/SyncProtocolSubscription/ab12", False),
        ("/api/v3/InboxTrackingEvent/ab12", False),
        ("/api/v3/MessageLoggingMutation/ab12", False),
        ("/api/v3/MessagingMetrics/ab12", False),
        ("/api/v2/client_events", False),
        ("/hosting/messages", False),
    ],
)
def test_messaging_calls_are_told_from_others(path: str, messaging: bool):
    assert walls.is_messaging(path) is messaging


# --- bodies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"client_error_info": {"airlock": {"flow": "captcha_flow"}}}, "challenge"),
        ({"client_error_info": {"airlockV2": {"internalAirlockId": "1"}}}, "challenge"),
        ({"airlock": {"flow": "captcha_flow"}}, "challenge"),
        ({"airlockV2": {}}, "challenge"),
        ({"error_code": 403, "ghostingAppeal": {"redirectUri": "/appeals"}}, "blocked"),
        ({}, None),
        (None, None),
        ([], None),
        ("airlock", None),
        ({"airlock": None}, None),
        ({"airlock": "no"}, None),
        ({"client_error_info": None}, None),
        ({"client_error_info": "airlock"}, None),
        ({"ghostingAppeal": None}, None),
        ({"data": {"threadData": {"airlock": {"flow": "captcha_flow"}}}}, None),
        ({"data": {"message": {"body": "client_error_info airlockV2 ghostingAppeal"}}}, None),
    ],
)
def test_a_body_asks_for_verification_at_its_top_only(body: object, kind: str | None):
    assert kind_of(walls.by_body(body)) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD>", "blocked"),
        ("IP address blocked", "blocked"),
        ("For security, Airbnb limits how often you can login", "blocked"),
        ("An error occurred while processing your request.", None),
        ("", None),
    ],
)
def test_a_block_in_words(text: str, kind: str | None):
    assert kind_of(walls.by_text(text)) == kind


@pytest.mark.parametrize("kind", sorted(EXPECTED))
def test_status_and_body_together_name_the_simulated_walls(kind: Any):
    answer = in_call(Wall(kind, "always"), "/api/v3/ViaductInboxData/ab")
    assert answer is not None
    by_status = walls.by_response(response(LIST, answer.status_code), main_document=False)
    text = bytes(answer.body).decode()
    by_body = walls.by_body(__import__("json").loads(text)) if text.startswith("{") else walls.by_text(text)
    assert kind_of(by_body or by_status) == EXPECTED[kind]


def test_no_simulated_kind_is_forgotten():
    in_page = {"airlock_modal", "airlock_inline", "airlock_code"}
    in_page |= {"captcha_arkose", "captcha_recaptcha", "captcha_geetest"}
    elsewhere = {"html_instead_of_json", "graphql_validation_required"}
    assert set(get_args(WallKind)) == set(EXPECTED) | in_page | elsewhere
