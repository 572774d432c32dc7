"""``/widget.js``: the one file that a site's page loads. Open to everybody; nothing in it is private."""

from __future__ import annotations

import gzip
import hashlib

from fastapi import APIRouter, Request
from starlette.responses import Response

from src.channels.widget import SCRIPT

ADDRESS = "/widget.js"
_KEPT_SEC = 300
"""How long a browser keeps it: so long may a page show an old one after an update."""


def script_routes() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    plain = SCRIPT.read_bytes()
    small = gzip.compress(plain, 9, mtime=0)
    mark = f'"{hashlib.sha256(plain).hexdigest()[:16]}"'

    @router.get(ADDRESS)
    async def script(request: Request) -> Response:
        headers = {
            "cache-control": f"public, max-age={_KEPT_SEC}",
            "etag": mark,
            "vary": "Accept-Encoding",
            # Any page may load it: whether it may talk to us is another question (origins.py).
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
        }
        if mark in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            # Compressed here: what others' pages ask for is sent as it is by the rest (api/compression.py).
            return Response(
                small, media_type="text/javascript", headers={**headers, "content-encoding": "gzip"}
            )
        return Response(plain, media_type="text/javascript", headers=headers)

    return router
