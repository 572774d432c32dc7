"""Two gateways in small, Evolution API and WAHA, put together from their documentation and their users' threads.

Each has users who write, a phone on which a person answers, and a session that can be lost. ``sent`` is the referee.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.server import ThreadedServer
from sandbox.whatsapp.link import Link, picture_of_code

Way = Literal["take", "silent", "lose", "error", "absent", "lost_session"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to the next message.

    ``take``: answered, echoed and acknowledged; ``silent``: answered, and it never leaves; ``lose``: taken, no answer;
    ``error``: 500, not taken; ``absent``: the number has no WhatsApp; ``lost_session``: refused, the code is to be scanned.
    """

    way: Way = "take"
    acks: tuple[str, ...] = ("SERVER", "DEVICE")


@dataclass(slots=True)
class Said:
    """A message that left."""

    id: str
    to: str
    text: str
    at: float = field(default_factory=time.time)


class Gateway(ThreadedServer):
    """What both have. ``secret`` signs the calls of WAHA; Evolution shows its key in the body."""

    dialect: str
    working = "open"
    lost = "close"

    def __init__(
        self,
        *,
        instance: str = "house",
        key: str = "gateway-key",
        secret: str = "hmac-key",  # noqa: S107 - invented
    ) -> None:
        super().__init__()
        self.instance, self.key, self.secret = instance, key, secret
        self.state = self.working
        self.hook: str | None = None
        self.take_call: Callable[[bytes, dict[str, str]], int] | None = None
        self.sent: list[Said] = []
        self.plans: deque[Plan] = deque()
        self.default = Plan()
        self.typing: list[str] = []
        self.echoes = True
        self.link = Link(self.next_code)
        self.kept: list[dict[str, Any]] = []
        """What users wrote, as it is kept where the gateway is set up to."""
        self.keeps = True
        self._numbers = itertools.count(1)
        self._said: dict[str, list[str]] = {}
        self._outgoing: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._teller: threading.Thread | None = None

    # --- the login: lost, and got again by a code that a phone scans -------------------------------------------

    def next_code(self) -> bytes:
        return picture_of_code(f"2@{next(self._numbers)},{self.instance}")

    def lose_login(self) -> None:
        """WhatsApp has ended it; the gateway says so, and has a code to scan."""
        self.state = self.lost
        self.link.begin()

    def scan(self, code: bytes) -> bool:
        """A phone scans what is on the screen. Whether it was the code that is good now."""
        if not self.link.scan(code):
            return False
        self.state = self.working
        return True

    def restart(self) -> None:
        """Asked to open the connection again: what was only dead comes back, what was lost gets a code."""
        self.link.restarts += 1
        self.link.is_dead = False
        if self.state != self.working:
            self.state = self.lost
            self.link.begin(after_restart=True)

    # --- people ----------------------------------------------------------------------------------------------

    def next_id(self) -> str:
        return f"3EB0{next(self._numbers):016X}"

    def user_writes(self, number: str, text: str, *, at: float | None = None, tell: bool = True) -> str:
        """A user writes. Without ``tell`` the gateway says nothing of it, as while it is away, but it has it."""
        made = self.next_id()
        self._said.setdefault(number, []).append(text)
        event = self.message_event(f"{number}", made, text, ours=False, at=at)
        self.kept.append(event)
        if tell:
            self.tell(event)
        return made

    def person_answers(self, number: str, text: str) -> str:
        made = self.next_id()
        self._said.setdefault(number, []).append(text)
        self.tell(self.message_event(number, made, text, ours=True))
        return made

    def texts(self, number: str) -> list[str]:
        return list(self._said.get(number, []))

    def sent_to(self, number: str) -> list[Said]:
        return [one for one in self.sent if one.to == number]

    # --- telling ---------------------------------------------------------------------------------------------

    def tell(self, event: dict[str, Any]) -> None:
        self._outgoing.put(event)

    def all_told(self) -> bool:
        return self._outgoing.unfinished_tasks == 0

    def signed(self, event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(event).encode()
        shown = hmac.new(self.secret.encode(), body, hashlib.sha512).hexdigest()
        return body, {"x-webhook-hmac": shown, "x-webhook-hmac-algorithm": "sha512"}

    def _keep_telling(self) -> None:
        while True:
            event = self._outgoing.get()
            if event is None:
                return
            body, headers = self.signed(event)
            if self.take_call is not None:
                self.take_call(body, headers)
            elif self.hook is not None:
                httpx.post(self.hook, content=body, headers=headers, timeout=10)
            self._outgoing.task_done()

    def start(self, port: int = 0) -> Gateway:
        super().start(port)
        if self._teller is None:
            self._teller = threading.Thread(target=self._keep_telling, name="gateway", daemon=True)
            self._teller.start()
        return self

    def stop(self) -> None:
        teller, self._teller = self._teller, None
        self._outgoing.put(None)
        if teller is not None:
            teller.join(5)
        super().stop()

    # --- the server ------------------------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def message_event(
        self, number: str, made: str, text: str, *, ours: bool, at: float | None = None
    ) -> dict[str, Any]:
        raise NotImplementedError

    def ack_event(self, said: Said, ack: str) -> dict[str, Any]:
        raise NotImplementedError

    def answer(self, said: Said) -> dict[str, Any]:
        raise NotImplementedError

    def refusal(self, way: Way, number: str) -> Response:
        raise NotImplementedError

    def application(self) -> ASGIApp:
        return Starlette(routes=self.routes())

    def keyed(self, request: Request) -> bool:
        return self.key in (request.headers.get("apikey"), request.headers.get("x-api-key"))

    def take(self, request: Request, number: str, text: str) -> Response:
        plan = self.plans.popleft() if self.plans else self.default
        if self.state != self.working:
            return self.refusal("lost_session", number)
        if self.link.is_dead:
            plan = Plan("silent")
        if plan.way in ("error", "absent", "lost_session"):
            return self.refusal(plan.way, number)
        said = Said(self.next_id(), number, text)
        if plan.way != "silent":
            self.sent.append(said)
            self._said.setdefault(number, []).append(text)
            if self.echoes:
                self.tell(self.message_event(number, said.id, text, ours=True))
            for ack in plan.acks:
                self.tell(self.ack_event(said, ack))
        if plan.way == "lose":
            request.scope["state"]["transport"].abort()
        return JSONResponse(self.answer(said), status_code=201)


