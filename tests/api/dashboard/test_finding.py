"""What the pages ask the database: what waits, numbers, stories, search, pages by key. On both kinds."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import html
import re

from src.db import inbox_queue
from src.model.inbox import AuthorRole, SeenPerson
from src.model.statuses import InboxStatus
from tests.support.api import ACCOUNT, body, client, inbox, thread_id  # noqa: F401
from tests.support.dashboard import HERE, a_draft, in_state, words_of


async def test_a_message_that_was_not_answered_says_why(client, inbox, db, make_message, clock):
    one = client()
    request = inbox.waiting()
    with db.write() as conn:
        inbox_queue.finish(
            conn, request.id, [InboxStatus.WAITING], InboxStatus.ESCALATED, "asks for a refund", clock()
        )
    assert "Left to a person. asks for a refund" in words_of(await one.get(HERE))
    overview = words_of(await one.get("/"))
    assert "Left to you" in overview
    assert "asks for a refund" in overview
    host = make_message("I have called you.", role=AuthorRole.HOST, author_name="Henk Host")
    inbox.conversation("", host)
    assert "Nothing. Everything is answered" not in overview
    assert "Left to you" not in words_of(await one.get("/"))


async def test_what_waits_is_sorted_by_the_clock_that_ends_next(client, inbox, clock, make_message):
    one = client(reply_mode="draft")
    for number, hours in ((1, 20), (2, 2), (3, 30)):
        asked = make_message(f"Question {number}", sent_at=clock.later(-3600 * hours))
        inbox.conversation(thread_id(number), asked)
        answer = await one.post(
            "/api/ai/webhook-simple", json=body(conversation_id=thread_id(number), message=f"Answer {number}")
        )
        assert answer.status_code == 200
    shown = words_of(await one.get("/"))
    assert shown.count("Draft New guest") == 3
    # Without a request nobody knows which message it answers: its clock begins when the draft came.
    assert shown.count("left of 24 h") == 3


async def test_numbers_of_today_and_their_reasons(client, inbox, db, clock):
    one = client()
    job = await a_draft(one, inbox)
    clock.advance(95)
    in_state(db, clock, job, "sent")
    other = inbox.waiting(thread_id(2))
    with db.write() as conn:
        inbox_queue.finish(
            conn, other.id, [InboxStatus.WAITING], InboxStatus.CANCELLED, "host_answered", clock()
        )
    page = words_of(await one.get("/"))
    for said in ("2 received", "1 answered", "1 min median time to answer", "1 cancelled or given up"):
        assert said in page, said
    assert "1 × You, or a co-host, wrote in the conversation after the guest." in page


async def test_conversations_are_found_by_name_words_state_listing_and_mode(
    client, inbox, make_message, clock
):
    one = client(reply_mode="draft")

    def guest(name):
        return (SeenPerson("guest-1", AuthorRole.GUEST, name), SeenPerson("host-1", AuthorRole.HOST, "Henk"))

    for number, (name, text, listing) in enumerate(
        [("Ann 100%", "a cot", "L1"), ("Bob_", "the key", "L1"), ("Cléo", "parking", "L2")]
    ):
        inbox.conversation(thread_id(number + 1), make_message(text), people=guest(name), listing_id=listing)
    await one.post("/api/ai/webhook-simple", json=body(conversation_id=thread_id(2)))
    await one.post("/api/ai/webhook-simple", json=body(conversation_id=thread_id(9)))
    await one.put("/api/mode", json={"scope": "listing", "id": "L2", "mode": "off"})

    async def found(**asked):
        page = await one.get("/conversations", params=asked)
        assert page.status_code == 200
        return re.findall(r"<strong>\s*<bdi>(.*?)</bdi>", page.text)

    assert await found() == ["Cléo", "Bob_", "Ann 100%"]
    assert await found(q="ann") == ["Ann 100%"]
    assert await found(q="KEY") == ["Bob_"]
    assert await found(q="100%") == ["Ann 100%"]
    assert await found(q="_") == ["Bob_"]
    assert await found(q="\\") == []
    assert await found(q=thread_id(3)) == ["Cléo"]
    assert await found(listing="L1") == ["Bob_", "Ann 100%"]
    assert await found(state="waiting") == ["Bob_"]
    assert await found(state="unseen") == ["Guest"]
    assert await found(state="skipped") == []
    assert await found(mode="off") == ["Cléo"]
    assert await found(mode="draft") == ["Bob_", "Ann 100%"]
    assert await found(mode="odd", state="odd") == ["Cléo", "Bob_", "Ann 100%"]
    one = client(reply_mode="off")  # nothing is answered, whatever is set
    assert (await found(mode="off"), await found(mode="draft")) == (["Cléo", "Bob_", "Ann 100%"], [])


async def test_long_lists_go_on_where_the_page_ends(client, inbox, make_message):
    one = client()
    for number in range(35):
        inbox.conversation(thread_id(number), make_message(f"Question {number}"))
    inbox.conversation("", *(make_message(f"Line {number}.") for number in range(60)))
    seen: list[str] = []
    path: str | None = "/conversations"
    while path:
        page = await one.get(path)
        seen += re.findall(r'class="row" href="([^"#]+)', page.text)
        more = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = html.unescape(more[1]) if more else None
    assert len(seen) == len(set(seen)) == 36
    newest = words_of(await one.get(HERE))
    assert "Line 59." in newest
    assert "Line 9." not in newest
    older = re.findall(r'href="(/conversations/[^"]+after=[^"]+)"', (await one.get(HERE)).text)[0]
    before = words_of(await one.get(html.unescape(older)))
    assert "Line 9." in before
    assert "Line 10." not in before
    assert "To the newest messages" in before


async def test_replies_go_on_where_the_page_ends(client, inbox):
    one = client()
    for number in range(25):
        await one.post("/api/ai/webhook-simple", json=body(conversation_id=thread_id(number)))
    first = await one.get("/outbox?state=pending")
    more = html.unescape(re.findall(r'rel="next" href="([^"]+)"', first.text)[0])
    ids = re.findall(r'<article class="card" id="(job-[\w-]+)"', first.text + (await one.get(more)).text)
    assert len(ids) == len(set(ids)) == 25


async def test_the_story_of_an_answer_tells_everything(client, inbox, db, clock):
    one = client()
    job = await a_draft(one, inbox, "Is there a cot?", "For a baby.")
    in_state(db, clock, job, "sent")
    story = words_of(await one.get(HERE))
    for said in (
        "Seen in the inbox, and kept for the AI.",
        "The AI accepted it.",
        "The AI answered.",
        "What the AI was asked Is there a cot? For a baby.",
        "What the AI answered Oui, bien sûr.",
        "Everything was checked; Send was pressed, once.",
        "Proven: it is in the conversation.",
        "Intended text Oui, bien sûr.",
        "As it is shown Oui, bien sûr.",
        "theirs-1",
    ):
        assert said in story, said
    assert "Oui, bien  sûr." in (await one.get(HERE)).text


async def test_what_failed_or_was_left_to_a_person_has_its_badge_in_the_list(client, inbox, db, clock):
    one = client()
    left = inbox.waiting()
    with db.write() as conn:
        inbox_queue.finish(conn, left.id, [InboxStatus.WAITING], InboxStatus.ESCALATED, "refund", clock())
    failed = inbox.waiting(thread_id(2), "Is there a cot?")
    answer = await one.post(inbox.url(failed), json=body(conversation_id=thread_id(2)))
    in_state(db, clock, inbox.jobs()[0], "failed")
    assert answer.status_code == 200
    for path in ("/", "/conversations"):
        shown = words_of(await one.get(path))
        assert "Left to you" in shown, path
        assert "Failed" in shown, path
