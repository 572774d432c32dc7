"""``syncsend`` with an account of mails alone, killed at each step of a session: nothing twice, nothing lost."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator

import httpx
import pytest

from sandbox.mail.server import STEPS, MailServer
from tests.acceptance.api import health
from tests.acceptance.house import CANARIES, House, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer(user="porter", password="a-password") as made:
        yield made


@pytest.fixture
def office(house: House, server: MailServer) -> House:
    file = house.folder / "accounts.toml"
    file.write_text('[[account]]\nname = "post"\nchannel = "mail"\n')
    file.chmod(0o600)
    house.changes |= {
        "ACCOUNTS_FILE": str(file),
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "SMTP_FROM": "porter@house.example",
        "SMTP_TLS": "none",
        "SMTP_USER": "porter",
        "SMTP_PASSWORD": "a-password",
        "SEND_WORKER_INTERVAL_SEC": "1",
    }
    return house


def ask(house: House, number: int) -> str:
    said = {
        "template": "registered",
        "to": f"guest-{number}@mail.example",
        "data": {"name": "Ana", "event": f"walk {number}"},
    }
    answer = httpx.post(
        f"http://127.0.0.1:{house.port}/api/mail",
        json=said,
        headers={"X-API-KEY": CANARIES[1]},
        trust_env=False,
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outbox_id"])


def status(house: House, job_id: str) -> str:
    with sqlite3.connect(house.folder / "inbox.db") as conn:
        (found,) = conn.execute("SELECT status FROM queue_outbox WHERE id = ?", (job_id,)).fetchone()
        return str(found)


def test_a_program_killed_at_each_step_sends_each_mail_at_most_once(
    office: House, server: MailServer
) -> None:
    jobs = {}
    for number, step in enumerate(STEPS, start=1):
        process = office.start("syncsend")
        wait_until(lambda: health(office.port), "the API")
        reached: list[str] = []

        def fault(at: str, _session: int, step: str = step, reached: list[str] = reached) -> str | None:
            if at != step or reached:
                return None
            reached.append(at)
            process.send_signal(signal.SIGKILL)  # noqa: B023 - of this turn of the loop
            process.wait()  # noqa: B023
            return None

        server.fault = fault
        jobs[step] = ask(office, number)
        wait_until(lambda: bool(reached), f"the step {step}")  # noqa: B023
        server.fault = lambda _at, _session: None
    process = office.start("syncsend")
    wait_until(
        lambda: all(status(office, job) in ("sent", "unconfirmed") for job in jobs.values()),
        "an end of each mail",
    )
    office.stop(process)
    taken = [mail.parsed["Message-ID"] for mail in server.taken]
    assert len(taken) == len(set(taken))
    for step, job in jobs.items():
        # A program that died after its arm cannot know; before the final dot nothing was taken, and a person is asked.
        there = f"<{job}@house.example>" in taken
        assert status(office, job) == "unconfirmed" or there, step


def test_what_is_missing_is_named_before_anything_is_tried(office: House) -> None:
    office.changes |= {"SMTP_FROM": "", "SMTP_TLS": "none"}
    done = office.run("syncsend")
    assert done.returncode == 2
    assert "SMTP_FROM: is not set" in done.stderr + done.stdout
