"""Connections that send nothing, or never finish: they are in nobody's way, and do not stay."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import contextlib
import random
import resource

import httpx
import pytest

from src.api import connections
from src.api.connections import Limits
from src.api.server import serve
from src.commands.serving import make_app
from src.db.wakeup import Wakeup
from src.settings import Settings
from tests.support.api import CALLBACK, body, inbox, is_conversation_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.waiting import until

HALF_HEADER = f"POST {CALLBACK} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le".encode()
HALF_BODY = f"POST {CALLBACK} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{{".encode()
PATIENT = 3600.0


@pytest.fixture
def app(db, clock):
    with contextlib.closing(Wakeup(db)) as wakeup:
        yield make_app(Settings(), db, wakeup, is_conversation_id=is_conversation_id, clock=clock)


@contextlib.asynccontextmanager
async def served(app, **limits):
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    given = Limits(**limits) if limits else None
    running = asyncio.create_task(
        serve(app, "127.0.0.1", 0, stop=stop, on_started=address.set_result, limits=given)
    )
    try:
        yield await address
    finally:
        stop.set()
        await running


class Line:
    """One connection that a stranger holds."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self.received = b""
        self.ended = asyncio.create_task(self._until_ended())

    @classmethod
    async def open(cls, address, sent=b"", *, source="127.0.0.1"):
        host, _, port = address.removeprefix("http://").partition(":")
        line = cls(*await asyncio.open_connection(host, int(port), local_addr=(source, 0)))
        line.send(sent)
        return line

    def send(self, data):
        self._writer.write(data)

    @property
    def is_open(self):
        return not self.ended.done()

    async def _until_ended(self):
        with contextlib.suppress(ConnectionError):
            while more := await self._reader.read(65_536):
                self.received += more

    def close(self):
        self.ended.cancel()
        self._writer.close()


@pytest.fixture
async def lines():
    held: list[Line] = []
    yield held
    for one in held:
        one.close()


@pytest.mark.parametrize(
    "sent", [b"", HALF_HEADER, HALF_BODY], ids=["nothing", "half a header", "half a body"]
)
async def test_the_callback_is_answered_beside_300_connections_that_send_no_request(app, inbox, lines, sent):
    request = inbox.waiting()
    async with served(app) as address:
        for _ in range(300):
            lines.append(await Line.open(address, sent))
        async with httpx.AsyncClient(base_url=address, trust_env=False) as one:
            for _ in range(3):
                assert (await one.post(inbox.url(request), json=body())).status_code == 200
        await until(lambda: not lines[0].is_open)
        assert lines[-1].is_open, "the oldest is closed first"
    assert len(inbox.jobs()) == 1


async def test_300_idle_connections_and_300_half_headers_do_not_keep_a_new_call_out(app, inbox, lines):
    request = inbox.waiting()
    async with served(app) as address:
        for sent in (b"", HALF_HEADER):
            for _ in range(300):
                lines.append(await Line.open(address, sent))
        async with httpx.AsyncClient(base_url=address, trust_env=False) as one:
            assert (await one.post(inbox.url(request), json=body())).status_code == 200
        await until(lambda: sum(line.is_open for line in lines) <= Limits().most_from_one)


@pytest.mark.parametrize(
    "sent", [b"", HALF_HEADER, b"\r\n"], ids=["nothing", "half a header", "an empty line"]
)
async def test_a_header_that_is_never_whole_is_not_waited_for(app, lines, sent):
    async with served(app, header_sec=0.1) as address:
        lines.append(await Line.open(address, sent))
        await until(lambda: not lines[0].is_open)


async def test_a_header_that_comes_a_byte_at_a_time_is_not_waited_for(app, lines):
    async with served(app, header_sec=0.1) as address:
        lines.append(await Line.open(address, HALF_HEADER))

        def send_more():
            lines[0].send(b"x")
            return not lines[0].is_open

        await until(send_more)


