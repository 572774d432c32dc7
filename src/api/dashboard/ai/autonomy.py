"""``/ai/autonomy``: what may go out without a person, by listing and topic, and why it was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.ai import words
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.page import Page, open_form, open_page, page_routes
from src.api.ids import SITE_ID
from src.db import accounts, autonomy, search
from src.languages import Language
from src.languages import sentence as _
from src.model.autonomy import (
    AUTO,
    BY_HOST,
    DRAFT,
    ENOUGH_CONVERSATIONS,
    ENOUGH_IN_A_ROW,
    FIRST,
    STAY,
    TOPICS,
    Policy,
    is_earned,
    is_offered,
    permission,
)
from src.model.rows import Rule, TopicRecord
from src.services.refusals import Malformed

HERE = "/ai/autonomy"


@dataclass(frozen=True, slots=True)
class Line:
    """A record with what it means now."""

    record: TopicRecord
    may: bool | None
    """True: it may go out by itself; False: it waits in every mode; None: the mode decides."""
    offered: bool
    said: str


def autonomy_pages(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.get(HERE)
    async def show(request: Request) -> Response:
        page = await open_page(context, request)
        return page.show("ai/autonomy.html", **await run_in_threadpool(_read, page, side))

    @router.post(HERE)
    async def set_level(request: Request) -> Response:
        page, form = await open_form(context, request)
        key, level = _key(page, form), form.get("level", "")
        if level not in {AUTO, DRAFT}:
            raise Malformed("level", "is not possible")

        def put() -> None:
            with context.db.write() as conn:
                autonomy.set_level(conn, key, level, BY_HOST, page.now)

        await run_in_threadpool(put)
        return page.go(HERE, "autonomy")

    return router


def _key(page: Page, form: dict[str, str]) -> autonomy.Key:
    listing, topic, stage = form.get("listing", ""), form.get("topic", ""), form.get("stage", STAY)
    if not SITE_ID.fullmatch(listing):
        raise Malformed("listing", "is not an id")
    if topic not in TOPICS or stage not in {STAY, FIRST}:
        raise Malformed("topic", "is not possible")
    return autonomy.Key(page.account.name, listing, topic, stage)


def _read(page: Page, side: AiSide) -> dict[str, Any]:
    account, settings = page.account.name, page.account.settings
    with page.context.db.read() as conn:
        records = autonomy.listed(conn, account)
        rules = {(rule.scope, rule.scope_id): rule for rule in accounts.modes(conn, account)}
        listings = sorted({*search.listings(conn, account), *(one.listing_id for one in records)})
    by_listing: dict[str, list[Line]] = {}
    for record in records:
        line = _line(page.lang, record, settings.assistant_autonomy)
        by_listing.setdefault(record.listing_id, []).append(line)
    rule = rules.get(("account", ""))
    return {
        "lines": by_listing,
        "offers": [line for lines in by_listing.values() for line in lines if line.offered],
        "names": side.names_of(listings) if page.has_assistant else {},
        "listings": listings,
        "topics": {code: page.lang.gettext(said) for code, said in words.TOPICS.items()},
        "mode": _mode(page.lang, settings.reply_mode, rule),
        "rules": {one: rules[("listing", one)] for one in listings if ("listing", one) in rules},
        "policy": settings.assistant_autonomy,
        "enough": (ENOUGH_IN_A_ROW, ENOUGH_CONVERSATIONS),
    }


def _mode(lang: Language, reply_mode: str, rule: Rule | None) -> str:
    """What the mode of the account makes of the levels, as it holds now."""
    if reply_mode == "off":
        return lang.say("REPLY_MODE is off: nothing is answered, whatever stands here.")
    if rule is not None and rule.mode == "off":
        return lang.say("You have switched the whole account off: nothing is answered, whatever stands here.")
    if rule is not None and rule.mode == "draft":
        return lang.say(
            "You are asked first in the whole account: that stands above this list, and every answer waits for you."
        )
    if rule is not None or reply_mode == "auto":
        return lang.say("Answers go out by themselves: every topic does, but what waits for you here.")
    return lang.say("You are asked first: only what may go out by itself here does; all else waits for you.")


_LOST = {
    BY_HOST: _("You said so."),
    "rewritten": _("It was taken back because you rewrote a draft."),
    "rejected": _("It was taken back because you rejected a draft."),
    "recalled": _("It was taken back because you cancelled a reply on its way."),
    "corrected": _("It was taken back because you wrote in the conversation soon after the reply."),
    "complaint": _("It was taken back because the guest's next message was a complaint."),
}


def _line(lang: Language, record: TopicRecord, policy: Policy) -> Line:
    may, offered = permission(record, policy), is_offered(record, policy)
    if may and record.level == AUTO:
        said = lang.gettext(_LOST[BY_HOST])
    elif may and is_earned(record):
        said = lang.say("It has earned it.")
    elif may:
        said = lang.say("ASSISTANT_AUTONOMY is full.")
    elif may is False:
        said = lang.gettext(_LOST.get(record.reason or BY_HOST, _LOST[BY_HOST]))
    else:
        said = ""
    return Line(record, may, offered, said)
