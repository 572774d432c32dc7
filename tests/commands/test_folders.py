"""Folders that settings name: made, tried, and named where they cannot be."""

import errno
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from src.commands.folders import make_folders
from src.errors import SettingsError, TransientError
from src.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        log_dir=tmp_path / "a" / "logs",
        playwright_session_dir=tmp_path / "b" / "session",
        database_url=SecretStr(f"sqlite:///{tmp_path}/c/inbox.db"),
    )


def problems_of(settings: Settings) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        make_folders(settings)
    return caught.value.problems


def test_all_are_made_for_the_owner_alone_and_left_as_they_are_afterwards(settings, tmp_path):
    make_folders(settings)
    made = [tmp_path / "a" / "logs", tmp_path / "b" / "session", tmp_path / "c"]
    assert [folder.stat().st_mode & 0o777 for folder in made] == [0o700] * 3
    made[0].chmod(0o750)
    make_folders(settings)
    assert made[0].stat().st_mode & 0o777 == 0o750
    assert [path for folder in made for path in folder.iterdir()] == []


def test_every_folder_that_cannot_be_made_is_named_at_once(settings, tmp_path):
    for name in "abc":
        (tmp_path / name).write_text("a file is in the way")
    problems = problems_of(settings)
    assert [problem.partition(":")[0] for problem in problems] == [
        "PLAYWRIGHT_SESSION_DIR",
        "LOG_DIR",
        "DATABASE_URL",
    ]
    assert all("cannot be made" in problem for problem in problems)


def test_a_folder_that_cannot_be_written_to_is_named(settings, monkeypatch):
    """As root there is none, so the system's refusal is put in its place."""

    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert "LOG_DIR: the folder" in problems_of(settings)[1]
    make_folders(settings, to_write=False)  # `status` reads


def test_a_full_disk_is_no_wrong_setting(settings, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "mkdir", full)
        with pytest.raises(TransientError, match="No space"):
            make_folders(settings)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    make_folders(settings)
