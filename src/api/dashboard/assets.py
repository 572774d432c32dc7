"""Style sheet, scripts and pictures of the pages: few and small, so they are kept in memory."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

_FOLDER = Path(__file__).with_name("static")
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
}
_FILES = {
    path.relative_to(_FOLDER).as_posix(): path.read_bytes()
    for path in sorted(_FOLDER.rglob("*"))
    if path.is_file()
}
_MARKS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in _FILES.items()}


def address_of(name: str) -> str:
    """The address of a file, which changes with its content. KeyError if there is none."""
    return f"/static/{name}?v={_MARKS[name]}"


def asset_routes() -> APIRouter:
    """``/static/…``: open to everybody, since the login page needs them; nothing in them is private."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name:path}")
    async def static(name: str, request: Request) -> Response:
        content = _FILES.get(name)
        if content is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        same = request.query_params.get("v") == _MARKS[name]
        suffix = Path(name).suffix
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        caching = "public, max-age=31536000, immutable" if same else "no-cache"
        return Response(content, media_type=kind, headers={"cache-control": caching})

    return router
