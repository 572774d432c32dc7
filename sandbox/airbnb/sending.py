"""Taking what the host sends, or not (field guide, section 2.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.airbnb import walls
from sandbox.airbnb.content import Json
from sandbox.airbnb.faults import Fault
from sandbox.airbnb.frame import CutOff, Frame, Refused
from sandbox.airbnb.log import Entry
from sandbox.airbnb.model import Message, Thread

if TYPE_CHECKING:
    from sandbox.airbnb.site import SimulatedSite


class Sending:
    """Answers the send mutation."""

    def __init__(self, site: SimulatedSite, frame: Frame) -> None:
        self._site = site
        self._frame = frame
        self._late: set[asyncio.Task[None]] = set()

    async def send(self, request: Request, entry: Entry, thread: Thread, variables: Json) -> Response:
        try:
            entry.text, entry.uuid = _outgoing(variables)
        except Refused as error:
            return self._frame.finish(entry, JSONResponse({"error": str(error)}, 400))
        entry.accepted = False
        refusal = await self._frame.before(request, entry)
        if refusal is not None:
            return refusal
        await self._frame.tell_hooks("before_send", thread)
        wall = self._site.faults.wall_at("send", thread.number)
        if wall is not None:
            entry.wall = wall.kind
            return self._frame.finish(
                entry, walls.in_send(wall, request.url.path), self._frame.show(wall, thread)
            )
        accept = self._acceptance(entry, thread)
        for fault in self._site.faults.strike("send", thread.number):
            entry.fault = fault.name
            response = await self._spoil_send(fault, entry, accept)
            if response is not None:
                return self._frame.finish(entry, response)
            if fault.name == "alter_text":
                accept = self._acceptance(entry, thread, fault.facts["change"])
            elif fault.name == "other_uuid":
                entry.uuid = str(uuid4())
        message = accept()
        await self._frame.tell_hooks("after_send", thread)
        wall = self._site.faults.wall_at("after_send", thread.number)
        answer = self._site.responses.sent([message], self._site.options.send_response)
        return self._frame.finish(
            entry, JSONResponse(answer), self._frame.show(wall, thread) if wall else None
        )

    def _acceptance(
        self, entry: Entry, thread: Thread, change: Callable[[str], str] = lambda text: text
    ) -> Callable[[], Message]:
        """A function that takes the message, once: the client's uuid makes a repeated request harmless."""

        def accept() -> Message:
            with self._site.inbox.lock:
                for message in thread.messages:
                    if message.uuid == entry.uuid:
                        return message
                viewer, text = self._site.inbox.viewer, change(entry.text or "")
                message = self._site.inbox.write(thread, viewer, text, uuid=entry.uuid, sent_in=entry.seq)
            self._site.log.accept(entry)
            return message

        return accept

    async def _spoil_send(self, fault: Fault, entry: Entry, accept: Callable[[], Message]) -> Response | None:
        if fault.facts.get("accept"):
            accept()
        if fault.name == "accept_then_drop":
            accept()
            return CutOff(bool(fault.facts.get("reset")))
        if fault.name == "vanish":
            return JSONResponse(self._site.responses.sent([], "full"))
        if fault.name == "sending_for_ever":
            self._site.faults.page.setdefault("stuck", []).append(entry.uuid)
            accept()
            await self._site.closing()
            return CutOff()
        if fault.name == "accept_late":
            seconds = float(fault.facts["seconds"])
            if fault.facts.get("drop"):
                self._later(seconds, accept)
                return CutOff()
            await asyncio.sleep(seconds)
            return None
        return await self._frame.spoil(fault, lambda _: {"data": None})

    def _later(self, seconds: float, accept: Callable[[], Message]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            accept()

        task = asyncio.create_task(wait())
        self._late.add(task)
        task.add_done_callback(self._late.discard)


def _outgoing(variables: Json) -> tuple[str, str]:
    """Text and uuid of the one message in a send (field guide, section 2.3)."""
    try:
        message = variables["messages"][0]
        return str(message["content"]["textContent"]["body"]), str(message["uniqueIdentifier"])
    except (KeyError, IndexError, TypeError) as error:
        raise Refused("no text in the send") from error
