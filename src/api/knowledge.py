"""The host's knowledge over HTTP: files, search, findings, and the questions that no fact answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.ids import OUR_ID
from src.api.limits import read_json
from src.assistant.values import Audience
from src.assistant_settings import AssistantSettings
from src.services.refusals import Malformed, NotFound
from src.services.texts import clean_message

if TYPE_CHECKING:
    from src.api.knowledge_desk import Desk

_LONGEST_ID = 200
Name = Annotated[str | None, Query(min_length=1, max_length=_LONGEST_ID)]
OurId = Annotated[str, Path(min_length=1, max_length=64)]
AudienceName = Literal["anyone", "booked", "staying"]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class WriteBody(_Body):
    path: str = Field(description="below the knowledge folder; ends in .md, .csv, .ics or .toml")
    content: str
    overwrite: bool = False


class SearchBody(_Body):
    query: str = Field(min_length=1, max_length=4000)
    listing: str | None = Field(None, min_length=1, max_length=_LONGEST_ID)
    audience: AudienceName = "anyone"
    limit: int = Field(8, ge=1, le=100)


class AnswerBody(_Body):
    answer: str = Field(description="one line; it is kept as a fact")
    scope: Literal["listing", "all"] = "listing"
    audience: AudienceName = "anyone"
    valid_until: str | None = Field(
        None, description="the last day on which it holds", json_schema_extra={"format": "date"}
    )


def knowledge_routes(context: Context, desk: Callable[[], Desk]) -> APIRouter:
    """Everything here goes through the operator's doors before anything of the request is used."""
    router = APIRouter(prefix="/api", dependencies=[Depends(context.doors.operator)], responses=REFUSALS)
    _add_documents(router, desk)
    _add_folder(router, desk)
    _add_missing_facts(router, desk)
    return router


def desk_of(context: Context, settings: AssistantSettings) -> Callable[[], Desk]:
    """What does the work, made with the first call: loading it takes longer than a start should."""
    made: list[Desk] = []
    lock = threading.Lock()

    def desk() -> Desk:
        from src.api.knowledge_desk import Desk  # noqa: PLC0415

        with lock:
            if not made:
                made.append(Desk(context, settings))
            return made[0]

    return desk


def _add_documents(router: APIRouter, desk: Callable[[], Desk]) -> None:
    @router.get("/knowledge", tags=["knowledge"], summary="The documents of the knowledge folder")
    async def documents(
        listing: Name = None, agent: Name = None, state: Literal["valid", "expired", "all"] = "all"
    ) -> dict[str, Any]:
        found = await run_in_threadpool(lambda: desk().documents(listing, agent, state))
        return {"success": True, "documents": found}

    @router.get("/knowledge/{document_id}", tags=["knowledge"], summary="One document with its facts")
    async def document(document_id: OurId) -> dict[str, Any]:
        _known("document", document_id)
        return {"success": True, "document": await run_in_threadpool(lambda: desk().document(document_id))}

    @router.post(
        "/knowledge",
        tags=["knowledge"],
        summary="Write a file into the folder",
        openapi_extra=described(WriteBody),
    )
    async def write(request: Request) -> dict[str, Any]:
        body = await read_json(request, WriteBody)
        done = await run_in_threadpool(
            lambda: desk().write(body.path, body.content, overwrite=body.overwrite)
        )
        return {"success": True, **done}

    @router.delete("/knowledge/{document_id}", tags=["knowledge"], summary="Take a file out of the folder")
    async def remove(document_id: OurId) -> dict[str, Any]:
        _known("document", document_id)
        await run_in_threadpool(lambda: desk().remove(document_id))
        return {"success": True}


def _add_folder(router: APIRouter, desk: Callable[[], Desk]) -> None:
    @router.post(
        "/knowledge/search",
        tags=["knowledge"],
        summary="The facts that fit a question best",
        openapi_extra=described(SearchBody),
    )
    async def search(request: Request) -> dict[str, Any]:
        body = await read_json(request, SearchBody)
        if not body.query.strip():
            raise Malformed("query", "is empty")
        here = await run_in_threadpool(desk)
        hits = await here.search(body.query, body.listing, Audience(body.audience), body.limit)
        return {"success": True, "hits": hits}

    @router.post("/knowledge/check", tags=["knowledge"], summary="What is wrong with the files")
    async def check() -> dict[str, Any]:
        return {"success": True, **await run_in_threadpool(lambda: desk().check())}

    @router.post("/knowledge/reload", tags=["knowledge"], summary="Look at the folder now")
    async def reload() -> dict[str, Any]:
        return {"success": True, **await run_in_threadpool(lambda: desk().reload())}


def _add_missing_facts(router: APIRouter, desk: Callable[[], Desk]) -> None:
    @router.get("/missing-facts", tags=["knowledge"], summary="Questions that no fact answers")
    async def missing(state: Literal["open", "answered", "dismissed", "all"] = "open") -> dict[str, Any]:
        return {"success": True, "missing_facts": await run_in_threadpool(lambda: desk().missing(state))}

    @router.post(
        "/missing-facts/{fact_id}/answer",
        tags=["knowledge"],
        summary="Answer it: the answer is kept as a fact, and who waits for it is answered",
        openapi_extra=described(AnswerBody),
    )
    async def answer(fact_id: OurId, request: Request) -> dict[str, Any]:
        body = await read_json(request, AnswerBody)
        _known("missing fact", fact_id)
        text = clean_message(body.answer) if body.answer.strip() else ""
        if not text:
            raise Malformed("answer", "is empty")
        done = partial(
            desk().answer, fact_id, text, body.scope, Audience(body.audience), _day(body.valid_until)
        )
        return {"success": True, **await run_in_threadpool(done)}

    @router.post("/missing-facts/{fact_id}/dismiss", tags=["knowledge"], summary="Leave it unanswered")
    async def dismiss(fact_id: OurId) -> dict[str, Any]:
        _known("missing fact", fact_id)
        return {"success": True, "missing_fact": await run_in_threadpool(lambda: desk().dismiss(fact_id))}


def _known(what: str, given: str) -> None:
    if not OUR_ID.fullmatch(given):
        raise NotFound(f"there is no {what} with this id")


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Malformed("valid_until", "is not a day; write it like 2027-05-31") from None
