"""Configuration: what is accepted, what stops the start, and with which words."""

import re
from datetime import timedelta

import pytest

from src.channels.airbnb.settings import AirbnbSettings, is_own_host
from src.errors import SettingsError
from src.settings import ROOT, Settings, is_loopback, load_settings, variables

PLACEHOLDER = "https://your-ai.example/webhook"
GOOD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def problems_of(root, environ=None, **kwargs):
    with pytest.raises(SettingsError) as caught:
        load_settings(root, environ or {}, **kwargs)
    return caught.value.problems


def write_env(root, text):
    (root / ".env").write_text(text, encoding="utf-8")


def test_without_any_variable_all_defaults_of_the_contract_hold(tmp_path):
    settings = load_settings(tmp_path, {})
    assert settings.scrape_interval_sec == 45
    assert settings.send_worker_interval_sec == 15
    assert (settings.grouping_delay_sec, settings.grouping_max_sec) == (15, 60)
    assert timedelta(hours=settings.max_message_age_hours) == timedelta(days=1)
    assert settings.reply_mode == "auto"
    assert settings.human_pause_min == 15
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8000)
    assert settings.callback_base_url == "http://localhost:8000"
    assert settings.api_key is None
    assert settings.webhook_secret is None
    assert [account.name for account in settings.accounts] == ["default"]
    assert settings.of(AirbnbSettings).headless is True
    assert settings.of(AirbnbSettings).base_url == "https://www.airbnb.com"


def test_paths_and_the_sqlite_file_are_resolved_against_the_root(tmp_path):
    settings = load_settings(tmp_path, {"LOG_DIR": "./deep/logs", "PLAYWRIGHT_SESSION_DIR": "/srv/login"})
    assert settings.log_dir == tmp_path / "deep" / "logs"
    assert str(settings.playwright_session_dir) == "/srv/login"
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path}/data/inbox.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_DIR", "~nobody-is-called-so/logs"),
        ("PLAYWRIGHT_SESSION_DIR", "~nobody-is-called-so"),
        ("DATABASE_URL", "sqlite:///~nobody-is-called-so/inbox.db"),
        ("BROWSER_EXECUTABLE_PATH", "~nobody-is-called-so/chrome"),
        ("BROWSER_EXECUTABLE_PATH", "/" + "x" * 300),
    ],
)
def test_a_path_that_cannot_be_one_is_a_problem_that_names_its_variable(tmp_path, name, value):
    problems = problems_of(tmp_path, {name: value})
    assert [problem.partition(":")[0] for problem in problems] == [name]


def test_an_absolute_sqlite_path_and_a_postgres_address_stay_as_they_are(tmp_path):
    for url in (
        "sqlite:////srv/inbox.db",
        "postgresql+psycopg://porter:pw@db/inbox?sslmode=require",
        "postgres://db/inbox",
    ):
        assert load_settings(tmp_path, {"DATABASE_URL": url}).database_url.get_secret_value() == url


def test_the_environment_wins_over_the_file_and_an_empty_value_is_not_set(tmp_path):
    write_env(tmp_path, "REPLY_MODE=draft\nAPI_PORT=8100\nAPI_KEY=\nSCRAPE_INTERVAL_SEC=0.5\n")
    settings = load_settings(tmp_path, {"REPLY_MODE": "off", "API_PORT": "", "WEBHOOK_SECRET": "  "})
    assert settings.reply_mode == "off"
    assert settings.api_port == 8100
    assert settings.callback_base_url == "http://localhost:8100"
    assert settings.api_key is None
    assert settings.webhook_secret is None
    assert settings.scrape_interval_sec == 0.5


