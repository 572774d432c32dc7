"""Walls: what stops a visitor, and how each shows itself (field guide, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

WallKind = Literal[
    "airlock_modal",
    "airlock_page",
    "airlock_inline",
    "airlock_code",
    "captcha_arkose",
    "captcha_recaptcha",
    "captcha_geetest",
    "login_redirect",
    "logged_out_api",
    "html_instead_of_json",
    "http_420",
    "http_440",
    "http_429",
    "http_405",
    "ip_blocked",
    "access_denied",
    "suspended",
    "graphql_validation_required",
]
Step = Literal["list", "thread_open", "typing", "send", "after_send", "always"]

WALL_KINDS: tuple[str, ...] = get_args(WallKind)

SHOWN_IN_PAGE = (
    "airlock_modal",
    "airlock_inline",
    "airlock_code",
    "captcha_arkose",
    "captcha_recaptcha",
    "captcha_geetest",
)
"""Walls that the page draws over itself; the calls around them succeed, except a send."""

LOGGED_OUT = ("login_redirect", "logged_out_api", "html_instead_of_json")
"""Walls that logging in again takes away."""


@dataclass
class Wall:
    """One raised wall. ``up`` once somebody ran into it: from then on it stands at every step."""

    kind: WallKind
    at: Step
    thread: int | None = None
    sticky: bool = True
    status: int | None = None
    up: bool = False
    hits: int = 0

    def stands_at(self, step: Step | None, thread: int | None) -> bool:
        """Whether a visitor at this step meets it; notes the meeting."""
        if not self.up:
            if self.at not in (step, "always"):
                return False
            if self.thread is not None and thread != self.thread:
                return False
        self.up = self.up or self.sticky
        self.hits += 1
        return True


def in_document(wall: Wall, path: str) -> Response | None:
    """What a page load gets; None when the page itself comes and only its calls fail."""
    if wall.kind == "airlock_page":
        return RedirectResponse("/airlock?al_id=4711", 302)
    if wall.kind == "login_redirect":
        return RedirectResponse(f"/login?redirect_url={quote(path, safe='')}", 302)
    if wall.kind in ("access_denied", "http_429", "http_405", "ip_blocked"):
        return _blocked(wall, path, as_json=False)
    return None


def in_call(wall: Wall, path: str) -> Response | None:
    """What an API call gets; None when the call itself succeeds."""
    if wall.kind in SHOWN_IN_PAGE:
        return None
    if wall.kind in ("airlock_page", "http_420"):
        return JSONResponse(_airlock_body(wall), wall.status or 420)
    if wall.kind == "http_440":
        body: dict[str, object] = {
            "error": "validation_required",
            "error_message": "ValidationRequiredException",
        }
        return JSONResponse(body, wall.status or 440)
    if wall.kind in ("login_redirect", "logged_out_api"):
        body = {
            "error_code": 401,
            "error_type": "authentication_required",
            "error_message": "You must log in.",
        }
        return JSONResponse(body, wall.status or 401)
    if wall.kind == "html_instead_of_json":
        return HTMLResponse(
            "<!doctype html><html><head><title>Log In</title></head><body>Log in</body></html>"
        )
    if wall.kind == "suspended":
        return JSONResponse({"error_code": 403, "ghostingAppeal": {"redirectUri": "/appeals/4711"}}, 403)
    if wall.kind == "graphql_validation_required":
        return JSONResponse(_validation_body())
    return _blocked(wall, path, as_json=True)


def in_send(wall: Wall, path: str) -> Response:
    """What a send gets: never taken, whatever the wall looks like."""
    answer = in_call(wall, path)
    return answer or JSONResponse(_airlock_body(wall), 420)


def _blocked(wall: Wall, path: str, as_json: bool) -> Response:
    if wall.kind == "access_denied":
        return HTMLResponse(_ACCESS_DENIED.format(path=path), wall.status or 403)
    if wall.kind == "http_405":
        return HTMLResponse(_NOT_ALLOWED, 405)
    if wall.kind == "ip_blocked":
        return HTMLResponse("IP address blocked", 400)
    if as_json:
        return JSONResponse({"error_code": 429, "error_message": "Too many requests"}, 429)
    return HTMLResponse("<html><head><title>429</title></head><body>Too many requests</body></html>", 429)


def _airlock_body(wall: Wall) -> dict[str, object]:
    if wall.kind in ("airlock_modal", "airlock_page", "airlock_inline", "airlock_code"):
        airlock: dict[str, object] = {
            "airlockV2": {
                "internalAirlockId": "4711",
                "airlockConfiguration": {"webStyle": "FULLPAGE" if wall.kind == "airlock_page" else "MODAL"},
                "frictionVersions": [{"friction": "EMAIL_CODE_VERIFICATION"}],
            }
        }
    else:
        friction = "arkose_bot_detection" if wall.kind == "captcha_arkose" else "captcha"
        airlock = {
            "airlock": {
                "id": "4711",
                "flow": "captcha_flow",
                "friction_data": [{"name": friction}],
                "header_text": "Please verify yourself",
            }
        }
    message = "Unable to perform action. Please try again through the website or contact support."
    return {
        "error_code": 420,
        "error_type": "airlock",
        "error_message": message,
        "client_error_info": airlock,
    }


def _validation_body() -> dict[str, object]:
    extensions = {
        "errorClass": "ValidationRequiredException",
        "errorType": "validation_required",
        "response": {"statusCode": 440},
    }
    return {"data": None, "errors": [{"message": "validation_required", "extensions": extensions}]}


_ACCESS_DENIED = """<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY>
<H1>Access Denied</H1>
You don't have permission to access "http&#58;&#47;&#47;sandbox{path}" on this server.<P>
Reference&#32;&#35;18&#46;4711
</BODY></HTML>"""

_NOT_ALLOWED = """<html><head><title>405 Not Allowed</title></head>
<body><center><h1>405 Not Allowed</h1></center><hr><center>nginx</center></body></html>"""
