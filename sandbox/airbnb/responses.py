"""The JSON answers of the inbox's three operations (field guide, sections 2.3, 2.5 and 2.6)."""

from __future__ import annotations

import bisect
from typing import Any, Literal

from sandbox.airbnb import ids
from sandbox.airbnb.content import Json
from sandbox.airbnb.inbox import Inbox
from sandbox.airbnb.labels import Labels
from sandbox.airbnb.message_nodes import message_node
from sandbox.airbnb.model import Message, Thread
from sandbox.airbnb.thread_nodes import segment, thread_node

TRACE = "c2FuZGJveC10cmFjZS1pZA=="

SendResponse = Literal["full", "ids", "empty"]


def _wrap(data: Json) -> Json:
    return {"data": data, "extensions": {"traceId": TRACE}}


class Responses:
    """Makes answers from the inbox's present state."""

    def __init__(self, inbox: Inbox, labels: Labels, has_older_as_bool: bool = False) -> None:
        self._inbox = inbox
        self._labels = labels
        self._as_bool = has_older_as_bool

    # --- the list --------------------------------------------------------------------------------------------

    def thread_list(
        self, variables: Json, page_size: int, shape: Literal["inboxItems", "threads"], empty: bool = False
    ) -> Json:
        """``ViaductInboxData``. Raises ValueError for a cursor that is not ours."""
        with self._inbox.lock:
            threads = [] if empty else self._inbox.threads
            start = ids.rank_in(variables["beforeCursor"]) if variables.get("beforeCursor") else 0
            size = min(int(variables.get("numRequestedThreads") or page_size), page_size)
            important = [thread for thread in threads if thread.priority]
            wanted = int(variables.get("numPriorityThreads") or 2)
            items = self._connection(threads, start, size, empty)
            inbox: Json = {
                "__typename": "MessagingInbox",
                "id": ids.global_id("MessagingInbox", self._inbox.viewer.account_id),
            }
            if shape == "threads":
                inbox["threads"] = items
            else:
                inbox["priorityItems"] = self._connection(important, 0, wanted, empty)
                inbox["inboxItems"] = items
            viewer = ids.global_id("Viewer", self._inbox.viewer.account_id)
        return _wrap({"node": {"__typename": "Viewer", "id": viewer, "messagingInbox": inbox}})

    def _connection(self, threads: list[Thread], start: int, size: int, loading: bool) -> Json:
        page = threads[start : start + size]
        newest = page[0].activity_ms if page else 0
        oldest = page[-1].activity_ms if page else 0
        updated = max((thread.updated_at_ms for thread in page), default=0)
        rank = start + len(page)
        return {
            "__typename": "MessagingInboxToMessageThreadsConnection",
            "edges": [
                {
                    "__typename": "MessagingInboxToMessageThreadEdge",
                    "node": thread_node(thread, self._last_only(thread), self._labels),
                }
                for thread in page
            ],
            "pageInfo": {
                "__typename": "InboxPageInfo",
                "footer": None,
                "startCursor": ids.list_cursor("FORWARDS", newest, oldest, updated, rank),
                "endCursor": ids.list_cursor("BACKWARDS", newest, oldest, updated, rank),
                "hasNextPage": rank < len(threads),
                "hasPreviousPage": start > 0,
                "initialLoad": loading,
            },
        }

    def _last_only(self, thread: Thread) -> Json:
        older = len(thread.messages) > 1
        return segment(thread.messages[-1:], self._labels, older, newer=False, as_bool=self._as_bool)

    # --- one thread ------------------------------------------------------------------------------------------

    def thread(self, thread: Thread, variables: Json, page_size: int, empty: bool = False) -> Json:
        """``ViaductGetThreadAndDataQuery``; ``empty`` is the unfilled first answer that was seen (section 2.6).

        Raises ValueError for a cursor that is not ours.
        """
        with self._inbox.lock:
            messages = thread.messages
            end = len(messages)
            if variables.get("earliestCursor"):
                end = self._position(messages, ids.message_number_in(str(variables["earliestCursor"])))
            size = min(int(variables.get("numRequestedMessages") or page_size), page_size)
            start = max(0, end - size)
            page = [] if empty else messages[start:end]
            part = segment(
                page, self._labels, older=start > 0, newer=end < len(messages), as_bool=self._as_bool
            )
            return _wrap({"threadData": thread_node(thread, part, self._labels)})

    @staticmethod
    def _position(messages: list[Message], number: int) -> int:
        for index, message in enumerate(messages):
            if message.number == number:
                return index
        return bisect.bisect_left([message.number for message in messages], number)

    # --- sending ---------------------------------------------------------------------------------------------

    def sent(self, messages: list[Message], style: SendResponse) -> Json:
        """``CreateBulkMessagesMutation``. Its answer was never captured: three plausible forms."""
        if style == "empty":
            return _wrap({})
        nodes: list[Any] = [
            message_node(message, self._labels)
            if style == "full"
            else {"__typename": "Message", "id": message.id, "uuid": message.uuid}
            for message in messages
        ]
        result = {"__typename": "CreateBulkMessagesResponse", "messages": nodes}
        return _wrap({"createBulkMessages": result})

    def stay(self, thread: Thread) -> Json:
        """``StayHostingDetailsQuery``: what the reservation panel shows. Its real shape is unknown."""
        stay = thread.stay
        details = {
            "__typename": "StayHostingDetails",
            "listingId": stay.listing_id,
            "listingName": stay.listing_name if stay.listing_id else None,
            "guestName": thread.others[0].name if thread.others else None,
            "guests": stay.guests,
            "dates": self._labels.dates(stay.check_in, stay.check_out),
            "confirmationCode": stay.code,
            "status": self._labels.status(stay.status),
        }
        return _wrap({"stayHostingDetails": details if stay.listing_id else None})

    def nothing(self, operation: str) -> Json:
        """The answer of a mutation whose result nobody reads."""
        return _wrap(
            {operation: {"__typename": f"{operation[0].upper()}{operation[1:]}Response", "success": True}}
        )
