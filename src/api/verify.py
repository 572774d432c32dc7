"""``POST /api/ai/verify``: does the AI take a message, and are its own calls signed rightly?"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from src.api.context import Context
from src.api.docs import REFUSALS
from src.api.limits import refusal
from src.api.which import Asked, the_account
from src.services.http_asker import verify
from src.services.signatures import diagnose, is_signed


def verify_routes(context: Context) -> APIRouter:
    router = APIRouter(prefix="/api", responses=REFUSALS)
    settings = context.settings

    @router.post(
        "/ai/verify",
        tags=["AI"],
        summary="Post a test message to the AI; or, for a call that is signed, say whether it is signed rightly",
        responses={
            401: {"description": "not let in; for a signed call, `reason` and `error` say what is wrong"},
            502: {"description": "the AI did not accept it"},
        },
    )
    async def ai_verify(request: Request, account: Asked = None) -> JSONResponse:
        """Send it as you would send an answer: same headers, any body. It stores nothing and answers nobody.

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
