"""``/conversations``: find one; read it as the guest sees it, with the story of each message; steer it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard import timeline
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.ai.translation import read_wording
from src.api.dashboard.ai.why import explain_requests
from src.api.dashboard.clocks import by_urgency, clock_of
from src.api.dashboard.page import Page, open_form, open_page, page_routes
from src.api.dashboard.paging import page_after, read_key
from src.api.dashboard.takeover import read_takeover
from src.api.dashboard.window import windows
from src.api.ids import OUR_ID, SITE_ID, check_conversation_id, moment_of
from src.db import accounts, conversations, search
from src.db.engine import Connection
from src.db.search import Filters
from src.db.timeline import messages_of_requests, stretch
from src.db.waiting import left_to_a_person
from src.model.rows import Job, Rule, StoredConversation, StoredMessage
from src.model.statuses import OutboxStatus
from src.model.values import ReplyMode, new_id
from src.services import switches
from src.services.person_messages import why_not, write_message
from src.services.refusals import Malformed, NotFound
from src.services.status import Intervals, read_verdict

ROWS = 30
MESSAGES = 50
STATES = ("", "waiting", "open", "skipped", "unseen")
_LONGEST_SEARCH = 100
_LONGEST_NUMBER = 9

Rules = dict[tuple[str, str], Rule]
"""Every mode that a person has set, by scope and the id in it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    conversation: StoredConversation
    newest: StoredMessage | None
    jobs: list[Job]
    mode: ReplyMode
    waits: list[str]
    """What of it waits for a person, each word of ``words.WAITS`` once."""


