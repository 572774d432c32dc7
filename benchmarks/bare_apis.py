"""The callback API's bare equivalents: ``bare_apis.py <kind> <database> <port>``.

``starlette`` and ``fastapi`` echo. ``plain`` and ``core`` are FastAPI with the INSERT of a reply into the
product's own table, committed with ``synchronous=FULL``, and nothing else: no token, no look at the request, the
mode or the conversation. ``plain`` writes with ``sqlite3``, ``core`` with SQLAlchemy Core.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import sys
import threading
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import insert
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from src.db.engine import Database
from src.db.statements import OUTBOX

_COLUMNS = (
    "id, account, conversation_id, request_id, status, text, idempotency_key, due_at, attempts, arm_count,"
    " created_at"
)
_INSERT = (
    f"INSERT INTO queue_outbox ({_COLUMNS}) VALUES (?, 'default', 'home', NULL, 'pending', ?, ?, ?, 0, 0, ?)"
)


class Body(BaseModel):
    conversation_id: str
    message: str


def starlette() -> Any:
    async def echo(request: Request) -> JSONResponse:
        body = await request.json()
        return JSONResponse({"success": True, "thread_id": body["conversation_id"]})

    return Starlette(routes=[Route("/api/ai/webhook-simple", echo, methods=["POST"])])


def fastapi() -> Any:
    app = FastAPI()

    @app.post("/api/ai/webhook-simple")
    async def echo(body: Body) -> dict[str, Any]:
        return {"success": True, "thread_id": body.conversation_id}

    return app


def plain(path: str) -> Any:
    app, own = FastAPI(), threading.local()

    def connection() -> sqlite3.Connection:
        if not hasattr(own, "made"):
            own.made = sqlite3.connect(path, timeout=30, isolation_level=None)
            own.made.execute("PRAGMA journal_mode=WAL")
            own.made.execute("PRAGMA synchronous=FULL")
            own.made.execute("PRAGMA foreign_keys=ON")
        made: sqlite3.Connection = own.made
        return made

    @app.post("/api/ai/webhook-simple")
    def take(body: Body) -> dict[str, Any]:
        job, now = str(uuid4()), datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        connection().execute(_INSERT, (job, body.message, job, now, now))
        return {"success": True, "outbox_id": job, "thread_id": body.conversation_id}

    return app


def core(path: str) -> Any:
    app, db = FastAPI(), Database.open(f"sqlite:///{path}")
    statement = insert(OUTBOX)

    @app.post("/api/ai/webhook-simple")
    def take(body: Body) -> dict[str, Any]:
        job, now = str(uuid4()), datetime.now(UTC)
        row = {"id": job, "account": "default", "conversation_id": "home", "text": body.message}
        row |= {"idempotency_key": job, "status": "pending"}
        with db.write() as conn:
            conn.execute(statement, row | {"due_at": now, "created_at": now, "attempts": 0, "arm_count": 0})
        return {"success": True, "outbox_id": job, "thread_id": body.conversation_id}

    return app


def main() -> None:
    """Serve until killed, with the same server settings as the product's API."""
    kind, path, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    kinds = {"starlette": starlette, "fastapi": fastapi}
    app = kinds[kind]() if kind in kinds else {"plain": plain, "core": core}[kind](path)
    sock = socket.create_server(("127.0.0.1", port), backlog=512)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="off")
    asyncio.run(uvicorn.Server(config).serve(sockets=[sock]))


if __name__ == "__main__":
    main()
