"""What goes out compressed, and what must not."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import re

import pytest

from tests.support.api import client, inbox  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import form_of

GZIP = {"accept-encoding": "gzip"}


@pytest.mark.parametrize("path", ["/", "/conversations", "/outbox", "/login", "/static/dashboard.css"])
async def test_a_page_goes_out_compressed_to_whoever_accepts_it(client, path):
    one = client()
    page = await one.get(path, headers=GZIP)
    assert page.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in page.headers["vary"]
    assert int(page.headers["content-length"]) < len(page.content) * 0.6
    plain = await one.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    if path.startswith("/static"):
        assert plain.content == page.content


@pytest.mark.parametrize("path", ["/api/outbox", "/api/conversations", "/health"])
async def test_programs_get_their_json_as_it_is(client, path):
    answer = await client().get(path, headers=GZIP)
    assert answer.status_code in {200, 503}
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_what_another_site_asks_for_is_not_compressed(client, site):
    page = await client().get("/login?next=/guess", headers={**GZIP, "sec-fetch-site": site})
    assert page.status_code == 200
    assert "content-encoding" not in page.headers


async def test_a_forms_token_is_never_written_twice_alike_and_each_is_good(client):
    one = client()
    found = [(await form_of(one, "/"))["form_token"] for _ in range(5)]
    assert len(set(found)) == 5
    page = await one.get("/")
    assert len(set(re.findall(r'name="form_token" value="(\w+)"', page.text))) == 1
    for token in found:
        done = await one.post("/pause", data={"form_token": token, "next": "/"})
        assert done.status_code == 303
    half = len(found[0]) // 2
    for wrong in (
        "",
        "0" * 128,
        found[0][:half] + found[1][half:],
        found[0][:-1],
        found[0] + "00",
        "é" * 128,
    ):
        assert (await one.post("/pause", data={"form_token": wrong, "next": "/"})).status_code == 409
    other = client()
    await other.get("/")
    assert (await other.post("/pause", data={"form_token": found[0], "next": "/"})).status_code == 409