def test_a_password_with_a_dollar_sign_is_taken_as_it_is(tmp_path):
    write_env(tmp_path, "API_KEY=abc${HOME}def-and-more\n")
    key = load_settings(tmp_path, {}).api_key
    assert key is not None
    assert key.get_secret_value() == "abc${HOME}def-and-more"


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"SCRAPE_INTERVAL_SEC": "abc"}, "SCRAPE_INTERVAL_SEC: 'abc' is not a number"),
        ({"SCRAPE_INTERVAL_SEC": "0"}, "SCRAPE_INTERVAL_SEC: '0' must be more than 0"),
        ({"SCRAPE_INTERVAL_SEC": "-3"}, "SCRAPE_INTERVAL_SEC: '-3' must be more than 0"),
        ({"SEND_WORKER_INTERVAL_SEC": "inf"}, "SEND_WORKER_INTERVAL_SEC: 'inf' is not a number"),
        ({"HUMAN_PAUSE_MIN": "nan"}, "HUMAN_PAUSE_MIN: 'nan' is not a number"),
        ({"GROUPING_DELAY_SEC": "-1"}, "GROUPING_DELAY_SEC: '-1' must be at least 0"),
        ({"MAX_MESSAGE_AGE_HOURS": "1e9"}, "MAX_MESSAGE_AGE_HOURS: '1e9' must be at most"),
        ({"GROUPING_MAX_SEC": "5"}, "GROUPING_MAX_SEC: 5 is less than GROUPING_DELAY_SEC (15)"),
        ({"REPLY_MODE": "on"}, "REPLY_MODE: 'on' is not possible; write auto, draft or off"),
        ({"API_PORT": "0"}, "API_PORT: '0' must be at least 1"),
        ({"API_PORT": "80.5"}, "API_PORT: '80.5' is not a number"),
        ({"API_HOST": "0.0.0.0"}, "API_KEY: is not set although API_HOST lets other machines in"),
        ({"API_HOST": "::"}, "API_KEY: is not set although API_HOST lets other machines in"),
        ({"API_HOST": "http://127.0.0.1"}, "API_HOST: is not a host"),
        ({"API_KEY": "two words"}, "API_KEY: holds a space"),
        ({"API_KEY": "a"}, "API_KEY: is too short; write at least 16 random characters"),
        ({"API_KEY": "fifteen-charact", "API_HOST": "0.0.0.0"}, "API_KEY: is too short"),
        ({"TRUSTED_PROXIES": "proxy.internal"}, "TRUSTED_PROXIES: holds something that is no address"),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "TRUSTED_PROXIES: holds something that is no address"),
        ({"TRUSTED_PROXIES": "127.0.0.1 0.0.0.0/0"}, "TRUSTED_PROXIES: trusts everybody"),
        (
            {"TRUSTED_PROXY": "127.0.0.1"},
            "TRUSTED_PROXY: is not a setting (in the environment); did you mean",
        ),
        ({"WEBHOOK_SECRET": "hunter2hunter2"}, "WEBHOOK_SECRET: is not a signing secret"),
        ({"WEBHOOK_SECRET": "whsec_c2hvcnQ="}, "WEBHOOK_SECRET: is not a signing secret"),
        ({"CALLBACK_BASE_URL": "localhost:8000"}, "CALLBACK_BASE_URL: is not a web address"),
        ({"CALLBACK_BASE_URL": "http://h/?a=1"}, "CALLBACK_BASE_URL: must end before any ?"),
        ({"AI_WEBHOOK_URL": "ftp://ai.test/x"}, "AI_WEBHOOK_URL: is not a web address"),
        ({"DATABASE_URL": "sqlite://"}, "DATABASE_URL: must be a file"),
        ({"DATABASE_URL": "sqlite:///:memory:"}, "DATABASE_URL: must be a file"),
        ({"DATABASE_URL": "postgresql+psycopg2://porter:pw@db/inbox"}, "DATABASE_URL: names another driver"),
        ({"DATABASE_URL": "mysql://db/inbox"}, "DATABASE_URL: is no database"),
        ({"BROWSER_EXECUTABLE_PATH": "/nowhere/chromium"}, "BROWSER_EXECUTABLE_PATH: is not a program"),
        ({"AIRBNB_HEADLESS": "maybe"}, "AIRBNB_HEADLESS: 'maybe' is neither true nor false"),
        ({"AIRBNB_BASE_URL": "https://airbnb.xyz"}, "AIRBNB_BASE_URL: is not one of Airbnb's own"),
        (
            {"SCRAPE_INTERVALL_SEC": "9"},
            "SCRAPE_INTERVALL_SEC: is not a setting (in the environment); did you mean SCRAPE_INTERVAL_SEC?",
        ),
        (
            {"PLAYWRIGHT_SESSION": "x"},
            "PLAYWRIGHT_SESSION: is not a setting (in the environment); did you mean PLAYWRIGHT_SESSION_DIR?",
        ),
        ({"LOG_COLOUR": "x"}, "LOG_COLOUR: is not a setting (in the environment); remove it"),
    ],
)
def test_each_mistake_is_one_line_that_begins_with_the_variable(tmp_path, environ, line):
    (problem,) = problems_of(tmp_path, environ)
    assert problem.startswith(line)
    assert "; " in problem
    assert "\n" not in problem


