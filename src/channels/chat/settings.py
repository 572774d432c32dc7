"""The channel's own variables."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from src.setting_types import ApiKey, Origins, Seconds, SecretUrl
from src.settings import Variables, variable

PATHS = ("/api/chat", "/chat", "/whatsapp")


def _paths(text: str) -> str:
    for one in text.split():
        if one not in PATHS:
            raise ValueError(f"must be of {' '.join(PATHS)}, with spaces between them")
    return text


class ChatSettings(Variables):
    """``CHAT_*``: question and answer in one HTTP call."""

    prefix = "CHAT_"

    api_key: ApiKey | None = variable(
        None, "opens /api/chat, /chat and /whatsapp alone, as X-API-KEY (or Bearer)", "at least 16 characters"
    )
    origins: Origins = variable(
        "", "web pages whose browsers may call", "origins with spaces between them", shown="none"
    )
    paths: Annotated[str, AfterValidator(_paths)] = variable(
        " ".join(PATHS),
        "the paths that are served; the limit's goes with /api/chat",
        "paths with spaces between them",
    )
    send_url: SecretUrl | None = variable(
        None, "where a reply goes that nobody waits for any more, as a POST", "an address", shown="none"
    )
    wait_sec: Seconds = variable(18.0, "how long a call waits for its answer", "seconds", gt=0, le=300)
    holding_text: str = variable(
        "We have your message; a person will answer.", "what is said while a person is asked", "a sentence"
    )
    rate_limit: Annotated[int, Field(ge=1, le=1_000_000)] = variable(
        10, "how many messages of one conversation are let in within the window", "messages"
    )
    rate_window_sec: Seconds = variable(60.0, "how long that window is", "seconds", gt=0)


SETTINGS = ChatSettings
