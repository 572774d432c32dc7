"""What the pages show, and what a person does on them."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import re
from urllib.parse import quote

import pytest

from src.db import accounts, conversations, inbox_queue
from src.model.inbox import AuthorRole, MessageKind, SeenPerson
from src.model.statuses import InboxStatus
from tests.support.api import ACCOUNT, body, client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import HERE, a_draft, at_work, form_of, in_state, press, words_of

# --- what a person does ----------------------------------------------------------------------------------


async def test_a_draft_is_changed_and_approved_and_the_ais_text_is_not_forgotten(client, inbox, db, clock):
    at_work(db, clock)
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    assert "Oui, bien sûr." in words_of(await one.get("/outbox"))
    done = await press(one, job, "approve", HERE, message="Encore mieux.")
    assert (done.status_code, done.headers["location"]) == (303, f"{HERE}?done=approved&approved={job.id}")
    (now,) = inbox.jobs()
    assert (now.status, now.text, now.drafted_text) == ("pending", "Encore mieux.", "Oui, bien sûr.")
    story = words_of(await one.get(done.headers["location"]))
    for said in ("it goes out in some seconds", "A person changed it and approved it", "Oui, bien sûr."):
        assert said in story


async def test_the_second_of_two_clicks_is_told_kindly_and_loses_no_word(client, inbox):
    one, two = client(reply_mode="draft"), client(reply_mode="draft")
    job = await a_draft(one, inbox)
    theirs = await form_of(two, HERE)
    assert (await press(one, job, "approve", message="The first.")).status_code == 303
    late = await two.post(f"/outbox/{job.id}/approve", data={**theirs, "message": "The second."})
    assert late.status_code == 409
    assert "Somebody was quicker" in words_of(late)
    assert "The second." in late.text
    assert f'href="{HERE}"' in late.text
    assert inbox.jobs()[0].text == "The first."


async def test_a_draft_that_was_overtaken_or_is_too_late_cannot_be_approved(client, inbox, db, clock):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    with db.write() as conn:
        old = inbox_queue.get(conn, job.request_id)
        newer = inbox_queue.create(
            conn,
            ACCOUNT,
            job.conversation_id,
            newest_external_id="message-newer",
            due_at=clock(),
            burst_until=clock(),
            reply_by=clock.later(60),
            now=clock.later(1),
        )
    overtaken = await press(one, job, "approve")
    assert (overtaken.status_code, inbox.jobs()[0].status) == (409, "draft")
    assert "wrote after this draft was made" in words_of(overtaken)
    with db.write() as conn:
        conn.exec_driver_sql("DELETE FROM queue_inbox WHERE id = '" + newer.id + "'")
    theirs = await form_of(one, "/outbox")
    clock.advance((old.reply_by - clock()).total_seconds() + 1)
    late = await one.post(f"/outbox/{job.id}/approve", data=theirs)
    assert "too old by now" in words_of(late)
    by_api = await one.post(f"/api/outbox/{job.id}/approve")
    assert (by_api.status_code, by_api.json()["reason"]) == (409, "too_late")
    assert inbox.jobs()[0].status == "draft"


@pytest.mark.parametrize("path", ["/outbox", HERE])
async def test_a_draft_that_has_become_too_late_says_so_before_anybody_approves_it(
    client, inbox, db, clock, path
):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    with db.read() as conn:
        request = inbox_queue.get(conn, job.request_id)
    clock.advance((request.reply_by - clock()).total_seconds())
    assert f"/outbox/{job.id}/approve" in (await one.get(path)).text
    assert "Draft New guest" in words_of(await one.get("/"))
    clock.advance(1)
    late = await one.get(path)
    assert "too old by now" in words_of(late)
    overview = words_of(await one.get("/"))
    assert "Draft New guest" not in overview
    assert "Draft, too late to send" in overview
    assert "too old by now" in overview
    assert "Oui, bien sûr." in words_of(late)
    assert f"/outbox/{job.id}/approve" not in late.text
    assert (await press(one, job, "reject", path)).status_code == 303
    assert inbox.jobs()[0].status == "cancelled"


async def test_a_draft_is_rejected_and_a_waiting_reply_cancelled(client, inbox):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    assert (await press(one, job, "reject")).headers["location"] == "/outbox?done=rejected"
    assert (inbox.jobs()[0].status, inbox.jobs()[0].reason) == ("cancelled", "rejected")
    sent_anew = await press(one, job, "send-again", "/")
    assert sent_anew.status_code == 303
    waits = next(j for j in inbox.jobs() if j.status == "pending")
    assert (await press(one, waits, "cancel", "/outbox?state=pending")).status_code == 303
    assert {j.status for j in inbox.jobs()} == {"cancelled"}


async def test_a_failed_reply_is_tried_again_and_an_unconfirmed_one_settled(client, inbox, db, clock):
    one = client()
    job = await a_draft(one, inbox)
    in_state(db, clock, job, "failed")
    assert "Failed" in words_of(await one.get("/"))
    assert (await press(one, job, "retry", "/outbox?state=failed")).status_code == 303
    in_state(db, clock, job, "unconfirmed")
    asked = words_of(await one.get("/outbox?state=unconfirmed"))
    assert "Is this text there?" in asked
    assert "Unconfirmed New guest" in words_of(await one.get("/"))
    assert (await press(one, job, "retry")).status_code == 409
    again = await press(one, job, "send-again", "/outbox?state=unconfirmed")
    assert again.headers["location"] == "/outbox?state=unconfirmed&done=again"
    assert sorted(str(j.status) for j in inbox.jobs()) == ["pending", "unconfirmed"]
    assert "Unconfirmed New guest" not in words_of(await one.get("/"))
    assert (await press(one, job, "confirm-sent")).status_code == 303
    assert "a person says that it is there" in words_of(await one.get(HERE))


async def test_everything_is_paused_and_resumed_and_answers_still_come_in(client, inbox, db, clock):
    one = client()
    at_work(db, clock)
    form = await form_of(one, "/")
    assert (await one.post("/pause", data=form)).headers["location"] == "/?done=paused"
    await a_draft(one, inbox)
    shown = words_of(await one.get("/"))
    assert "Drafts are still made" in words_of(await one.get("/?done=paused"))
    assert "Resume sending" in shown
    assert "Sending is paused everywhere." in words_of(await one.get(HERE))
    await one.post("/resume", data=form)
    assert "Pause sending" in words_of(await one.get("/"))


@pytest.mark.parametrize(
    ("job_id", "move", "status"),
    [("nope", "approve", 404), ("x" * 80, "retry", 404), ("nope", "destroy", 404), ("%00", "cancel", 404)],
)
async def test_what_is_not_there_is_a_page_that_says_so(client, job_id, move, status):
    one = client()
    refused = await one.post(f"/outbox/{job_id}/{move}", data=await form_of(one, "/"))
    assert (refused.status_code, refused.headers["content-type"]) == (status, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/conversations/none", "/conversations/%00", f"/conversations/{'x' * 300}"])
async def test_an_unknown_conversation_is_404(client, path):
    assert (await client().get(path)).status_code == 404


@pytest.mark.parametrize(
    "key", ["x", "2026-01-01~1", "0001-01-01T00:00:00+14:00~a", "2026-01-01T00:00:00+00:00~", "~", "²~a"]
)
async def test_a_page_that_ends_nowhere_is_refused(client, key):
    assert (await client().get("/conversations", params={"after": key})).status_code == 422
    assert (await client().get("/outbox", params={"after": key})).status_code == 422


async def test_an_empty_text_is_not_approved(client, inbox):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    refused = await press(one, job, "approve", message=" \n ")
    assert (refused.status_code, inbox.jobs()[0].status) == (422, "draft")
    assert "The text is empty" in words_of(refused)


# --- modes -----------------------------------------------------------------------------------------------


async def test_a_mode_is_set_where_it_holds_and_the_page_says_why_nothing_goes_out(client, inbox, db, clock):
    one = client(ai_webhook_url="http://127.0.0.1:9/hook")
    at_work(db, clock)
    inbox.conversation()
    assert "Live: the AI's answers go out here" in words_of(await one.get(HERE))
    form = await form_of(one, HERE)
    for scope, scope_id, mode, said in (
        ("account", "", "draft", "You have set the whole account to “Ask me first”"),
        ("listing", "listing-1", "off", "You have set this listing to “Off”"),
        ("conversation", thread_id(), "draft", "You have set this conversation to “Ask me first”"),
    ):
        done = await one.post("/mode", data={**form, "scope": scope, "id": scope_id, "mode": mode})
        assert done.headers["location"] == f"{HERE}?done=mode"
        assert said in words_of(await one.get(HERE))
    await one.post("/mode", data={**form, "scope": "conversation", "id": thread_id(), "mode": "inherit"})
    assert "this listing to “Off”" in words_of(await one.get(HERE))
    for wrong in ({"scope": "house"}, {"scope": "account", "mode": "loud"}, {"scope": "listing", "id": "\0"}):
        assert (await one.post("/mode", data={**form, "mode": "auto", **wrong})).status_code == 422


async def test_a_setting_or_the_hosts_own_words_keep_the_ai_quiet_and_the_page_says_so(
    client, inbox, db, clock
):
    found = inbox.conversation()
    assert "You are asked first" in words_of(await client(reply_mode="draft").get(HERE))
    assert "REPLY_MODE is off" in words_of(await client(reply_mode="off").get(HERE))
    with db.write() as conn:
        conversations.mark_host_wrote(conn, found, clock())
    assert "the AI keeps quiet until then" in words_of(await client().get(HERE))


# --- what is shown ---------------------------------------------------------------------------------------


async def test_each_words_of_our_side_are_told_by_who_wrote_them(client, inbox, make_message):
    inbox.conversation(
        "",
        make_message("From the guest."),
        make_message("From me.", role=AuthorRole.HOST, author_name="Henk Host"),
        make_message("From my team.", role=AuthorRole.TEAM, author_name="Tara Team"),
        make_message(None, role=AuthorRole.SITE, kind=MessageKind.BULLETIN, author_name=None),
    )
    page = words_of(await client().get(HERE))
    for said in ("Host Henk Host", "Co-host Tara Team", "Airbnb"):
        assert said in page


async def test_the_clock_of_an_inquiry_counts_down_and_is_over_after_24_hours(client, inbox, clock):
    one = client(reply_mode="draft", max_message_age_hours=72)
    await a_draft(one, inbox)
    clock.advance(3600 * 20 + 60)
    soon = await one.get("/")
    assert "3 h 59 min left of 24 h" in words_of(soon)
    assert 'class="clock soon"' in soon.text
    clock.advance(3600 * 5)
    assert "1 h 01 min over 24 h" in words_of(await one.get("/"))


async def test_a_halt_says_what_to_do_and_leads_there(client, db, clock):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
        accounts.halt(conn, ACCOUNT, "challenge", "the site moved to /airlock", 10, None, clock())
    page = await client().get("/")
    assert "Halted: Airbnb asks whether you are human" in words_of(page)
    assert 'href="/reconnect"' in page.text


async def test_a_quiet_inbox_and_one_that_nobody_reads_do_not_look_alike(client, db, clock):
    one = client()

    def beat(**cycle):
        with db.write() as conn:
            accounts.ensure(conn, ACCOUNT, clock())
            accounts.beat(conn, ACCOUNT, "sync", process_id=1, hostname="h", now=clock(), started=True)
            accounts.cycle_done(conn, ACCOUNT, "sync", duration_ms=5, now=clock(), **cycle)

    assert "Not started: nobody reads the inbox" in words_of(await one.get("/"))
    beat(outcome="0 changed", ok=True, rows_seen=18)
    quiet = words_of(await one.get("/"))
    assert "Running The inbox was last read just now; it listed 18 conversations." in quiet
    assert "Nothing. Everything is answered" in quiet
    clock.advance(600)
    blind = words_of(await one.get("/"))
    assert "No sign of life: the inbox may not be read" in blind
    assert "it listed 18 conversations" in blind
    assert "New messages are not seen while the inbox is not read" in blind
    beat(outcome="the site did not answer", ok=False)
    assert "The inbox cannot be read right now" in words_of(await one.get("/"))
    beat(outcome="0 changed", ok=True, rows_seen=0)
    assert "it listed no conversation at all" in words_of(await one.get("/"))


async def test_the_pages_speak_french(client, inbox, db, clock):
    one = client(reply_mode="draft", dashboard_language="fr", time_zone="Europe/Paris")
    await a_draft(one, inbox)
    overview = words_of(await one.get("/"))
    for said in ("Vous attend", "Brouillon", "pour envoyer", "Aujourd'hui"):
        assert said in overview
    thread = words_of(await one.get(HERE))
    assert "On vous demande d'abord : à vous de décider." in thread
    assert "13:00" in thread  # noon in UTC


# --- what a guest writes ---------------------------------------------------------------------------------

EVIL = """<img src=x onerror="alert(1)">'"><script>alert(2)</script>{{ 1301*1303 }}%(x)s\u202e"""


