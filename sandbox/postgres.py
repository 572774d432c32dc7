"""A throw-away PostgreSQL server with its files in one folder: for tests, and for an app's tables in the demo."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_ROOT = 0


def postgres_programs() -> Path | None:
    """Where initdb and pg_ctl are; None if PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else None


@contextmanager
def running_server(programs: Path, folder: Path) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Loopback only, and quick: nothing is synced to a disk. Its address, and what starts and stops it.

    ``control("start")`` starts it, ``control("fast")`` and ``control("immediate")`` stop it.
    """
    as_user: list[str] = []
    if os.geteuid() == _ROOT:  # the server refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["runuser", "-u", "postgres", "--"]
    data, log = folder / "data", folder / "log"
    port = _free_port()
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        " -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB"
    )
    start: list[str | Path] = [programs / "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", options]
    stop: list[str | Path] = [programs / "pg_ctl", "stop", "-D", data, "-m"]
    init: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]

    def run(command: Sequence[str | Path]) -> None:
        # Not to a pipe: the server would inherit it and keep it open.
        with (folder / "output").open("wb") as output:
            subprocess.run(  # noqa: S603 - PostgreSQL's own programs
                [*as_user, *map(str, command)], check=True, stdout=output, stderr=output, cwd="/"
            )

    run(init)
    run(start)
    commands: dict[str, list[str | Path]] = {
        "start": start,
        **{mode: [*stop, mode] for mode in ("fast", "immediate")},
    }
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres", lambda what: run(commands[what])
    finally:
        last = [*as_user, *map(str, commands["immediate"])]
        subprocess.run(last, check=True, stdout=subprocess.DEVNULL, cwd="/")  # noqa: S603


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
