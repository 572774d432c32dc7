"""What goes wrong on request, without a browser."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from sandbox.airbnb.faults import mask_contacts
from sandbox.airbnb.site import SimulatedSite
from sandbox.airbnb.walls import WALL_KINDS
from tests.sandbox.airbnb.conftest import MakeSite, Wire


def list_answer(wire: Wire) -> httpx.Response:
    return wire.query("ViaductInboxData", {})


def test_a_fault_strikes_as_often_as_said_and_only_where_said(site: SimulatedSite, wire: Wire):
    one, other = site.inbox.add_thread(), site.inbox.add_thread()
    fault = site.faults.status("thread", 503, thread=one.number, times=2, skip=1)

    def ask(identifier: str) -> int:
        return wire.query("ViaductGetThreadAndDataQuery", {"globalThreadId": identifier}).status_code

    assert [ask(one.id), ask(other.id), ask(one.id), ask(one.id), ask(one.id)] == [200, 200, 503, 503, 200]
    assert fault.hits == 2
    assert [entry.status for entry in site.log.find("thread", one.number)] == [200, 503, 503, 200]


def test_blank_truncated_and_failed_answers(site: SimulatedSite, wire: Wire):
    site.faults.blank("list")
    assert list_answer(wire).text == ""
    site.faults.truncate("list")
    with pytest.raises(json.JSONDecodeError):
        list_answer(wire).json()
    site.faults.graphql_errors("list")
    answer = list_answer(wire)
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    assert "errors" in answer.json()
    assert list_answer(wire).json()["data"]["node"]


def test_an_empty_first_answer_is_filled_by_the_second(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread(says="Hello")
    site.faults.empty_first("thread")
    counts = [len(wire.thread(thread.id)["data"]["threadData"]["messageData"]["messages"]) for _ in range(2)]
    assert counts == [0, 1]


def test_a_dropped_answer_and_one_that_never_comes(site: SimulatedSite, wire: Wire):
    site.faults.drop("list")
    with pytest.raises(httpx.RemoteProtocolError):
        list_answer(wire)
    assert site.log.find("list")[-1].status == 0
    site.faults.never_answer("list")
    with pytest.raises(httpx.ReadTimeout):
        wire.client.get(
            f"/api/v3/ViaductInboxData/{'a1' * 32}",
            params={
                "variables": "{}",
                "extensions": json.dumps({"persistedQuery": {"sha256Hash": "a1" * 32}}),
            },
            timeout=0.2,
        )


def test_accepted_then_dropped(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread()
    site.faults.accept_then_drop()
    with pytest.raises(httpx.RemoteProtocolError):
        wire.send(thread.number, "Hi")
    assert site.inbox.texts(thread) == ["Hi"]
    assert site.log.sends()[0].accepted


def test_accepted_late_after_the_connection_was_cut(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread()
    site.faults.accept_late(0.05, drop=True)
    with pytest.raises(httpx.RemoteProtocolError):
        wire.send(thread.number, "Hi")
    site.log.wait_until(lambda: bool(site.log.sends()[0].accepted))
    assert site.inbox.texts(thread) == ["Hi"]


def test_vanished_and_failed_sends_are_not_taken(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread()
    site.faults.vanish()
    assert wire.send(thread.number, "Hi").status_code == 200
    site.faults.status("send", 500)
    assert wire.send(thread.number, "Hi").status_code == 500
    site.faults.status("send", 500, accept=True)
    assert wire.send(thread.number, "Hi").status_code == 500
    assert [entry.accepted for entry in site.log.sends()] == [False, False, True]
    assert site.inbox.texts(thread) == ["Hi"]


def test_contacts_are_masked_and_spaces_collapsed(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread()
    site.faults.alter_text()
    wire.send(thread.number, "Call  +351 912 345 678 or me@example.org")
    expected = "Call (phone number hidden by Airbnb) or (email hidden by Airbnb)"
    assert site.inbox.texts(thread) == [expected]
    assert site.log.sends()[0].text == "Call  +351 912 345 678 or me@example.org"
    assert mask_contacts("Room 12, 3 nights") == "Room 12, 3 nights"


def test_a_hook_may_use_the_inbox_before_a_send_is_taken(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread()
    site.faults.on_event("before_send", lambda _: site.inbox.guest_writes(thread, "one more thing"))
    wire.send(thread.number, "Hi")
    wire.send(thread.number, "Hi again", uuid="66666666-2222-4333-8444-555555555555")
    assert site.inbox.texts(thread) == ["one more thing", "Hi", "Hi again"]


API_WALLS: dict[str, tuple[int, str]] = {
    "airlock_page": (420, "airlockV2"),
    "http_420": (420, "Please verify yourself"),
    "http_440": (440, "validation_required"),
    "http_429": (429, "Too many"),
    "http_405": (405, "nginx"),
    "ip_blocked": (400, "IP address blocked"),
    "logged_out_api": (401, "authentication_required"),
    "login_redirect": (401, "authentication_required"),
    "html_instead_of_json": (200, "<!doctype html>"),
    "access_denied": (403, "Access Denied"),
    "suspended": (403, "ghostingAppeal"),
    "graphql_validation_required": (200, "ValidationRequiredException"),
}


@pytest.mark.parametrize("kind", WALL_KINDS)
def test_every_wall_stops_a_send_and_lifts(site: SimulatedSite, wire: Wire, kind: Any):
    thread = site.inbox.add_thread()
    site.faults.raise_wall(kind, at="send")
    assert list_answer(wire).json()["data"]
    refused = wire.send(thread.number, "Hi")
    status, words = API_WALLS.get(kind, (420, "airlock"))
    assert refused.status_code == status
    assert words in refused.text
    assert site.log.sends()[0].accepted is False
    assert site.log.sends()[0].wall == kind
    site.faults.lower_walls()
    wire.send(thread.number, "Hi")
    assert site.inbox.texts(thread) == ["Hi"]


@pytest.mark.parametrize("kind", API_WALLS)
def test_a_wall_in_the_calls_shows_in_the_list_and_lifts(site: SimulatedSite, wire: Wire, kind: Any):
    site.faults.raise_wall(kind, at="list")
    status, words = API_WALLS[kind]
    answer = list_answer(wire)
    assert (answer.status_code, words in answer.text) == (status, True)
    site.faults.lower_walls()
    assert list_answer(wire).json()["data"]["node"]


def test_a_wall_that_was_met_stands_everywhere(site: SimulatedSite, wire: Wire):
    thread = site.inbox.add_thread(says="Hello")
    wall = site.faults.raise_wall("http_429", at="thread_open", thread=thread.number)
    assert list_answer(wire).status_code == 200
    assert "data" not in wire.thread(thread.id)
    assert list_answer(wire).status_code == 429
    assert wall.hits == 2


@pytest.mark.parametrize(
    ("kind", "status", "target"),
    [
        ("airlock_page", 302, "/airlock?al_id=4711"),
        ("login_redirect", 302, "/login?redirect_url=%2Fhosting%2Fmessages"),
        ("access_denied", 403, None),
        ("http_429", 429, None),
        ("http_405", 405, None),
    ],
)
def test_walls_before_the_document(
    site: SimulatedSite, wire: Wire, kind: Any, status: int, target: str | None
):
    site.faults.raise_wall(kind)
    answer = wire.client.get("/hosting/messages")
    assert answer.status_code == status
    assert answer.headers.get("location") == target
    if kind == "access_denied":
        assert "<TITLE>Access Denied</TITLE>" in answer.text


def test_telemetry_may_be_refused_without_a_wall(make_site: MakeSite):
    site = make_site(telemetry_status=403)
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        assert client.post("/api/v2/client_events").status_code == 403
        assert client.get("/hosting/messages").status_code == 200


def test_reset_forgets_everything(site: SimulatedSite, wire: Wire):
    site.inbox.add_thread(says="Hello")
    site.faults.raise_wall("http_429")
    site.options.page_size = 3
    list_answer(wire)
    site.reset()
    assert (site.inbox.threads, site.log.entries, site.options.page_size) == ([], [], 15)
    assert list_answer(wire).status_code == 200


def test_a_stopped_site_comes_back_on_its_port_with_its_state(site: SimulatedSite):
    site.inbox.add_thread(says="Hello")
    url = site.url
    site.stop()
    site.start()
    assert site.url == url
    answer = httpx.get(f"{url}/guest/api/threads", trust_env=False).json()
    assert answer["threads"][0]["newest"]["text"] == "Hello"
