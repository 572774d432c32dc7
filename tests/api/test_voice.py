"""``POST /transcribe-audio``: who may call it, what is too much, what comes from behind."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from httpx import ASGITransport
from pydantic import SecretStr

from sandbox.transcription import Said, Transcription
from src.commands.serving import make_app
from src.db.wakeup import Wakeup
from src.settings import Settings
from tests.support.recordings import EXECUTABLE, ogg

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

KEY = "a-key-of-sixteen-and-more"


@pytest.fixture
def service():
    with Transcription() as made:
        yield made


@pytest.fixture
async def call(db, clock, service):
    """``call(data)``: with the right key; ``call(None, json=…, headers=…, settings=…)`` for everything else."""
    wakeup = Wakeup(db)
    given: dict[str, Any] = {"transcribe_url": SecretStr(service.address), "api_key": SecretStr(KEY)}

    async def made(data: bytes | None, **more: Any) -> httpx.Response:
        settings = Settings(**{**given, **more.pop("settings", {})})
        app = make_app(settings, db, wakeup, is_conversation_id=lambda *_: True, clock=clock)
        body = {"audio_base64": base64.b64encode(data).decode()} if data is not None else None
        fields = {"json": body, "headers": {"x-api-key": KEY}, **more}
        transport = ASGITransport(app, client=("192.0.2.7", 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.post("/transcribe-audio", **fields)

    yield made
    wakeup.close()


async def test_what_is_said_in_a_recording_is_the_response(call, service):
    response = await call(ogg())
    assert (response.status_code, response.json()) == (200, {"text": "Is there a parking place?"})
    assert len(service.heard) == 1


async def test_a_data_address_is_taken_too(call):
    address = f"data:audio/ogg;base64,{base64.b64encode(ogg()).decode()}"
    assert (await call(None, json={"audio_base64": address})).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}])
async def test_without_the_key_nobody_is_let_in(call, service, headers):
    assert (await call(ogg(), headers=headers)).status_code == 401
    assert service.heard == []


async def test_the_key_of_the_chat_opens_it_too(call):
    bearer = {"authorization": f"Bearer {KEY}"}
    assert (await call(ogg(), headers=bearer)).status_code == 200


@pytest.mark.parametrize(
    ("json", "words"),
    [
        ({"audio_base64": "not base64!"}, "is not base64"),
        ({"audio_base64": base64.b64encode(EXECUTABLE).decode()}, "is no recording of a known kind"),
        ({"audio_base64": ""}, "at least 1"),
        ({"audio_base64": 7}, "string"),
        ({"audio": "x"}, "required"),
        ([], "must be a JSON object"),
    ],
)
async def test_what_is_no_recording_is_422_naming_the_field(call, service, json, words):
    response = await call(None, json=json)
    assert response.status_code == 422
    assert words in response.json()["error"]
    assert service.heard == []


async def test_too_many_characters_are_413_before_they_are_decoded(call, service):
    long = {"audio_base64": "!" * 101}  # no base64 at all: nobody has looked
    response = await call(None, json=long, settings={"max_audio_base64_chars": 100})
    assert response.status_code == 413
    assert (
        await call(None, json={"audio_base64": "!" * 200_000}, settings={"max_audio_base64_chars": 100})
    ).status_code == 413
    assert service.heard == []


@pytest.mark.parametrize(
    ("data", "settings"),
    [(ogg(size=2_000), {"max_audio_bytes": 1_000}), (ogg(301), {})],
    ids=["bytes", "seconds"],
)
async def test_too_large_and_too_long_are_413(call, service, data, settings):
    assert (await call(data, settings=settings)).status_code == 413
    assert service.heard == []


async def test_a_recording_of_eight_megabytes_is_taken(call, service):
    assert (await call(ogg(size=8_000_000))).status_code == 200
    assert service.heard[0]["size"] == 8_000_000


@pytest.mark.parametrize("said", [Said(way="error"), Said(way="garbage"), Said(way="cut")])
async def test_a_service_that_fails_is_502(call, service, said):
    service.script.append(said)
    assert (await call(ogg())).status_code == 502


async def test_without_a_service_it_is_502_and_says_what_is_missing(call):
    response = await call(ogg(), settings={"transcribe_url": None})
    assert response.status_code == 502
    assert "TRANSCRIBE_URL" in response.json()["error"]


async def test_a_service_that_is_silent_is_504(call, service, monkeypatch):
    monkeypatch.setattr("src.services.transcribing._WHOLE_SEC", 0.3)
    service.script.append(Said(way="hang"))
    assert (await call(ogg())).status_code == 504
