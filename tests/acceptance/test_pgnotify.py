"""``syncsend`` on an app's own tables, as a process: by configuration alone, killed again and again."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from sandbox.pgnotify.app import MAPPING, App
from tests.acceptance.api import health
from tests.acceptance.house import House, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.postgres, pytest.mark.timeout(560)]

KILLS = 3


@pytest.fixture
def app(empty_postgres_url: str) -> Iterator[App]:
    made = App(empty_postgres_url)
    yield made
    made.close()


@pytest.fixture
def on_the_app(house: House, app: App) -> House:
    """The house with one account, of the app."""
    (house.folder / "app.toml").write_text(MAPPING)
    accounts = house.folder / "accounts.toml"
    accounts.write_text(
        '[[account]]\nname = "bea"\nchannel = "pgnotify"\nurl = "env:APP_DATABASE_URL"\n'
        f'mapping = "{house.folder}/app.toml"\nreply_mode = "auto"\n'
    )
    accounts.chmod(0o600)
    generous = ("CONVERSATION_HOUR", "CONVERSATION_DAY", "ACCOUNT_HOUR", "ROUNDS", "SAME_MESSAGE")
    house.changes |= {
        "ACCOUNTS_FILE": str(accounts),
        "APP_DATABASE_URL": app.url,
        "GROUPING_DELAY_SEC": "0",
        "GROUPING_MAX_SEC": "0",
        **{f"REPLY_CAP_{name}": "1000" for name in generous},
    }
    return house


def started_api(house: House) -> subprocess.Popen[str]:
    """The API, which must be there before the AI calls back: the sandbox's AI calls once."""
    process = house.start("api")
    wait_until(lambda: health(house.port), "the API")
    return process


def test_an_app_is_answered_by_configuration_alone(on_the_app: House, app: App) -> None:
    api = started_api(on_the_app)
    process = on_the_app.start("syncsend", "--no-api")
    matches = [app.match() for _ in range(3)]
    for match in matches:
        app.user_writes(match, f"Is there a lift in {match[:8]}?")
    wait_until(lambda: all(app.answers(match) for match in matches), "three answers in the app's table")
    assert all(len(app.answers(match)) == 1 for match in matches)
    assert on_the_app.one("SELECT COUNT(*) FROM queue_outbox WHERE status = 'sent' AND account = 'bea'") == 3
    assert on_the_app.stop(process, signal.SIGTERM)[0] == 0
    on_the_app.stop(api)


def test_killed_again_and_again_it_loses_nothing_and_says_nothing_twice(on_the_app: House, app: App) -> None:
    dice = random.Random(4711)
    matches = [app.match() for _ in range(3)]
    written = 0
    api = started_api(on_the_app)
    on_the_app.changes["CRASH_LOOP_STARTS"] = "1000"
    numbers = itertools.count(1)
    on_the_app.ai.brain = lambda *_: f"Answer number {next(numbers)}"  # the same one again waits for a person
    for _ in range(KILLS):
        process = on_the_app.start("syncsend", "--no-api")
        for match in matches:
            written += 1
            app.user_writes(match, f"Message number {written}")
        before = sum(len(app.answers(match)) for match in matches)
        wait_until(lambda: sum(len(app.answers(match)) for match in matches) > before, "an answer", 150)  # noqa: B023
        on_the_app.start("status").wait(dice.randint(20, 40))
        process.kill()
        process.wait()
    process = on_the_app.start("syncsend", "--no-api")
    wait_until(
        lambda: all(app.rows(m)[-1].text in app.answers(m) for m in matches),
        "an answer after each last word",
        150,
    )
    wait_until(
        lambda: (
            on_the_app.one("SELECT COUNT(*) FROM queue_outbox WHERE status IN ('pending', 'processing')") == 0
        ),
        "no reply is left",
    )
    texts = [text for match in matches for text in app.texts(match)]
    assert max(Counter(row.id for match in matches for row in app.rows(match)).values()) == 1
    asked = {message["text"] for request in on_the_app.ai.received for message in request.payload["messages"]}
    assert asked >= {text for text in texts if text.startswith("Message number")}
    jobs = on_the_app.rows("SELECT status, COUNT(*) FROM queue_outbox GROUP BY status")
    assert {status for status, _ in jobs} <= {"sent", "cancelled"}, jobs
    sent = dict(jobs)["sent"]
    assert sum(len(app.answers(match)) for match in matches) == sent
    on_the_app.stop(process)
    on_the_app.stop(api)


