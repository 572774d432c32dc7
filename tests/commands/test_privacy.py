"""What others may read of a login or a secret stops the start; what holds nothing does not."""

import pytest

from src.channels.browser import PROFILE_FOLDER, STATE_FILE
from src.commands.privacy import _ALWAYS_SECRET, _MAYBE_SECRET, refuse_open_files
from src.errors import SettingsError
from src.settings import ROOT, Settings, load_settings
from src.variables import names


def problems(root):
    try:
        refuse_open_files(load_settings(root, {}).accounts, root)
    except SettingsError as error:
        return error.problems
    return []


def write_env(root, text, mode):
    (root / ".env").write_text(text, encoding="utf-8")
    (root / ".env").chmod(mode)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o704, 0o710])
@pytest.mark.parametrize("login", [STATE_FILE, PROFILE_FOLDER])
def test_a_saved_login_that_others_may_reach_stops_the_start(tmp_path, mode, login):
    session = tmp_path / "session"
    session.mkdir()
    (session / login).touch()
    session.chmod(mode)
    (problem,) = problems(tmp_path)
    advice = f"run: chmod 700 {session}"
    assert (
        problem == f"PLAYWRIGHT_SESSION_DIR: other users of this machine may read the saved login; {advice}"
    )
    session.chmod(0o700)
    assert problems(tmp_path) == []


def test_a_session_folder_without_a_login_is_no_reason(tmp_path):
    (tmp_path / "session").mkdir(mode=0o755)
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        "API_KEY=a-long-random-key",
        "WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "DASHBOARD_PASSWORD=a-long-password",
        "AI_WEBHOOK_URL=https://ai.invalid/hook?key=abc",
        "AI_WEBHOOK_URL=https://me:pass@ai.invalid/hook",
        "DATABASE_URL=postgresql+psycopg://porter:pass@db/inbox",
    ],
)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_in_an_env_file_that_others_may_read_stops_the_start(tmp_path, line, mode):
    write_env(tmp_path, f"REPLY_MODE=draft\n{line}\n", mode)
    name, value = line.split("=", 1)
    (problem,) = problems(tmp_path)
    assert (
        problem == f"{name}: other users of this machine may read it in .env; run: chmod 600 {tmp_path}/.env"
    )
    assert value not in problem
    write_env(tmp_path, f"{line}\n", 0o600)
    assert problems(tmp_path) == []


def test_every_secret_setting_counts_as_one():
    secret = {
        name for name, field in names(Settings).items() if "SecretStr" in repr(Settings.model_fields[field])
    }
    assert secret == {*_ALWAYS_SECRET, *_MAYBE_SECRET}


def test_a_mark_of_the_byte_order_hides_no_secret(tmp_path):
    write_env(tmp_path, "\ufeffAPI_KEY=a-long-random-key\n", 0o644)
    assert problems(tmp_path)[0].startswith("API_KEY: ")


def test_a_fresh_copy_of_the_example_is_no_reason(tmp_path):
    write_env(tmp_path, (ROOT / ".env.example").read_text(encoding="utf-8"), 0o644)
    assert problems(tmp_path) == []
    write_env(tmp_path, "AI_WEBHOOK_URL=http://127.0.0.1:9000/webhook\nAPI_KEY=\n", 0o644)
    assert problems(tmp_path) == []


def test_a_path_with_a_space_is_quoted_in_the_advice(tmp_path):
    root = tmp_path / "my inbox"
    root.mkdir()
    write_env(root, "API_KEY=a-long-random-key", 0o644)
    assert problems(root)[0].endswith(f"chmod 600 '{root}/.env'")
