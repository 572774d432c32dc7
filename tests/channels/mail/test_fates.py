"""What becomes of a mail, by what its server says or does not say; the server's own log is the truth."""

from __future__ import annotations

import random

import pytest

from sandbox.mail.server import STEPS
from src.errors import TransientError, WallHit
from src.model.statuses import OutboxStatus
from src.services import outbox_moves
from tests.channels.mail.conftest import SECRET, Office


async def test_250_after_the_words_is_sent(office: Office):
    job = office.ask()
    assert await office.send() == 1
    done = office.job(job.id)
    assert (done.status, done.delivery, done.receipt_external_id) == (
        "sent",
        "accepted",
        f"<{job.id}@house.example>",
    )
    (mail,) = office.server.taken
    assert (mail.to, mail.sender, mail.parsed["Subject"]) == (
        "ana@mail.example",
        "porter@house.example",
        "Hello Ana",
    )


async def test_two_mails_to_one_address_go_out_one_after_the_other(office: Office):
    jobs = [office.ask(name=name) for name in ("Ana", "Ana again")]
    assert await office.send() == 2
    assert [mail.parsed["Subject"] for mail in office.server.taken] == ["Hello Ana", "Hello Ana again"]
    assert {office.job(job.id).status for job in jobs} == {"sent"}


@pytest.mark.parametrize("step", ["connect", "ehlo", "mail", "rcpt", "data", "dot"])
async def test_4xx_at_any_step_is_later(office: Office, step: str):
    office.server.fault = lambda at, _: 451 if at == step else None
    job = office.ask()
    await office.send()
    put_off = office.job(job.id)
    assert (put_off.status, put_off.armed, put_off.attempts) == ("pending", False, 0)
    assert 200 < (put_off.due_at - office.now()).total_seconds() <= 300
    assert office.server.taken == []


@pytest.mark.parametrize("step", ["connect", "ehlo", "mail", "rcpt", "data", "words"])
async def test_a_server_that_hangs_up_before_the_final_dot_has_nothing(office: Office, step: str):
    office.server.fault = lambda at, _: "hang_up" if at == step else None
    job = office.ask()
    await office.send()
    # In the middle of the words our own last bytes may still have been taken by the system: nobody can tell then.
    certain = {"pending"} if step != "words" else {"pending", "unconfirmed"}
    assert office.job(job.id).status in certain
    assert office.server.taken == []


async def test_no_connection_is_later_and_the_pause_doubles(office: Office):
    job, channel = office.ask(), office.make_channel()
    office.server.__exit__()
    pauses = []
    for _ in range(3):
        await office.send(channel)
        pauses.append((office.job(job.id).due_at - office.now()).total_seconds())
        outbox_moves_due_now(office, job.id)
    assert [round(pause / 300) for pause in pauses] == [1, 2, 4]


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
async def test_5xx_is_failed_and_not_tried_again(office: Office, step: str):
    office.server.fault = lambda at, _: 550 if at == step else None
    job = office.ask()
    await office.send()
    done = office.job(job.id)
    assert (done.status, done.reason) == ("failed", "undeliverable")
    assert "550" in (done.delivery_error or "")
    assert await office.send() == 0
    assert office.server.taken == []


async def test_535_halts_the_account_and_the_mail_waits(office: Office):
    office.server.user, office.server.password = "porter", "another"
    office.settings = {"user": "porter", "password": SECRET}
    job = office.ask()
    with pytest.raises(WallHit, match="credentials"):
        await office.send()
    waiting = office.job(job.id)
    assert (waiting.status, waiting.armed) == ("pending", False)


async def test_with_its_login_the_server_takes_it(office: Office):
    office.server.user, office.server.password = "porter", SECRET.get_secret_value()
    office.settings = {"user": "porter", "password": SECRET}
    job = office.ask()
    await office.send()
    assert office.job(job.id).status == "sent"


@pytest.mark.parametrize("step", ["dot", "answer"])
async def test_lost_after_the_final_dot_is_unconfirmed_and_never_sent_again(office: Office, step: str):
    office.server.fault = lambda at, _: "hang_up" if at == step else None
    job = office.ask()
    await office.send()
    assert (office.job(job.id).status, office.job(job.id).reason) == ("unconfirmed", "no_proof")
    office.server.fault = lambda _at, _: None
    assert await office.send() == 0
    assert len(office.server.taken) == (1 if step == "answer" else 0)


async def test_200_cut_connections_send_nothing_twice(office: Office):
    rng = random.Random(20261121)
    cuts = {number: rng.choice(STEPS) for number in range(1, 201)}
    office.server.fault = lambda at, session: "hang_up" if cuts.get(session) == at else None
    jobs = {office.ask(f"guest-{number}@mail.example").id for number in range(100)}
    channel = office.make_channel()
    for _ in range(40):
        await office.send(channel)
        for job_id in jobs:
            if office.job(job_id).status is OutboxStatus.PENDING:
                outbox_moves_due_now(office, job_id)
    assert office.server.sessions >= 100
    taken = [mail.parsed["Message-ID"] for mail in office.server.taken]
    assert len(taken) == len(set(taken))
    for job_id in jobs:
        there = f"<{job_id}@house.example>" in taken
        status = office.job(job_id).status
        assert status in ("sent", "unconfirmed", "draft")
        assert there or status != "sent"


async def test_a_mail_that_is_put_off_for_days_waits_for_a_person(office: Office):
    office.server.fault = lambda at, _: 450 if at == "rcpt" else None
    job, channel = office.ask(), office.make_channel()
    for _ in range(11):
        await office.send(channel)
        outbox_moves_due_now(office, job.id)
    assert (office.job(job.id).status, office.job(job.id).reason) == ("draft", "could_not_be_sent")


async def test_dev_log_writes_each_mail_into_a_file_once(office: Office):
    office.settings = {"host": "dev-log"}
    job = office.ask()
    await office.send()
    (file,) = (office.folder / "logs" / "mail").iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == (f"{job.id}.eml", 0o600)
    assert b"Subject: Hello Ana" in file.read_bytes()
    assert office.job(job.id).status == "sent"


async def test_a_person_who_breaks_the_subject_gets_it_back_as_a_draft(office: Office):
    job = office.ask()
    with office.db.write() as conn:
        conn.exec_driver_sql("UPDATE queue_outbox SET text = 'no subject' WHERE id = ?", (job.id,))
    await office.send()
    assert (office.job(job.id).status, office.job(job.id).reason) == ("draft", "no_subject")
    edited = outbox_moves.approve(
        office.db, office.wakeup, job_id=job.id, message="Subject: Hello\n\nDear Ana", now=office.now()
    )
    assert edited.status == "pending"
    await office.send()
    assert office.job(job.id).status == "sent"


async def test_the_same_key_is_the_same_mail(office: Office):
    first, again = office.ask(key="order-1"), office.ask(key="order-1")
    assert first.id == again.id
    await office.send()
    assert len(office.server.taken) == 1


async def test_an_address_that_was_never_asked_for_gets_nothing(office: Office):
    channel = office.make_channel()
    await channel.open()
    with pytest.raises(TransientError):
        await channel.reread("eve@mail.example")


def outbox_moves_due_now(office: Office, job_id: str) -> None:
    """As if the pause were over."""
    with office.db.write() as conn:
        conn.exec_driver_sql(
            "UPDATE queue_outbox SET due_at = created_at WHERE id = ? AND status = 'pending'", (job_id,)
        )