def conversation_routes(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.get("/conversations")
    async def find(request: Request) -> Response:
        page = await open_page(context, request)
        return page.show("conversations.html", **await run_in_threadpool(_find, page))

    @router.post("/mode")
    async def set_mode(request: Request) -> Response:
        page, form = await open_form(context, request)
        scope, scope_id, mode = form.get("scope", ""), form.get("id", ""), form.get("mode", "")
        if scope not in accounts.SCOPES or mode not in {*ReplyMode, "inherit"}:
            raise Malformed("mode", "is not possible")
        if scope != "account" and not SITE_ID.fullmatch(scope_id):
            raise Malformed("id", "is not an id")
        wanted = None if mode == "inherit" else ReplyMode(mode)
        account, now = page.account.name, page.now
        default = ReplyMode(page.account.settings.reply_mode)
        await run_in_threadpool(
            lambda: switches.set_mode(context.db, account, scope, scope_id, wanted, default=default, now=now)
        )
        return page.go(form.get("next", "/"), "mode")

    @router.post("/seen-to")
    async def seen_to(request: Request) -> Response:
        page, form = await open_form(context, request)
        conversation_id, until = form.get("id", ""), moment_of(form.get("until", ""), "until")
        if not SITE_ID.fullmatch(conversation_id):
            raise Malformed("id", "is not an id")
        account, now = page.account.name, page.now
        await run_in_threadpool(lambda: switches.see_to(context.db, account, conversation_id, until, now=now))
        return page.go(form.get("next", "/"), "seen_to")

    @router.post("/write")
    async def write(request: Request) -> Response:
        page, form = await open_form(context, request)
        conversation_id, key, read = form.get("id", ""), form.get("key", ""), form.get("read", "")
        if not SITE_ID.fullmatch(conversation_id):
            raise Malformed("id", "is not an id")
        if not OUR_ID.fullmatch(key) or not (
            read.isascii() and read.isdecimal() and len(read) <= _LONGEST_NUMBER
        ):
            raise Malformed("key", "is of no form of ours")
        put = partial(
            write_message,
            context.db,
            context.wakeup,
            page.account,
            conversation_id,
            form.get("message", ""),
            key=key,
            read=int(read),
            now=page.now,
            secrets=context.secrets,
        )
        await run_in_threadpool(put)
        return page.go(form.get("next", "/"), "written")

    @router.get("/conversations/{conversation_id:path}")
    async def one(conversation_id: str, request: Request) -> Response:
        page = await open_page(context, request)
        check_conversation_id(conversation_id)
        shown = await run_in_threadpool(_conversation, page, side, conversation_id)
        return page.show("conversation.html", **shown)

    return router


# --- the list --------------------------------------------------------------------------------------------


def _find(page: Page) -> dict[str, Any]:
    asked = page.request.query_params
    text = asked.get("q", "").strip()[:_LONGEST_SEARCH]
    state = asked.get("state", "") if asked.get("state") in STATES else ""
    mode = ReplyMode(asked["mode"]) if asked.get("mode") in set(ReplyMode) else None
    account, settings = page.account.name, page.account.settings
    default = ReplyMode(settings.reply_mode)
    with page.context.db.read() as conn:
        among = None
        if state == "waiting":
            among = {one.conversation_id for one in page.waiting}
        filters = Filters(text, state, asked.get("listing", "")[:200], mode, among)
        found = search.conversations(
            conn, account, filters, default_mode=default, after=read_key(asked.get("after")), limit=ROWS + 1
        )
        shown = found[:ROWS]
        ids = [one.id for one in shown]
        newest, jobs = search.newest_messages(conn, ids), search.open_jobs(conn, ids)
        rules = _rules(conn, account)
        listings = search.listings(conn, account)
    waits: dict[str, dict[str, None]] = defaultdict(dict)
    for item in page.waiting:
        waits[item.conversation_id][item.what] = None
    rows = [
        Row(
            one,
            newest.get(one.id),
            jobs.get(one.id, []),
            accounts.mode_in_force(default, rule),
            list(waits.get(one.external_id, {})),
        )
        for one in shown
        for rule in [_narrowest(one, rules)]
    ]
    last = shown[-1] if len(found) > ROWS else None
    return {
        "rows": rows,
        "filters": filters,
        "listings": listings,
        "states": STATES,
        "clocks": {
            one.waiting.conversation_id: one.clock for one in reversed(by_urgency(page.waiting, page.now))
        },
        "asked": bool(text or state or filters.listing or mode),
        "next_page": page_after(page, last.last_activity_at or last.created_at, last.id) if last else None,
    }


# --- modes -----------------------------------------------------------------------------------------------


def _rules(conn: Connection, account: str) -> Rules:
    return {(rule.scope, rule.scope_id): rule for rule in accounts.modes(conn, account)}


def _narrowest(one: StoredConversation, rules: Rules) -> Rule | None:
    """The rule that holds for a conversation."""
    places = [("conversation", one.id), ("listing", one.listing_id or ""), ("account", "")]
    return next((rules[place] for place in places if place in rules), None)


# --- one conversation ------------------------------------------------------------------------------------


def _conversation(page: Page, side: AiSide, external_id: str) -> dict[str, Any]:
    account, settings = page.account.name, page.account.settings
    with page.context.db.read() as conn:
        found = conversations.by_external_id(conn, account, external_id)
        if found is None:
            raise NotFound("there is no conversation with this id")
        before = read_key(page.request.query_params.get("after"))
        part = stretch(conn, found.id, before=before, limit=MESSAGES)
        carried = messages_of_requests(conn, part.requests)
        why = explain_requests(page, side, conn, part.requests)
        closes = windows(conn, page.account, [found.id]).get(found.id)
        texts = [*(one.text for one in part.messages), *(one.text for one in part.jobs)]
        wording = read_wording(page, side, conn, texts)
        page.stands = stands = read_verdict(conn, account, Intervals.of(settings), page.now)
        rules = _rules(conn, account)
        takeover = read_takeover(page, conn, found)
        left = left_to_a_person(conn, found.id, page.now) if before is None else []
        writing = _writing(page, conn, found) if before is None else None
    first = part.messages[0] if part.messages else None
    return {
        "conversation": found,
        "closes": closes,
        "why": why,
        "wording": wording,
        "drafted": {job.request_id for job in part.jobs if job.status is OutboxStatus.DRAFT},
        "entries": timeline.entries(part, carried, found, newest=before is None),
        "left_until": max((one.written_at for one in left if one.written_at), default=None),
        "writing": writing,
        "older_page": page_after(page, first.sent_at, first.id) if first and part.older else None,
        "newer": before is not None,
        "takeover": takeover,
        "clock_of": lambda entry: clock_of(
            entry.carried[-1].sent_at if entry.carried else entry.job.created_at,
            entry.request.reply_by if entry.request else None,
            page.now,
        ),
        "not_live": timeline.why_not_live(
            page.account, found, stands, _narrowest(found, rules), page.now, lang=page.lang
        ),
        "scopes": _scopes(found, rules, settings.reply_mode),
    }


@dataclass(frozen=True, slots=True)
class Writing:
    """What the form for a person's own words holds; ``why_not`` is a key of ``words.CONFLICTS``."""

    why_not: str | None
    key: str
    read: int
    """The message that the page shows last, by its ``sequence``."""


def _writing(page: Page, conn: Connection, found: StoredConversation) -> Writing:
    why = "not_answerable" if found.skip_reason else why_not(page.account)
    return Writing(why, new_id(), conversations.last_sequence(conn, found.id))


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a mode can be set, and which rule a person has set there."""

    name: str
    id: str
    """The site's."""
    rule: Rule | None
    default: str


def _scopes(found: StoredConversation, rules: Rules, default: str) -> list[Scope]:
    scopes = [Scope("conversation", found.external_id, rules.get(("conversation", found.id)), default)]
    if found.listing_id:
        scopes.append(Scope("listing", found.listing_id, rules.get(("listing", found.listing_id)), default))
    return [*scopes, Scope("account", "", rules.get(("account", "")), default)]