class Evolution(Gateway):
    """Evolution API, version 2."""

    dialect = "evolution"
    _ACKS: ClassVar = {
        "SERVER": "SERVER_ACK",
        "DEVICE": "DELIVERY_ACK",
        "READ": "READ",
        "ERROR": "ERROR",
    }

    def event(self, name: str, data: Any) -> dict[str, Any]:
        return {
            "event": name,
            "instance": self.instance,
            "data": data,
            "date_time": "2026-11-21T12:00:00.000Z",
            "server_url": self.url,
            "apikey": self.key,
        }

    def message_event(
        self, number: str, made: str, text: str, *, ours: bool, at: float | None = None
    ) -> dict[str, Any]:
        return self.upsert(number, made, {"conversation": text}, ours=ours, at=at)

    def upsert(
        self, number: str, made: str, message: dict[str, Any], *, ours: bool = False, at: float | None = None
    ) -> dict[str, Any]:
        address = number if "@" in number else f"{number}@s.whatsapp.net"
        return self.event(
            "messages.upsert",
            {
                "key": {"remoteJid": address, "fromMe": ours, "id": made},
                "pushName": "Gerda Guest",
                "message": message,
                "messageTimestamp": int(at if at is not None else time.time()),
                "source": "android",
            },
        )

    def ack_event(self, said: Said, ack: str) -> dict[str, Any]:
        address = f"{said.to}@s.whatsapp.net"
        data = {"keyId": said.id, "remoteJid": address, "fromMe": True, "status": self._ACKS[ack]}
        return self.event("messages.update", {**data, "messageId": "cm9m2q06m2"})

    def answer(self, said: Said) -> dict[str, Any]:
        key = {"remoteJid": f"{said.to}@s.whatsapp.net", "fromMe": True, "id": said.id}
        return {"key": key, "message": {"conversation": said.text}, "status": "PENDING"}

    def refusal(self, way: Way, number: str) -> Response:
        if way == "absent":
            body = {"status": 400, "response": {"message": [{"exists": False, "number": number}]}}
            return JSONResponse(body, status_code=400)
        if way == "lost_session":
            body = {"status": 400, "error": "Bad Request", "response": {"message": ["Connection Closed"]}}
            return JSONResponse(body, status_code=400)
        return JSONResponse({"status": 500, "error": "Internal Server Error"}, status_code=500)

    def routes(self) -> list[Route]:
        return [
            Route("/message/sendText/{instance}", self._send, methods=["POST"]),
            Route("/chat/sendPresence/{instance}", self._presence, methods=["POST"]),
            Route("/instance/connectionState/{instance}", self._state),
            Route("/instance/connect/{instance}", self._connect),
            Route("/chat/findMessages/{instance}", self._find, methods=["POST"]),
            Route("/instance/restart/{instance}", self._restart, methods=["POST"]),
        ]

    def _let_in(self, request: Request) -> Response | None:
        if not self.keyed(request):
            return JSONResponse({"status": 401, "error": "Unauthorized"}, status_code=401)
        if request.path_params["instance"] != self.instance:
            return JSONResponse({"status": 404, "error": "Not Found"}, status_code=404)
        return None

    async def _send(self, request: Request) -> Response:
        said = await request.json()
        return self._let_in(request) or self.take(request, said["number"], said["text"])

    async def _presence(self, request: Request) -> Response:
        self.typing.append((await request.json())["number"])
        return self._let_in(request) or JSONResponse({})

    async def _state(self, request: Request) -> Response:
        found = {"instance": {"instanceName": self.instance, "state": self.state}}
        return self._let_in(request) or JSONResponse(found)

    async def _connect(self, request: Request) -> Response:
        refused = self._let_in(request)
        if refused is not None or self.state == self.working:
            return refused or await self._state(request)
        self.state = "connecting"
        code = self.link.code
        if code is None:
            return JSONResponse({"count": 0})
        shown = f"data:image/png;base64,{base64.b64encode(code).decode()}"
        return JSONResponse({"pairingCode": None, "code": "2@invented", "base64": shown, "count": 1})

    async def _restart(self, request: Request) -> Response:
        refused = self._let_in(request)
        if refused is None and self.state == "close":
            refused = JSONResponse({"status": 400, "error": "Bad Request"}, status_code=400)
        if refused is None:
            self.restart()
            if self.state == self.lost:
                self.state = "connecting"
        return refused or JSONResponse({"instance": {"instanceName": self.instance, "state": self.state}})

    async def _find(self, request: Request) -> Response:
        asked = await request.json()
        since, until = (
            datetime.fromisoformat(asked["where"]["messageTimestamp"][one]).timestamp()
            for one in ("gte", "lte")
        )
        kept = [one["data"] for one in self.kept if since <= one["data"]["messageTimestamp"] <= until]
        size, page = asked["offset"], asked["page"]
        records = kept[::-1][(page - 1) * size : page * size] if self.keeps else []
        pages = -(-len(kept) // size)
        found = {"total": len(kept), "pages": pages, "currentPage": page, "records": records}
        return self._let_in(request) or JSONResponse({"messages": found})


class Waha(Gateway):
    """WAHA, with the engine that gives ids as one text."""

    dialect = "waha"
    working = "WORKING"
    lost = "SCAN_QR_CODE"
    _ACKS: ClassVar = {"ERROR": -1, "PENDING": 0, "SERVER": 1, "DEVICE": 2, "READ": 3}

    def event(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"id": f"evt_{self.next_id()}", "event": name, "session": self.instance, "payload": payload}

    def message_event(
        self, number: str, made: str, text: str, *, ours: bool, at: float | None = None
    ) -> dict[str, Any]:
        return self.message(number, made, ours=ours, at=at, body=text, hasMedia=False)

    def message(
        self, number: str, made: str, *, ours: bool = False, at: float | None = None, **more: Any
    ) -> dict[str, Any]:
        chat = number if "@" in number else f"{number}@c.us"
        own = "15550783881@c.us"
        payload = {
            "id": f"{'true' if ours else 'false'}_{chat}_{made}",
            "timestamp": int(at if at is not None else time.time()),
            "from": own if ours else chat,
            "to": chat if ours else own,
            "fromMe": ours,
            "_data": {"notifyName": "Gerda Guest"},
            **more,
        }
        return self.event("message.any", payload)

    def ack_event(self, said: Said, ack: str) -> dict[str, Any]:
        payload = {
            "id": f"true_{said.to}@c.us_{said.id}",
            "fromMe": True,
            "ack": self._ACKS[ack],
            "ackName": ack,
        }
        return self.event("message.ack", payload)

    def answer(self, said: Said) -> dict[str, Any]:
        return {"id": f"true_{said.to}@c.us_{said.id}", "body": said.text, "fromMe": True, "ack": 0}

    def refusal(self, way: Way, number: str) -> Response:  # noqa: ARG002
        if way == "lost_session":
            body = {
                "error": "Session status is not as expected.",
                "status": self.lost,
                "expected": ["WORKING"],
            }
            return JSONResponse(body, status_code=422)
        return JSONResponse({"error": "no"}, status_code=400 if way == "absent" else 500)

    def routes(self) -> list[Route]:
        return [
            Route("/api/sendText", self._send, methods=["POST"]),
            Route("/api/startTyping", self._start, methods=["POST"]),
            Route("/api/sessions/{session}", self._state),
            Route("/api/sessions/{session}/restart", self._restart, methods=["POST"]),
            Route("/api/{session}/auth/qr", self._code),
            Route("/api/{session}/chats/all/messages", self._messages),
        ]

    def _let_in(self, request: Request, session: str) -> Response | None:
        if not self.keyed(request):
            return JSONResponse({"message": "Unauthorized"}, status_code=401)
        return JSONResponse({}, status_code=404) if session != self.instance else None

    async def _send(self, request: Request) -> Response:
        said = await request.json()
        number = said["chatId"].removesuffix("@c.us")
        return self._let_in(request, said["session"]) or self.take(request, number, said["text"])

    async def _start(self, request: Request) -> Response:
        said = await request.json()
        self.typing.append(said["chatId"].removesuffix("@c.us"))
        return self._let_in(request, said["session"]) or JSONResponse({})

    async def _state(self, request: Request) -> Response:
        found = {"name": self.instance, "status": self.state}
        return self._let_in(request, request.path_params["session"]) or JSONResponse(found)

    async def _restart(self, request: Request) -> Response:
        refused = self._let_in(request, request.path_params["session"])
        if refused is None:
            self.restart()
        return refused or JSONResponse({"name": self.instance, "status": self.state}, status_code=201)

    async def _code(self, request: Request) -> Response:
        refused = self._let_in(request, request.path_params["session"])
        code = self.link.code if self.state == self.lost else None
        if refused is None and code is None:
            return self.refusal("lost_session", "")
        return refused or Response(code, media_type="image/png")

    async def _messages(self, request: Request) -> Response:
        refused = self._let_in(request, request.path_params["session"])
        if refused is None and not self.keeps:
            refused = JSONResponse({"message": "Enable the store."}, status_code=400)
        asked = request.query_params
        since, first, most = (int(asked[one]) for one in ("filter.timestamp.gte", "offset", "limit"))
        kept = [one["payload"] for one in self.kept if one["payload"]["timestamp"] >= since]
        return refused or JSONResponse(kept[::-1][first : first + most])
