"""An address that there is not."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from tests.support.api import client  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import words_of

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/api/nowhere", 404), ("/outbox/x", 404), ("/outbox/some-job/approve", 405)],
)
async def test_a_browser_gets_a_page_with_a_way_back_and_a_program_json(client, path, status):
    one = client(dashboard_language="fr")
    page = await one.get(path, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "Il n'y a rien ici" in words_of(page)
    assert '<a class="button" href="/">' in page.text
    assert '<a href="/outbox"' in page.text
    for accept in ("*/*", "application/json"):
        program = await one.get(path, headers={"accept": accept})
        assert (program.status_code, program.json()["success"]) == (status, False)
    posted = await one.post("/nowhere", headers=BROWSER)
    assert posted.json()["success"] is False


async def test_who_is_not_let_in_gets_the_page_without_anything_around_it(client):
    one = client(
        dashboard_password="a-long-password", peer="192.0.2.1", ai_webhook_url="http://127.0.0.1:9/x"
    )
    page = await one.get("/nowhere", headers=BROWSER)
    assert page.status_code == 404
    assert '<a href="/outbox"' not in page.text