def test_a_key_of_sixteen_characters_is_long_enough(tmp_path):
    assert load_settings(tmp_path, {"API_KEY": "sixteen-letters-"}).api_key is not None


def near_misses():
    """Each of our names as people get them wrong, where the mistake takes the beginning away that we claim."""
    for one in variables():
        yield one.name.replace("_", ""), one.name
        yield one.name.lower(), one.name
        yield one.name.replace("_", "-"), one.name
        first, *rest = one.name.split("_")
        if len(first) >= 5:
            for wrong in (
                first[0] + first[2] + first[1] + first[3:],
                first[:2] + first[3:],
                first + first[-1],
            ):
                yield "_".join([wrong, *rest]), one.name


def test_a_near_miss_without_a_prefix_of_ours_is_noticed_with_the_nearest_name(tmp_path):
    meant = {wrong: right for wrong, right in near_misses() if wrong != right}
    assert meant["REPLYMODE"] == "REPLY_MODE"
    told = {
        problem.partition(":")[0]: problem for problem in problems_of(tmp_path, dict.fromkeys(meant, "x"))
    }
    assert {wrong for wrong, right in meant.items() if right not in told.get(wrong, "")} == set()
    write_env(tmp_path, "REPLYMODE=draft\n")
    assert "did you mean REPLY_MODE?" in problems_of(tmp_path)[0]


