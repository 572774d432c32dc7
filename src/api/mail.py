"""``POST /api/mail``: a confirmation from one of the host's templates."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.limits import key_of_call, read_json, refusal
from src.model.notices import Fill, Value
from src.services.notices import enqueue_notice
from src.services.refusals import Malformed


class MailBody(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    template: str = Field(description="the name of a file in the templates' folder, without .txt")
    to: str = Field(description="a plain address that your own data hold")
    data: dict[str, Value] = Field(default_factory=dict, description="what the template is filled with")
    account: str | None = Field(None, description="not needed")


def mail_routes(context: Context, account: str | None, fill: Fill | None) -> APIRouter:
    """The route; without a server to send by it says 503."""
    router = APIRouter(prefix="/api", dependencies=[Depends(context.doors.operator)], responses=REFUSALS)

    @router.post(
        "/mail",
        tags=["replies"],
        status_code=202,
        summary="Send a confirmation by mail",
        openapi_extra=described(MailBody),
    )
    async def mail(request: Request) -> JSONResponse:
        """It is stored when you get `outbox_id`, and goes out within seconds. With the same `Idempotency-Key` it is
        the same mail, however often you call.
        """
        body = await read_json(request, MailBody)
        if account is None or fill is None:
            said = refusal(
                "no mail server is configured; set SMTP_HOST and SMTP_FROM", reason="not_configured"
            )
            return JSONResponse(said, status_code=503)
        channel = context.asked[account].channel
        if not context.is_conversation_id(channel, body.to):
            raise Malformed("to", "must be one plain address, like guest@mail.example")
        key = key_of_call(request)
        put = partial(
            enqueue_notice,
            context.db,
            context.wakeup,
            account,
            fill=fill,
            template=body.template,
            to=body.to,
            data=body.data,
            key=key,
            now=context.clock(),
        )
        job = await run_in_threadpool(put)
        return JSONResponse({"success": True, "outbox_id": job.id}, status_code=202)

    return router
