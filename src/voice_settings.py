"""The variables of the service that writes voice messages down, and the limits of what is handed to it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from src.setting_types import HeaderValue, Seconds, SecretUrl
from src.variables import Variables, variable


class VoiceSettings(Variables):
    """``TRANSCRIBE_*`` and ``MAX_AUDIO_*``."""

    transcribe_url: SecretUrl | None = variable(
        None,
        "writes voice messages down: the whole address of any OpenAI-compatible service",
        "an address that ends in /audio/transcriptions",
    )
    transcribe_model: str = variable("whisper-1", "and its model", "a name")
    transcribe_key: HeaderValue | None = variable(None, "and its key, if it wants one", "a key")
    max_audio_bytes: Annotated[int, Field(ge=1, le=100_000_000)] = variable(
        8_388_608, "a larger recording is left to a person", "bytes"
    )
    max_audio_sec: Seconds = variable(300.0, "and a longer one", "seconds", gt=0)
    max_audio_base64_chars: Annotated[int, Field(ge=1, le=100_000_000)] = variable(
        12_000_000, "so much POST /transcribe-audio reads at most", "characters"
    )