USUAL = """
    PATH HOME PWD OLDPWD SHELL SHLVL USER USERNAME LOGNAME MAIL LANG LANGUAGE LC_ALL LC_CTYPE TERM COLORTERM TMPDIR TZ
    EDITOR VISUAL PAGER DISPLAY WAYLAND_DISPLAY XAUTHORITY XDG_RUNTIME_DIR XDG_SESSION_ID DBUS_SESSION_BUS_ADDRESS
    HOSTNAME HOST PORT APP_PORT APP_HOST BIND_HOST SERVER_PORT HTTP_PORT URL BASE_URL MODE DEBUG ENV NODE_ENV LOGLEVEL
    SSH_AUTH_SOCK SSH_CONNECTION SSH_CLIENT SSH_TTY SUDO_USER SUDO_COMMAND INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET
    MANAGERPID SYSTEMD_EXEC_PID LISTEN_FDS MAINPID WATCHDOG_USEC STATE_DIRECTORY LOGS_DIRECTORY RUNTIME_DIRECTORY
    PM2_HOME PM2_USAGE NODE_APP_INSTANCE PM2_JSON_PROCESSING pm_id pm_uptime pm_cwd pm_exec_path name status exec_mode
    km_link vizion autorestart autostart watch instances namespace unique_id filter_env axm_options axm_monitor
    http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    VIRTUAL_ENV PYTHONPATH PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE PYENV_ROOT PIP_CERT CONDA_PREFIX UV_CACHE_DIR
    BROWSER CHROME_BIN CHROME_PATH CHROMIUM_FLAGS PLAYWRIGHT_BROWSERS_PATH PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD PW_TEST
    POSTGRES_URL POSTGRES_PASSWORD PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE REDIS_URL MYSQL_URL TEST_DATABASE_URL
    PG_DATABASE_URL DB_DATABASE_URL DEV_DATABASE_URL DB_URL TEST_POSTGRES_URL CI CI_WEBHOOK_URL SLACK_WEBHOOK_URL
    N8N_WEBHOOK_URL DISCORD_WEBHOOK_URL OPENAI_API_KEY ANTHROPIC_API_KEY GOOGLE_API_KEY GEMINI_API_KEY MISTRAL_API_KEY
    XAI_API_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY GITHUB_TOKEN SENDGRID_API_KEY SENTRY_DSN STRIPE_WEBHOOK_SECRET
    KUBERNETES_SERVICE_HOST KUBERNETES_PORT DOCKER_HOST COMPOSE_PROJECT_NAME GPG_KEY PS1 LS_COLORS LESSOPEN HISTFILE
    HISTSIZE MAX_OLD_SPACE MAX_WORKERS WORKERS TIMEOUT WEB_CONCURRENCY SECRET_KEY SESSION_DIR DATA_DIR CACHE_DIR _
"""


def test_the_usual_environment_raises_no_alarm(tmp_path):
    load_settings(tmp_path, dict.fromkeys(USUAL.split(), "x"))


def test_all_problems_are_told_at_once(tmp_path):
    write_env(tmp_path, "REPLY_MODE=nein\nAPI_PORT=x\nFOO=1\nAPI_HOST=0.0.0.0\nBAR\njust some words\n")
    names = [
        problem.partition(":")[0] for problem in problems_of(tmp_path, {"HUMAN_PAUSE": "3"}, need_ai=True)
    ]
    assert sorted(names) == sorted(
        ["REPLY_MODE", "API_PORT", "FOO", "API_KEY", "BAR", ".env", "HUMAN_PAUSE", "AI_WEBHOOK_URL"]
    )


def test_no_problem_ever_prints_a_secret(tmp_path):
    canary = "canary-7d41-8e52"
    for environ in (
        {"API_KEY": f"{canary} x"},
        {"WEBHOOK_SECRET": f"whsec_{canary}!"},
        {"DATABASE_URL": f"postgresql+asyncpg://porter:{canary}@db/inbox"},
        {"AI_WEBHOOK_URL": f"gopher://{canary}@ai/"},
    ):
        assert canary not in "\n".join(problems_of(tmp_path, environ))
    assert canary not in repr(
        load_settings(tmp_path, {"API_KEY": canary, "AI_WEBHOOK_URL": f"http://a:{canary}@h/"})
    )


def test_every_unknown_key_of_the_file_is_an_error_but_the_rest_of_the_environment_is_not_ours(tmp_path):
    foreign = {"PATH": "/bin", "PLAYWRIGHT_BROWSERS_PATH": "/opt", "MAX_JOBS": "3", "BROWSER": "firefox"}
    load_settings(tmp_path, foreign)
    write_env(tmp_path, "PLAYWRIGHT_BROWSERS_PATH=/opt\n")
    (problem,) = problems_of(tmp_path)
    assert problem.startswith("PLAYWRIGHT_BROWSERS_PATH: is not a setting (in .env, line 1)")


def test_a_key_in_small_letters_is_answered_with_its_right_spelling(tmp_path):
    write_env(tmp_path, "reply_mode=draft\n")
    (problem,) = problems_of(tmp_path)
    assert problem.endswith("did you mean REPLY_MODE?")


