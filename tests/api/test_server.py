"""The real server on a real socket: what cannot be seen in the process."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import contextlib
import json
import resource
import socket
from pathlib import Path

import httpx
import pytest

from src.api.limits import Guard
from src.api.port import check_host, listen, probe
from src.api.server import serve
from src.commands.serving import make_app
from src.db.wakeup import Wakeup
from src.errors import SettingsError
from src.settings import Settings
from tests.support.api import CALLBACK, body, inbox, is_conversation_id, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401


@contextlib.asynccontextmanager
async def served(app):
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(app, "127.0.0.1", 0, stop=stop, on_started=address.set_result))
    try:
        yield await address
    finally:
        stop.set()
        await running


@pytest.fixture
def app(db, clock):
    with contextlib.closing(Wakeup(db)) as wakeup:
        yield make_app(Settings(), db, wakeup, is_conversation_id=is_conversation_id, clock=clock)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def raw_call(address, *parts):
    """Send bytes as they are; returns the status, or None if nothing came back."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        first = await asyncio.wait_for(reader.readline(), 10)
        return int(first.split()[1]) if first else None
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_hundred_copies_at_once_make_one_row_and_all_are_told_so(app, inbox):
    request = inbox.waiting()
    async with served(app) as address:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60, trust_env=False) as one:
            responses = await asyncio.gather(*(one.post(inbox.url(request), json=body()) for _ in range(100)))
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["outbox_id"] for response in responses}) == 1
    assert len(inbox.jobs()) == 1


async def test_a_huge_body_is_refused_and_not_kept_in_memory(app, inbox):
    request = inbox.waiting()
    async with (
        served(app) as address,
        httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as one,
    ):
        await one.get("/health")
        before = resident_bytes()

        async def parts():
            for _ in range(400):
                yield b"x" * 65_536

        for content in (b"x" * (64 * 1024 + 1), parts()):
            try:
                response = await one.post(inbox.url(request), content=content)
            except httpx.HTTPError:
                continue  # the door was closed while it was still pushing
            assert response.status_code == 413
        assert resident_bytes() - before < 10_000_000
        assert (await one.post(inbox.url(request), json=body())).status_code == 200
    assert len(inbox.jobs()) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 99999999\r\n",
        b"Content-Length: 65537\r\n",
        b"Content-Length: 184467440737095516160\r\n",
    ],
)
async def test_a_length_that_is_too_large_is_not_waited_for(app, inbox, head):
    async with served(Guard(app, slowest_sec=0.3)) as address:
        path = f"POST {CALLBACK} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
        assert await raw_call(address, path + head + b"\r\n" + b"x" * 1000) in {400, 408, 413}
    assert inbox.jobs() == []


async def test_a_body_that_never_ends_is_given_up(app, inbox):
    async with served(Guard(app, slowest_sec=0.3)) as address:
        head = (
            f"POST {inbox.url(inbox.waiting())} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{{"
        )
        assert await raw_call(address, head.encode()) == 408
        assert await raw_call(address, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == 200
    assert inbox.jobs() == []


async def test_requests_that_are_no_http_harm_nobody(app):
    async with served(app) as address:
        for raw in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n"):
            assert await raw_call(address, raw) in {400, None}
        assert await raw_call(address, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == 200


async def test_a_header_that_claims_a_nearer_origin_is_not_believed(app, inbox):
    async with served(app) as address, httpx.AsyncClient(base_url=address, trust_env=False) as one:
        response = await one.post(CALLBACK, json=body(), headers={"x-forwarded-for": "127.0.0.1"})
        assert response.status_code == 401
        assert "server" not in response.headers
        assert (await one.post(CALLBACK, json=body())).status_code == 200


async def test_stopping_ends_with_connections_open(app):
    async with served(app) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    assert await asyncio.to_thread(probe, address, "x") == "none"


async def test_a_running_instance_with_the_same_database_is_recognised(app, db, httpserver):
    async with served(app) as address:
        assert await asyncio.to_thread(probe, address, db.database_id) == "same"
        assert await asyncio.to_thread(probe, address, "another database") == "other"
    httpserver.expect_request("/health").respond_with_json({"status": "ok"})
    assert await asyncio.to_thread(probe, httpserver.url_for("/"), db.database_id) == "other"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = await asyncio.to_thread(lambda: probe(address, db.database_id, timeout=0.2))
        assert found == "other"
    assert await asyncio.to_thread(probe, address, db.database_id) == "none"


def test_a_port_that_is_taken_is_a_settings_error_that_names_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match=r"API_PORT: 127\.0\.0\.1:"):
            listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("host", ["no such host", "nobody.invalid", "a..b", "192.0.2.1", "2001:db8::1"])
def test_a_wrong_host_is_blamed_on_the_host_and_not_on_the_port(host):
    for look in (lambda: listen(host, 8000), lambda: check_host(host)):
        with pytest.raises(SettingsError) as caught:
            look()
        assert [problem.partition(":")[0] for problem in caught.value.problems] == ["API_HOST"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1"])
def test_a_host_of_this_machine_is_right_even_where_the_port_is_taken(host):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        check_host(host)


async def test_the_same_program_can_answer_while_it_is_asked_for_much(app, inbox):
    """The callback does not wait behind slow readers: each connection is on its own."""
    request = inbox.waiting()
    async with served(app) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        slow = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
        for _, writer in slow:
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n")
        async with httpx.AsyncClient(base_url=address, trust_env=False) as one:
            response = await one.post(inbox.url(request), content=json.dumps(body()))
        assert response.json()["thread_id"] == thread_id()
        for _, writer in slow:
            writer.close()


async def test_before_the_end_it_is_not_ready_and_still_answers(app):
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        serve(
            app,
            "127.0.0.1",
            0,
            stop=stop,
            on_started=address.set_result,
            on_ending=app.state.streams.end,
            notice_sec=60,
        )
    )
    url = await address
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/health/ready")).status_code == 200
        stop.set()
        async with asyncio.timeout(10):
            while (answer := await client.get("/health/ready")).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert answer.json() == {"status": "not ready", "server": "ending"}
        assert (await client.get("/health/live")).status_code == 200
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_a_watching_page_is_told_to_come_back_at_once_when_the_server_ends(app):
    async with (
        served(app) as address,
        httpx.AsyncClient(base_url=address) as client,
        client.stream("GET", "/events") as stream,
    ):
        told = stream.aiter_text()
        first = await anext(told)
        app.state.streams.end()
        last = "".join([text async for text in told])
    assert (first, last) == ("retry: 5000\n\n", "retry: 500\n\n")


async def test_a_connection_that_was_just_opened_is_still_answered_at_the_end(app):
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(app, "127.0.0.1", 0, stop=stop, on_started=address.set_result))
    host, _, port = (await address).removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await asyncio.sleep(0.05)  # accepted
    stop.set()
    async with asyncio.timeout(10):
        while True:  # it listens no more
            try:
                _, another = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                break
            another.close()
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), 10)).split()[1] == b"200"
    writer.close()
    await running
