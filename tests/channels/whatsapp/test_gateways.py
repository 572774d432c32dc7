"""The two gateways: what they tell, what their answers mean, and that nothing is believed to have left too early."""

from __future__ import annotations

import asyncio
import time

import pytest
from pydantic import SecretStr

from sandbox.whatsapp.gateways import Evolution, Plan, Said, Waha
from src.channels.whatsapp import gateway as gateways
from src.channels.whatsapp.channel import WhatsappChannel
from src.channels.whatsapp.settings import WhatsappSettings
from src.db import accounts
from src.errors import CallRefused, SettingsError, WallHit
from src.model.inbox import AuthorRole, MessageKind
from src.model.statuses import OutboxStatus
from src.model.values import utc_now
from src.services.after_halt import end_halt
from src.services.sync import Sync
from tests.support.house import ACCOUNT, RULES
from tests.support.whatsapp import AT_ONCE, GERDA, Line, incoming

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
pytestmark = on_sqlite
REPLY = "Yes, it is free. Kind regards!"


@pytest.fixture(params=[Evolution, Waha])
def kind(request):
    return request.param


@pytest.fixture
def gateway(kind):
    with kind() as made:
        yield made


def changes_of(gateway) -> dict:
    return {
        "mode": gateway.dialect,
        "phone_id": "",
        "token": None,
        "verify_token": None,
        "app_secret": SecretStr(gateway.secret),
        "instance": gateway.instance,
        "api_key": SecretStr(gateway.key),
        "proof_sec": 2.0,
    }


@pytest.fixture
async def line(db, gateway, tmp_path):
    gateway.phone_id, gateway.token, gateway.app_secret = "", "", gateway.secret
    made = Line(db, gateway, tmp_path, **changes_of(gateway))
    await made.open()
    yield made
    await made.channel.close()
    gateway.stop()
    made.close()


def times_sent(line) -> int:
    return [one.text for one in line.cloud.sent].count(REPLY)


async def pressed(line, *plans: Plan):
    job = await line.reply_to(GERDA, reply=REPLY)
    line.cloud.plans.extend(plans)
    await line.send.run_once(line.channel)
    line.heard()
    return line.job(job)


def hear(line, event):
    body, headers = line.cloud.signed(event)
    return line.channel.hear(incoming(body, headers))


# --- in --------------------------------------------------------------------------------------------------


async def test_a_message_is_answered_once_and_its_echo_is_known_for_ours(line):
    job = await pressed(line)
    assert (job.status, job.delivery) == (OutboxStatus.SENT, "delivered")
    assert line.cloud.texts(GERDA) == ["Is it free?", REPLY]
    with line.house.db.read() as conn:
        rows = conn.exec_driver_sql(
            "SELECT origin, outbox_id IS NOT NULL FROM messages ORDER BY sent_at"
        ).all()
        wrote = conn.exec_driver_sql("SELECT host_wrote_at, guest_name FROM conversations").one()
    assert [tuple(row) for row in rows] == [("guest", 0), ("assistant", 1)]
    assert tuple(wrote) == (None, "Gerda Guest")


async def test_a_person_who_answers_on_the_phone_is_not_talked_over(line):
    job = await line.reply_to(GERDA, reply=REPLY)
    line.cloud.person_answers(GERDA, "I do it myself")
    line.heard()
    await line.send.run_once(line.channel)
    assert (line.job(job).reason, line.cloud.sent) == ("host_answered", [])


@pytest.mark.parametrize(
    "address", ["120363@g.us", "status@broadcast", "12345@newsletter", "33611@broadcast"]
)
async def test_groups_channels_and_the_status_are_refused(line, address):
    heard = hear(line, line.cloud.message_event(address, "A1", "Hello all", ours=False))
    assert (heard.views, heard.not_understood) == ((), ())


async def test_a_number_that_is_hidden_is_a_conversation_of_its_own(line):
    heard = hear(line, line.cloud.message_event("77665544332211@lid", "A1", "Hello", ours=False))
    (view,) = heard.views
    assert view.external_id == "77665544332211@lid"
    assert line.channel.is_conversation_id(view.external_id)