async def test_nothing_that_a_guest_the_ai_or_the_site_says_becomes_code(
    client, inbox, db, make_message, clock
):
    one = client(reply_mode="draft")
    people = (SeenPerson("guest-1", AuthorRole.GUEST, EVIL), SeenPerson("host-1", AuthorRole.HOST, EVIL))
    where = {"people": people, "listing_id": EVIL, "stay": {EVIL: EVIL, "summary": EVIL}, "title": EVIL}
    request = inbox.waiting("", EVIL, **where)
    assert (await one.post(inbox.url(request), json=body(EVIL))).status_code == 200
    for role, kind in (
        (AuthorRole.HOST, MessageKind.TEXT),
        (AuthorRole.TEAM, MessageKind.TEXT),
        (AuthorRole.SITE, MessageKind.CARD),
    ):
        message = make_message(EVIL, role=role, kind=kind, author_name=EVIL, detail=EVIL)
        inbox.conversation("", message, **where)
    other = inbox.waiting(thread_id(2), EVIL, **where)
    failed = inbox.waiting(thread_id(3), EVIL, **where)
    with db.write() as conn:
        inbox_queue.finish(conn, other.id, [InboxStatus.WAITING], InboxStatus.ESCALATED, EVIL, clock())
        inbox_queue.finish(conn, failed.id, [InboxStatus.WAITING], InboxStatus.CANCELLED, EVIL, clock())
        accounts.ensure(conn, ACCOUNT, clock())
        accounts.halt(conn, ACCOUNT, EVIL, EVIL, 10, EVIL, clock())
    (job,) = inbox.jobs()
    await one.post(f"/api/outbox/{job.id}/approve", json={"message": f"{EVIL} again"})
    in_state(db, clock, job, "unconfirmed")
    paths = [
        "/",
        "/conversations",
        f"/conversations?q={quote(EVIL)}&listing={quote(EVIL)}",
        HERE,
        f"/conversations/{quote(thread_id(2), safe='')}",
        f"/conversations/{quote(thread_id(3), safe='')}",
        "/outbox?state=unconfirmed",
        f"/login?next=/{quote(EVIL)}",
        f"/?done={quote(EVIL)}&x={quote(EVIL)}",
    ]
    for path in paths:
        page = (await one.get(path)).text
        assert "<img src=x" not in page, path
        assert "<script>" not in page, path
        assert not re.search(r"[\s\"']onerror=\"", page.replace("onerror=&#34;", "")), path
        assert "1695203" not in page, path
        assert "alert" in page or path.startswith("/outbox"), path
    typed = await press(one, job, "approve", message=EVIL)
    assert typed.status_code in {409, 422}
    assert "<script>" not in typed.text


async def test_no_page_needs_a_style_or_a_script_of_its_own(client, inbox):
    one = client(reply_mode="draft")
    await a_draft(one, inbox)
    for path in ("/", "/conversations", HERE, "/outbox", "/login"):
        page = (await one.get(path)).text
        assert " style=" not in page, path
        assert "<style" not in page, path
        assert not re.search(r"\son\w+=", page), path
        assert re.findall(r"<script(?! src=\"/static/)", page) == [], path
        assert "http://" not in page.replace("http://127.0.0.1", ""), path
