"""The API of the page: which operation gets which answer (field guide, sections 2.1 and 2.2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.airbnb import ids
from sandbox.airbnb.content import Json
from sandbox.airbnb.frame import Frame, Refused
from sandbox.airbnb.log import Kind
from sandbox.airbnb.model import Thread
from sandbox.airbnb.sending import Sending

if TYPE_CHECKING:
    from sandbox.airbnb.site import SimulatedSite

QUERIES: dict[str, Kind] = {
    "ViaductInboxData": "list",
    "ViaductGetThreadAndDataQuery": "thread",
    "StayHostingDetailsQuery": "details",
}
MUTATIONS: dict[str, Kind] = {
    "CreateBulkMessagesMutation": "send",
    "CreateLastMessageReadViaductMutation": "mark_read",
    "CreateInstantEventViaductMutation": "typing",
    "SyncProtocolSubscription": "live",
}


class Calls:
    """Answers ``/api/v3/…``."""

    def __init__(self, site: SimulatedSite) -> None:
        self._site = site
        self.frame = Frame(site)
        self._sending = Sending(site, self.frame)

    async def query(self, request: Request) -> Response:
        """``GET /api/v3/<Operation>/<sha256>`` (field guide, section 2.1)."""
        operation = request.path_params["operation"]
        kind = QUERIES.get(operation, "other")
        try:
            variables = _query_variables(request)
            thread = (
                self._thread_of(variables.get("globalThreadId")) if kind in ("thread", "details") else None
            )
        except Refused as error:
            return self.frame.refuse(request, kind, operation, str(error))
        makers: dict[str, Callable[[bool], Json]] = {
            "list": lambda empty: self._list(variables, empty),
            "thread": lambda empty: self._one(thread, variables, empty),
            "details": lambda _: self._site.responses.stay(thread) if thread else {"data": None},
        }
        if kind not in makers:
            return self.frame.refuse(request, kind, operation, "persisted_query_not_found")
        entry = self._site.log.add(kind, "GET", request.url.path, thread.number if thread else None)
        entry.operation = operation
        return await self.frame.answer(request, entry, thread, makers[kind])

    async def mutation(self, request: Request) -> Response:
        """``POST /api/v3/<Operation>/<sha256>`` (field guide, sections 2.1 and 2.2)."""
        operation = request.path_params["operation"]
        kind = MUTATIONS.get(operation, "other")
        try:
            variables = _body_variables(await request.body())
            thread = (
                self._thread_of(variables.get("messageThreadId")) if kind not in ("live", "other") else None
            )
        except Refused as error:
            return self.frame.refuse(request, kind, operation, str(error))
        entry = self._site.log.add(kind, "POST", request.url.path, thread.number if thread else None)
        entry.operation = operation
        if kind == "other":
            return self.frame.finish(entry, JSONResponse({"error": "persisted_query_not_found"}, 400))
        if kind == "send" and thread is not None:
            return await self._sending.send(request, entry, thread, variables)

        def make(_: bool) -> Json:
            if kind == "mark_read" and thread is not None:
                self._site.inbox.mark_read(thread)
            return self._site.responses.nothing(operation[0].lower() + operation[1:])

        return await self.frame.answer(request, entry, thread, make)

    # --- what is asked for -----------------------------------------------------------------------------------

    def _list(self, variables: Json, empty: bool) -> Json:
        options = self._site.options
        return self._site.responses.thread_list(variables, options.page_size, options.list_shape, empty)

    def _one(self, thread: Thread | None, variables: Json, empty: bool) -> Json:
        if thread is None:
            return {"data": {"threadData": None}, "errors": [{"message": "thread not found"}]}
        return self._site.responses.thread(thread, variables, self._site.options.message_page_size, empty)

    def _thread_of(self, identifier: object) -> Thread | None:
        try:
            return self._site.inbox.thread(ids.number_of(str(identifier)))
        except KeyError:
            return None
        except ValueError as error:
            raise Refused(str(error)) from error


def _query_variables(request: Request) -> Json:
    """The variables of a persisted query. Raises Refused when the query is not in the known form."""
    try:
        variables = json.loads(request.query_params["variables"])
        hash_given = json.loads(request.query_params["extensions"])["persistedQuery"]["sha256Hash"]
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("persisted_query_not_found") from error
    if hash_given != request.path_params["sha256"] or not isinstance(variables, dict):
        raise Refused("persisted_query_not_found")
    return variables


def _body_variables(body: bytes) -> Json:
    try:
        variables = json.loads(body)["variables"]
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("unreadable body") from error
    if not isinstance(variables, dict):
        raise Refused("unreadable body")
    return variables