async def test_what_was_said_long_before_is_history_and_asks_nobody(line):
    for number in range(5):
        line.cloud.user_writes(GERDA, f"Old {number}", at=time.time() - 90_000 - number)
    line.heard()
    assert (line.count("messages"), line.count("queue_inbox")) == (5, 0)


async def test_a_call_without_the_right_key_leaves_no_row(line):
    event = line.cloud.message_event(GERDA, "A1", "Hello", ours=False) | {"apikey": "another"}
    line.cloud.secret = "another"
    body, headers = line.cloud.signed(event)
    with pytest.raises(CallRefused) as caught:
        line.channel.hear(incoming(body, headers))
    assert (caught.value.status, line.count("messages")) == (401, 0)


async def test_a_call_of_another_instance_is_for_another_account(line):
    event = line.cloud.message_event(GERDA, "A1", "Hello", ours=False)
    event["session" if "session" in event else "instance"] = "another"
    heard = hear(line, event)
    assert (heard.mine, heard.for_others, heard.views) == (False, True, ())


async def test_an_event_that_nobody_knows_is_kept_for_a_person(line):
    assert hear(line, line.cloud.event("holograms.upsert", {})).not_understood == ("event_holograms.upsert",)
    known = "session.status" if line.cloud.dialect == "waha" else "connection.update"
    assert hear(line, line.cloud.event(known, {})).not_understood == ()


# --- out and proof ---------------------------------------------------------------------------------------


async def test_taken_is_not_left_until_the_server_acknowledges_it(line):
    line.channel._settings = line.channel._settings.model_copy(update={"proof_sec": 0.2})
    job = await pressed(line, Plan("silent"))
    assert (job.status, job.delivery) == (OutboxStatus.SENT, "accepted")


async def test_three_in_a_row_without_an_acknowledgement_halt_and_the_fourth_waits(line):
    line.channel._settings = line.channel._settings.model_copy(update={"proof_sec": 0.1})
    line.cloud.default = Plan("silent")
    jobs = []
    for number in range(4):
        jobs.append(await line.reply_to(f"3361234560{number}", reply=f"Answer to {number}"))
    with pytest.raises(WallHit) as caught:
        for _ in range(6):
            await line.send.run_once(line.channel)
            with line.house.db.write() as conn:
                conn.exec_driver_sql("UPDATE queue_outbox SET due_at = created_at WHERE status = 'pending'")
    assert caught.value.kind == "nothing_leaves"
    waiting = [job for job in jobs if line.job(job).status is OutboxStatus.PENDING]
    assert waiting != []
    assert line.cloud.sent == []


async def test_after_a_reconnect_one_acknowledgement_proves_that_messages_leave(line, monkeypatch):
    """The gateway's word that it is connected is not enough: the second message waits for the first one's proof."""
    with line.house.db.write() as conn:
        accounts.ensure(conn, ACCOUNT, utc_now())
        accounts.halt(conn, ACCOUNT, "session_lost", "x", 10, None, utc_now())
    end_halt(line.house.db, ACCOUNT, max_age=RULES.max_age, now=utc_now())
    first = await line.reply_to("33612340001", reply="One.")
    line.cloud.plans.append(Plan("silent"))
    await line.send.run_once(line.channel)
    assert (line.job(first).status, line.job(first).delivery) == (OutboxStatus.SENT, "accepted")
    second = await line.reply_to("33612340002", reply="Two.")
    await line.send.run_once(line.channel)
    assert line.job(second).status is OutboxStatus.PENDING, "it waits for a while"
    monkeypatch.setattr(gateways, "FIRST_ACK_SEC", 0)
    with pytest.raises(WallHit) as caught:
        await line.channel.read("33612340002")
        await line.channel.write("33612340002", "Two.")
    assert caught.value.kind == "nothing_leaves"
    line.cloud.tell(
        line.cloud.ack_event(Said(line.job(first).receipt_external_id, "33612340001", "One."), "SERVER")
    )
    line.heard()
    await line.channel.write("33612340002", "Two.")


