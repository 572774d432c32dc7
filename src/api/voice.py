"""``POST /transcribe-audio``: a recording comes in, what is said in it is the response."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.limits import read_json, refusal
from src.errors import TooLarge
from src.services.refusals import Malformed
from src.services.transcribing import NoRecording, ServiceFailed, ServiceSilent, TooLong, Transcriber

PATH = "/transcribe-audio"
ENVELOPE = 64 * 1024
"""What may stand around the characters of a recording, in bytes."""


class AudioBody(BaseModel):
    """A recording, as base64. Ogg, WAV, FLAC, MP3, MP4/M4A, WebM and AMR are known by their first bytes."""

    model_config = ConfigDict(strict=True, extra="ignore")

    audio_base64: str = Field(min_length=1)


def voice_routes(
    context: Context, transcriber: Transcriber, most: int, chat_key: SecretStr | None
) -> APIRouter:
    """``most``: in characters, the longest recording."""
    router = APIRouter(tags=["chat"])

    @router.post(
        PATH,
        summary="Write down what is said in a recording",
        openapi_extra=described(AudioBody),
        responses={
            **REFUSALS,
            413: {"description": "more than MAX_AUDIO_BASE64_CHARS, MAX_AUDIO_BYTES or MAX_AUDIO_SEC"},
            502: {"description": "the transcription service failed, or there is none"},
            504: {"description": "it did not answer in time"},
        },
    )
    async def transcribe_audio(request: Request) -> JSONResponse:
        """`{"text"}`. The recording is handed to TRANSCRIBE_URL and kept nowhere. May be repeated."""
        await context.doors.chat(request, chat_key)
        body = await read_json(request, AudioBody)
        if len(body.audio_base64) > most:
            return _refused(413, f"audio_base64 is longer than {most} characters")
        data = await run_in_threadpool(_decoded, body.audio_base64)
        try:
            return JSONResponse({"text": await transcriber.transcribe(data)})
        except TooLarge:
            return _refused(413, "the recording is too large; see MAX_AUDIO_BYTES")
        except TooLong:
            return _refused(413, "the recording is too long; see MAX_AUDIO_SEC")
        except NoRecording:
            raise Malformed("audio_base64", "is no recording of a known kind") from None
        except ServiceSilent:
            return _refused(504, "the transcription service did not answer in time")
        except ServiceFailed as error:
            return _refused(502, str(error))

    return router


def _decoded(text: str) -> bytes:
    """The bytes. A data address (``data:audio/ogg;base64,…``) is taken, too."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Malformed("audio_base64", "is not base64") from None


def _refused(status: int, words: str) -> JSONResponse:
    return JSONResponse(refusal(words), status_code=status)
