"""``accounts.toml``: what an account is, what it takes from the variables, and what is said of every mistake."""

from pathlib import Path

import pytest

from src.channels.airbnb.settings import AirbnbSettings
from src.errors import SettingsError
from src.settings import load_settings

TWO = """
[[account]]
name = "chalet"
channel = "airbnb"
session_dir = "logins/chalet"
reply_mode = "draft"
grouping_delay_sec = 2.5
headless = false

[[account]]
name = "loft"
channel = "airbnb"
ai_webhook_url = "env:LOFT_AI"
"""


@pytest.fixture
def write(tmp_path):
    def write(text, mode=0o600, name="accounts.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def load(tmp_path):
    def load(**environ):
        return load_settings(tmp_path, environ)

    return load


@pytest.fixture
def problems(load):
    def problems(**environ):
        with pytest.raises(SettingsError) as caught:
            load(**environ)
        return caught.value.problems

    return problems


def test_without_the_file_there_is_the_one_account_of_the_variables(load, tmp_path):
    (account,) = load(REPLY_MODE="draft", AIRBNB_HEADLESS="false").accounts
    assert (account.name, account.channel) == ("default", "airbnb")
    assert account.session_dir == tmp_path / "session"
    assert account.settings.reply_mode == "draft"
    assert account.own == AirbnbSettings(headless=False)
    assert account.counts


def test_an_account_takes_what_it_does_not_say_from_the_variables(write, load, tmp_path):
    write(TWO)
    chalet, loft = load(
        LOFT_AI="http://127.0.0.1:9/loft",
        AI_WEBHOOK_URL="http://127.0.0.1:9/all",
        GROUPING_DELAY_SEC="7",
        HUMAN_PAUSE_MIN="3",
        PLAYWRIGHT_SESSION_DIR="elsewhere",
    ).accounts
    assert (chalet.name, loft.name) == ("chalet", "loft")
    assert (chalet.settings.reply_mode, loft.settings.reply_mode) == ("draft", "auto")
    assert (chalet.settings.grouping_delay_sec, loft.settings.grouping_delay_sec) == (2.5, 7)
    assert chalet.settings.human_pause_min == loft.settings.human_pause_min == 3
    assert chalet.settings.ai_webhook_url.get_secret_value().endswith("/all")
    assert loft.settings.ai_webhook_url.get_secret_value().endswith("/loft")
    assert (chalet.own.headless, loft.own.headless) == (False, True)
    assert chalet.session_dir == tmp_path / "logins" / "chalet"
    assert loft.session_dir == tmp_path / "session" / "loft", "never the variable's: each login is its own"


def test_a_variable_that_only_the_file_names_may_stand_in_env(write, load, tmp_path):
    write(TWO)
    (tmp_path / ".env").write_text(
        "LOFT_AI=http://127.0.0.1:9/loft\nAIRBNB_HEADLESS=true\n", encoding="utf-8"
    )
    _, loft = load().accounts
    assert loft.settings.has_webhook


def test_the_file_may_stand_elsewhere(write, load, tmp_path):
    write(TWO, name="mine.toml")
    assert len(load(ACCOUNTS_FILE="mine.toml", LOFT_AI="http://127.0.0.1:9/x").accounts) == 2
    (tmp_path / ".env").write_text("ACCOUNTS_FILE=mine.toml\n", encoding="utf-8")
    assert len(load(LOFT_AI="http://127.0.0.1:9/x").accounts) == 2


def test_a_built_in_assistant_drafts_and_a_webhook_answers_unless_the_account_says_so(write, load):
    write(
        """
        [[account]]
        name = "a"
        channel = "airbnb"
        [[account]]
        name = "b"
        channel = "airbnb"
        ai = "assistant"
        [[account]]
        name = "c"
        channel = "airbnb"
        ai = "assistant"
        reply_mode = "auto"
        """
    )
    found = load(AI_WEBHOOK_URL="http://127.0.0.1:9/all", ASSISTANT_API_KEY="k" * 20).accounts
    assert [(one.ai, one.settings.reply_mode) for one in found] == [
        ("webhook", "auto"),
        ("assistant", "draft"),
        ("assistant", "auto"),
    ]


def one(line="", *, name="chalet", channel="airbnb"):
    return f'[[account]]\nname = "{name}"\nchannel = "{channel}"\n{line}\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[account]\nname = 1", ["ACCOUNTS_FILE", "not TOML", "line 1"]),
        ("", ["ACCOUNTS_FILE", "no account"]),
        ("[[accounts]]\nname = 'a'", ["accounts", "did you mean account"]),
        ("[account]\nname = 'a'", ["account", "[[account]]"]),
        (one("reply_mod = 'auto'"), ["account chalet", "reply_mod", "did you mean reply_mode"]),
        (one("headles = true"), ["account chalet", "headles", "did you mean headless"]),
        (one(channel="airbmb"), ["account chalet", "channel", "did you mean airbnb"]),
        ("[[account]]\nname = 'a'", ["account a", "channel", "is missing"]),
        ("[[account]]\nchannel = 'airbnb'", ["account 1", "name"]),
        (one(name="Chalet!"), ["account 1", "name", "a-z"]),
        (one() + one("session_dir = 'other'"), ["account chalet", "two of this name"]),
        (
            one("session_dir = 'here'") + one("session_dir = './here'", name="loft"),
            ["account loft", "session_dir", "chalet"],
        ),
        (
            one("ai_webhook_url = 'env:NO_SUCH_NAME'"),
            ["account chalet", "ai_webhook_url", "NO_SUCH_NAME", "not set"],
        ),
        (one("reply_mode = 'aut'"), ["account chalet", "reply_mode", "auto, draft or off"]),
        (one("grouping_max_sec = 1"), ["account chalet", "grouping_max_sec", "15"]),
        (one("grouping_delay_sec = 'soon'"), ["account chalet", "grouping_delay_sec", "not a number"]),
        (one("headless = [1]"), ["account chalet", "headless", "must be text"]),
        (
            one("site = 'shop'", channel="widget") + one("site = 'shop'", name="loft", channel="widget"),
            ["account loft", "site", "chalet"],
        ),
        (
            one("origins = ['https://shop.example/path']", channel="widget"),
            ["account chalet", "origins", "https://shop.example"],
        ),
        (one("ai = 'webhok'"), ["account chalet", "ai", "webhook or assistant"]),
        (one("ai = 'assistant'"), ["account chalet", "ai", "ASSISTANT_API_KEY"]),
        (one("ai = 'webhook'"), ["account chalet", "ai", "AI_WEBHOOK_URL"]),
        (one("disclosure = 'none'"), ["account chalet", "disclosure", "label or first_message"]),
    ],
)
def test_a_mistake_is_said_with_its_account_and_key(write, problems, text, named):
    write(text)
    found = "\n".join(problems())
    for words in named:
        assert words in found


