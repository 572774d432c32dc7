"""Voice messages written down, before the AI is asked: fetched, handed to a transcription service, not kept.

claimed ─▶ channel.fetch ─▶ POST TRANSCRIBE_URL ─▶ messages.text ─▶ the AI
                 └─ too large, too long, gone, not understood, nobody there in time ─▶ escalated
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import httpx
from loguru import logger

from src.channels.base import Fetches
from src.db import conversations, inbox_queue
from src.db.engine import Database
from src.errors import Halt, PermanentError, TooLarge, TransientError
from src.model.audio import container_of, seconds_of
from src.model.blank import is_blank
from src.model.retry import AI
from src.model.rows import Request, StoredMessage
from src.model.secrets import NO_SECRETS, Secrets
from src.model.statuses import InboxStatus
from src.model.values import utc_now
from src.voice_settings import VoiceSettings

CANNOT_TRANSCRIBE = "cannot_transcribe"
_CONNECT_SEC, _WHOLE_SEC = 5.0, 120.0
_LARGEST_ANSWER = 1024 * 1024

OpenFetcher = Callable[[str], AbstractAsyncContextManager[Fetches]]
"""By the account's name: its channel, open, for as long as the block lasts."""


class NoRecording(PermanentError):
    """The bytes are no recording of a known kind."""

    reason = CANNOT_TRANSCRIBE


class TooLong(PermanentError):
    """The recording lasts longer than MAX_AUDIO_SEC."""

    reason = CANNOT_TRANSCRIBE


class ServiceFailed(TransientError):
    """The transcription service did not answer as it should."""


class ServiceSilent(ServiceFailed):
    """The transcription service did not answer in time."""


class Transcriber:
    """An OpenAI-compatible transcription service (``POST …/audio/transcriptions``, OpenAI's API reference)."""

    def __init__(
        self,
        settings: VoiceSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        whole_sec: float | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._whole_sec = whole_sec or _WHOLE_SEC

    @property
    def is_configured(self) -> bool:
        return self._settings.transcribe_url is not None

    async def transcribe(self, data: bytes) -> str:
        """What is said in a recording; '' where nothing can be understood. Keeps nothing. Repeatable.

        TooLarge, TooLong, NoRecording; ServiceSilent and ServiceFailed where it may be tried again.
        """
        settings = self._settings
        if len(data) > settings.max_audio_bytes:
            raise TooLarge
        container = container_of(data)
        if container is None:
            raise NoRecording
        length = seconds_of(data)
        if length is not None and length > settings.max_audio_sec:
            raise TooLong
        if settings.transcribe_url is None:
            raise ServiceFailed("no transcription service is configured (TRANSCRIBE_URL)")
        ending, kind = container
        key = settings.transcribe_key
        headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        timeout = httpx.Timeout(self._whole_sec, connect=_CONNECT_SEC)
        try:
            async with (
                asyncio.timeout(self._whole_sec),
                httpx.AsyncClient(timeout=timeout, transport=self._transport) as client,
            ):
                answer = await client.post(
                    settings.transcribe_url.get_secret_value(),
                    headers=headers,
                    data={"model": settings.transcribe_model, "response_format": "json"},
                    files={"file": (f"voice.{ending}", data, kind)},
                )
        except (TimeoutError, httpx.TimeoutException):
            raise ServiceSilent from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceFailed(
                f"the transcription service is out of reach ({type(error).__name__})"
            ) from None
        return _text_of(answer)


def _text_of(answer: httpx.Response) -> str:
    if answer.status_code in (400, 413, 415, 422):
        raise NoRecording("The transcription service does not take the recording.")
    if answer.status_code != 200 or len(answer.content) > _LARGEST_ANSWER:
        raise ServiceFailed(f"the transcription service answered {answer.status_code}")
    try:
        said = answer.json()
    except ValueError:
        raise ServiceFailed("the transcription service did not answer in JSON") from None
    text = said.get("text") if isinstance(said, dict) else None
    if not isinstance(text, str):
        raise ServiceFailed("the transcription service's answer has no text")
    return text.replace("\0", "").strip()


class VoiceNotes:
    """The voice messages of requests that are about to be put to an AI."""

    def __init__(
        self,
        db: Database,
        transcriber: Transcriber,
        open_fetcher: OpenFetcher,
        *,
        owner: str,
        limit: int,
        accounts: Collection[str] | None = None,
        secrets: Secrets = NO_SECRETS,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``limit``: in bytes, what is fetched at most. ``accounts``: those whose channel fetches; None: all."""
        self._db = db
        self._transcriber = transcriber
        self._open_fetcher = open_fetcher
        self._owner = owner
        self._limit = limit
        self._accounts = accounts
        self._secrets = secrets
        self._clock = clock

    async def write_down(self, request: Request) -> bool:
        """Write down what the request's voice messages say. False if it is not to be put to an AI (now).

        Then it is left to a person (``cannot_transcribe``), or it is tried again later, until it would be too late.
        StaleJob if the request is somebody else's by now. Repeatable: what is written down stays.
        """
        if self._accounts is not None and request.account not in self._accounts:
            return True
        notes = await asyncio.to_thread(self._notes_of, request)
        try:
            for note in notes:
                text = await self._text_of(request, note)
                await asyncio.to_thread(self._store, request, note, text)
        except PermanentError as error:
            await asyncio.to_thread(self._escalate, request, str(error))
            return False
        except (TransientError, Halt) as error:
            await asyncio.to_thread(self._later, request, error)
            return False
        return True

    def _notes_of(self, request: Request) -> list[StoredMessage]:
        with self._db.read() as conn:
            found = conversations.messages_of_request(conn, request.id)
        return [m for m in found if m.media is not None and m.transcribed_at is None and m.deleted_at is None]

    async def _text_of(self, request: Request, note: StoredMessage) -> str:
        if not self._transcriber.is_configured:
            raise PermanentError("there is no transcription service (TRANSCRIBE_URL)")
        async with self._open_fetcher(request.account) as channel:
            media = await channel.fetch(note.media or "", self._limit)
        text = await self._transcriber.transcribe(media.data)
        if is_blank(text):
            raise PermanentError("nothing can be understood")
        return text

    def _store(self, request: Request, note: StoredMessage, text: str) -> None:
        with self._db.write() as conn:
            listing = conversations.get(conn, request.conversation_id).listing_id
            kept = self._secrets.mask(text, listing)
            conversations.write_down(conn, note.id, kept, self._clock())

    def _escalate(self, request: Request, why: str) -> None:
        with self._db.write() as conn:
            inbox_queue.finish(
                conn,
                request.id,
                [InboxStatus.PROCESSING],
                InboxStatus.ESCALATED,
                CANNOT_TRANSCRIBE,
                self._clock(),
            )
        about = logger.bind(request_id=request.id, reason=CANNOT_TRANSCRIBE)
        about.warning("a voice message cannot be written down ({}): a person should listen", why)

    def _later(self, request: Request, error: Exception) -> None:
        pause = AI.pause(request.attempts)
        due_at = self._clock() + timedelta(seconds=pause)
        if due_at >= request.reply_by or isinstance(error, Halt):
            self._escalate(request, "the transcription service is away")
            return
        with self._db.write() as conn:
            inbox_queue.release(conn, request.id, self._owner, due_at=due_at, error=type(error).__name__)
        line = logger.bind(request_id=request.id)
        line.warning("a voice message is not written down yet ({}); again in {:.0f} s", error, pause)
