"""Voice messages: written down before the AI is asked, or left to a person with the reason."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from sandbox.transcription import Said, Transcription
from src.db.statements import INBOX
from src.errors import TooLarge
from src.model.statuses import InboxStatus
from src.model.values import utc_now
from src.services.ai_webhook import AiWebhook
from src.services.transcribing import (
    NoRecording,
    ServiceFailed,
    ServiceSilent,
    TooLong,
    Transcriber,
    VoiceNotes,
)
from src.voice_settings import VoiceSettings
from tests.support.house import SETTINGS
from tests.support.recordings import EXECUTABLE, m4a, ogg, wav
from tests.support.whatsapp import GERDA

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

WORDS = "Is there a parking place?"


@pytest.fixture
def service():
    with Transcription() as made:
        yield made


def settings_of(service, **changes) -> VoiceSettings:
    return VoiceSettings(
        transcribe_url=SecretStr(service.address), transcribe_key=SecretStr("sk-1"), **changes
    )


class Listening:
    """The AI's worker on a line, with an AI that keeps what it is asked and answers in the body."""

    def __init__(self, line, settings: VoiceSettings, whole_sec: float = 20.0) -> None:
        self.line = line
        self.asked: list[dict] = []

        @asynccontextmanager
        async def opened(_):
            yield line.channel

        transcriber = Transcriber(settings, whole_sec=whole_sec)
        limit = settings.max_audio_bytes
        self.notes = VoiceNotes(line.house.db, transcriber, opened, owner="ai", limit=limit)
        account = SETTINGS.accounts_by_name["default"]
        own = account.settings.model_copy(update={"ai_webhook_url": SecretStr("http://ai.invalid/hook")})
        accounts = {"default": _with(account, own)}
        self.webhook = AiWebhook(
            line.house.db,
            line.house.wakeup,
            accounts,
            callback_base_url="http://localhost:8000",
            secret=None,
            owner="ai",
            is_conversation_id=lambda *_: True,
            transport=httpx.MockTransport(self._ai),
            voice=self.notes,
        )

    def _ai(self, request: httpx.Request) -> httpx.Response:
        import json  # noqa: PLC0415

        self.asked.append(json.loads(request.content))
        return httpx.Response(200, json={"message": "Yes, behind the house."})

    async def run(self) -> None:
        await self.webhook.run_once()
        await self.webhook.close()

    def request(self):
        with self.line.house.db.read() as conn:
            return conn.exec_driver_sql("SELECT status, reason, attempts FROM queue_inbox").one()

    def message(self):
        with self.line.house.db.read() as conn:
            return conn.exec_driver_sql(
                "SELECT kind, detail, media, text, transcribed_at FROM messages"
            ).one()


def _with(account, own):
    from dataclasses import replace  # noqa: PLC0415

    return replace(account, settings=own, ai="webhook")


def speaks(line, data: bytes = b"", **content) -> str:
    line.cloud.files["media-1"] = data or ogg()
    wamid = line.cloud.user_sends(
        GERDA, "audio", id="media-1", mime_type="audio/ogg; codecs=opus", voice=True, **content
    )
    line.heard()
    return wamid


# --- the service -----------------------------------------------------------------------------------------


async def test_a_recording_is_handed_over_with_its_kind_model_and_key(service):
    text = await Transcriber(settings_of(service)).transcribe(ogg(size=1000))
    assert text == WORDS
    assert service.heard == [
        {"model": "whisper-1", "name": "voice.ogg", "type": "audio/ogg", "size": 1000, "key": "Bearer sk-1"}
    ]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (EXECUTABLE, NoRecording),
        (b"", NoRecording),
        (ogg(301), TooLong),
        (wav(301, 8), TooLong),
        (m4a(400), TooLong),
    ],
)
async def test_what_is_no_recording_or_too_long_is_never_handed_over(service, data, error):
    with pytest.raises(error):
        await Transcriber(settings_of(service)).transcribe(data)
    assert service.heard == []


async def test_what_is_too_large_is_never_handed_over(service):
    with pytest.raises(TooLarge):
        await Transcriber(settings_of(service, max_audio_bytes=100)).transcribe(ogg(size=101))
    assert service.heard == []


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Said(way="error", status=500), ServiceFailed),
        (Said(way="error", status=401), ServiceFailed),
        (Said(way="error", status=429), ServiceFailed),
        (Said(way="error", status=400), NoRecording),
        (Said(way="garbage"), ServiceFailed),
        (Said(way="cut"), ServiceFailed),
        (Said(way="hang"), ServiceSilent),
    ],
)
async def test_a_service_that_fails_is_told_from_one_that_is_silent_and_from_a_bad_recording(
    service, said, error
):
    service.script.append(said)
    with pytest.raises(error):
        await Transcriber(settings_of(service), whole_sec=0.5).transcribe(ogg())


