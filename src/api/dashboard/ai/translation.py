"""``/ai/translations``: a guest's text, a draft or a question in the language of the page, made by the model.

A page shows what is translated already and never waits for a model. What is missing is fetched when the host asks
for it, and by itself for a draft that waits. A model that fails is asked again after five minutes at the earliest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.page import Page, open_form, page_routes
from src.api.ids import OUR_ID
from src.db import conversations, missing_facts, outbox_views, translations
from src.db.engine import Connection
from src.services.refusals import Conflict, NotFound

if TYPE_CHECKING:
    from src.assistant.translate import Original, Translator

_NOT_AGAIN_FOR = timedelta(minutes=5)
_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Wording:
    """What of a page's texts is translated, into which language."""

    language: str
    possible: bool
    """A model is configured."""
    known: dict[str, str]

    def of(self, text: str | None) -> str | None:
        """The translation; None if there is none yet, or it is the text itself."""
        found = self.known.get(translations.key_of(text, self.language)) if text else None
        return None if found == text else found

    def is_wanted(self, text: str | None, language: str | None) -> bool:
        """Whether it may be asked for: the text is (or may be) in another language, and is not translated yet."""
        if not text or not self.possible or language == self.language:
            return False
        return translations.key_of(text, self.language) not in self.known


def read_wording(page: Page, side: AiSide, conn: Connection, texts: Iterable[str | None]) -> Wording:
    """What is there of these texts in the language of the page."""
    keys = {translations.key_of(text, page.lang.code) for text in texts if text}
    possible = side.assistant is not None
    known = translations.known(conn, keys) if possible else {}
    return Wording(page.lang.code, possible, known)


def translation_routes(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))
    desk = _TranslationDesk(context, side)

    @router.post("/ai/translations")
    async def translate(request: Request) -> Response:
        """Answers with the part of the page; without scripts, goes back to the page."""
        page, form = await open_form(context, request)
        what, text_id = form.get("what", ""), form.get("id", "")
        found = await run_in_threadpool(_find, page, what, text_id)
        text, trouble = await desk.translate(page, found)
        if not page.is_part:
            return page.go(form.get("next", "/"), "not_translated" if trouble else None)
        return page.show("ai/translated.html", what=what, id=text_id, text=text, trouble=trouble)

    return router


class _TranslationDesk:
    """Asks for each text once at a time, and remembers for a while what failed."""

    def __init__(self, context: Context, side: AiSide) -> None:
        self._context = context
        self._side = side
        self._translator: Translator | None = None
        self._failed: dict[str, tuple[datetime, str]] = {}
        self._asked: dict[str, asyncio.Future[str]] = {}

    async def translate(self, page: Page, original: Original) -> tuple[str | None, str | None]:
        """The text, or why there is none: a reason."""
        from src.assistant.translate import TranslationFailed  # noqa: PLC0415 - loaded only where it is asked for

        key = translations.key_of(original.text, page.lang.code)
        at, reason = self._failed.get(key, (None, ""))
        if at is not None and page.now - at < _NOT_AGAIN_FOR:
            return None, reason
        running = self._asked.get(key)
        if running is None:
            work = self._translator_of().translate(original, page.lang.code)
            running = self._asked[key] = asyncio.ensure_future(work)
            running.add_done_callback(lambda done: self._ended(key, done))
        try:
            return await asyncio.shield(running), None
        except TranslationFailed as error:
            if len(self._failed) >= _REMEMBERED:
                self._failed.clear()
            self._failed[key] = page.now, str(error)
            return None, str(error)

    def _ended(self, key: str, done: asyncio.Future[str]) -> None:
        self._asked.pop(key, None)
        if not done.cancelled():
            done.exception()  # a waiting page has it, if there was one

    def _translator_of(self) -> Translator:
        if self._side.assistant is None:
            raise Conflict("no_model", "no model is configured")
        if self._translator is None:
            self._translator = self._side.assistant.make_translator(self._context.db)
        return self._translator


def _find(page: Page, what: str, text_id: str) -> Original:
    """The text that a form names. NotFound."""
    if not OUR_ID.fullmatch(text_id):
        raise NotFound("there is no text with this id")
    with page.context.db.read() as conn:
        found = _question(page, conn, text_id) if what == "question" else _said(conn, what, text_id)
    if found is None:
        raise NotFound("there is no text with this id")
    return found


def _question(page: Page, conn: Connection, fact_id: str) -> Original | None:
    from src.assistant.translate import Original  # noqa: PLC0415 - loaded only where it is asked for

    fact = missing_facts.get(conn, fact_id)
    if fact is None:
        return None
    return Original(fact.question, fact.id, fact.last_asked_at, fact.listing_id, page.account.name)


def _said(conn: Connection, what: str, text_id: str) -> Original | None:
    """A message of a conversation, or a reply."""
    from src.assistant.translate import Original  # noqa: PLC0415

    message = conversations.message(conn, text_id) if what == "message" else None
    reply = outbox_views.get(conn, text_id) if what == "reply" else None
    if message is not None and message.text:
        home = conversations.get(conn, message.conversation_id)
        return Original(message.text, home.id, message.sent_at, home.listing_id, home.account)
    if reply is not None and reply.text:
        home = conversations.get(conn, reply.conversation_id)
        return Original(reply.text, home.id, reply.created_at, home.listing_id, home.account)
    return None
