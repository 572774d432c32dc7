"""What a person does: look into the queues, approve, reject, retry, cancel, pause, set modes, try the AI."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from src.account import Account
from src.api import views
from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.ids import OUR_ID, SITE_ID, check_conversation_id, moment_of
from src.api.limits import read_json, refusal
from src.api.remote import routes as remote_view
from src.api.which import Asked, account_with, account_with_listing, accounts_of, the_account
from src.model.rows import Job
from src.model.statuses import OutboxStatus
from src.model.values import ReplyMode
from src.services import alert_words, notify, outbox_moves, switches
from src.services.refusals import Conflict, Malformed, NotFound

Limit = Annotated[int, Query(ge=1, le=500)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class ApproveBody(_Body):
    message: str | None = Field(None, description="the edited text; without it, the draft as it is")


class RejectBody(_Body):
    reason: str | None = None


class ModeBody(_Body):
    scope: Literal["account", "listing", "conversation"]
    id: str | None = Field(None, description="the site's id of the listing or conversation; none for account")
    account: str | None = Field(None, description="the account's name; not needed where there is one")
    mode: Literal["auto", "draft", "off", "inherit"] = Field(
        description="inherit: no rule of its own any more, the next wider one holds"
    )


class SeenToBody(_Body):
    until: str | None = Field(
        None,
        description="the time (sent_at, edited_at) of the newest message that you have seen;"
        " without it, of all that are known",
        json_schema_extra={"format": "date-time"},
    )


def operator_routes(context: Context) -> APIRouter:
    """Everything here goes through the operator's doors before anything of the request is used."""
    router = APIRouter(prefix="/api", dependencies=[Depends(context.doors.operator)], responses=REFUSALS)
    _add_views(router, context)
    _add_moves(router, context)
    _add_switches(router, context)
    _add_alerts(router, context)
    return router


def _add_views(router: APIRouter, context: Context) -> None:
    @router.get("/outbox", tags=["replies"], summary="Replies, by status or all")
    async def outbox(
        status: OutboxStatus | None = None, limit: Limit = 50, account: Asked = None
    ) -> dict[str, Any]:
        asked = accounts_of(context, account)
        jobs = await run_in_threadpool(views.jobs, context.db, asked, status, limit)
        return {"success": True, "jobs": jobs}

    @router.get("/conversations", tags=["conversations"], summary="Conversations, newest activity first")
    async def recent(limit: Limit = 50, account: Asked = None) -> dict[str, Any]:
        asked = accounts_of(context, account)
        found = await run_in_threadpool(views.recent, context.db, asked, limit)
        return {"success": True, "conversations": found}

    @router.get(
        "/conversations/{conversation_id:path}",
        tags=["conversations"],
        summary="One conversation with its messages and its latest request",
    )
    async def one(conversation_id: str, limit: Limit = 50, account: Asked = None) -> dict[str, Any]:
        check_conversation_id(conversation_id)
        whose = await run_in_threadpool(account_with, context, account, conversation_id)
        return {
            "success": True,
            **await run_in_threadpool(views.conversation, context.db, whose, conversation_id, limit),
        }


def _add_moves(router: APIRouter, context: Context) -> None:
    db, wakeup = context.db, context.wakeup

    async def done(job_id: str, move: Callable[..., Job], **more: Any) -> dict[str, Any]:
        if not OUR_ID.fullmatch(job_id):
            raise NotFound("there is no reply with this id")
        job = await run_in_threadpool(partial(move, job_id=job_id, now=context.clock(), **more))
        return {"success": True, "job": await run_in_threadpool(views.job, db, job)}

    @router.post(
        "/outbox/{job_id}/approve",
        tags=["replies"],
        summary="Send a draft, as it is or edited",
        openapi_extra=described(ApproveBody, optional=True),
    )
    async def approve(job_id: str, request: Request) -> dict[str, Any]:
        body = await read_json(request, ApproveBody, optional=True)
        return await done(
            job_id, partial(outbox_moves.approve, db, wakeup, secrets=context.secrets), message=body.message
        )

    @router.post(
        "/outbox/{job_id}/reject",
        tags=["replies"],
        summary="Do not send a draft",
        openapi_extra=described(RejectBody, optional=True),
    )
    async def reject(job_id: str, request: Request) -> dict[str, Any]:
        body = await read_json(request, RejectBody, optional=True)
        return await done(job_id, partial(outbox_moves.reject, db), reason=body.reason)

    @router.post("/outbox/{job_id}/retry", tags=["replies"], summary="Try a failed reply again")
    async def retry(job_id: str) -> dict[str, Any]:
        return await done(job_id, partial(outbox_moves.retry, db, wakeup))

    @router.post("/outbox/{job_id}/cancel", tags=["replies"], summary="Cancel a reply that waits")
    async def cancel(job_id: str) -> dict[str, Any]:
        return await done(job_id, partial(outbox_moves.cancel, db))

    @router.post(
        "/outbox/{job_id}/confirm-sent",
        tags=["replies"],
        summary="An unconfirmed reply is there: I have seen it",
    )
    async def confirm_sent(job_id: str) -> dict[str, Any]:
        return await done(job_id, partial(outbox_moves.confirm_sent, db))

    @router.post(
        "/outbox/{job_id}/send-again",
        tags=["replies"],
        summary="An unconfirmed or cancelled reply is not there: send its text as a new one",
    )
    async def send_again(job_id: str) -> dict[str, Any]:
        return await done(job_id, partial(outbox_moves.send_again, db, wakeup))


