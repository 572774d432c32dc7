"""Meta's Cloud API in small: it takes messages, tells of statuses, and has users who write and a person's phone.

Its log is the referee: ``sent`` is what the users' phones show.
"""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.server import ThreadedServer
from sandbox.whatsapp import bodies

WINDOW_SEC = 24 * 3600
Way = Literal["take", "lose", "cut", "hang", "error", "garbage"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of the business that the service took."""

    wamid: str
    to: str
    kind: str
    text: str
    key: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to the next message.

    ``take``: answered with its id; ``lose``: taken, but the connection is cut before the answer; ``cut``: cut and not
    taken; ``hang``: taken, and never answered; ``error``: refused with ``status`` and ``code``; ``garbage``: taken,
    and answered with what is no JSON.
    """

    way: Way = "take"
    status: int = 400
    code: int | None = None
    details: str = "Something about it."
    retry_after: str | None = None
    statuses: tuple[str, ...] = ("sent", "delivered")
    failed_with: int | None = None


@dataclass(slots=True)
class Faults:
    """What goes wrong with what the service tells."""

    copies: int = 1
    """So many of each call, at the same instant."""
    shuffled: bool = False
    """Calls that wait go out in any order."""
    held_back: bool = False
    """Nothing is told until ``release``."""
    again_sec: float = 0.2
    """What was not answered with 200 comes again after so long."""
    dice: random.Random = field(default_factory=lambda: random.Random(4711))


class Cloud(ThreadedServer):
    """One app with one number (or more). Give ``hook`` the address that it is to call."""

    def __init__(
        self,
        *,
        phone_id: str = "106540352242922",
        app_secret: str = "s3cret-of-the-app",  # noqa: S107 - invented
        token: str = "EAAG-token",  # noqa: S107
    ) -> None:
        super().__init__()
        self.phone_id = phone_id
        self.app_secret = app_secret
        self.token = token
        self.hook: str | None = None
        self.take_call: Callable[[bytes, dict[str, str]], int] | None = None
        """In place of ``hook``: what a call is handed to in this process; returns the status."""
        self.sent: list[Sent] = []
        self.calls: list[tuple[str, str]] = []
        """Every call that came, as method and path."""
        self.typing: list[str] = []
        self.files: dict[str, bytes] = {}
        self.file_address: str | None = None
        """Where files are said to be; None: here."""
        self.file_size: int | None = None
        """How large files are said to be; None: as they are."""
        self.standing: dict[str, Any] = {
            "verified_name": "The House",
            "quality_rating": "GREEN",
            "health_status": {"can_send_message": "AVAILABLE"},
            "webhook_configuration": {"application": "https://house.example/hooks/event-wa"},
        }
        """What it says of the number."""
        self.plans: deque[Plan] = deque()
        self.default = Plan()
        self.faults = Faults()
        self.answers: Counter[int] = Counter()
        """How our calls were answered, by status; 0: not at all."""
        self._numbers = itertools.count(1)
        self._heard: dict[str, float] = {}
        self._said: dict[str, list[str]] = {}
        """Everything in a conversation, by number, oldest first."""
        self._outgoing: queue.Queue[bytes | None] = queue.Queue()
        self._teller: threading.Thread | None = None
        self._released = threading.Event()

    # --- people ----------------------------------------------------------------------------------------------

    def next_id(self) -> str:
        return f"wamid.HBgL{next(self._numbers):08}="

    def user_writes(
        self, number: str, text: str, *, name: str = "Gerda Guest", at: float | None = None, tell: bool = True
    ) -> str:
        """A user writes; returns the message's id."""
        return self.user_sends(number, "text", name=name, at=at, tell=tell, said=text, body=text)

    def user_sends(
        self,
        number: str,
        kind: str,
        *,
        name: str = "Gerda Guest",
        at: float | None = None,
        tell: bool = True,
        said: str | None = None,
        **content: Any,
    ) -> str:
        """Something of another kind."""
        wamid, then = self.next_id(), at if at is not None else time.time()
        self._heard[number] = max(self._heard.get(number, 0.0), then)
        self._said.setdefault(number, []).append(said if said is not None else f"[{kind}]")
        message = bodies.message(number, wamid, int(then), kind, **content)
        told = bodies.change(self.phone_id, contacts=[bodies.contact(number, name)], messages=[message])
        if tell:
            self.tell(bodies.webhook(told))
        return wamid

    def person_answers(self, number: str, text: str) -> str:
        """A person of the business writes on the phone."""
        wamid = self.next_id()
        self._said.setdefault(number, []).append(text)
        echo = bodies.echo(number, wamid, int(time.time()), body=text)
        self.tell(bodies.webhook(bodies.change(self.phone_id, "smb_message_echoes", message_echoes=[echo])))
        return wamid

    def texts(self, number: str) -> list[str]:
        """What the user's phone shows, oldest first."""
        return list(self._said.get(number, []))

    def sent_to(self, number: str) -> list[Sent]:
        return [one for one in self.sent if one.to == number]

    # --- telling ---------------------------------------------------------------------------------------------

    def tell(self, body: dict[str, Any]) -> None:
        """Call the webhook with it, from another thread, again and again until it is taken."""
        self._outgoing.put(bodies.encoded(body))

    def tell_status(self, sent: Sent, standing: str, code: int | None = None) -> None:
        said = bodies.status(sent.wamid, standing, sent.to, int(time.time()), sent.key, code)
        self.tell(bodies.webhook(bodies.change(self.phone_id, statuses=[said])))

    def release(self) -> None:
        """What was held back goes out."""
        self.faults.held_back = False
        self._released.set()

    def all_told(self) -> bool:
        return self._outgoing.unfinished_tasks == 0

    def _keep_telling(self) -> None:
        waiting: list[bytes] = []
        while True:
            found = self._outgoing.get()
            if found is None:
                return
            waiting.append(found)
            while self.faults.held_back:
                self._released.wait(0.05)
            while not self._outgoing.empty() and self.faults.shuffled:
                more = self._outgoing.get()
                if more is None:
                    return
                waiting.append(more)
            if self.faults.shuffled:
                self.faults.dice.shuffle(waiting)
            for one in waiting:
                self._tell_one(one)
                self._outgoing.task_done()
            waiting.clear()

    def _tell_one(self, body: bytes) -> None:
        threads = [
            threading.Thread(target=self._call_until_taken, args=(body,)) for _ in range(self.faults.copies)
        ]
        for thread in threads[1:]:
            thread.start()
        self._call_until_taken(body)
        for thread in threads[1:]:
            thread.join()

    def _call_until_taken(self, body: bytes) -> None:
        while self._teller is not None:
            answer = self._call(body)
            self.answers[answer] += 1
            if 200 <= answer < 300 or 400 <= answer < 500:
                return
            time.sleep(self.faults.again_sec)

    def _call(self, body: bytes) -> int:
        headers = bodies.signed(body, self.app_secret)
        try:
            if self.take_call is not None:
                return self.take_call(body, headers)
            if self.hook is None:
                return 200
            return httpx.post(self.hook, content=body, headers=headers, timeout=10).status_code
        except httpx.HTTPError:
            return 0

    # --- the server ------------------------------------------------------------------------------------------

    def start(self, port: int = 0) -> Cloud:
        super().start(port)
        if self._teller is None:
            self._teller = threading.Thread(target=self._keep_telling, name="whatsapp", daemon=True)
            self._teller.start()
        return self

    def stop(self) -> None:
        teller, self._teller = self._teller, None
        self._outgoing.put(None)
        self.release()
        if teller is not None:
            teller.join(5)
        super().stop()

    def stop_serving(self) -> None:
        """The service is away; it goes on telling what it has."""
        super().stop()

    def application(self) -> ASGIApp:
        return Starlette(
            routes=[
                Route("/files/{name}", self._file),
                Route("/{version}/{phone_id}/messages", self._take, methods=["POST"]),
                Route("/{version}/{name}", self._look),
            ]
        )

    def _refused(self, request: Request) -> Response | None:
        self.calls.append((request.method, request.url.path))
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse(bodies.error(190, "The token has expired."), status_code=401)
        return None

    async def _take(self, request: Request) -> Response:
        refused = self._refused(request)
        said = await request.json()
        if refused is not None:
            return refused
        if said.get("status") == "read":
            self.typing.append(said["message_id"])
            return JSONResponse({"success": True})
        plan = self.plans.popleft() if self.plans else self.default
        if plan.way == "error":
            headers = {"retry-after": plan.retry_after} if plan.retry_after else {}
            body = bodies.error(plan.code, plan.details) if plan.code is not None else {}
            return JSONResponse(body, status_code=plan.status, headers=headers)
        if plan.way == "cut":
            return self._cut(request)
        to = said.get("to") or said.get("recipient")
        if said["type"] == "text" and time.time() - self._heard.get(to, 0.0) > WINDOW_SEC:
            return JSONResponse(bodies.error(131047, "More than 24 hours have passed."), status_code=400)
        sent = self._taken(said, to)
        for standing in plan.statuses if plan.failed_with is None else ("failed",):
            self.tell_status(sent, standing, plan.failed_with)
        if plan.way == "lose":
            return self._cut(request)
        if plan.way == "hang":
            await self.closing()
        if plan.way == "garbage":
            return Response("<html>fine</html>", media_type="text/html")
        found = {"messaging_product": "whatsapp", "contacts": [{"input": to, "wa_id": to}]}
        return JSONResponse({**found, "messages": [{"id": sent.wamid}]})

    def _taken(self, said: dict[str, Any], to: str) -> Sent:
        text = said["text"]["body"] if said["type"] == "text" else f"[{said['template']['name']}]"
        key = said.get("biz_opaque_callback_data")
        sent = Sent(self.next_id(), to, said["type"], text, key, time.time())
        self.sent.append(sent)
        self._said.setdefault(to, []).append(text)
        return sent

    @staticmethod
    def _cut(request: Request) -> Response:
        request.scope["state"]["transport"].abort()
        return Response(status_code=500)

    async def _look(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        name = request.path_params["name"]
        if name == self.phone_id:
            return JSONResponse({"id": name, **self.standing})
        if name not in self.files:
            return JSONResponse(bodies.error(100, "There is no such media."), status_code=400)
        size = len(self.files[name]) if self.file_size is None else self.file_size
        url = self.file_address or f"{self.url}/files/{name}"
        return JSONResponse({"id": name, "url": url, "mime_type": "audio/ogg", "file_size": size})

    async def _file(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        found = self.files.get(request.path_params["name"])
        return Response(found, media_type="audio/ogg") if found is not None else Response(status_code=404)
