"""A guest's message or a draft in the host's language, for the host's eyes alone. One call, beside the pipeline.

It is counted in the day's budget as a run of the kind `translation`. Secrets are masked before the text leaves.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from src.assistant.knowledge import LiveFolder
from src.assistant.models import Ladder, ModelFailure
from src.assistant.prompting import lay, make_canary
from src.assistant.secrets import mask
from src.assistant.structured import Shape, an_object
from src.assistant.wire import steps_json
from src.assistant_settings import AssistantSettings
from src.db import runs, translations
from src.db.engine import Database
from src.model.rows import StoredTranslation

KIND = "translation"
LONGEST = 4_000
SHAPE = Shape("translation", an_object({"text": {"type": "string"}}))


class Translated(BaseModel):
    """What the model hands in."""

    model_config = ConfigDict(extra="forbid")

    text: str


@dataclass(frozen=True, slots=True)
class Original:
    """A text to translate. ``subject``: our id of the conversation or missing fact that it is from."""

    text: str
    subject: str
    said_at: datetime
    listing_id: str | None
    account: str


class Translator:
    """Asks the small model. Each text is translated once into a language, then read from the database."""

    def __init__(
        self,
        settings: AssistantSettings,
        db: Database,
        ladder: Ladder,
        folder: LiveFolder,
        *,
        over_budget: Callable[[datetime], Awaitable[bool]],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._db = db
        self._ladder = ladder
        self._folder = folder
        self._over_budget = over_budget
        self._clock = clock

    async def translate(self, original: Original, to: str) -> str:
        """The text in that language (ISO 639-1). Repeatable.

        Raises ``TranslationFailed`` with the reason, a stable word; TransientError for the database.
        """
        key = translations.key_of(original.text, to)
        found = await asyncio.to_thread(self._known, key)
        if found is not None:
            return found
        now = self._clock()
        if await self._over_budget(now):
            raise TranslationFailed("over_budget")
        secrets = await asyncio.to_thread(self._folder.ever_secret, original.listing_id)
        data = {"text": mask(original.text[:LONGEST], secrets), "to": to}
        asked = await self._ladder.ask(
            SHAPE,
            Translated,
            rungs=self._settings.ladder(self._settings.assistant_triage_model),
            system=lay("translate", {"canary": make_canary()}),
            user=json.dumps(data, ensure_ascii=False),
            deadline=time.monotonic() + self._settings.assistant_timeout_sec,
        )
        text = None if isinstance(asked, ModelFailure) else mask(asked.value.text.strip(), secrets)
        kept = StoredTranslation(key, text, original.subject, original.said_at) if text else None
        await asyncio.to_thread(self._write, original.account, steps_json(asked.steps), kept, now)
        if text:
            return text
        raise TranslationFailed(str(asked.kind) if isinstance(asked, ModelFailure) else "model_unreadable")

    def _known(self, key: str) -> str | None:
        with self._db.read() as conn:
            return translations.known(conn, [key]).get(key)

    def _write(
        self, account: str, steps: list[dict[str, object]], kept: StoredTranslation | None, now: datetime
    ) -> None:
        """What it cost, also in vain; and the text."""
        costs = [float(str(step["cost"])) for step in steps if step["cost"] is not None]
        changes = {
            "state": "done",
            "steps": json.dumps(steps),
            "prompt_tokens": sum(int(str(step["prompt_tokens"])) for step in steps),
            "completion_tokens": sum(int(str(step["completion_tokens"])) for step in steps),
            "cost": sum(costs) if costs else None,
            "finished_at": self._clock(),
        }
        with self._db.write() as conn:
            run = runs.begin(conn, account, kind=KIND, request_id=None, conversation_id=None, now=now)
            runs.finish(conn, run.id, changes)
            if kept is not None:
                translations.put(conn, kept)


class TranslationFailed(Exception):
    """There is no translation; the text says why, as a stable word."""