async def test_an_acknowledgement_that_comes_late_is_no_silence(line):
    line.channel._settings = line.channel._settings.model_copy(update={"proof_sec": 0.1})
    line.cloud.default = Plan("take", acks=())
    line.cloud.echoes = False
    for number in range(5):
        job = await line.reply_to(f"3361234560{number}", reply=f"Answer to {number}")
        await line.send.run_once(line.channel)
        line.cloud.tell(line.cloud.ack_event(line.cloud.sent[-1], "SERVER"))
        line.heard()
        assert (line.job(job).status, line.job(job).delivery) == (OutboxStatus.SENT, "server")


async def test_an_answer_that_is_lost_is_settled_by_the_echo_and_never_sent_again(line):
    job = await pressed(line, Plan("lose"))
    assert (job.status, times_sent(line)) == (OutboxStatus.SENT, 1)
    await line.send.run_once(line.channel)
    assert times_sent(line) == 1


async def test_a_500_is_unconfirmed_and_never_sent_again(line):
    job = await pressed(line, Plan("error"))
    assert job.status is OutboxStatus.UNCONFIRMED
    await line.send.run_once(line.channel)
    assert line.cloud.sent == []


async def test_an_acknowledgement_that_is_an_error_has_failed(line):
    line.cloud.echoes = False
    job = await pressed(line, Plan("take", acks=("ERROR",)))
    assert job.status in (OutboxStatus.FAILED, OutboxStatus.SENT)
    assert job.delivery == "failed"


async def test_a_number_without_whatsapp_has_failed(line):
    job = await pressed(line, Plan("absent"))
    assert (job.status, job.reason) == (OutboxStatus.FAILED, "undeliverable")


async def test_a_session_that_is_lost_halts_at_the_next_look_and_replies_wait(line):
    job = await line.reply_to(GERDA, reply=REPLY)
    line.cloud.state = line.cloud.lost
    line.channel._checked_at = None
    with pytest.raises(WallHit) as caught:
        await line.channel.open()
    assert (caught.value.kind, line.job(job).status) == ("session_lost", OutboxStatus.PENDING)


async def test_a_key_that_is_refused_halts(line):
    line.cloud.key = "another"
    line.channel._checked_at = None
    with pytest.raises(WallHit) as caught:
        await line.channel.open()
    assert caught.value.kind == "credentials"


async def test_that_an_answer_is_being_written_is_shown(line):
    line.cloud.user_writes(GERDA, "Is it free?")
    line.heard()
    await line.channel.typing(GERDA, on=True)
    assert line.cloud.typing == [GERDA]


async def test_a_gateway_has_no_window(line):
    line.cloud.user_writes(GERDA, "Long ago", at=time.time() - 24 * 3600 + 60)
    line.heard()
    (job,) = line.answer(REPLY)
    await line.send.run_once(line.channel)
    assert line.job(job).status is OutboxStatus.SENT


# --- of one of them --------------------------------------------------------------------------------------


def test_what_a_mode_lacks_is_named(kind, database_url, tmp_path):
    from src.channels.base import Place  # noqa: PLC0415

    place = Place(account="wa", session_dir=tmp_path, evidence_dir=tmp_path)
    with pytest.raises(SettingsError) as caught:
        WhatsappChannel(WhatsappSettings(mode=kind.dialect), place)
    named = {problem.partition(":")[0] for problem in caught.value.problems}
    assert {"WHATSAPP_INSTANCE", "WHATSAPP_API_KEY", "WHATSAPP_BASE_URL"} <= named
    assert "WHATSAPP_PHONE_ID" not in named


