"""The other commands and scripts, run as a host runs them."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from sandbox.postgres import postgres_programs
from tests.acceptance.api import health
from tests.acceptance.house import ROOT, House, wait_until
from tests.repository.test_documents import the_ai_of_the_readme

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"AI_WEBHOOK_URL": ""}, "AI_WEBHOOK_URL"),
        ({"AI_WEBHOOK_URL": "https://your-ai.example/webhook"}, "AI_WEBHOOK_URL"),
        ({"AIRBNB_BASE_URL": "https://airbnb.com.evil.example"}, "AIRBNB_BASE_URL"),
        ({"SCRAPE_INTERVALL_SEC": "45"}, "SCRAPE_INTERVALL_SEC"),
        ({"GROUPING_DELAY_SEC": "90"}, "GROUPING_MAX_SEC"),
        ({"API_HOST": "0.0.0.0", "API_KEY": ""}, "API_KEY"),
        ({"DATABASE_URL": "mysql://localhost/x"}, "DATABASE_URL"),
    ],
)
def test_a_wrong_configuration_ends_with_2_and_names_the_variable(
    house: House, changes: dict[str, str], named: str
) -> None:
    house.changes.update(changes)
    done = house.run("syncsend")
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert house.site.log.entries == []


COMMANDS = (
    *(("syncsend",), ("sync",), ("send",), ("api",), ("doctor",), ("status",), ("purge",), ("forget", "x")),
    *(("scripts/reconnect_airbnb.py", "--check"), ("scripts/check_new_messages.py",)),
)


@pytest.mark.parametrize("named", ["LOG_DIR", "PLAYWRIGHT_SESSION_DIR", "DATABASE_URL"])
def test_a_folder_that_cannot_be_made_is_2_and_named_in_every_command(house: House, named: str) -> None:
    (house.folder / "file").touch()
    cannot_be = ("/proc/nightporter/here", f"{house.folder}/file/below", f"{house.folder}/{'x' * 300}")
    for command, path in zip(COMMANDS, itertools.cycle(cannot_be), strict=False):
        house.changes[named] = f"sqlite:///{path}/inbox.db" if named == "DATABASE_URL" else path
        done = house.run(*command)
        said = done.stdout + done.stderr
        assert (done.returncode, named in said) == (2, True), (command, path, said)
        assert "Traceback" not in said
    assert house.site.log.entries == []


@pytest.mark.parametrize("host", ["192.0.2.1", "nobody.invalid"])
def test_a_wrong_api_host_is_named_and_not_the_port(house: House, host: str) -> None:
    house.changes["API_HOST"] = host
    for command in ("syncsend", "api"):
        done = house.run(command)
        assert done.returncode == 2, done.stderr
        assert "API_HOST:" in done.stderr
        assert "API_PORT" not in done.stderr
    assert house.site.log.entries == []


def test_a_port_of_another_program_is_named_and_nothing_is_touched(house: House) -> None:
    house.changes["API_PORT"] = house.site.url.rsplit(":", 1)[1]
    done = house.run("syncsend")
    assert done.returncode == 2
    assert "API_PORT" in done.stderr


def test_status_before_the_first_start_makes_no_database(house: House) -> None:
    done = house.run("status")
    assert done.returncode == 0
    assert not (house.folder / "inbox.db").exists()


def test_the_one_liner_of_the_message_queue_works_from_the_root(house: House) -> None:
    line = (
        "from src.services.message_queue import MessageQueue; print(len(MessageQueue.dequeue_send(limit=10)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", line],
        cwd=ROOT,
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr


@pytest.mark.browser
def test_check_new_messages_prints_who_waits_and_changes_nothing(house: House) -> None:
    thread = house.site.inbox.add_thread(guest="Ines", says="Is there a lift?")
    done = house.run("scripts/check_new_messages.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ines" in done.stdout
    assert "Is there a lift?" in done.stdout
    assert house.site.log.count("thread", thread.number) == 0
    assert house.presses() == 0
    assert house.rows("SELECT * FROM messages") == []


@pytest.mark.browser
def test_doctor_says_line_by_line_what_is_there(house: House) -> None:
    house.site.inbox.add_thread(guest="Ines", says="Is there a lift?")
    done = house.run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for what in (
        "configuration",
        "database",
        "browser",
        "saved login",
        "page structure",
        "AI webhook",
        "callback",
    ):
        assert f"ok {what}" in done.stdout
    assert house.presses() == 0
    assert house.ai.received == []


@pytest.mark.browser
def test_doctor_passes_with_the_ai_of_the_readme_which_knows_post_alone(house: House) -> None:
    with the_ai_of_the_readme(house.folder) as port:
        house.changes["AI_WEBHOOK_URL"] = f"http://127.0.0.1:{port}/"
        done = house.run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok AI webhook" in done.stdout
    assert "HEAD 501" in done.stdout


@pytest.mark.parametrize("command", ["syncsend", "doctor"])
def test_a_near_miss_of_a_variable_ends_with_2_and_names_the_right_one(house: House, command: str) -> None:
    house.changes["REPLYMODE"] = "draft"
    done = house.run(command)
    assert done.returncode == 2
    assert "REPLYMODE" in done.stdout + done.stderr
    assert "REPLY_MODE" in done.stdout + done.stderr
    assert house.site.log.entries == []


@pytest.mark.browser
def test_doctor_says_what_is_missing_and_how_to_get_it(house: House) -> None:
    house.site.faults.raise_wall("login_redirect")
    house.changes["AI_WEBHOOK_URL"] = "http://127.0.0.1:9/webhook"
    done = house.run("doctor")
    assert done.returncode == 1
    assert "NO saved login" in done.stdout
    assert "reconnect_airbnb.py" in done.stdout
    assert "NO AI webhook" in done.stdout


@pytest.mark.browser
def test_demo_once_plays_its_inbox_and_ends_with_0() -> None:
    done = subprocess.run(
        [sys.executable, "src/main.py", "demo", "--once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.replace("│", " ").split())
    assert "All 7 expected replies are in their threads" in said
    assert "house.md#parking" in said  # a source
    assert "It is about money back." in said  # a hand-over
    assert "A missing fact: “Is there a blender in the kitchen?” The host answered it in one line" in said


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_demo_of_all_channels_plays_them_at_once_and_ends_with_0() -> None:
    done = subprocess.run(
        [sys.executable, "src/main.py", "demo", "--channels", "--once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with_postgres = postgres_programs() is not None
    found = {cells[0]: cells[-6:] for line in done.stdout.splitlines() if len(cells := line.split()) > 6}
    wanted = {
        "chalet": ["6", "3", "1", "4", "0", "0"],
        "wa-cloud": ["7", "3", "1", "4", "0", "0"],
        "wa-evolution": ["7", "3", "1", "4", "0", "0"],
        "wa-waha": ["7", "3", "1", "4", "0", "0"],
        "chat": ["7", "4", "1", "5", "0", "0"],
        "shop": ["6", "3", "1", "4", "0", "0"],
        "post": ["–", "–", "–", "2", "0", "0"],
        **({"app": ["6", "3", "1", "4", "0", "0"]} if with_postgres else {}),
    }
    assert {name: found.get(name) for name in wanted} == wanted, done.stdout
    assert f"All {31 if with_postgres else 27} expected replies are where" in " ".join(done.stdout.split())


@pytest.mark.browser
def test_syncsend_uses_an_api_that_runs_already(house: House) -> None:
    # An empty list would be looked at for seconds before it is believed.
    house.site.inbox.card(house.site.inbox.add_thread(guest="Lena"))
    api = house.start("api")
    wait_until(lambda: health(house.port), "the API answers")
    workers = house.start("syncsend")
    wait_until(lambda: house.rows("SELECT 1 FROM workers WHERE worker = 'sync' AND cycles > 0"), "a cycle")
    code, output = house.stop(workers)
    assert code == 0, output
    assert "using that one" in output
    assert (health(house.port) or {})["product"] == "nightporter"
    assert house.stop(api)[0] == 0
