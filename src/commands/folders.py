"""The folders that the product writes to: made, and tried, before anything else is done."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path

from src.db import database_urls
from src.errors import SettingsError, TransientError
from src.settings import Settings

_PASSES = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EINTR}
"""A machine in trouble: its settings are right, and another start may help."""


def make_folders(settings: Settings, *, to_write: bool = True) -> None:
    """Make every folder that a setting names and the product writes to (0700); what is there stays as it is.

    SettingsError with a line for each that cannot be made or, with ``to_write``, be written to; TransientError if
    that is because the disk is full. Repeatable.
    """
    problems = [
        f"{name}: {problem}; write the path of a folder that you may write to"
        for name, folder in _folders(settings)
        if (problem := _problem(folder, to_write=to_write))
    ]
    if problems:
        raise SettingsError(problems)


def _folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "PLAYWRIGHT_SESSION_DIR", settings.playwright_session_dir
    yield "LOG_DIR", settings.log_dir
    database = database_urls.sqlite_path(database_urls.parse(settings.database_url.get_secret_value()))
    if database is not None:
        yield "DATABASE_URL", database.parent


def _problem(folder: Path, *, to_write: bool) -> str | None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _PASSES:
            raise TransientError(f"the folder {folder} cannot be made now ({error.strerror})") from error
        return f"the folder {folder} cannot be made ({error.strerror})"
    if to_write:
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            if error.errno not in _PASSES:
                return f"the folder {folder} cannot be written to ({error.strerror})"
    return None
