"""A person writes to the guest on the conversation's page, and finds the way to the site itself."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import re

import pytest
from sqlalchemy import update

from src.channels.airbnb.settings import AirbnbSettings
from src.db import conversations, outbox_queue
from src.db.statements import CONVERSATIONS
from src.model.statuses import OutboxStatus
from tests.support.api import ACCOUNT, client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import HERE, a_draft, at_work, form_of, in_state, press, words_of

SITE = "http://127.0.0.1:9"


@pytest.fixture
def one(client, db, clock):
    at_work(db, clock)
    return client(channels=(AirbnbSettings(base_url=SITE),))


async def fields(one):
    page = await one.get(HERE)
    form = re.search(r'<form[^>]*action="/write".*?</form>', page.text, re.DOTALL).group()
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


async def write(one, text, **changes):
    return await one.post("/write", data={**await fields(one), "message": text, **changes})


async def test_what_a_person_writes_on_the_page_is_on_its_way_as_that_persons(one, inbox):
    inbox.waiting("", "Is there a cot?")
    done = await write(one, "In the wardrobe. Anna")
    assert (done.status_code, done.headers["location"]) == (303, f"{HERE}?done=written")
    (job,) = inbox.jobs()
    assert (job.text, job.status, job.written_by) == ("In the wardrobe. Anna", "pending", "person")
    shown = words_of(await one.get(done.headers["location"]))
    assert "Your message is on its way to the guest." in shown
    assert "A person wrote it here." in shown
    assert "What a person wrote" in shown
    assert "The AI's answer came in." not in shown


async def test_a_form_that_is_sent_twice_makes_one_message(one, inbox):
    inbox.waiting()
    form = {**await fields(one), "message": "Yes"}
    assert {(await one.post("/write", data=form)).status_code for _ in range(2)} == {303}
    assert len(inbox.jobs()) == 1


async def test_who_has_not_seen_the_newest_message_keeps_the_words(one, inbox, make_message):
    inbox.waiting("", "Is there a cot?")
    form = {**await fields(one), "message": "In the wardrobe"}
    inbox.conversation("", make_message("Never mind!"))
    refused = await one.post("/write", data=form)
    assert refused.status_code == 409
    assert "The guest wrote again meanwhile." in words_of(refused)
    assert "In the wardrobe" in refused.text
    assert inbox.jobs() == []


async def test_a_page_with_older_messages_has_no_form(one, inbox, make_message):
    inbox.conversation("", *(make_message(f"Message {n}") for n in range(60)))
    front = await one.get(HERE)
    older = re.search(r'href="(/conversations/[^"]*after=[^"]*)"', front.text).group(1).replace("&amp;", "&")
    assert 'action="/write"' in front.text
    assert 'action="/write"' not in (await one.get(older)).text


async def test_where_nobody_can_write_the_page_says_why(client, inbox, db, clock):
    inbox.waiting()
    off = words_of(await client(reply_mode="off").get(HERE))
    assert "REPLY_MODE is off for this account: nothing is sent." in off
    with db.write() as conn:
        found = conversations.by_external_id(conn, ACCOUNT, thread_id())
        changed = update(CONVERSATIONS).where(CONVERSATIONS.c.id == found.id)
        conn.execute(changed.values(skip_reason="not_hosting"))
    page = await client().get(HERE)
    assert "write on the site itself" in words_of(page)
    assert 'action="/write"' not in page.text


@pytest.mark.parametrize(
    "wrong", [{"key": "a b"}, {"read": "-1"}, {"read": "9" * 40}, {"id": "a b"}, {"message": " "}]
)
async def test_a_form_of_no_page_of_ours_is_refused(one, inbox, wrong):
    inbox.waiting()
    assert (await write(one, "Yes", **wrong)).status_code == 422
    assert inbox.jobs() == []


async def test_words_that_were_overtaken_can_be_sent_all_the_same(one, inbox, db, clock):
    inbox.waiting()
    await write(one, "In the wardrobe")
    (job,) = inbox.jobs()
    with db.write() as conn:
        outbox_queue.cancelled(conn, job.id, [OutboxStatus.PENDING], "guest_wrote_again", clock())
    assert "Send it all the same" in words_of(await one.get(HERE))
    clock.advance(1)
    await press(one, job, "send-again", HERE)
    again = next(other for other in inbox.jobs() if other.id != job.id)
    assert (again.text, again.status, again.written_by) == ("In the wardrobe", "pending", "person")


async def test_a_message_that_was_sent_stands_there_as_the_hosts(one, inbox, db, clock, make_message):
    inbox.waiting()
    await write(one, "In the wardrobe")
    (job,) = inbox.jobs()
    in_state(db, clock, job, "sent")
    assert "Host" in words_of(await one.get(HERE))


@pytest.mark.parametrize("path", ["/", "/outbox?state=draft", HERE])
async def test_each_card_leads_to_the_conversation_on_the_site(client, inbox, path):
    one = client(reply_mode="draft", channels=(AirbnbSettings(base_url=SITE),))
    await a_draft(one, inbox, "Is there a cot?")
    page = await one.get(path)
    assert f'href="{SITE}/hosting/messages/1234567" target="_blank" rel="noopener noreferrer"' in page.text
    assert "Open on Airbnb" in words_of(page)


async def test_the_form_of_another_browser_is_refused(one, client, inbox):
    inbox.waiting()
    form = {**await form_of(one, HERE), **await fields(one), "message": "Yes"}
    assert (await client().post("/write", data={**form, "form_token": "00"})).status_code == 409
    assert inbox.jobs() == []
