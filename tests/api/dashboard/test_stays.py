"""Every row says which house it is about, when the guest is there, and how the booking stands."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from tests.assistant.test_host_listings import CODE, folder  # noqa: F401
from tests.support.api import client, inbox  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import HERE, a_draft, words_of

PAGES = ["/", "/outbox?state=draft", "/conversations", HERE]


@pytest.mark.parametrize("path", PAGES)
async def test_a_row_has_the_hosts_name_of_the_house_the_dates_and_the_booking(client, inbox, folder, path):
    one = client(reply_mode="draft")
    await a_draft(one, inbox, "Is there a cot?", listing_id="4711", stay={**CODE, "guests": "2"})
    shown = words_of(await one.get(path))
    for said in ("The Attic", "4–7 Dec", "2 guests", "Booked"):
        assert said in shown
    french = words_of(await one.get(path, headers={"accept-language": "fr"}))
    for said in ("The Attic", "4–7 déc.", "2 voyageurs", "Réservé"):
        assert said in french


@pytest.mark.parametrize("path", PAGES)
async def test_where_no_file_says_more_a_row_has_what_airbnb_says(client, inbox, path):
    one = client(reply_mode="draft")
    said = "Booked · 4–7 Dec · Lisbon"
    stay = {"trip_stage": "UPCOMING_RESERVATIONS", "summary": said}
    await a_draft(one, inbox, "Is there a cot?", listing_id="4711", stay=stay)
    shown = words_of(await one.get(path))
    assert said in shown
    assert "4711" in shown


async def test_where_nothing_is_known_nothing_is_said(client, inbox):
    one = client(reply_mode="draft")
    await a_draft(one, inbox, "Is there a cot?", listing_id=None, stay={})
    for path in PAGES:
        page = (await one.get(path)).text
        assert 'class="stay' not in page
        assert "Inquiry" not in page


async def test_the_list_of_listings_has_the_hosts_names(client, inbox, folder):
    inbox.conversation("", listing_id="4711")
    page = await client().get("/conversations?listing=4711")
    assert '<option value="4711" selected>The Attic</option>' in page.text