async def test_half_a_header_after_an_answered_request_is_not_waited_for(app, lines):
    whole = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with served(app, header_sec=0.1) as address:
        lines.append(await Line.open(address, whole))
        await until(lambda: b'"}' in lines[0].received or b"true}" in lines[0].received)
        lines[0].send(HALF_HEADER)
        await until(lambda: not lines[0].is_open)


async def test_a_client_that_takes_nothing_of_its_answer_does_not_keep_its_connection(db, lines):
    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with contextlib.suppress(OSError):
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
                message = asyncio.ensure_future(receive())
                done, _ = await asyncio.wait({message}, timeout=0)
                if done and message.result()["type"] == "http.disconnect":
                    break
                message.cancel()
        ended.set()

    ended = asyncio.Event()
    async with served(endless, unread_sec=0.1) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1024)  # it reads no more than that
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(20):
            await ended.wait()
        writer.close()


async def test_one_address_does_not_take_the_room_of_another(app, inbox, lines):
    """A stranger's connections are closed before those of somebody who has few."""
    async with served(app, header_sec=PATIENT, most=20) as address:
        lines.append(await Line.open(address, source="127.0.0.2"))
        for number in range(60):
            lines.append(await Line.open(address, source=f"127.0.0.{3 + number % 2}"))
        await until(lambda: sum(line.is_open for line in lines) == 20)
        assert lines[0].is_open


async def test_requests_in_hand_are_finished_whatever_comes(lines):
    """Beyond ``at_once`` a call is 503 with a time to come again; what has begun is not ended for it."""
    keep_going = asyncio.Event()

    async def slow(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await keep_going.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with (
        served(slow, most=16, at_once=4) as address,
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=20) as one,
    ):
        calls = [asyncio.create_task(one.get("/")) for _ in range(5)]
        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().result()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        for _ in range(40):
            lines.append(await Line.open(address, HALF_HEADER))
        await until(lambda: sum(line.is_open for line in lines) <= 8)
        keep_going.set()
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200] * 4


async def test_streams_of_a_sites_visitors_take_no_calls_place(lines):
    """Their number has a limit of its own, so many open ones leave room for calls."""

    async def endless_where_streams_are(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        if scope["path"].endswith("/events"):
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with (
        served(endless_where_streams_are, at_once=1) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as one,
    ):
        for _ in range(5):
            lines.append(await Line.open(address, b"GET /api/widget/shop/events HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert (await one.get("/api/widget/shop/messages")).status_code == 200
        for line in lines:
            line.close()


@pytest.mark.parametrize(
    ("files", "most", "room"), [(1024, 4096, 2512), (1024, 1024, 768), (8192, 8192, 2512), (256, 512, 384)]
)
def test_room_for_streams_is_as_large_as_the_system_lets_it_be(monkeypatch, files, most, room):
    limits = [(files, most)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.append(given))
    assert connections.make_room(1000) == room
    assert limits[-1][0] <= most


@pytest.mark.parametrize("seed", range(6))
async def test_a_call_is_served_whatever_connections_others_hold(app, lines, seed):
    """Any mixture of connections from any addresses, held or closed: the next call is answered."""
    dice = random.Random(seed)
    states = [b"", HALF_HEADER, HALF_BODY, b"\r\n", b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]
    async with (
        served(app, header_sec=PATIENT, most=24, at_once=6) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as kept,
    ):
        for _ in range(120):
            deed = dice.random()
            if deed < 0.75:
                source = f"127.0.0.{dice.choice([1, 1, 1, 2, 3])}"
                lines.append(await Line.open(address, dice.choice(states), source=source))
            elif deed < 0.85 and lines:
                dice.choice(lines).close()
            else:
                assert (await kept.get("/health/live")).status_code == 200
                async with httpx.AsyncClient(base_url=address, trust_env=False) as new:
                    assert (await new.get("/health/live")).status_code == 200
        assert sum(line.is_open for line in lines) <= 24 + 1


@pytest.mark.parametrize(("files", "most"), [(256, 128), (1024, 512), (resource.RLIM_INFINITY, 512)])
def test_connections_leave_half_of_the_files_to_the_rest_of_the_process(monkeypatch, files, most):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert connections.most_connections() == most
