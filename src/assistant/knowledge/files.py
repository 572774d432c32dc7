"""Which files there are, and each of them read by itself. What fails, fails alone."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from src.assistant.knowledge.calendar import Calendar, read_calendar
from src.assistant.knowledge.documents import Document, FileError, Finding, Level, listing_of_folder
from src.assistant.knowledge.listings import Facts, read_listing, read_secrets
from src.assistant.knowledge.markdown import read_markdown
from src.assistant.knowledge.table import read_table
from src.assistant.secrets import Secret
from src.languages import sentence as _

LARGEST_BYTES = 1_048_576
LISTINGS = "listings"
_READ = {".md", ".csv", ".ics", ".toml"}
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: its path in the folder, and the listing's folder that it is in, if any."""

    path: str
    folder: str | None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def ending(self) -> str:
        return PurePosixPath(self.path).suffix.lower()

    @property
    def listing_id(self) -> str | None:
        return listing_of_folder(self.folder) if self.folder else None


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One file as it was read; one of the four contents is set if that went well."""

    place: Place
    stamp: tuple[int, int, int, int]
    changed: date
    document: Document | None = None
    listing: Facts | None = None
    secrets: tuple[Secret, ...] | None = None
    calendar: Calendar | None = None
    findings: tuple[Finding, ...] = field(default=())

    @property
    def failed(self) -> bool:
        return any(one.level is Level.ERROR for one in self.findings)


def find_files(folder: Path) -> Iterator[Place]:
    """All files below the folder but hidden ones and those of editors, in a fixed order. Links to folders are not
    followed.
    """
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            if name.startswith((".", "~")) or name.endswith("~"):
                continue
            path = PurePosixPath(*Path(base, name).relative_to(folder).parts)
            inside = path.parts[0] == LISTINGS and len(path.parts) > 2
            yield Place(str(path), path.parts[1] if inside else None)


def stamp_of(path: Path) -> tuple[int, int, int, int]:
    """What changes when a file is written, or its rights do. OSError if it is gone."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def read_file(root: Path, place: Place) -> ReadFile:
    """Read one file. Never raises for what is in it or for a file that cannot be opened: that is a finding."""
    path = root / place.path
    try:
        stamp = stamp_of(path)
    except OSError as error:
        return ReadFile(
            place, (0, 0, 0, 0), date.min, findings=(Finding.unreadable(place.path, _cannot_open(error)),)
        )
    empty = ReadFile(place, stamp, datetime.fromtimestamp(stamp[0] / 1e9, UTC).date())
    try:
        if place.ending not in _READ:
            return replace(empty, findings=(_not_read(place),))
        return _contents(empty, _text_of(path, root))
    except FileError as error:
        return replace(empty, findings=(Finding.unreadable(place.path, error),))
    except OSError as error:
        return replace(empty, findings=(Finding.unreadable(place.path, _cannot_open(error)),))


def _contents(empty: ReadFile, text: str) -> ReadFile:
    place, hashed = empty.place, hashlib.sha256(text.encode()).hexdigest()
    if place.ending in {".md", ".csv"}:
        if place.folder is None and PurePosixPath(place.path).parts[0] == LISTINGS:
            raise FileError(_("must be in a folder of its listing, like listings/4711-attic/"))
        read = read_markdown if place.ending == ".md" else read_table
        document = read(place.path, text, hashed, folder=place.folder, listing_id=place.listing_id)
        return replace(empty, document=document)
    if place.folder is None or len(PurePosixPath(place.path).parts) != 3:
        raise FileError(_("belongs to a listing; put it into its folder, like listings/4711-attic/"))
    if place.ending == ".ics":
        return replace(empty, calendar=read_calendar(text, ZoneInfo("UTC")))
    if place.name == "listing.toml":
        return replace(empty, listing=read_listing(text))
    if place.name == "secrets.toml":
        open_to_others = empty.stamp[3] & _OPEN_TO_OTHERS and os.name == "posix"
        open_file = FileError(
            _("can be read by other users of this machine; run  chmod 600 %(path)s"), path=place.path
        )
        warning = Finding.unreadable(place.path, open_file, Level.WARNING)
        return replace(empty, secrets=read_secrets(text), findings=(warning,) if open_to_others else ())
    return replace(empty, findings=(_not_read(place),))


def _text_of(path: Path, root: Path) -> str:
    if not path.resolve().is_relative_to(root.resolve()):
        raise FileError(_("is a link to a place outside of the folder; put the file itself here"))
    if path.stat().st_size > LARGEST_BYTES:
        raise FileError(_("is larger than 1 MiB; split it"))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileError(_("is not UTF-8; save it with the encoding UTF-8"), line) from None
    if "\0" in text:
        raise FileError(_("is no text; save it as plain text"))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cannot_open(error: OSError) -> FileError:
    return FileError(
        _("cannot be opened (%(why)s); check its rights"), why=error.strerror or type(error).__name__
    )


def _not_read(place: Place) -> Finding:
    if place.ending == ".toml":
        text = _("is not read; of .toml files only listing.toml and secrets.toml of a listing are")
    else:
        text = _("is not read; only .md, .csv, .ics and .toml are")
    return Finding.unreadable(place.path, FileError(text), Level.WARNING)
