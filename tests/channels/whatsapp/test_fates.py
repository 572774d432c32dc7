"""Each row of the two tables of fates: what the service answers to a message, and what goes wrong around it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.whatsapp import bodies
from sandbox.whatsapp.cloud import Plan
from src.account import Account, AccountSettings
from src.api.health import look
from src.db import accounts
from src.errors import CallRefused, WallHit
from src.model.sending import Finding, Press, Receipt
from src.model.statuses import OutboxStatus
from src.model.values import utc_now
from src.services import alerts
from tests.support.house import ACCOUNT
from tests.support.whatsapp import GERDA, incoming

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

REPLY = "Yes, it is free. Kind regards!"


async def pressed(line, *plans: Plan):
    """A user writes, the AI answers, SEND runs once; what the service does follows the plans."""
    job = await line.reply_to(GERDA, reply=REPLY)
    line.cloud.plans.extend(plans)
    await line.send.run_once(line.channel)
    return line.job(job)


def times_sent(line) -> int:
    return [one.text for one in line.cloud.sent].count(REPLY)


# --- the answer to the press -----------------------------------------------------------------------------


async def test_200_with_an_id_is_sent_and_accepted(line):
    job = await pressed(line, Plan(statuses=()))
    assert (job.status, job.delivery) == (OutboxStatus.SENT, "accepted")
    assert job.receipt_external_id == line.cloud.sent[0].wamid
    assert line.cloud.sent[0].key == job.id


async def test_a_status_within_the_proof_time_is_the_first_thing_said_of_it(line):
    job = await pressed(line, Plan(statuses=("sent", "delivered")))
    line.heard()
    now = line.job(job)
    assert (now.status, now.delivery, times_sent(line)) == (OutboxStatus.SENT, "delivered", 1)


async def test_undeliverable_within_the_proof_time_has_failed_with_the_services_code(line):
    line.channel._settings = line.channel._settings.model_copy(update={"proof_sec": 10.0})
    job = await pressed(line, Plan(failed_with=131026))
    assert (job.status, job.reason) == (OutboxStatus.FAILED, "undeliverable")
    assert (job.delivery, job.delivery_error) == ("failed", "131026")


async def test_a_window_that_closed_within_the_proof_time_leaves_a_draft(line):
    line.channel._settings = line.channel._settings.model_copy(update={"proof_sec": 10.0})
    job = await pressed(line, Plan(failed_with=131047))
    assert (job.status, job.reason) == (OutboxStatus.DRAFT, "window_closed")


async def test_connection_refused_is_not_pressed_and_goes_later(line):
    job = await line.reply_to(GERDA, reply=REPLY)
    line.cloud.stop_serving()
    for _ in range(3):
        await line.send.run_once(line.channel)
    now = line.job(job)
    assert (now.status, now.arm_count, now.attempts) == (OutboxStatus.PENDING, 0, 0)
    assert now.due_at > line.house.clock() + timedelta(seconds=3)
    line.cloud.start()
    line.channel._not_before = 0.0
    with line.house.db.write() as conn:
        conn.exec_driver_sql("UPDATE queue_outbox SET due_at = created_at")
    await line.send.run_once(line.channel)
    assert (line.job(job).status, times_sent(line)) == (OutboxStatus.SENT, 1)


@pytest.mark.parametrize("name", ["no-such-host.invalid", "127.0.0.1:1"])
async def test_no_such_name_and_no_tls_are_not_pressed(line, name):
    job = await line.reply_to(GERDA, reply=REPLY)
    settings = line.channel._settings
    line.channel._settings = settings.model_copy(update={"base_url": f"https://{name}"})
    await line.send.run_once(line.channel)
    assert (line.job(job).status, line.job(job).arm_count) == (OutboxStatus.PENDING, 0)
    assert line.cloud.sent == []


async def test_tls_that_fails_is_not_pressed(line):
    job = await line.reply_to(GERDA, reply=REPLY)
    url = line.cloud.url.replace("http://", "https://")
    line.channel._settings = line.channel._settings.model_copy(update={"base_url": url})
    await line.send.run_once(line.channel)
    assert (line.job(job).status, line.job(job).arm_count) == (OutboxStatus.PENDING, 0)


@pytest.mark.parametrize(
    "plan",
    [
        Plan("lose", statuses=()),
        Plan("garbage", statuses=()),
        Plan("error", status=500),
        Plan("error", status=502),
    ],
    ids=["closed", "garbage", "500", "502"],
)
async def test_an_answer_that_is_lost_is_unconfirmed_without_a_status_and_never_sent_again(line, plan):
    job = await pressed(line, plan)
    assert (job.status, job.reason) == (OutboxStatus.UNCONFIRMED, "no_proof")
    for _ in range(3):
        await line.send.run_once(line.channel)
    assert times_sent(line) == (plan.way != "error")


@pytest.mark.parametrize("way", ["lose", "garbage"])
async def test_an_answer_that_is_lost_is_settled_by_the_status_that_brings_our_key(line, way):
    job = await pressed(line, Plan(way, statuses=("sent",)))
    assert (job.status, job.delivery) == (OutboxStatus.SENT, "server")
    assert job.receipt_external_id == line.cloud.sent[0].wamid
    assert times_sent(line) == 1


async def test_a_status_that_comes_late_settles_what_was_unconfirmed(line):
    job = await pressed(line, Plan("lose", statuses=()))
    assert job.status is OutboxStatus.UNCONFIRMED
    line.cloud.tell_status(line.cloud.sent[0], "delivered")
    line.heard()
    now = line.job(job)
    assert (now.status, now.delivery, times_sent(line)) == (OutboxStatus.SENT, "delivered", 1)


async def test_a_message_that_was_taken_without_an_answer_and_then_failed_is_failed(line):
    job = await pressed(line, Plan("lose", failed_with=131026))
    assert (job.status, job.delivery_error) == (OutboxStatus.FAILED, "131026")


@pytest.mark.parametrize("code", [130429, 4, 80007])
async def test_a_limit_of_the_number_holds_everybody_and_is_no_try(line, code):
    job = await pressed(line, Plan("error", code=code))
    assert (job.status, job.arm_count, job.attempts) == (OutboxStatus.PENDING, 0, 0)
    assert 4 < (job.due_at - line.house.clock()).total_seconds() <= 6
    other = await line.reply_to("4915112345678", reply="Ja.")
    await line.send.run_once(line.channel)
    assert (line.job(other).status, line.job(other).arm_count, line.cloud.sent) == (
        OutboxStatus.PENDING,
        0,
        [],
    )


async def test_a_limit_of_one_conversation_holds_only_that_one(line):
    job = await pressed(line, Plan("error", code=131056))
    assert (job.status, job.arm_count) == (OutboxStatus.PENDING, 0)
    other = await line.reply_to("4915112345678", reply="Ja.")
    await line.send.run_once(line.channel)
    assert line.job(other).status is OutboxStatus.SENT


async def test_429_waits_as_long_as_it_says(line):
    job = await pressed(line, Plan("error", status=429, retry_after="40"))
    assert job.status is OutboxStatus.PENDING
    assert 38 < (job.due_at - line.house.clock()).total_seconds() <= 40


async def test_the_pause_of_a_limit_doubles(line):
    job = await line.reply_to(GERDA, reply=REPLY)
    waits = []
    for _ in range(4):
        line.cloud.plans.append(Plan("error", code=131056))
        await line.send.run_once(line.channel)
        waits.append(round((line.job(job).due_at - line.house.clock()).total_seconds()))
        with line.house.db.write() as conn:
            conn.exec_driver_sql("UPDATE queue_outbox SET due_at = created_at")
    assert waits == [6, 12, 24, 48]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(190, "credentials"), (10, "credentials"), (200, "credentials"), (368, "blocked"), (131031, "blocked")],
)
async def test_a_token_or_an_account_that_is_refused_halts_and_sends_nothing(line, code, kind):
    job = await line.reply_to(GERDA, reply=REPLY)
    line.cloud.plans.append(Plan("error", status=403, code=code))
    with pytest.raises(WallHit) as caught:
        await line.send.run_once(line.channel)
    assert caught.value.kind == kind
    assert GERDA not in str(caught.value)
    now = line.job(job)
    assert (now.status, now.arm_count, line.cloud.sent) == (OutboxStatus.PENDING, 0, [])


@pytest.mark.parametrize(
    ("code", "details", "error"),
    [
        (100, "Param text['body'] must be a string.", "100 text.body"),
        (131009, "Bad recipient_type", "131009 recipient_type"),
    ],
)
async def test_a_field_that_is_refused_has_failed_and_is_named(line, code, details, error):
    job = await pressed(line, Plan("error", code=code, details=details))
    assert (job.status, job.delivery_error) == (OutboxStatus.FAILED, error)


# --- failure, then ---------------------------------------------------------------------------------------


async def test_while_our_database_is_away_the_service_comes_again_and_everything_is_there_once(line):
    line.database_is_away = True
    for number in range(3):
        line.cloud.user_writes(GERDA, f"Text {number}")
    line.wait_for(lambda: line.cloud.answers[503] >= 3)
    assert line.count("messages") == 0
    line.database_is_away = False
    line.heard()
    assert line.count("messages") == 3
    assert [job.text for job in line.answer("Yes.")] == ["Yes."]


async def test_a_token_that_expires_at_night_halts_at_the_next_look_and_replies_wait(line):
    job = await line.reply_to(GERDA, reply=REPLY)
    line.cloud.token = "another"
    line.channel._checked_at = None
    with pytest.raises(WallHit) as caught:
        await line.channel.open()
    assert (caught.value.kind, line.job(job).status) == ("credentials", OutboxStatus.PENDING)


async def test_a_webhook_address_that_is_lost_or_unsubscribed_is_told_of(line, tmp_path):
    """Replies go out, and nothing comes back: no status, and no message."""
    with line.house.db.write() as conn:
        accounts.ensure(conn, ACCOUNT, utc_now())
    job = await pressed(line, Plan(statuses=()))
    assert (job.status, job.delivery) == (OutboxStatus.SENT, "accepted")
    account = Account(ACCOUNT, "whatsapp", tmp_path, AccountSettings(quiet_alert_hours=6))

    def found(hours: float, whose: Account = account) -> list[str]:
        now = utc_now() + timedelta(hours=hours)
        with line.house.db.read() as conn:
            kinds = [str(one.kind) for one in alerts.find(conn, whose, now) if one.kind == "nothing_told"]
        assert look(line.house.db, [whose], now).silent == ({ACCOUNT} if kinds else frozenset())
        return kinds

    assert found(5.9) == []
    assert found(6.1) == ["nothing_told"]
    assert found(1.1, replace(account, settings=AccountSettings(quiet_alert_hours=1))) == ["nothing_told"]
    (sent,) = line.cloud.sent
    status = bodies.status(sent.wamid, "delivered", sent.to, int(time.time()), sent.key)
    line.cloud.tell(bodies.webhook(bodies.change(line.cloud.phone_id, statuses=[status])))
    line.heard()
    assert found(6.1) == [], "it calls again"


async def test_a_quiet_night_in_which_nothing_goes_out_is_no_silence(line, tmp_path):
    with line.house.db.write() as conn:
        accounts.ensure(conn, ACCOUNT, utc_now())
    await pressed(line)
    account = Account(ACCOUNT, "whatsapp", tmp_path, AccountSettings())
    assert look(line.house.db, [account], utc_now() + timedelta(hours=20)).silent == frozenset()


async def test_a_quality_limit_is_held_for_a_person_and_not_tried_again_by_itself(line):
    job = await pressed(line, Plan("error", code=131048))
    assert (job.status, job.reason) == (OutboxStatus.DRAFT, "quality_limit")
    await line.send.run_once(line.channel)
    assert line.cloud.sent == []


async def test_a_window_is_judged_by_the_services_times_with_a_margin(line):
    line.cloud.user_writes(GERDA, "Long ago", at=time.time() - 24 * 3600 + 4 * 60)
    line.heard()
    (job,) = line.answer(REPLY)
    await line.send.run_once(line.channel)
    assert (line.job(job).status, line.job(job).reason) == (OutboxStatus.DRAFT, "window_closed")
    assert line.cloud.sent == []


async def test_with_ten_minutes_left_a_reply_goes_out(line):
    line.cloud.user_writes(GERDA, "Long ago", at=time.time() - 24 * 3600 + 10 * 60)
    line.heard()
    (job,) = line.answer(REPLY)
    await line.send.run_once(line.channel)
    assert line.job(job).status is OutboxStatus.SENT


async def test_outside_the_window_the_template_goes_out_and_never_the_ais_words(line):
    settings = line.channel._settings
    changed = {"outside_window": "template", "template": "we_have_news en"}
    line.channel._settings = settings.model_copy(update=changed)
    line.cloud.user_writes(GERDA, "Long ago", at=time.time() - 24 * 3600 + 4 * 60)
    line.heard()
    (job,) = line.answer(REPLY)
    await line.send.run_once(line.channel)
    (sent,) = line.cloud.sent
    now = line.job(job)
    assert (sent.kind, sent.text) == ("template", "[we_have_news]")
    assert (now.status, now.receipt_text) == (OutboxStatus.SENT, "[we_have_news en]")


async def test_a_delivery_only_rises_whatever_the_order_and_the_copies_of_its_statuses(line):
    job = await pressed(line, Plan(statuses=()))
    (sent,) = line.cloud.sent
    seen = []
    for standing in ("delivered", "sent", "read", "delivered", "failed", "sent"):
        line.cloud.tell_status(sent, standing, 131026 if standing == "failed" else None)
        line.heard()
        seen.append(line.job(job).delivery)
    assert seen == ["delivered", "delivered", "read", "read", "read", "read"]


async def test_what_fails_after_it_was_sent_is_said_and_never_sent_again(line):
    job = await pressed(line, Plan(statuses=("sent",)))
    line.cloud.tell_status(line.cloud.sent[0], "failed", 131026)
    line.heard()
    now = line.job(job)
    assert (now.status, now.delivery, now.delivery_error) == (OutboxStatus.SENT, "failed", "131026")
    await line.send.run_once(line.channel)
    assert times_sent(line) == 1


async def test_a_person_who_answers_on_the_phone_is_not_talked_over(line):
    job = await line.reply_to(GERDA, reply=REPLY)
    line.cloud.person_answers(GERDA, "I do it myself")
    line.heard()
    await line.send.run_once(line.channel)
    assert (line.job(job).status, line.job(job).reason) == (OutboxStatus.CANCELLED, "host_answered")
    assert line.cloud.texts(GERDA) == ["Is it free?", "I do it myself"]


async def test_a_user_who_takes_the_question_back_gets_no_answer(line):
    line.cloud.user_writes(GERDA, "Is it free?")
    line.heard()
    asked = line.cloud._said[GERDA]
    (job,) = line.answer(REPLY)
    first = line.house.db
    with first.read() as conn:
        wamid = conn.exec_driver_sql("SELECT external_id FROM messages").scalar_one()
    gone = bodies.message(GERDA, "wamid.gone", int(time.time()), "revoke", original_message_id=wamid)
    line.cloud.tell(bodies.webhook(bodies.change(line.cloud.phone_id, messages=[gone])))
    line.heard()
    await line.send.run_once(line.channel)
    assert line.job(job).reason == "guest_unsent_message"
    assert asked == ["Is it free?"]


async def test_an_edit_asks_the_ai_again_and_a_late_copy_of_the_first_version_changes_nothing(line):
    line.cloud.user_writes(GERDA, "At nine?")
    line.heard()
    (job,) = line.answer(REPLY)
    with line.house.db.read() as conn:
        wamid = conn.exec_driver_sql("SELECT external_id FROM messages").scalar_one()
    now = {"type": "text", "text": {"body": "At ten?"}}
    at = int(time.time())
    changed = bodies.message(GERDA, "wamid.e", at + 5, "edit", original_message_id=wamid, message=now)
    line.cloud.tell(bodies.webhook(bodies.change(line.cloud.phone_id, messages=[changed])))
    old = bodies.message(GERDA, wamid, at, body="At nine?")
    line.cloud.tell(bodies.webhook(bodies.change(line.cloud.phone_id, messages=[old])))
    line.heard()
    assert line.job(job).reason == "guest_changed_message"
    line.answer()
    assert line.asked == ["At nine?", "At ten?"]


async def test_messages_of_one_second_keep_their_order_in_the_body_and_then_of_arrival(line):
    at = int(time.time())
    texts = ["One", "Two", "Three", "Four"]
    first = [bodies.message(GERDA, f"wamid.{9 - n}", at, body=text) for n, text in enumerate(texts[:2])]
    for messages in (
        first,
        *[[bodies.message(GERDA, f"wamid.{5 - n}", at, body=t)] for n, t in enumerate(texts[2:])],
    ):
        line.cloud.tell(bodies.webhook(bodies.change(line.cloud.phone_id, messages=messages)))
    line.heard()
    with line.house.db.read() as conn:
        rows = conn.exec_driver_sql("SELECT text FROM messages ORDER BY sent_at").scalars().all()
    assert rows == texts


async def test_that_an_answer_is_being_written_is_shown_and_never_counts(line):
    wamid = line.cloud.user_writes(GERDA, "Is it free?")
    line.heard()
    await line.channel.typing(GERDA, on=True)
    assert line.cloud.typing == [wamid]
    line.cloud.stop_serving()
    await line.channel.typing(GERDA, on=True)
    await line.channel.typing(GERDA, on=False)


async def test_whatever_is_asked_twice_is_found_by_its_key_and_presses_nothing(line):
    job = await pressed(line, Plan(statuses=("sent",)))
    line.heard()
    found = await line.channel.find(GERDA, Press(job.id, None))
    assert isinstance(found, Receipt)
    assert found.external_id == line.cloud.sent[0].wamid
    line.channel.find_sec = 0.0
    assert await line.channel.find(GERDA, Press("another", None)) is Finding.UNKNOWN
    assert times_sent(line) == 1


async def test_after_a_clock_was_set_back_a_press_is_looked_for_no_longer_than_ever(line):
    line.channel.find_sec = 0.0
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    async with asyncio.timeout(10):
        found = await line.channel.find(GERDA, Press("another", None, in_an_hour))
    assert found is Finding.UNKNOWN


async def test_forged_replayed_to_another_number_and_cut_calls_leave_no_row(line):
    good = bodies.encoded(
        bodies.webhook(
            bodies.change(
                line.cloud.phone_id, messages=[bodies.message(GERDA, "w1", int(time.time()), body="Hi")]
            )
        )
    )
    for body, secret in ((good, "another secret"), (good[:-1], line.cloud.app_secret + "x")):
        with pytest.raises(CallRefused):
            line.channel.hear(incoming(body, bodies.signed(body, secret)))
    other = good.replace(line.cloud.phone_id.encode(), b"999")
    assert line.take_call(other, bodies.signed(other, line.cloud.app_secret)) == 401
    assert line.count("messages") == line.count("conversations") == 0
    for _ in range(3):
        assert line.take_call(good, bodies.signed(good, line.cloud.app_secret)) == 200
    assert (line.count("messages"), line.count("queue_inbox")) == (1, 1)


async def test_no_file_is_fetched_from_a_strange_host(line):
    line.cloud.files["m1"] = b"OggS" + b"\0" * 40
    assert (await line.channel.fetch("m1", 1000)).data.startswith(b"OggS")
    for address in ("http://169.254.169.254/x", "https://meta.example/x", "https://fbcdn.net.example/x"):
        line.cloud.file_address = address
        with pytest.raises(Exception, match="not there any more"):
            await line.channel.fetch("m1", 1000)


@pytest.mark.parametrize("said", [None, 10])
async def test_a_file_that_is_too_large_is_not_read_whole(line, said):
    line.cloud.files["m1"] = b"OggS" + b"\0" * 100_000
    line.cloud.file_size = said
    with pytest.raises(Exception, match="larger than"):
        await line.channel.fetch("m1", 1000)


async def test_three_copies_at_once_and_any_order_make_one_request_and_one_reply(line):
    line.cloud.faults.copies = 3
    line.cloud.faults.shuffled = True
    line.cloud.faults.held_back = True
    numbers = [f"336123456{n:02}" for n in range(10)]
    for number in numbers:
        for text in range(3):
            line.cloud.user_writes(number, f"Text {text}", at=time.time() - 10 + text)
    line.cloud.release()
    await line.settle()
    for number in numbers:
        assert line.cloud.texts(number)[-1].startswith("Answer")
        assert len({one.key for one in line.cloud.sent_to(number)}) == len(line.cloud.sent_to(number))
    assert line.count("messages") == 30 + len(line.cloud.sent)
    await asyncio.sleep(0)


async def test_doctor_is_told_how_the_number_stands_at_meta(line):
    assert [(one.words, one.advice) for one in await line.channel.examine()] == [
        ("Meta calls https://house.example/hooks/event-wa", None),
        ("sending: AVAILABLE", None),
        ("quality: GREEN", None),
    ]
    line.cloud.standing = {
        "quality_rating": "RED",
        "health_status": {"can_send_message": "BLOCKED"},
        "webhook_configuration": {},
    }
    hook, sending, quality = await line.channel.examine()
    assert hook.advice
    assert sending.advice
    assert "RED" in quality.words
    line.cloud.token = "another"
    (only,) = await line.channel.examine()
    assert "190" in only.words
    assert line.cloud.sent == []