@pytest.mark.parametrize("kind", [Evolution], indirect=True)
async def test_evolutions_messages_are_told_as_what_they_are(line):
    told = {
        "extended": ({"extendedTextMessage": {"text": "Hi"}}, MessageKind.TEXT, "Hi"),
        "photo": ({"imageMessage": {"caption": "The door"}}, MessageKind.MEDIA, "The door"),
        "voice": ({"audioMessage": {"ptt": True}}, MessageKind.MEDIA, None),
        "heart": ({"reactionMessage": {"text": "❤"}}, MessageKind.REACTION, None),
        "fading": ({"ephemeralMessage": {"message": {"conversation": "Psst"}}}, MessageKind.TEXT, "Psst"),
        "poll": ({"pollCreationMessage": {}}, MessageKind.UNSUPPORTED, None),
    }
    for made, (message, kind, text) in told.items():
        (view,) = hear(line, line.cloud.upsert(GERDA, made, message)).views
        assert (view.messages[0].kind, view.messages[0].text) == (kind, text)
    gone = {"protocolMessage": {"type": 0, "key": {"id": "extended"}}}
    (view,) = hear(line, line.cloud.upsert(GERDA, "x", gone)).views
    assert (view.messages[0].external_id, view.messages[0].deleted) == ("extended", True)
    edited = {"protocolMessage": {"type": 14, "key": {"id": "a"}, "editedMessage": {"conversation": "New"}}}
    (view,) = hear(line, line.cloud.upsert(GERDA, "x", edited)).views
    assert (view.messages[0].external_id, view.messages[0].text) == ("a", "New")


@pytest.mark.parametrize("kind", [Waha], indirect=True)
async def test_wahas_messages_are_told_as_what_they_are(line):
    photo = line.cloud.message(GERDA, "B1", body="The door", hasMedia=True, media={"mimetype": "image/jpeg"})
    (view,) = hear(line, photo).views
    assert (view.messages[0].kind, view.messages[0].detail) == (MessageKind.MEDIA, "image")
    ours = line.cloud.message(GERDA, "B2", ours=True, body="Mine", hasMedia=False)
    ours["payload"] |= {"from": f"{GERDA}@c.us", "to": None}  # as another engine tells it
    (view,) = hear(line, ours).views
    assert (view.external_id, view.messages[0].role) == (GERDA, AuthorRole.HOST)
    gone = line.cloud.event("message.revoked", {"revokedMessageId": "B1", "after": photo["payload"]})
    (view,) = hear(line, gone).views
    assert (view.messages[0].external_id, view.messages[0].deleted) == ("B1", True)


# --- what came while nobody was told ----------------------------------------------------------------------


def sync_of(line) -> Sync:
    house = line.house
    return Sync(house.db, account=ACCOUNT, rules=AT_ONCE, wakeup=house.wakeup, clock=utc_now)


async def test_what_came_while_nobody_was_told_is_fetched_once_after_the_reconnect(line):
    await pressed(line)
    ines = "33612340001"
    line.cloud.user_writes(GERDA, "And is there a sauna?", tell=False)
    line.cloud.user_writes(ines, "Is there a lift?", tell=False)
    await line.channel.close()
    await line.channel.open()
    first, again = [await sync_of(line).catch_up(line.channel) for _ in range(2)]
    assert (first.queued, again.changed) == (2, 0), "what is known already is nothing new"
    line.cloud.tell(line.cloud.kept[-1])  # and told late, it is a copy
    line.heard()
    async with asyncio.timeout(20):
        while len(line.cloud.sent) < 3:  # one waits for the other, by the clock
            await line.turn()
            line.heard()
    await line.settle()
    assert len(line.cloud.sent_to(GERDA)) == 2
    assert len(line.cloud.sent_to(ines)) == 1


async def test_many_that_were_missed_are_fetched_page_by_page(line):
    await pressed(line)
    for number in range(230):
        line.cloud.user_writes(f"33612{number:06}", f"Text {number}", tell=False)
    await line.channel.close()
    await line.channel.open()
    assert (await sync_of(line).catch_up(line.channel)).queued == 230


async def test_a_gateway_that_keeps_no_messages_is_left_alone(line):
    await pressed(line)
    line.cloud.keeps = False
    line.cloud.user_writes(GERDA, "And is there a sauna?", tell=False)
    await line.channel.close()
    await line.channel.open()
    assert (await sync_of(line).catch_up(line.channel)).changed == 0


async def test_nothing_from_before_the_number_was_linked_is_fetched(line):
    line.cloud.user_writes(GERDA, "Long before you were here", tell=False)
    assert (await sync_of(line).catch_up(line.channel)).changed == 0
    assert line.count("messages") == 0
