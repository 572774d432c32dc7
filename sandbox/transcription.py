"""A transcription service in small, as OpenAI's API reference describes it: a file comes in, a text goes out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.server import ThreadedServer

PATH = "/v1/audio/transcriptions"


@dataclass(frozen=True, slots=True)
class Said:
    """What it answers: a text, an error with its status, nothing at all, or what is no JSON."""

    text: str = "Is there a parking place?"
    way: Literal["text", "error", "hang", "garbage", "cut"] = "text"
    status: int = 500


class Transcription(ThreadedServer):
    """``heard`` is what reached it: model, file name, media type, size and key of each call."""

    def __init__(self, default: Said | None = None) -> None:
        super().__init__()
        self.default = default or Said()
        self.script: deque[Said] = deque()
        self.heard: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f"{self.url}{PATH}"

    def application(self) -> ASGIApp:
        return Starlette(routes=[Route(PATH, self._transcribe, methods=["POST"])])

    async def _transcribe(self, request: Request) -> Response:
        async with request.form() as form:
            file = form["file"]
            assert isinstance(file, UploadFile)  # noqa: S101 - else the call is no upload
            self.heard.append(
                {
                    "model": form["model"],
                    "name": file.filename,
                    "type": file.content_type,
                    "size": len(await file.read()),
                    "key": request.headers.get("authorization"),
                }
            )
        said = self.script.popleft() if self.script else self.default
        if said.way == "hang":
            await self.closing()
        if said.way == "cut":
            request.scope["state"]["transport"].abort()
        if said.way == "garbage":
            return Response("fine", media_type="text/plain")
        if said.way == "error":
            return JSONResponse({"error": {"message": "no"}}, status_code=said.status)
        return JSONResponse({"text": said.text})