def test_a_variable_that_points_to_no_file_is_a_mistake(problems, tmp_path):
    (line,) = problems(ACCOUNTS_FILE="nowhere.toml")
    assert line.startswith("ACCOUNTS_FILE: there is no file")
    assert "nowhere.toml" in line


def test_a_secret_in_a_file_that_others_may_read_is_refused_without_its_value(write, problems, load):
    text = one("ai_webhook_url = 'https://127.0.0.1/ai?key=canary-4711'")
    path = write(text, 0o640)
    (line,) = problems()
    assert "account chalet: ai_webhook_url" in line
    assert f"chmod 600 {path}" in line
    assert "canary" not in line
    write(text, 0o600)
    assert "https://127.0.0.1/ai?key=canary-4711" in load().secret_values()


def test_no_mistake_quotes_what_may_be_a_secret(write, problems):
    write(one("ai_webhook_url = 'canary-4711'") + "oh = 'canary-4711\n")
    assert "canary" not in "\n".join(problems())
    write(one("ai_webhook_url = 'canary-4711'"))
    assert "canary" not in "\n".join(problems())


def test_the_example_in_the_documents_can_be_used(write, load):
    root = Path(__file__).resolve().parent.parent
    text = (root / "accounts.toml.example").read_text(encoding="utf-8")
    write(text)
    assert [account.name for account in load(AI_WEBHOOK_URL="http://127.0.0.1:9/ai").accounts] == [
        "chalet",
        "loft",
    ]


HUMAN = """
[[account]]
name = "camille"
channel = "pgnotify"
pace = "human"
"""


def test_a_human_pace_without_disclosure_is_refused(write, problems):
    write(HUMAN)
    (line,) = problems()
    assert "account camille: pace: human needs people to be told that an AI answers" in line


def test_a_human_pace_with_disclosure_is_taken(write, load):
    write(HUMAN + 'disclosure = "first_message"\ndisclosure_text = "A machine answers."\n')
    (account,) = load().accounts
    assert (account.disclosure, account.own.pace) == ("first_message", "human")
    assert account.own.disclosure_text == "A machine answers."


def test_disclosure_may_come_from_the_variable(write, load):
    write(HUMAN)
    assert load(PGNOTIFY_DISCLOSURE="label").accounts[0].disclosure == "label"


def test_a_disclosure_that_does_not_exist_is_named_once(write, problems):
    write(HUMAN.replace('pace = "human"', 'disclosure = "whisper"'))
    (line,) = problems()
    assert "disclosure" in line


def test_first_messages_without_disclosure_are_refused(write, problems):
    write(HUMAN.replace('pace = "human"', "start = true"))
    (line,) = problems()
    assert "account camille: start: on needs people to be told that an AI answers" in line


def test_a_longest_delay_below_the_shortest_is_refused(write, problems):
    write(HUMAN.replace('pace = "human"', "start_delay_min_sec = 90"))
    (line,) = problems()
    assert "start_delay_max_sec: 60 is less than start_delay_min_sec (90)" in line


def test_origins_may_be_a_list(write, load):
    write(one("origins = ['https://Shop.example', 'http://localhost:8080']", channel="widget"))
    (account,) = load(AI_WEBHOOK_URL="http://127.0.0.1:9/ai").accounts
    assert account.own.pages == {"https://shop.example", "http://localhost:8080"}
