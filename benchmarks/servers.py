"""A throw-away PostgreSQL and a throw-away Redis, both as durable as SQLite's synchronous=FULL; loopback only."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.house import free_port


class Missing(Exception):
    """A server that is not installed here."""


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).parent
    raise Missing("PostgreSQL is not installed (apt install postgresql)")


@contextmanager
def postgres() -> Iterator[str]:
    """Its address (``postgresql+psycopg://…/postgres``). fsync is on, as everybody has it. Raises Missing."""
    programs = _postgres_programs()
    with tempfile.TemporaryDirectory(prefix="bench-postgres-") as name:
        folder, as_user = Path(name), list[str]()
        if os.geteuid() == 0:  # the server refuses to run as root
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
            as_user = ["runuser", "-u", "postgres", "--"]
        data, port = folder / "data", free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"

        def control(*command: str) -> None:
            with (folder / "output").open("ab") as output:
                subprocess.run(
                    [*as_user, *command], check=True, stdout=output, stderr=output, cwd="/", timeout=120
                )

        control(f"{programs}/initdb", "-D", f"{data}", "-U", "postgres", "-A", "trust", "-E", "UTF8")
        control(f"{programs}/pg_ctl", "start", "-w", "-D", f"{data}", "-l", f"{folder}/log", "-o", options)
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            control(f"{programs}/pg_ctl", "stop", "-m", "immediate", "-D", f"{data}")


@contextmanager
def redis() -> Iterator[str]:
    """Its address. Every write is synced to disk before it is answered. Raises Missing."""
    program = shutil.which("redis-server")
    if program is None:
        raise Missing("Redis is not installed (apt install redis-server)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        options = ["--port", f"{port}", "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "always"]
        server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            _wait_until_open(port)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def _wait_until_open(port: int) -> None:
    give_up_at = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:  # it does not say when it is ready
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)
        else:
            return


def new_database(server_url: str, name: str) -> str:
    """An empty database on the throw-away server."""
    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as conn:
        conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        conn.execute(f'CREATE DATABASE "{name}"'.encode())
    return server_url.rpartition("/")[0] + f"/{name}"
