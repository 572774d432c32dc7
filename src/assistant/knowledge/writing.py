"""Writing into the folder: where a file may go, and what it must be like before it replaces another."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from src.assistant.knowledge.documents import FileError, Finding, Level, listing_of_folder
from src.assistant.knowledge.files import LISTINGS, Place, read_file
from src.assistant.knowledge.loading import load
from src.languages import sentence as _

ENDINGS = (".md", ".csv", ".ics", ".toml")
LEARNED = "learned.csv"
_LEARNED_COLUMNS = ("topic", "question", "answer", "listing", "audience", "valid_until")
_LONGEST_PATH = 200


class PathRefused(Exception):
    """Nothing may be written there. The text says why."""


class AlreadyThere(Exception):
    """A file of this path is there, and it was not said that it may be replaced."""


class NotUsable(Exception):
    """The file would be left out as it is. ``findings`` say why."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{one.place}: {one.text}" for one in findings))
        self.findings = findings


def check_path(folder: Path, path: str, *, secrets_too: bool = False) -> PurePosixPath:
    """The path of a file below the folder. Raises PathRefused. Touches nothing.

    Refused are absolute paths, `..`, hidden files, links that lead out of the folder, other endings than
    ``ENDINGS``, and (without ``secrets_too``) `secrets.toml`.
    """
    parts = PurePosixPath(path).parts
    if not path or len(path) > _LONGEST_PATH or not path.isprintable():
        raise PathRefused(f"must be 1 to {_LONGEST_PATH} printable characters")
    if path.startswith("/") or "\\" in path or PureWindowsPath(path).drive or path.endswith("/"):
        raise PathRefused("must be relative to the knowledge folder, with / between its parts")
    if any(part == ".." or part.startswith((".", "~")) for part in path.split("/")) or "" in path.split("/"):
        raise PathRefused("must not have .., hidden or empty parts")
    found = PurePosixPath(*parts)
    if found.suffix.lower() not in ENDINGS:
        raise PathRefused(f"must end in one of {', '.join(ENDINGS)}")
    if found.name.lower() == "secrets.toml" and not secrets_too:
        raise PathRefused("secrets.toml is written by hand on the machine alone")
    real = Path(os.path.realpath(folder))
    target = Path(os.path.realpath(folder / found))
    if not target.is_relative_to(real) or (folder / found).is_symlink():
        raise PathRefused("leads out of the knowledge folder")
    return found


def write_file(
    folder: Path, path: str, content: bytes, *, overwrite: bool = False, secrets_too: bool = False
) -> tuple[Finding, ...]:
    """Put a file into the folder, whole or not at all; the folder is made if it is not there.

    Returns the warnings about it. Raises PathRefused, AlreadyThere, and NotUsable for a file that could not be read
    by itself; nothing was written then. Repeatable with ``overwrite``.
    """
    checked = check_path(folder, path, secrets_too=secrets_too)
    target = folder / checked
    if target.is_dir():
        raise PathRefused("is a folder")
    if target.exists() and not overwrite:
        raise AlreadyThere(str(checked))
    findings = _judge(checked, content)
    if any(one.level is Level.ERROR for one in findings):
        raise NotUsable(tuple(one for one in findings if one.level is Level.ERROR))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise PathRefused("has a file where a folder would have to be") from None
    replace_file(target, content)
    return findings


def remove_file(folder: Path, path: str) -> bool:
    """Take a file out of the folder. False if it is not there. Raises PathRefused. Repeatable."""
    target = folder / check_path(folder, path)
    try:
        target.unlink()
    except FileNotFoundError:
        return False
    return True


def replace_file(target: Path, content: bytes) -> None:
    """Write the file beside its place and move it there: a reader finds the old one or the new one. Mode 0600."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def learn(folder: Path, row: Mapping[str, str]) -> str:
    """Append a row to `learned.csv`, made if it is not there; returns the id of the new fact.

    ``row`` has question and answer, and may have topic, listing, audience and valid_until. Raises NotUsable if the
    file, with the row, could not be used (then it is as it was), OSError if it cannot be written.
    """
    target = folder / LEARNED
    before = target.read_bytes().decode("utf-8-sig") if target.exists() else ""
    header = next(csv.reader(io.StringIO(before), delimiter=_separator(before)), None)
    columns = [one.strip().lower() for one in header] if header else list(_LEARNED_COLUMNS)
    lost = [name for name, value in row.items() if value and name not in columns]
    if lost:
        lacks = FileError(_("has no column %(name)s; add it to its first line"), 1, name=lost[0])
        raise NotUsable((Finding.unreadable(LEARNED, lacks),))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=_separator(before), lineterminator="\n")
    if header is None:
        writer.writerow(columns)
    writer.writerow([_one_line(row.get(name, "")) for name in columns])
    gap = "" if not before or before.endswith("\n") else "\n"
    content = (before + gap + text.getvalue()).encode()
    findings = _judge(PurePosixPath(LEARNED), content)
    if errors := tuple(one for one in findings if one.level is Level.ERROR):
        raise NotUsable(errors)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(target, content)
    document = next(one for one in load(folder).documents if one.path == LEARNED)
    return document.facts[-1].id


def folder_of_listing(folder: Path, listing_id: str) -> PurePosixPath:
    """Where files for a listing go: its folder if there is one, else one named after its id."""
    base = folder / LISTINGS
    names = sorted(one.name for one in base.iterdir() if one.is_dir()) if base.is_dir() else []
    for name in names:
        if listing_id in {listing_of_folder(name), name}:
            return PurePosixPath(LISTINGS, name)
    return PurePosixPath(LISTINGS, listing_id)


def _judge(path: PurePosixPath, content: bytes) -> tuple[Finding, ...]:
    """The findings that reading the content alone makes, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o600)
        inside = path.parts[0] == LISTINGS and len(path.parts) > 2
        return read_file(Path(folder), Place(str(path), path.parts[1] if inside else None)).findings


def _separator(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max((",", ";", "\t"), key=first.count)


def _one_line(text: str) -> str:
    return " ".join(text.split())
