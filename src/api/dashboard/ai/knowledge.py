"""``/ai/knowledge``: what the assistant knows, what is wrong with it, what it would answer, and one more fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.ai import words
from src.api.dashboard.ai.missing_facts import LONGEST, read_day
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.ai.trying import try_message
from src.api.dashboard.page import Page, open_form, open_page, page_routes
from src.api.ids import SITE_ID
from src.assistant.knowledge.documents import Document, Finding, Level
from src.assistant.values import Audience
from src.languages import Language
from src.services.refusals import Malformed
from src.services.texts import clean_message

HERE = "/ai/knowledge"
HITS = 8
_FILES = 300
_LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A finding in the host's language."""

    place: str
    badge: str
    said: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class FileLine:
    """One file of the folder."""

    document: Document
    ended: int
    """How many of its facts have ended."""


def knowledge_pages(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.get(HERE)
    async def show(request: Request) -> Response:
        page = await open_page(context, request)
        return page.show("ai/knowledge.html", **await _all(page, side))

    @router.post(HERE + "/try")
    async def try_it(request: Request) -> Response:
        """What it would answer. Nothing is stored or sent; the model is asked."""
        page, form = await open_form(context, request)
        tried = await try_message(page, side, form)
        return page.show("ai/knowledge.html", **{**await _all(page, side), "tried": tried, "typed": form})

    @router.post(HERE + "/facts")
    async def add(request: Request) -> Response:
        page, form = await open_form(context, request)
        question = clean_message(form.get("question", ""), "question")
        answer = clean_message(form.get("message", ""))
        listing, audience = form.get("listing") or None, form.get("audience", str(Audience.ANYONE))
        if max(len(question), len(answer)) > LONGEST:
            raise Malformed("message", "is too long")
        if audience not in set(Audience) or (listing is not None and not SITE_ID.fullmatch(listing)):
            raise Malformed("listing", "is not possible")
        ends, whom = read_day(form.get("valid_until", "")), Audience(audience)
        await run_in_threadpool(lambda: side.desk().add_fact(question, answer, listing, whom, ends))
        return page.go(HERE, "fact_added")

    return router


async def _all(page: Page, side: AiSide) -> dict[str, Any]:
    asked = page.request.query_params
    query = asked.get("q", "").strip()[:_LONGEST_SEARCH]
    listing, audience = asked.get("listing") or None, asked.get("audience", str(Audience.ANYONE))
    whom = Audience(audience) if audience in set(Audience) else Audience.ANYONE
    shown = await run_in_threadpool(_read, page, side)
    hits = None
    if query:
        desk = await run_in_threadpool(side.desk)
        hits = await desk.search(query, listing, whom, HITS)
    return {
        **shown,
        "query": query,
        "chosen": (listing or "", str(whom)),
        "hits": hits,
        "can_try": side.assistant is not None,
        "tried": None,
        "typed": {},
    }


def _read(page: Page, side: AiSide) -> dict[str, Any]:
    knowledge = side.desk().knowledge()
    today = page.now.astimezone(page.zone).date()
    files = [
        FileLine(one, sum(fact.valid_until is not None and fact.valid_until < today for fact in one.facts))
        for one in knowledge.documents
    ]
    found = sorted(knowledge.check(today), key=lambda one: one.level is not Level.ERROR)
    return {
        "folder": str(side.settings.assistant_knowledge_dir),
        "files": files[:_FILES],
        "more": max(0, len(files) - _FILES),
        "facts": sum(len(one.document.facts) for one in files),
        "findings": [_in_words(page.lang, one) for one in found],
        "listings": [(one.id, one.name or one.id) for one in knowledge.listings],
        "names": {one.id: one.name for one in knowledge.listings if one.name},
        "longest": LONGEST,
    }


def _in_words(lang: Language, finding: Finding) -> FoundLine:
    kind = str(finding.kind) if finding.kind else ""
    is_error = finding.level is Level.ERROR
    badge = lang.gettext(words.FINDINGS[kind]) if kind else lang.say("Cannot be used") if is_error else ""
    means = words.FINDINGS_MEAN.get(kind, words.LEFT_OUT if is_error else "")
    return FoundLine(
        finding.place,
        badge,
        f"{finding.in_words(lang.say)}. {lang.gettext(means) if means else ''}".strip(),
        is_error,
    )