def _add_switches(router: APIRouter, context: Context) -> None:
    db, settings = context.db, context.settings

    @router.post("/pause", tags=["account"], summary="Go on reading, send nothing")
    async def pause(account: Asked = None) -> dict[str, Any]:
        """Of the named account; without a name of all."""
        for one in accounts_of(context, account):
            await run_in_threadpool(partial(switches.pause, db, one.name, now=context.clock()))
        return {"success": True, "paused": True}

    @router.post("/resume", tags=["account"], summary="Send again")
    async def resume(account: Asked = None) -> dict[str, Any]:
        """Of the named account; without a name of all."""
        for one in accounts_of(context, account):
            now = context.clock()
            await run_in_threadpool(partial(switches.resume, db, context.wakeup, one.name, now=now))
        return {"success": True, "paused": False}

    @router.post(
        "/reconnect",
        tags=["account"],
        summary="A link that lets one person drive the browser, once, to end a halt",
        responses={
            409: {"description": "no halt, or somebody is at it, or the API cannot reach the browser"}
        },
    )
    async def reconnect(account: Asked = None) -> dict[str, Any]:
        if context.remote is None:
            raise Conflict("no_remote_view", "this process cannot open the browser")
        link = await context.remote.link(the_account(context, account).name)
        where = f"{settings.dashboard_url}{remote_view.path_of(link)}"
        return {"success": True, "link": where, "expires_at": link.expires_at.isoformat()}

    @router.post(
        "/conversations/{conversation_id:path}/seen-to",
        tags=["conversations"],
        summary="No answer is needed: it waits for nobody until the guest writes again",
        openapi_extra=described(SeenToBody, optional=True),
    )
    async def seen_to(conversation_id: str, request: Request, account: Asked = None) -> dict[str, Any]:
        body = await read_json(request, SeenToBody, optional=True)
        check_conversation_id(conversation_id)
        until = None if body.until is None else moment_of(body.until, "until")
        whose = await run_in_threadpool(account_with, context, account, conversation_id)
        see_to = partial(switches.see_to, db, whose.name, conversation_id, until, now=context.clock())
        return views.seen_to(await run_in_threadpool(see_to))

    @router.put(
        "/mode",
        tags=["account"],
        summary="What happens with the AI's answers: auto, draft, off, or as the next wider rule says",
        openapi_extra=described(ModeBody),
    )
    async def mode(request: Request, account: Asked = None) -> dict[str, Any]:
        """``mode`` of the answer is what holds there now: off where REPLY_MODE is off, whatever was ``set``."""
        body = await read_json(request, ModeBody)
        return await run_in_threadpool(_set_mode, context, body, body.account or account)


def _add_alerts(router: APIRouter, context: Context) -> None:
    settings = context.settings

    @router.post(
        "/alerts/test",
        tags=["account"],
        summary="Send a test alert to every address that gets alerts",
        responses={409: {"description": "nobody is told"}, 502: {"description": "nobody took it"}},
    )
    async def alerts_test() -> JSONResponse:
        if not notify.anybody(settings):
            raise Conflict("nobody_is_told", "neither NOTIFY_URLS nor ALERT_WEBHOOK_URL is set")
        first = next(iter(context.accounts))
        taken = await run_in_threadpool(
            notify.tell, settings, alert_words.words_of_test(settings), None, first
        )
        if taken:
            return JSONResponse({"success": True})
        return JSONResponse(refusal("no service took the test alert; the log says which"), status_code=502)


def _set_mode(context: Context, body: ModeBody, name: str | None) -> dict[str, Any]:
    if body.scope != "account" and (body.id is None or not SITE_ID.fullmatch(body.id)):
        raise Malformed("id", f"must be the id of a {body.scope}")
    account = _account_of_mode(context, body, name)
    db, default, scope_id = context.db, ReplyMode(account.settings.reply_mode), body.id or ""
    wanted = None if body.mode == "inherit" else ReplyMode(body.mode)
    switches.set_mode(db, account.name, body.scope, scope_id, wanted, default=default, now=context.clock())
    holds = switches.read_mode(db, account.name, body.scope, scope_id, default)
    return {"success": True, "scope": body.scope, "id": body.id, "set": body.mode, "mode": str(holds)}


def _account_of_mode(context: Context, body: ModeBody, name: str | None) -> Account:
    match body.scope:
        case "account":
            return the_account(context, name)
        case "listing":
            try:
                return account_with_listing(context, name, body.id or "")
            except NotFound:
                raise Malformed("id", "is not a listing of any account") from None
        case _:
            return account_with(context, name, body.id or "")
