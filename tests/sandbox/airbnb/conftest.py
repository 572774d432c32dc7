"""A simulated site for each test, and one way to ask it something without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sandbox.airbnb.pages import HASHES, PUBLIC_KEY
from sandbox.airbnb.site import SimulatedSite

MakeSite = Callable[..., SimulatedSite]


@pytest.fixture
def make_site() -> Iterator[MakeSite]:
    """Starts sites with any options and stops them at the end."""
    started: list[SimulatedSite] = []

    def start(**options: Any) -> SimulatedSite:
        site = SimulatedSite(**options)
        started.append(site)
        return site.start()

    yield start
    for site in started:
        site.stop()


@pytest.fixture(scope="session")
def shared_site() -> Iterator[SimulatedSite]:
    with SimulatedSite() as site:
        yield site


@pytest.fixture
def site(shared_site: SimulatedSite) -> Iterator[SimulatedSite]:
    """The one site that all tests without special options share, as new."""
    yield shared_site
    if shared_site.loop is None:
        shared_site.start()
    shared_site.reset()


class Wire:
    """Calls the site's API as its page does."""

    def __init__(self, site: SimulatedSite) -> None:
        self.client = httpx.Client(
            base_url=site.url,
            headers={"X-Airbnb-API-Key": PUBLIC_KEY},
            timeout=5,
            trust_env=False,
            verify=False,
        )

    def query(self, operation: str, variables: dict[str, Any]) -> httpx.Response:
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": HASHES[operation]}}
        parameters = {
            "operationName": operation,
            "locale": "en",
            "currency": "EUR",
            "variables": json.dumps(variables),
            "extensions": json.dumps(extensions),
        }
        return self.client.get(f"/api/v3/{operation}/{HASHES[operation]}", params=parameters)

    def mutate(self, operation: str, variables: dict[str, Any]) -> httpx.Response:
        body = {"operationName": operation, "variables": variables, "extensions": {}}
        return self.client.post(f"/api/v3/{operation}/{HASHES[operation]}", json=body)

    def list(self, **variables: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.query("ViaductInboxData", variables).json()
        return answer

    def thread(self, identifier: str, **variables: Any) -> dict[str, Any]:
        variables["globalThreadId"] = identifier
        answer: dict[str, Any] = self.query("ViaductGetThreadAndDataQuery", variables).json()
        return answer

    def send(
        self, thread: int, body: str, uuid: str = "11111111-2222-4333-8444-555555555555"
    ) -> httpx.Response:
        message = {"content": {"textContent": {"body": body}}, "uniqueIdentifier": uuid}
        return self.mutate("CreateBulkMessagesMutation", {"messageThreadId": thread, "messages": [message]})


@pytest.fixture
def wire(site: SimulatedSite) -> Iterator[Wire]:
    calls = Wire(site)
    yield calls
    calls.client.close()
