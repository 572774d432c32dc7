"""A number on WhatsApp in memory: the sandbox's services, asked and telling without a socket."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.whatsapp import bodies
from sandbox.whatsapp.cloud import Cloud
from sandbox.whatsapp.cloud import Plan as CloudPlan
from sandbox.whatsapp.gateways import Evolution, Gateway, Waha
from sandbox.whatsapp.gateways import Plan as GatewayPlan
from src.channels.base import Place
from src.channels.whatsapp import build
from src.channels.whatsapp.channel import WhatsappChannel
from src.channels.whatsapp.settings import WhatsappSettings
from src.db.engine import Database
from src.model.hearing import Incoming
from src.model.inbox import AuthorRole, MessageKind
from src.services.hearing import Hearing, take
from tests.faults.remotes.remote import Call, RemoteHouse, RemoteSite
from tests.support.house import ACCOUNT
from tests.support.site import FakeConversation, FakeMessage

ADDRESS = "http://127.0.0.1:9"
"""Nobody listens there, and nobody is asked: calls end in this process."""


class _Cut(Exception):
    """The service has closed the connection without an answer."""


class _Line(httpx.AsyncBaseTransport):
    """The channel's calls, handed to the service's own application."""

    def __init__(self, site: WhatsappSite) -> None:
        self._site = site
        self._inner = httpx.ASGITransport(self._app(site.service.application()))

    @staticmethod
    def _app(service: ASGIApp) -> ASGIApp:
        class Transport:
            def abort(self) -> None:
                raise _Cut

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await service({**scope, "state": {"transport": Transport()}}, receive, send)

        return app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._site.service.default = self._site.acceptance
        try:
            return await self._inner.handle_async_request(request)
        except _Cut:
            raise httpx.ReadError("The connection was closed.") from None
        finally:
            self._site.note()


class WhatsappSite(RemoteSite):
    """What the people's phones show."""

    service: Any
    own: ClassVar[dict[str, Any]]

    def __init__(self, house: RemoteHouse) -> None:
        super().__init__(house)
        self.service = self._made_service()
        self.service.tell = self._told
        self._noted = 0

    def _made_service(self) -> Cloud | Gateway:
        raise NotImplementedError

    def signed(self, said: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        raise NotImplementedError

    def proven_by(self, said: dict[str, Any]) -> list[str]:
        """Of which of our messages a call tells that they are there."""
        raise NotImplementedError

    def settings(self) -> WhatsappSettings:
        return WhatsappSettings(base_url=ADDRESS, proof_sec=0.0, **self.own)

    def make_channel(self, place: Place) -> WhatsappChannel:
        made = build(self.settings(), place)
        made.find_sec = 0.0
        made._client = httpx.AsyncClient(transport=_Line(self))
        return made

    def name_of(self, number: int) -> str:
        return f"3361234560{number}"

    def say(self, where: FakeConversation, message: FakeMessage) -> str | None:
        number, text = where.external_id, message.text or ""
        if message.kind is MessageKind.MEDIA:
            return self.photo_of(number, message)
        if message.role is AuthorRole.HOST:
            return str(self.service.person_answers(number, text))
        return str(self.service.user_writes(number, text, at=message.sent_at.timestamp()))

    def photo_of(self, number: str, message: FakeMessage) -> str:
        raise NotImplementedError

    def _told(self, said: dict[str, Any]) -> None:
        self.note()
        self.calls.append(Call(self.signed(said), tuple(self.proven_by(said))))
        if self.house.channel.calls[-1:] == ["press_send"]:  # in the middle of it: statuses need not wait
            self.told_soon(self.calls[-1:])

    def note(self) -> None:
        """What the service has taken is a press."""
        for one in self.service.sent[self._noted :]:
            self._noted += 1
            self.pressed(one.to, one.text, getattr(one, "wamid", None) or one.id)
            if not self.is_delivered(one):  # nobody's phone shows it: no press, as after a refusal
                self.presses.pop()

    def is_delivered(self, one: Any) -> bool:
        return True

    def take_call(self, call: Call, db: Database) -> None:
        body, headers = call.content
        house = self.house
        place = Place(account=ACCOUNT, session_dir=house.folder, evidence_dir=house.folder)
        door = build(self.settings(), place)
        lower = {name.lower(): value for name, value in headers.items()}
        incoming = Incoming("POST", "/hooks/default", {}, lower, body, "127.0.0.1")
        heard = door.hear(incoming)
        assert heard.mine, body
        assert not heard.not_understood, body
        hearing = Hearing(ACCOUNT, door, house.rules, house.folder)
        take(db, house.wakeup, hearing, incoming, heard, house.clock)


class CloudSite(WhatsappSite):
    """Meta's Cloud API."""

    own: ClassVar = {
        "phone_id": "106540352242922",
        "token": SecretStr("EAAG-token"),
        "app_secret": SecretStr("s3cret-of-the-app"),
        "verify_token": SecretStr("a-word-of-our-own"),
    }

    def __init__(self, house: RemoteHouse) -> None:
        super().__init__(house)
        self.happenings = (*["guest"] * 6, "host", "edit", "unsend", "photo", "new")
        self.ways = (
            *[CloudPlan()] * 4,
            CloudPlan(statuses=("delivered", "sent")),
            CloudPlan(statuses=()),
            *[CloudPlan("lose", statuses=("sent",))] * 3,
            CloudPlan("lose", statuses=("read", "sent", "delivered")),
            CloudPlan("lose", statuses=()),
            CloudPlan("garbage"),
            CloudPlan("cut"),
            CloudPlan("error", status=503),
            CloudPlan("error", code=131056),
            CloudPlan("error", status=429, code=130429, retry_after="30"),
            CloudPlan("error", code=131026),
            CloudPlan("error", code=131047),
            CloudPlan("error", status=401, code=190),
            CloudPlan(failed_with=131026),
            CloudPlan(failed_with=131047),
            CloudPlan(statuses=("sent", "failed")),
        )

    def _made_service(self) -> Cloud:
        return Cloud()

    def signed(self, said: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        body = bodies.encoded(said)
        return body, bodies.signed(body, self.service.app_secret)

    def proven_by(self, said: dict[str, Any]) -> list[str]:
        statuses = [
            status
            for entry in said["entry"]
            for change in entry["changes"]
            for status in change["value"].get("statuses", [])
        ]
        return [one["id"] for one in statuses if one["status"] != "failed"]

    def is_delivered(self, one: Any) -> bool:
        return self.acceptance.failed_with is None and "failed" not in self.acceptance.statuses

    def photo_of(self, number: str, message: FakeMessage) -> str:
        made: str = self.service.user_sends(number, "image", at=message.sent_at.timestamp(), id="media-1")
        return made

    def edit(self, message: FakeMessage, text: str) -> None:
        super().edit(message, text)
        changed = {"type": "text", "text": {"body": text}}
        self._change(message, "edit", {"message": changed})

    def unsend(self, message: FakeMessage) -> None:
        super().unsend(message)
        self._change(message, "revoke", {})

    def _change(self, message: FakeMessage, kind: str, said: dict[str, Any]) -> None:
        number = next(n for n, where in self.conversations.items() if message in where.messages)
        at = (message.edited_at or self._clock()).timestamp()
        body = bodies.message(
            number, self.service.next_id(), int(at), kind, original_message_id=message.external_id, **said
        )
        before = len(self.calls)
        self.service.tell(bodies.webhook(bodies.change(self.service.phone_id, messages=[body])))
        self.told_soon(self.calls[before:])


class GatewaySite(WhatsappSite):
    """What both gateways have."""

    def __init__(self, house: RemoteHouse) -> None:
        super().__init__(house)
        self.happenings = (*["guest"] * 6, "host", "new")
        self.ways = (
            *[GatewayPlan()] * 4,
            GatewayPlan(acks=("DEVICE", "SERVER")),
            GatewayPlan(acks=()),
            *[GatewayPlan("lose")] * 3,
            GatewayPlan("lose", acks=()),
            GatewayPlan("error"),
            GatewayPlan("absent"),
            GatewayPlan("lost_session"),
        )

    def signed(self, said: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        found: tuple[bytes, dict[str, str]] = self.service.signed(said)
        return found

    def proven_by(self, said: dict[str, Any]) -> list[str]:
        text = json.dumps(said)
        return [
            one.external_id
            for where in self.conversations.values()
            for one in where.messages
            if one.pressed and one.external_id in text
        ]


class EvolutionSite(GatewaySite):
    """Evolution API."""

    own: ClassVar = {
        "mode": "evolution",
        "instance": "house",
        "api_key": SecretStr("gateway-key"),
    }

    def _made_service(self) -> Gateway:
        return Evolution()


class WahaSite(GatewaySite):
    """WAHA."""

    own: ClassVar = {
        "mode": "waha",
        "instance": "house",
        "api_key": SecretStr("gateway-key"),
        "app_secret": SecretStr("hmac-key"),
    }

    def _made_service(self) -> Gateway:
        return Waha()
