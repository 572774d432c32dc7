"""Where the database is: DATABASE_URL taken apart and checked, and the folder and file of a SQLite database."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from src.errors import SettingsError

_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs", "9p"}
_MOUNTS = Path("/proc/mounts")


def refused(why: str) -> SettingsError:
    return SettingsError([f"DATABASE_URL: {why}"])


def parse(url: str) -> URL:
    """The checked URL. SettingsError, never with the password in it, if it is no URL that we can use."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise refused(
            "is not a database URL; write sqlite:///./data/inbox.db or postgresql+psycopg://user@host/name"
        ) from error
    if parsed.drivername in {"postgres", "postgresql"}:  # as hosting platforms write it
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        if not parsed.database:
            raise refused("names no database; write postgresql+psycopg://user@host/name")
        return parsed
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if parsed.host:
            raise refused("a SQLite path follows three slashes (relative) or four (absolute)")
        if parsed.database in {None, "", ":memory:"} or (parsed.database or "").startswith("file:"):
            raise refused("SQLite must be a file, since several processes share it")
        return parsed.set(drivername="sqlite+pysqlite", query={})
    raise refused(f"{parsed.drivername!r} is not supported, only sqlite and postgresql are")


def sqlite_path(url: URL) -> Path | None:
    """The absolute path of the SQLite file, None for another database."""
    if url.get_backend_name() != "sqlite":
        return None
    return Path(url.database or "").expanduser().absolute()


def prepare_file(path: Path) -> None:
    """Make the folder (0700) and the file (0600) of a SQLite database. SettingsError if that is impossible.

    What is there keeps its rights, except that the file is closed to others: it holds guests' messages.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        with suppress(PermissionError):  # another user's file, which we may only use
            os.fchmod(descriptor, 0o600)
        os.close(descriptor)
    except OSError as error:
        raise refused(f"{path} cannot be opened for writing ({error.strerror})") from error
    kind = file_system_of(path)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise refused(
            f"{path} is on a network file system ({kind}), on which SQLite loses data; use a local disk"
        )


def file_system_of(path: Path) -> str | None:
    """The type of the file system that holds ``path``; None where /proc/mounts does not say."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    here = path.resolve()
    found: tuple[Path, str | None] = (Path("/"), None)
    for line in lines:
        _, mounted_at, kind, *_ = line.split(" ")
        point = Path(mounted_at.replace("\\040", " "))
        if here.is_relative_to(point) and len(point.parts) >= len(found[0].parts):
            found = (point, kind)
    return found[1]