# --- the AI's worker -------------------------------------------------------------------------------------


@on_sqlite
async def test_a_voice_message_is_written_down_before_the_ai_is_asked(line, service):
    speaks(line)
    assert line.count("queue_inbox") == 1
    listening = Listening(line, settings_of(service))
    await listening.run()
    (asked,) = listening.asked
    assert (asked["message"], asked["transcribed"]) == (WORDS, True)
    assert asked["messages"][0]["transcribed"] is True
    kind, detail, media, text, transcribed_at = listening.message()
    assert (kind, detail, media, text) == ("media", "audio", "media-1", WORDS)
    assert transcribed_at is not None
    await line.send.run_once(line.channel)
    assert line.cloud.texts(GERDA) == ["[audio]", "Yes, behind the house."]


@on_sqlite
async def test_a_copy_of_a_voice_message_that_is_written_down_changes_nothing(line, service):
    wamid = speaks(line)
    listening = Listening(line, settings_of(service))
    await listening.run()
    from sandbox.whatsapp import bodies  # noqa: PLC0415

    copy = bodies.message(GERDA, wamid, int(utc_now().timestamp()), "audio", id="media-1", voice=True)
    line.cloud.tell(bodies.webhook(bodies.change(line.cloud.phone_id, messages=[copy])))
    line.heard()
    assert listening.message()[3] == WORDS
    assert listening.request()[0] == InboxStatus.ANSWERED
    await line.send.run_once(line.channel)
    assert len(line.cloud.sent) == 1


@on_sqlite
@pytest.mark.parametrize(
    "spoil",
    ["too_large", "said_too_large", "too_long", "gone", "no_recording", "nothing_understood", "no_service"],
)
async def test_what_cannot_be_written_down_is_left_to_a_person(line, service, spoil):
    changes = {"max_audio_bytes": 300} if spoil == "too_large" else {}
    speaks(line, {"too_long": ogg(301), "no_recording": EXECUTABLE}.get(spoil, b""))
    settings = settings_of(service, **changes)
    if spoil == "said_too_large":
        line.cloud.file_size = 9_000_000
    if spoil == "gone":
        line.cloud.files.clear()
    if spoil == "nothing_understood":
        service.default = Said("  ")
    if spoil == "no_service":
        settings = VoiceSettings()
    listening = Listening(line, settings)
    await listening.run()
    assert listening.request()[:2] == (InboxStatus.ESCALATED, "cannot_transcribe")
    assert listening.asked == []
    assert listening.message()[3] is None


async def test_a_service_that_is_away_is_tried_again_and_left_to_a_person_when_it_would_be_too_late(
    line, service
):
    service.default = Said(way="error", status=503)
    speaks(line)
    listening = Listening(line, settings_of(service))
    await listening.run()
    assert listening.request()[:2] == (InboxStatus.PENDING, None)
    with line.house.db.write() as conn:
        soon = utc_now() + timedelta(seconds=4)
        conn.execute(update(INBOX).values(due_at=INBOX.c.created_at, reply_by=soon))
    await Listening(line, settings_of(service)).run()
    assert listening.request()[:2] == (InboxStatus.ESCALATED, "cannot_transcribe")


@on_sqlite
async def test_a_recording_that_is_no_voice_message_waits_for_a_person(line):
    line.cloud.user_sends(GERDA, "audio", id="media-1", voice=False)
    line.heard()
    with line.house.db.read() as conn:
        row = conn.exec_driver_sql("SELECT kind, media, skip_reason FROM messages").one()
    assert tuple(row) == ("media", None, "media")


@on_sqlite
async def test_a_text_and_a_voice_message_go_to_the_ai_together(line, service):
    line.cloud.user_writes(GERDA, "Hello")
    speaks(line)
    listening = Listening(line, settings_of(service))
    await listening.run()
    assert listening.asked[0]["message"] == f"Hello\n{WORDS}"
    assert [one.get("transcribed", False) for one in listening.asked[0]["messages"]] == [False, True]
