"""What a browser leaves in its profile goes; the login stays."""

from pathlib import Path

import pytest

from src.channels.profile import sweep

LOGIN = (
    "Local State",
    "Default/Cookies",
    "Default/Cookies-journal",
    "Default/Local Storage/leveldb/000003.log",
    "Default/Preferences",
    "Default/Network/Cookies",
)
WORDS = (
    "Default/Cache/Cache_Data/48d727ce1b30cf4a_0",
    "Default/Code Cache/js/index",
    "Default/Sessions/Session_13439750314624149",
    "Default/History",
    "Default/Service Worker/CacheStorage/1/index",
    "Default/IndexedDB/https_host_0.indexeddb.leveldb/000003.log",
    "Default/Network/Reporting and NEL",
    "Default/Something of a later version/file",
    "Crashpad/pending/dump.dmp",
    "GPUPersistentCache/data_0",
)


def write(profile: Path, *names: str) -> None:
    for name in names:
        (profile / name).parent.mkdir(parents=True, exist_ok=True)
        (profile / name).write_text("Kanarienvogel")


def files(profile: Path) -> set[str]:
    return {str(path.relative_to(profile)) for path in profile.rglob("*") if path.is_file()}


def test_only_the_login_stays_in_a_profile_that_is_closed(tmp_path):
    write(tmp_path, *LOGIN, *WORDS)
    assert sweep(tmp_path)
    assert files(tmp_path) == set(LOGIN)
    assert sweep(tmp_path)


def test_the_profile_of_a_browser_that_runs_is_left_alone(tmp_path):
    write(tmp_path, *LOGIN, *WORDS)
    (tmp_path / "SingletonLock").symlink_to("somehost-4711")
    assert not sweep(tmp_path)
    assert files(tmp_path) == {*LOGIN, *WORDS}


def test_a_profile_that_is_not_there_yet_is_no_trouble(tmp_path):
    assert sweep(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_what_a_link_points_to_is_left_alone(tmp_path):
    write(tmp_path / "elsewhere", "precious")
    write(tmp_path / "profile", *LOGIN)
    (tmp_path / "profile" / "Default" / "Cache").symlink_to(tmp_path / "elsewhere")
    assert sweep(tmp_path / "profile")
    assert files(tmp_path / "elsewhere") == {"precious"}
    assert not (tmp_path / "profile" / "Default" / "Cache").is_symlink()


def test_what_cannot_be_deleted_does_not_stop_the_rest(tmp_path, monkeypatch):
    write(tmp_path, *LOGIN, *WORDS)

    def refuse(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("shutil.rmtree", refuse)
    assert sweep(tmp_path)
    assert "Default/History" not in files(tmp_path)


@pytest.mark.parametrize("name", ["Default/Cookies", "Local State"])
def test_a_login_alone_is_nothing_to_delete(tmp_path, name):
    write(tmp_path, name)
    assert sweep(tmp_path)
    assert files(tmp_path) == {name}