def test_a_refused_password_halts_with_exit_code_10(on_the_app: House, app: App) -> None:
    app.conn.execute("CREATE ROLE walled LOGIN")
    app.conn.execute("ALTER ROLE walled NOLOGIN")
    on_the_app.changes["APP_DATABASE_URL"] = app.url.replace("postgres@", "walled@")
    process = on_the_app.start("syncsend")
    try:
        code, output = on_the_app.wait_for(process)
    finally:
        app.conn.execute("DROP ROLE walled")
    assert code == 10, output
    assert "credentials" in on_the_app.log()


def test_a_mapping_that_does_not_fit_is_exit_2_and_names_the_column(on_the_app: House, app: App) -> None:
    app.conn.execute("ALTER TABLE messages RENAME COLUMN content TO body")
    code, output = on_the_app.wait_for(on_the_app.start("syncsend"))
    assert code == 2
    assert "messages.content" in output


def test_first_messages_without_disclosure_are_exit_2(on_the_app: House) -> None:
    accounts = on_the_app.folder / "accounts.toml"
    accounts.write_text(accounts.read_text() + 'start = true\npace = "human"\n')
    code, output = on_the_app.wait_for(on_the_app.start("syncsend"))
    assert code == 2
    assert "start: on needs people to be told that an AI answers" in output
    assert "pace: human needs people to be told that an AI answers" in output


def test_a_new_match_is_greeted_and_told_that_an_ai_writes(on_the_app: House, app: App) -> None:
    accounts = on_the_app.folder / "accounts.toml"
    accounts.write_text(
        accounts.read_text() + 'start = true\nstart_delay_max_sec = 1\ndisclosure = "first_message"\n'
    )
    api = started_api(on_the_app)
    process = on_the_app.start("syncsend", "--no-api")
    wait_until(lambda: on_the_app.one("SELECT COUNT(*) FROM accounts WHERE channel = 'pgnotify'"), "SYNC")
    match = app.match()
    wait_until(lambda: app.answers(match), "a greeting in the app's table")
    (greeting,) = app.answers(match)
    assert greeting.startswith("I am an AI assistant")
    (asked,) = [request.payload for request in on_the_app.ai.received]
    assert (asked["event"], asked["message"], asked["messages"], asked["disclosed"]) == (
        "start",
        "",
        [],
        True,
    )
    on_the_app.stop(process)
    on_the_app.stop(api)


def test_a_label_that_nobody_has_confirmed_is_said_at_the_start(on_the_app: House, app: App) -> None:
    accounts = on_the_app.folder / "accounts.toml"
    accounts.write_text(accounts.read_text() + 'pace = "human"\ndisclosure = "label"\n')
    api = started_api(on_the_app)
    process = on_the_app.start("syncsend", "--no-api")
    match = app.match()
    app.user_writes(match, "Hello?")
    wait_until(lambda: app.answers(match), "a plain answer")
    assert "pgnotify check --account bea --confirm-disclosure" in on_the_app.log()
    on_the_app.stop(process)
    on_the_app.stop(api)


def test_50_messages_in_10_conversations_are_10_requests_at_most(on_the_app: House, app: App) -> None:
    on_the_app.changes |= {"GROUPING_DELAY_SEC": "6", "GROUPING_MAX_SEC": "30"}
    api = started_api(on_the_app)
    numbers = itertools.count(1)
    on_the_app.ai.brain = lambda *_: f"Answer number {next(numbers)}"
    process = on_the_app.start("syncsend", "--no-api")
    wait_until(lambda: on_the_app.one("SELECT COUNT(*) FROM accounts WHERE channel = 'pgnotify'"), "SYNC")
    matches = [app.match() for _ in range(10)]
    for number in range(5):
        for match in matches:
            app.user_writes(match, f"Message {number} in {match[:8]}")
    wait_until(lambda: all(app.answers(match) for match in matches), "an answer in each of ten", 120)
    assert all(len(app.answers(match)) == 1 for match in matches)
    asked = [request.payload for request in on_the_app.ai.received]
    assert len(asked) <= 10
    assert sum(len(one["messages"]) for one in asked) == 50
    on_the_app.stop(process)
    on_the_app.stop(api)