def test_a_key_that_is_set_twice_in_the_file_is_a_contradiction(tmp_path):
    write_env(tmp_path, "REPLY_MODE=draft\n# …\nREPLY_MODE=auto\n")
    assert problems_of(tmp_path) == ["REPLY_MODE: is set twice in .env (lines 1 and 3); keep one"]


def test_a_file_that_is_not_text_is_a_problem_and_not_a_crash(tmp_path):
    (tmp_path / ".env").write_bytes(b"API_KEY=\xff\xfe\n")
    assert problems_of(tmp_path) == [".env: cannot be read; it must be a readable text file in UTF-8"]


@pytest.mark.parametrize("url", [PLACEHOLDER, "https://ai.example.com/x", ""])
def test_the_main_job_does_not_start_without_a_real_ai_webhook(tmp_path, url):
    (problem,) = problems_of(tmp_path, {"AI_WEBHOOK_URL": url}, need_ai=True)
    assert problem.startswith("AI_WEBHOOK_URL: is ")
    assert "ASSISTANT_API_KEY" in problem
    assert load_settings(tmp_path, {"AI_WEBHOOK_URL": url}).ai is None


def test_the_api_may_listen_everywhere_once_there_is_a_key(tmp_path):
    settings = load_settings(
        tmp_path, {"API_HOST": "0.0.0.0", "API_KEY": "k" * 32, "WEBHOOK_SECRET": GOOD_SECRET}
    )
    assert settings.secret_values() == ["k" * 32, GOOD_SECRET]


def test_loopback_is_this_machine_and_nothing_else():
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST")))
    assert not any(
        map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io", ""))
    )


def test_the_example_file_has_every_variable_with_its_default_and_nothing_else(tmp_path):
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = dict(re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", text, flags=re.MULTILINE))
    rows = {row.name: row for row in variables()}
    assert set(given) == set(rows)
    for name, value in given.items():
        if name == "AI_WEBHOOK_URL":
            assert value == PLACEHOLDER
        elif value:
            assert value == rows[name].default.replace("<API_PORT>", "8000"), name
    write_env(tmp_path, re.sub(r"^#([A-Z0-9_]+=)", r"\1", text, flags=re.MULTILINE))
    assert load_settings(tmp_path, {}).scrape_interval_sec == 45


def test_the_table_says_what_each_variable_means():
    assert all(row.name.isupper() and row.meaning and row.unit and row.default for row in variables())
    of_channels = [row.name for row in variables() if row not in variables(())]
    assert of_channels[0].startswith("AIRBNB_")
    assert all(
        name.startswith(("AIRBNB_", "CHAT_", "PGNOTIFY_", "SMTP_", "WHATSAPP_", "WIDGET_"))
        for name in of_channels
    )


def test_settings_can_be_made_directly_and_read_nothing_by_themselves(monkeypatch):
    monkeypatch.setenv("REPLY_MODE", "off")
    settings = Settings(channels=(AirbnbSettings(headless=False),))
    assert settings.reply_mode == "auto"
    assert settings.of(AirbnbSettings).headless is False


@pytest.mark.parametrize(
    "url",
    [
        "https://www.airbnb.com",
        "https://airbnb.co.uk/",
        "https://fr.airbnb.com",
        "https://www.airbnb.jp:443",
        "http://127.0.0.1:5000",
        "https://localhost:5000/",
        "http://[::1]:80",
    ],
)
def test_airbnbs_own_addresses_and_loopback_are_accepted(url):
    assert AirbnbSettings(base_url=url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://www.airbnb.com",
        "https://airbnb.xyz",
        "https://airbnb.com.evil.example",
        "https://xairbnb.com",
        "https://www.airbnb.com@evil.example",
        "https://user@www.airbnb.com",
        "https://www.fr.airbnb.com",
        "https://abc.airbnb.com",
        "https://evil.example\\@www.airbnb.com",
        "https://www.airbnb.com/hosting",
        "https://www.airbnb.com?x",
        "https://www.airbnb.com:8443",
        "https://www.аirbnb.com",
        "https://www.airbnb.com.",
        "ftp://127.0.0.1",
        "http://127.0.0.1.nip.io",
        "http://10.0.0.5",
        "airbnb.com",
        "https://www.airbnb.com:x",
    ],
)
def test_look_alikes_are_refused(url):
    with pytest.raises(ValueError, match="Airbnb's own"):
        AirbnbSettings(base_url=url)


