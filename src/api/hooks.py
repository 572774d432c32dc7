"""``GET|POST /hooks/{account}``: the service behind a channel calls us.

The channel says what the call tells, and whether the caller is let in (a signature is over the bytes as they came);
it is stored and queued in one transaction, and only then the service hears 200. Anything else makes it come again.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from loguru import logger
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from src.api.context import Context
from src.api.limits import refusal
from src.api.metrics import Metrics
from src.errors import CallRefused, TransientError
from src.model.hearing import Incoming
from src.services.hearing import take
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
            heard = hearing.channel.hear(call)
        except CallRefused as error:
            metrics.hooks.labels(account, "refused").inc()
            logger.bind(account=account, client=call.remote or "unknown").warning("a call was not let in")
            return JSONResponse(refusal(str(error)), status_code=error.status)
        if heard.views or heard.deliveries or heard.not_understood:
            try:
                await run_in_threadpool(take, context.db, context.wakeup, hearing, call, heard, context.clock)
            except TransientError:
                metrics.hooks.labels(account, "database_away").inc()
                raise
        metrics.hooks.labels(account, "taken").inc()
        return Response(heard.answer, media_type=heard.content_type)

    return router
