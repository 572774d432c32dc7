"""A database behind a pooler that lends its connections is refused, whichever it lends; a direct one is not."""

import os
import random
import shutil
import socket
import subprocess
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import make_url

from src.db import connections
from src.db.connection_proof import keeps_its_server, prove_connection
from src.errors import SettingsError
from tests.support.pooler import LEND, transaction_pooler
from tests.support.ports import free_port
from tests.support.waiting import came

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class FakePooler:
    """Server processes in memory, and clients that are lent one for each transaction, or for good."""

    def __init__(self, lend, servers, *, session=False):
        self.idle = list(range(1, servers + 1))
        self.made = servers
        self.lend = lend
        self.session = session
        self.listening: set[tuple[object, int]] = set()

    def take(self):
        if not self.idle:
            self.made += 1
            return self.made
        return self.idle.pop(self.lend(self.idle))


class FakeClient:
    def __init__(self, pooler):
        self.pooler = pooler
        self.held = pooler.take() if pooler.session else None
        self.kept = pooler.session
        pooler.listening.add((self, self.server()))

    def begin(self):
        self.held = self.held or self.pooler.take()
        self.open = True

    def commit(self):
        if not self.kept:
            self.pooler.idle.append(self.held)
            self.held = None

    def server(self):
        if self.held is not None:
            return self.held
        self.begin()
        number = self.held
        self.commit()
        return number

    def hears_itself(self):
        return (self, self.server()) in self.pooler.listening


@pytest.mark.parametrize("lend", LEND)
@pytest.mark.parametrize("servers", [0, 1, 2, 5, 20])
def test_a_pooler_that_lends_for_a_transaction_is_known_by_two_clients(lend, servers):
    found = 0
    for _ in range(300):
        pooler = FakePooler(LEND[lend], servers)
        found += not keeps_its_server(FakeClient(pooler), FakeClient(pooler))
    assert found == 300


def test_clients_that_keep_their_server_are_let_in_whatever_else_is_lent():
    for _ in range(50):
        pooler = FakePooler(LEND["by chance"], random.randrange(20), session=True)
        assert keeps_its_server(FakeClient(pooler), FakeClient(pooler))


def test_one_client_alone_sees_nothing_wrong_with_an_idle_pooler():
    """Why the proof needs two: this is what it is there for."""
    alone = FakeClient(FakePooler(LEND["the one given back last"], 1))
    assert len({alone.server() for _ in range(10)}) == 1
    assert alone.hears_itself()


def test_nothing_is_asked_of_a_file():
    prove_connection("sqlite:///./data/inbox.db", "DATABASE_URL")


# --- with a server ---------------------------------------------------------------------------------------


@pytest.fixture
def url(postgres_server):
    yield from postgres_server.emptied_database()


def problem_of(address, variable="DATABASE_URL", **more):
    with pytest.raises(SettingsError) as caught:
        prove_connection(address, variable, **more)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{variable}: ")
    assert "\n" not in problem
    return problem


def test_a_direct_address_is_proven_and_again(url):
    for _ in range(2):
        prove_connection(url, "DATABASE_URL")
    prove_connection(url.replace("+psycopg", ""), "PGNOTIFY_URL")


@pytest.mark.parametrize("lend", LEND)
@pytest.mark.parametrize("servers", [1, 2, 5])
def test_an_address_that_changes_servers_is_refused_with_the_cure(url, lend, servers):
    with transaction_pooler(url, LEND[lend], servers) as pooled:
        problem = problem_of(pooled, "ALPINE_DATABASE_URL")
    assert "direct address" in problem
    assert "session mode" in problem


def test_behind_such_a_pooler_two_clients_do_get_one_lock(url):
    """What the proof keeps away: if this ever fails, the stand-in is none."""
    with (
        transaction_pooler(url, LEND["the one given back last"], 1) as pooled,
        connections.connect_raw(make_url(pooled)) as one,
        connections.connect_raw(make_url(pooled)) as two,
    ):
        got = [conn.execute("SELECT pg_try_advisory_lock(4711)").fetchone() for conn in (one, two)]
    assert got == [(True,), (True,)]


def test_a_server_that_is_not_there_is_named_without_its_password():
    problem = problem_of(f"postgresql+psycopg://porter:canary-4711@127.0.0.1:{free_port()}/inbox")
    assert "cannot be used" in problem
    assert "canary-4711" not in problem


def test_a_server_that_says_nothing_does_not_hold_the_start_for_ever(url):
    held: list[socket.socket] = []

    def connect_through_a_line_that_dies(address):
        """A real connection whose answers stop: its socket is another one by then, on which nobody speaks."""
        conn = connections.connect_raw(address)
        ours, theirs = socket.socketpair()
        held.extend([ours, theirs])
        os.dup2(ours.fileno(), conn.fileno())
        return conn

    problem = problem_of(url, connect=connect_through_a_line_that_dies, limit_sec=0.2)
    assert "cannot be used" in problem
    for one in held:
        one.close()


@contextmanager
def pgbouncer(url, folder, mode):
    """The real one, before this server."""
    server = make_url(url)
    port = free_port()
    # It refuses to run as root, and reads its files before it becomes somebody else.
    as_user = "user = postgres\n" if os.geteuid() == 0 else ""
    (folder / "users.txt").write_text(f'"{server.username}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {folder}/users.txt\n"
        f"pool_mode = {mode}\ndefault_pool_size = 8\n{as_user}"
    )
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [str(PGBOUNCER), str(folder / "pgbouncer.ini")], stdout=output, stderr=output
        )
    pooled = server.set(port=port).render_as_string(hide_password=False)
    try:
        assert came(lambda: _answers(pooled), 20), (folder / "output").read_text()
        yield pooled
    finally:
        process.kill()
        process.wait(20)


def _answers(address):
    try:
        connections.connect_raw(make_url(address)).close()
    except psycopg.Error:
        return False
    return True


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed; its stand-in is tested above")
@pytest.mark.parametrize(("mode", "good"), [("transaction", False), ("statement", False), ("session", True)])
def test_pgbouncer_is_let_in_by_session_only(url, tmp_path, mode, good):
    with pgbouncer(url, tmp_path, mode) as pooled:
        for _ in range(3):
            if good:
                prove_connection(pooled, "DATABASE_URL")
            else:
                assert "session mode" in problem_of(pooled)
