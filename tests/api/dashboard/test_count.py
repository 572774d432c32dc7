"""How much waits is seen without opening a page; and the pages may be installed as an app."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import json
import re
import struct

from src.api.dashboard.assets import address_of
from tests.support.api import client, inbox  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import HERE, a_draft, press


def title_of(page):
    return re.findall(r"<title>(.*?)</title>", page.text)[0]


async def test_the_title_and_the_icon_of_every_page_say_how_much_waits(client, inbox):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    paths = ("/", "/conversations", HERE, "/outbox", "/reconnect", "/ai/results")
    for path in paths:
        page = await one.get(path)
        assert title_of(page).startswith("(1) "), path
        assert f'id="icon" href="{address_of("icon-waits.svg")}"' in page.text, path
    await press(one, job, "reject")
    for path in paths:
        page = await one.get(path)
        assert not title_of(page).startswith("("), path
        assert f'id="icon" href="{address_of("icon.svg")}"' in page.text, path


async def test_who_is_not_let_in_is_not_told_how_much_waits(client, inbox):
    await a_draft(client(reply_mode="draft"), inbox)
    stranger = client(dashboard_password="a-long-password")
    page = await stranger.get("/login")
    assert not title_of(page).startswith("(")
    assert f'id="icon" href="{address_of("icon.svg")}"' in page.text


async def test_the_dashboard_can_be_installed_with_icons_that_exist(client):
    one = client(dashboard_password="a-long-password")  # a browser fetches the manifest without its login
    page = await one.get("/login")
    (where,) = re.findall(r'<link rel="manifest" href="(.*?)"', page.text)
    answer = await one.get(where)
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest = json.loads(answer.text)
    assert (manifest["start_url"], manifest["display"]) == ("/", "standalone")
    sizes = set()
    for icon in manifest["icons"]:
        picture = await one.get(f"/static/{icon['src']}")
        assert (picture.status_code, picture.headers["content-type"]) == (200, icon["type"])
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", picture.content[16:24])
            assert icon["sizes"] == f"{width}x{height}"
            sizes.add(width)
    assert sizes >= {192, 512}
    (touch,) = re.findall(r'<link rel="apple-touch-icon" href="(.*?)"', page.text)
    assert (await one.get(touch)).status_code == 200
