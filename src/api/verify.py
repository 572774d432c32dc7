"""``POST /api/ai/verify``: does the AI take a message, and are its own calls signed rightly?"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from src.api.context import Context
from src.api.docs import REFUSALS
from src.api.limits import refusal
from src.api.which import Asked, the_account
from src.assistant_settings import AssistantSettings
from src.services.http_asker import verify
from src.services.signatures import diagnose, is_signed


def verify_routes(context: Context, assistant: AssistantSettings) -> APIRouter:
    router = APIRouter(prefix="/api", responses=REFUSALS)
    settings = context.settings

    @router.post(
        "/ai/verify",
        tags=["AI"],
        summary="Post a test message to the AI; or, for a call that is signed, say whether it is signed rightly",
        responses={
            401: {"description": "not let in; for a signed call, `reason` and `error` say what is wrong"},
            502: {"description": "the AI did not accept it, or the assistant's model does not answer"},
        },
    )
    async def ai_verify(request: Request, account: Asked = None) -> JSONResponse:
        """Send it as you would send an answer: same headers, any body. It stores nothing and answers nobody.

        With the built-in assistant its model is asked for one word.

        A signed call needs no other door: what it learns is whether it holds the secret, as at the callback.
        """
        if is_signed(request.headers):
            secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
            found = diagnose(secret, request.headers, await request.body(), context.clock())
            if found.ok:
                return JSONResponse({"success": True, "signature": "valid"})
            return JSONResponse(refusal(found.advice, reason=found.reason), status_code=401)
        await context.doors.operator(request)
        whose = the_account(context, account)
        if whose.ai == "assistant":
            return await _try_assistant(assistant)
        tried = await verify(
            context.db,
            whose,
            callback_base_url=settings.callback_base_url,
            secret=settings.webhook_secret,
            now=context.clock(),
        )
        told = {"outcome": tried.outcome, "status_code": tried.status, "duration_ms": tried.duration_ms}
        if tried.ok:
            return JSONResponse({"success": True, **told})
        return JSONResponse(refusal("the AI did not accept the test message", **told), status_code=502)

    return router


async def _try_assistant(settings: AssistantSettings) -> JSONResponse:
    """The built-in assistant takes every message; whether it can answer depends on its model."""
    from src.assistant.probe import probe_model  # noqa: PLC0415 - loaded only where a model is configured

    probed = await probe_model(settings)
    told = {
        "ai": "assistant",
        "model": probed.model,
        "outcome": str(probed.failure or "answers"),
        "status_code": None,
        "duration_ms": probed.duration_ms,
    }
    if probed.failure is None:
        return JSONResponse({"success": True, **told})
    detail = f" ({probed.detail})" if probed.detail else ""
    words = f"the built-in assistant's model does not answer: {probed.failure}{detail}"
    return JSONResponse(refusal(words, **told), status_code=502)
