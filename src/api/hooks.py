"""``GET|POST /hooks/{account}``: the service behind a channel calls us.

The channel says what the call tells, and whether the caller is let in (a signature is over the bytes as they came);
it is stored and queued in one transaction, and only then the service hears 200. Anything else makes it come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from fastapi import APIRouter, Request
from loguru import logger
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from src.api.context import Context
from src.api.limits import refusal
from src.api.metrics import Metrics
from src.errors import CallRefused, TransientError
from src.model.hearing import Heard, Incoming
from src.services.hearing import Hearing, take
from src.services.refusals import NotFound

HOOKS = "/hooks/"
LARGEST_CALL = 3 * 1024 * 1024
"""In bytes: what the largest caller, WhatsApp's Cloud API, says it may send (its reference, Webhooks)."""


def hook_routes(context: Context, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.api_route(
        f"{HOOKS}{{account}}",
        methods=["GET", "POST"],
        include_in_schema=False,  # what it takes is the service's business, and no program of a host calls it
    )
    async def hook(account: str, request: Request) -> Response:
        """Let in as the channel says (a signature, a token of its own). Repeatable: a copy changes nothing.

        `503` while the database is away: nothing was stored, come again. A call that is genuine but not understood
        is `200`: it is kept for a person.
        """
        hearing = context.hearing.get(account)
        if hearing is None:
            raise NotFound("no account of this name is called here")
        call = Incoming(
            method=request.method,
            path=request.url.path,
            query=dict(request.query_params),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.body(),
            remote=context.doors.visitor(request),
        )
        try:
            told = _hear_all(hearing, list(context.hearing.values()), call)
        except CallRefused as error:
            metrics.hooks.labels(account, "refused").inc()
            logger.bind(account=account, client=call.remote or "unknown").warning("a call was not let in")
            return JSONResponse(refusal(str(error)), status_code=error.status)
        for one, heard in told:
            if heard.views or heard.deliveries or heard.not_understood:
                try:
                    await run_in_threadpool(take, context.db, context.wakeup, one, call, heard, context.clock)
                except TransientError:
                    metrics.hooks.labels(one.account, "database_away").inc()
                    raise
            metrics.hooks.labels(one.account, "taken").inc()
        return Response(told[0][1].answer, media_type=told[0][1].content_type)

    return router


def _hear_all(called: Hearing, known: Sequence[Hearing], call: Incoming) -> list[tuple[Hearing, Heard]]:
    """What a call tells, by account. A service may call one address for several accounts.

    Each account's channel lets the call in by itself. CallRefused if nothing of it is for one of ours.
    """
    heard = called.channel.hear(call)
    told = [(called, heard)]
    if heard.for_others:
        others = [one for one in known if one is not called and one.channel.name == called.channel.name]
        for one in others:
            with suppress(CallRefused):
                told.append((one, one.channel.hear(call)))
    mine = [(one, heard) for one, heard in told if heard.mine]
    if not mine:
        raise CallRefused(401, "nothing in the call is for an account of ours")
    return mine
