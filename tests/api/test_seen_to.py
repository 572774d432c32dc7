"""A person has seen to what waited: it waits no more, and all that the guest writes later does. On both databases."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import html
import re

import pytest
from sqlalchemy import select

from src.db import conversations, inbox_queue
from src.db.statements import CONVERSATIONS, INBOX, MESSAGES
from src.db.waiting import waiting
from src.model.gate import Refusal
from src.model.inbox import AuthorRole, MessageKind, SeenPerson
from src.model.statuses import InboxStatus
from tests.support.api import ACCOUNT, KEY, body, client, inbox, thread_id  # noqa: F401
from tests.support.dashboard import HERE, words_of

HOUR = 3600
SEEN_TO = f"/api/conversations/{thread_id()}/seen-to"


@pytest.fixture
def left(inbox, db, clock):
    """``left("Is there a cot?")``: the AI was asked, and left it to a person."""

    def make(*texts, external_id="", **fields):
        request = inbox.waiting(external_id, *texts, **fields)
        with db.write() as conn:
            return inbox_queue.finish(
                conn,
                request.id,
                [InboxStatus.WAITING],
                InboxStatus.ESCALATED,
                "escalated_by_ai",
                clock.later(0),
            )

    return make


@pytest.fixture
def photo(inbox, db, make_message):
    """``photo()``: the guest sends something that no machine reads."""

    def send(external_id="", **fields):
        picture = make_message(None, kind=MessageKind.MEDIA, detail="IMAGE_CONTENT", **fields)
        inbox.conversation(external_id, picture)
        with db.write() as conn:
            stored = conversations.message_by_external_id(conn, ACCOUNT, picture.external_id)
            conversations.set_skip_reason(conn, [stored.id], Refusal.MEDIA)
        return picture

    return send


@pytest.fixture
def waits(db, clock):
    """What waits for a person now."""

    def look():
        with db.read() as conn:
            return [one.what for one in waiting(conn, ACCOUNT, clock())]

    return look


@pytest.fixture
def alerts(db, clock):
    """How many guests the alerts would tell of, if all clocks were nearly over."""

    def look():
        with db.read() as conn:
            then = clock.later(22 * HOUR)
            return sum(one.nearly_over(then) for one in waiting(conn, ACCOUNT, then))

    return look


def buttons(page):
    """The forms of a page that say "seen to": what a browser would send."""
    forms = re.findall(r'action="/seen-to".*?</form>', page.text, re.DOTALL)
    return [
        {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
        for form in forms
    ]


async def press(one, path, number=0):
    form = buttons(await one.get(path))[number]
    return await one.post("/seen-to", data=form)


@pytest.mark.parametrize("path", ["/", HERE])
async def test_what_a_person_has_seen_to_waits_no_more_anywhere(client, left, waits, alerts, path):
    one = client()
    left("Thank you!")
    assert (waits(), alerts()) == (["unanswered"], 1)
    done = await press(one, path)
    assert (done.status_code, done.headers["location"]) == (303, f"{path}?done=seen_to")
    assert (waits(), alerts()) == ([], 0)
    page = await one.get(done.headers["location"])
    assert "Noted: no answer is needed." in words_of(page)
    assert buttons(page) == []
    assert "<bdi>Gerda Guest</bdi>" not in (await one.get("/conversations?state=waiting")).text


@pytest.mark.parametrize("path", ["/", HERE])
async def test_a_photo_can_be_seen_to(client, photo, waits, path):
    photo()
    assert waits() == ["unreadable"]
    await press(client(), path)
    assert waits() == []


async def test_a_new_message_of_the_guest_waits_again(client, left, photo, waits, alerts, clock):
    one = client()
    left("Thank you!")
    await press(one, "/")
    clock.advance(60)
    left("One more thing: is there a cot?")
    assert (waits(), alerts()) == (["unanswered"], 1)
    await press(one, "/")
    assert (waits(), alerts()) == ([], 0)
    clock.advance(60)
    photo()
    assert waits() == ["unreadable"]
    assert len(buttons(await one.get(HERE))) == 1


async def test_a_message_that_the_guest_has_changed_since_waits_again(
    client, left, db, clock, make_message, waits, alerts
):
    request = left("Thank you!", "See you.")
    await press(client(), "/")
    assert (waits(), alerts()) == ([], 0)
    with db.write() as conn:
        first = conversations.messages_of_request(conn, request.id)[0]
        changed = make_message("Thank you! Is there a cot?", edited_at=clock.advance(60))
        conversations.update_message(conn, first.id, changed, now=clock())
    assert waits() == ["unanswered"]
    await press(client(), "/")
    assert waits() == []


async def test_what_came_in_after_the_page_was_shown_was_not_seen_by_the_person(client, left, photo, waits):
    one = client()
    left("Thank you!")
    shown = buttons(await one.get("/"))[0]
    # Written before the click, read after the page: the person knows nothing of it.
    photo()
    await one.post("/seen-to", data=shown)
    assert waits() == ["unreadable"]


async def test_a_message_that_is_read_late_waits_though_it_was_written_before_the_click(
    client, left, photo, waits, clock
):
    left("Thank you!")
    clock.advance(600)
    assert (await client().post(SEEN_TO)).status_code == 200
    photo(sent_at=clock.later(-60))
    assert waits() == ["unreadable"]


async def test_the_button_of_an_older_message_leaves_the_newer_one_waiting(client, left, photo, waits):
    one = client()
    left("Thank you!")
    photo()
    assert sorted(waits()) == ["unanswered", "unreadable"]
    older, newer = sorted(buttons(await one.get("/")), key=lambda form: form["until"])
    await one.post("/seen-to", data=older)
    assert waits() == ["unreadable"]
    await one.post("/seen-to", data=newer)
    assert waits() == []


async def test_a_second_click_is_harmless_and_the_first_one_is_remembered(client, left, db, clock, inbox):
    one = client()
    request = left("Thank you!")
    form = buttons(await one.get("/"))[0]
    await one.post("/seen-to", data=form)
    first = clock()
    clock.advance(60)
    assert (await one.post("/seen-to", data=form)).status_code == 303
    assert (await one.post(SEEN_TO)).status_code == 200
    assert (await one.post(SEEN_TO, json={"until": "2020-01-01T00:00:00Z"})).status_code == 200
    with db.read() as conn:
        stored = conversations.get(conn, request.conversation_id)
    assert stored.seen_to_at == first
    assert stored.seen_to_until.isoformat() == form["until"]


async def test_a_person_who_sees_to_it_changes_nothing_else(client, left, inbox, db):
    one = client(reply_mode="draft")
    left("Thank you!")
    asked = inbox.waiting(thread_id(2), "Is there a cot?")
    drafted = inbox.waiting(thread_id(3))
    assert (await one.post(inbox.url(drafted), json=body(conversation_id=thread_id(3)))).status_code == 200
    own = {"seen_to_at", "seen_to_until"}

    def everything():
        with db.read() as conn:
            homes = [dict(row._mapping) for row in conn.execute(select(CONVERSATIONS).order_by("id"))]
            rest = [conn.execute(select(table).order_by("id")).all() for table in (INBOX, MESSAGES)]
        return [{k: v for k, v in home.items() if k not in own} for home in homes], rest, inbox.jobs()

    before = everything()
    for number in (1234567, 2, 3):
        assert (await one.post(f"/api/conversations/{thread_id(number)}/seen-to")).status_code == 200
    assert everything() == before
    assert ">Draft</span>" in (await one.get("/")).text
    assert (await one.post(inbox.url(asked), json=body(conversation_id=thread_id(2)))).status_code == 200
    assert len(inbox.jobs()) == 2


async def test_the_story_says_that_a_person_saw_to_it_under_the_message_alone_that_it_was(
    client, left, photo, clock
):
    one = client()
    left("Thank you!")
    assert "A person saw to it" not in words_of(await one.get(HERE))
    await press(one, HERE)
    assert words_of(await one.get(HERE)).count("A person saw to it: no answer was needed.") == 1
    clock.advance(60)
    photo()
    story = words_of(await one.get(HERE))
    assert story.index("A person saw to it") < story.index("It is a photo or a file")
    assert "Quelqu'un s'en est occupé" in words_of(await client(dashboard_language="fr").get(HERE))


async def test_nothing_of_the_guest_becomes_code_in_the_form(client, left):
    one = client()
    evil = "\"><script>alert(1)</script>'"
    left(evil, people=(SeenPerson("guest-1", AuthorRole.GUEST, evil),))
    page = await one.get("/")
    assert "<script>alert" not in page.text
    (form,) = buttons(page)
    refused = await one.post("/seen-to", data={**form, "id": evil, "until": evil})
    assert refused.status_code == 422
    assert "<script>alert" not in refused.text


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"until": ""}, 422),
        ({"until": "yesterday"}, 422),
        ({"until": "2026-11-20T12:00:00"}, 422),
        ({"until": "0001-01-01T00:00:00+14:00"}, 422),
        ({"id": "\0"}, 422),
        ({"id": thread_id(9)}, 404),
        ({"form_token": "0" * 64}, 409),
    ],
)
async def test_a_form_that_makes_no_sense_is_refused_and_all_goes_on_waiting(
    client, left, waits, wrong, status
):
    one = client()
    left("Thank you!")
    (form,) = buttons(await one.get("/"))
    assert (await one.post("/seen-to", data={**form, **wrong})).status_code == status
    assert waits() == ["unanswered"]


async def test_a_program_says_so_too_up_to_what_it_has_seen(client, left, photo, waits, clock):
    one = client(api_key=KEY, headers={"x-api-key": KEY})
    left("Thank you!")
    photo()
    (text, _) = (await one.get(f"/api/conversations/{thread_id()}")).json()["messages"]
    done = await one.post(SEEN_TO, json={"until": text["sent_at"]})
    conversation = done.json()["conversation"]
    assert (done.status_code, conversation["conversation_id"]) == (200, thread_id())
    assert (conversation["seen_to_at"], conversation["seen_to_until"]) == (
        clock().isoformat(),
        text["sent_at"],
    )
    assert waits() == ["unreadable"]
    assert (await one.post(SEEN_TO)).status_code == 200
    assert waits() == []


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        (f"/api/conversations/{thread_id(9)}/seen-to", {}, 404),
        ("/api/conversations/%00/seen-to", {}, 404),
        (SEEN_TO, {"until": 5}, 422),
        (SEEN_TO, {"until": "2026-11-20"}, 422),
        (SEEN_TO, {"until": "9999-12-31T23:59:59-14:00"}, 422),
        (SEEN_TO, {"all": True}, 422),
    ],
)
async def test_a_call_that_makes_no_sense_is_refused(client, left, waits, path, sent, status):
    left("Thank you!")
    assert (await client().post(path, json=sent)).status_code == status
    assert waits() == ["unanswered"]


async def test_a_conversation_in_which_no_guest_has_written_is_not_noted(client, inbox):
    inbox.conversation()
    seen_to = (await client().post(SEEN_TO)).json()["conversation"]
    assert (seen_to["seen_to_at"], seen_to["seen_to_until"]) == (None, None)