def test_a_session_may_be_moved_to_its_countrys_domain_but_nowhere_else():
    base = "https://www.airbnb.com"
    assert is_own_host("https://www.airbnb.jp/hosting/messages/1?unread=", base)
    assert not is_own_host("https://airbnb.com.evil.example/hosting/messages", base)
    assert not is_own_host("http://127.0.0.1/hosting/messages", base)
    assert not is_own_host("about:blank", base)
    assert not is_own_host("https://evil.example\\@www.airbnb.com/", base)


def test_a_simulated_site_is_only_itself():
    base = "http://127.0.0.1:5000"
    assert is_own_host("http://127.0.0.1:5000/hosting/messages", base)
    assert not is_own_host("http://127.0.0.1:5001/hosting/messages", base)
    assert not is_own_host("http://localhost:5000/hosting/messages", base)
    assert not is_own_host("https://www.airbnb.com/hosting/messages", base)


def test_the_port_of_a_hosting_platform_is_used_where_api_port_is_not_set(tmp_path):
    settings = load_settings(tmp_path, {"PORT": "4321"})
    assert (settings.api_port, settings.callback_base_url) == (4321, "http://localhost:4321")
    assert load_settings(tmp_path, {"PORT": "4321", "API_PORT": "8100"}).api_port == 8100
    write_env(tmp_path, "API_PORT=8200\n")
    assert load_settings(tmp_path, {"PORT": "4321"}).api_port == 8200


def test_a_variable_port_that_is_another_programs_is_left_alone(tmp_path):
    assert load_settings(tmp_path, {"PORT": "tcp://10.0.0.1:80"}).api_port == 8000


def test_the_old_name_of_the_time_zone_is_still_taken_and_named_where_it_is_wrong(tmp_path):
    assert load_settings(tmp_path, {"DASHBOARD_TIME_ZONE": "Europe/Paris"}).time_zone == "Europe/Paris"
    (problem,) = problems_of(tmp_path, {"DASHBOARD_TIME_ZONE": "Paris"})
    assert problem.startswith("DASHBOARD_TIME_ZONE: is not a time zone; write a name like Europe/Paris")


def test_the_old_and_the_new_name_of_the_time_zone_may_not_differ(tmp_path):
    write_env(tmp_path, "TIME_ZONE=Europe/Paris\n")
    assert load_settings(tmp_path, {"DASHBOARD_TIME_ZONE": "Europe/Paris"}).time_zone == "Europe/Paris"
    (problem,) = problems_of(tmp_path, {"DASHBOARD_TIME_ZONE": "Asia/Tokyo"})
    assert problem == "DASHBOARD_TIME_ZONE: is the old name of TIME_ZONE, and the two differ; keep TIME_ZONE"


def test_quiet_hours_that_are_none_stop_the_start_with_a_line_that_says_what_to_write(tmp_path):
    assert load_settings(tmp_path, {"QUIET_HOURS": "22:30-7"}).quiet_hours == "22:30-7"
    for text in ("at night", "22-25", "7-7"):
        (problem,) = problems_of(tmp_path, {"QUIET_HOURS": text})
        assert problem.startswith("QUIET_HOURS: ")
        assert "write two times of the day like 22-7 or 22:30-7:15" in problem


def test_the_time_style_of_another_program_is_left_alone(tmp_path):
    load_settings(tmp_path, {"TIME_STYLE": "long-iso"})
