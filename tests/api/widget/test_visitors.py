"""The widget's calls, each row of the design by its name: visitors, limits, origins, who speaks."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
from uuid import uuid4

import pytest

from src.channels.widget import SCRIPT
from src.channels.widget.settings import WidgetSettings
from src.errors import TransientError
from src.model.rows import Said
from src.model.statuses import OutboxStatus
from src.services import own_messages, retention, store
from tests.support.widget import ACCOUNT, BASE, PAGE, SITE, Shop, bearer


async def test_a_message_is_202_and_its_answer_is_shown_with_agent_and_confidence(shop):
    response = await shop.say("Is it blue?")
    assert response.status_code == 202
    assert {"id", "visitor"} <= set(response.json())
    token = response.json()["visitor"]
    await shop.answered("Yes, it is.", said=Said(agent="stock", confidence=0.9))
    first, second = await shop.shown(token)
    assert (first["id"], first["role"], first["text"]) == (response.json()["id"], "visitor", "Is it blue?")
    assert (second["role"], second["text"], second["name"]) == ("assistant", "Yes, it is.", "Rosa")
    assert (second["agent"], second["confidence"]) == ("stock", 0.9)
    assert [one["sequence"] for one in (first, second)] == [1, 2]
    (job,) = shop.jobs()
    assert (job.status, job.arm_count) == (OutboxStatus.SENT, 1)


async def test_the_message_and_the_end_of_its_reply_are_one_transaction(shop, monkeypatch):
    """Whatever breaks in between: either both are there, or none."""
    token = await shop.visitor()
    shop.answer()

    whole = own_messages.store_sent

    def broken(*given, **more):
        whole(*given, **more)
        raise TransientError("the database went away before the commit")

    monkeypatch.setattr(store, "store_sent", broken)
    await shop.deliver()
    assert [one["role"] for one in await shop.shown(token)] == ["visitor"]
    assert [job.status for job in shop.jobs()] == [OutboxStatus.PENDING]
    monkeypatch.setattr(store, "store_sent", whole)
    shop.clock.advance(600)
    await shop.deliver()
    assert [one["role"] for one in await shop.shown(token)] == ["visitor", "assistant"]
    assert [job.status for job in shop.jobs()] == [OutboxStatus.SENT]


async def test_a_client_id_is_one_message_however_often_it_comes(shop):
    client_id = str(uuid4())
    copies = await asyncio.gather(*(shop.say(client_id=client_id) for _ in range(8)))
    assert {one.status_code for one in copies} == {202}
    assert len({one.text for one in copies}) == 1
    assert len(shop.messages()) == len(shop.open_requests()) == len(shop.conversations()) == 1
    token = copies[0].json()["visitor"]
    assert (await shop.say(token=token, client_id=client_id.upper())).json() == copies[0].json()
    other = await shop.say("Something else", client_id=client_id)
    assert (other.status_code, other.json()["field"]) == (422, "client_id")


async def test_the_first_message_again_without_its_token_is_the_same_visitor(shop):
    """The answer to the first try was lost, so the page has no token yet."""
    client_id = str(uuid4())
    first = await shop.say(client_id=client_id)
    again = await shop.say(client_id=client_id)
    assert again.json() == first.json()
    assert len(shop.conversations()) == 1


async def test_a_forged_token_or_one_of_another_site_is_401_and_stores_nothing(shop, db, clock, tmp_path):
    token = await shop.visitor()
    name, user, mac = token.split(".")
    forged = [
        "",
        "nonsense",
        f"{name}.{user}.{'A' * len(mac)}",
        f"v-{'0' * 32}.{user}.{mac}",
        f"{name}.YW5uYQ.{mac}",
        f"{token}.x",
        "é" * 40,
        "x" * 5000,
    ]
    for one in forged:
        headers = {b"authorization": f"Bearer {one}".encode("latin-1", "replace")}
        for method, path in (
            ("POST", "messages"),
            ("GET", "messages"),
            ("GET", "events"),
            ("POST", "typing"),
        ):
            given = {"json": {"text": "Hi", "client_id": str(uuid4())}} if method == "POST" else {}
            response = await shop.client.request(method, f"{BASE}/{path}", headers=headers, **given)
            assert response.status_code == 401, one
            assert response.headers["access-control-allow-origin"] == PAGE
    assert len(shop.messages()) == 1
    assert (await shop.client.get(f"{BASE}/messages")).status_code == 401


async def test_identify_gives_the_same_visitor_on_every_device(shop):
    proof = hmac.new(b"the-key-of-the-shop-itself", b"customer-7", hashlib.sha256).hexdigest()
    said = {"user_id": "customer-7", "hmac": proof}
    tokens = {(await shop.client.post(f"{BASE}/identify", json=said)).json()["visitor"] for _ in range(2)}
    (token,) = tokens
    assert shop.conversations() == []
    assert await shop.shown(token) == []
    await shop.say(token=token)
    (conversation,) = shop.conversations()
    assert (conversation.user_id, conversation.guest_name) == ("customer-7", "customer-7")
    wrong = await shop.client.post(f"{BASE}/identify", json={**said, "user_id": "customer-8"})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (PAGE, 202),
        ("https://shop.example.evil.example", 403),
        ("http://shop.example", 403),
        ("https://shop.example:8443", 403),
        ("https://other.example", 403),
        ("null", 403),
    ],
)
async def test_only_pages_of_exactly_these_origins_may_call_and_others_store_nothing(shop, page, status):
    client = shop.from_address("192.0.2.1", page)
    response = await shop.say(client=client)
    assert response.status_code == status
    assert response.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in response.headers
    assert response.headers.get("access-control-allow-origin") == (page if status == 202 else None)
    assert len(shop.messages()) == (status == 202)
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    preflight = await client.options(f"{BASE}/messages", headers=asked)
    if status == 202:
        assert (preflight.status_code, preflight.headers["access-control-max-age"]) == (204, "600")
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
    else:
        assert "access-control-allow-origin" not in preflight.headers
        assert (await client.get(f"{BASE}/config")).status_code == 403
    await client.aclose()


async def test_a_site_that_nobody_has_is_404(shop):
    assert (await shop.client.get("/api/widget/other/config")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"text": "  \n ", "client_id": str(uuid4())}, 422, "text"),
        ({"text": "Hello\0", "client_id": str(uuid4())}, 422, "text"),
        ({"text": 7, "client_id": str(uuid4())}, 422, "text"),
        ({"client_id": str(uuid4())}, 422, "text"),
        ({"text": "Hello", "client_id": "not-a-uuid"}, 422, "client_id"),
        ({"text": "Hello"}, 422, "client_id"),
        ({"text": "x" * 4001, "client_id": str(uuid4())}, 413, None),
        ({"text": "x" * 17_000, "client_id": str(uuid4())}, 413, None),
        ([], 422, "body"),
    ],
)
async def test_what_cannot_be_used_names_its_field_and_stores_nothing(shop, body, status, field):
    response = await shop.client.post(f"{BASE}/messages", json=body)
    assert (response.status_code, response.json().get("field")) == (status, field)
    assert response.headers["access-control-allow-origin"] == PAGE
    assert shop.conversations() == []


async def test_4000_characters_are_taken_whole(shop):
    text = "x" * 4000
    token = await shop.visitor(text)
    assert [one["text"] for one in await shop.shown(token)] == [text]


async def test_a_visitor_may_write_ten_times_a_minute_and_repetitions_do_not_count(shop):
    token = await shop.visitor("1")
    client_id = str(uuid4())
    for number in range(2, 11):
        shop.clock.advance(1)
        for _ in range(3):
            said = await shop.say(
                str(number), token, client_id if number == 10 else None if _ else str(uuid4())
            )
            if number != 10:
                break
        assert said.status_code == 202
    shop.clock.advance(1)
    refused = await shop.say("11", token)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert "Retry-After" in refused.headers["access-control-expose-headers"]
    assert len(shop.messages()) == 10
    shop.clock.advance(int(refused.headers["retry-after"]))
    assert (await shop.say("11", token)).status_code == 202


async def test_an_address_may_write_thirty_times_a_minute(shop):
    tokens = [await shop.visitor(f"I am {number}") for number in range(15)]
    for token in tokens:
        assert (await shop.say("And more", token)).status_code == 202
    assert (await shop.say("I am one more")).status_code == 429
    elsewhere = shop.from_address("192.0.2.2")
    assert (await shop.say("I am elsewhere", client=elsewhere)).status_code == 202
    await elsewhere.aclose()
    shop.clock.advance(61)
    assert (await shop.say("I am one more")).status_code == 202


async def test_a_site_lets_in_two_hundred_new_visitors_an_hour(db, clock, tmp_path):
    shop = Shop(db, clock, tmp_path, rate_site_hour=5, rate_address_min=1000)
    tokens = [await shop.visitor() for _ in range(5)]
    refused = await shop.say()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3601")
    assert (await shop.say("I was here before", tokens[0])).status_code == 202
    clock.advance(3601)
    assert (await shop.say()).status_code == 202
    assert WidgetSettings().rate_site_hour == 200
    await shop.close()


async def test_limits_hold_exactly_for_many_at_once(db, clock, tmp_path):
    shop = Shop(db, clock, tmp_path, rate_address_min=7, rate_site_hour=7)
    answers = await asyncio.gather(*(shop.say(f"I am {number}") for number in range(30)))
    assert sorted(one.status_code for one in answers) == [202] * 7 + [429] * 23
    assert len(shop.messages()) == 7
    await shop.close()


async def test_of_an_address_only_a_keyed_hash_is_stored_and_that_for_an_hour(shop):
    await shop.visitor()

    def rows():
        with shop.db.read() as conn:
            return [tuple(one) for one in conn.exec_driver_sql("SELECT * FROM visitors")]

    assert len(rows()) == 1
    assert "192.0.2.1" not in str(rows())
    retention.drop_visitors(shop.db, shop.clock())
    assert len(rows()) == 1
    shop.clock.advance(3601)
    retention.drop_visitors(shop.db, shop.clock())
    assert rows() == []


async def test_a_forgotten_visitor_begins_a_new_conversation_with_the_same_token(shop):
    token = await shop.visitor("My name is Gerda")
    (before,) = shop.conversations()
    retention.forget(shop.db, ACCOUNT, before.external_id, now=shop.clock(), personal_ids=True)
    assert await shop.shown(token) == []
    await shop.say("Hello again", token)
    assert [one["text"] for one in await shop.shown(token)] == ["Hello again"]
    assert len(shop.conversations()) == 2


async def test_while_the_database_is_away_a_message_is_503_and_may_be_repeated(shop, monkeypatch):
    client_id = str(uuid4())
    whole = type(shop.db).write

    def away(*_given, **_more):
        raise TransientError("the database is away")

    monkeypatch.setattr(type(shop.db), "write", away)
    refused = await shop.say(client_id=client_id)
    assert refused.status_code == 503
    assert refused.headers["access-control-allow-origin"] == PAGE
    monkeypatch.setattr(type(shop.db), "write", whole)
    assert (await shop.say(client_id=client_id)).status_code == 202
    assert len(shop.messages()) == 1


async def test_what_the_visitor_writes_in_the_instant_of_the_press_is_never_written_over(shop):
    token = await shop.visitor("Is it blue?")
    shop.answer("Yes, it is.")
    put_own = shop.channel._place.store.put_own

    async def interrupted(*given, **more):
        await shop.say("No, wait", token)
        return await put_own(*given, **more)

    shop.channel._place.store.put_own = interrupted
    await shop.deliver()
    shop.channel._place.store.put_own = put_own
    shop.clock.advance(600)
    await shop.deliver()
    assert [one["text"] for one in await shop.shown(token)] == ["Is it blue?", "No, wait"]
    (job,) = shop.jobs()
    assert (job.status, job.reason) == (OutboxStatus.CANCELLED, "guest_wrote_again")
    await shop.answered("It is green.")
    assert [one["text"] for one in await shop.shown(token)][2:] == ["It is green."]


async def test_a_press_that_comes_late_finds_its_reply_given_back_and_does_nothing(shop):
    """A frozen process wakes up after another one has found out that nothing was sent."""
    token = await shop.visitor()
    shop.answer()
    frozen, store = asyncio.Event(), shop.channel._place.store
    put_own, given = store.put_own, []

    async def freeze(*what, **more):
        given.append((what, more))
        frozen.set()
        await asyncio.Event().wait()

    store.put_own = freeze
    run = asyncio.create_task(shop.deliver())
    await frozen.wait()
    store.put_own = put_own
    other = shop.new_send()
    await other.run_once(shop.channel, keep_going=lambda: True)
    ((what, more),) = given
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert [job.status for job in shop.jobs()] == [OutboxStatus.PENDING]
    assert await put_own(*what, **more) is None
    assert [one["role"] for one in await shop.shown(token)] == ["visitor"]
    shop.clock.advance(600)
    await other.run_once(shop.channel)
    assert await put_own(*what, **more) is not None  # the receipt of the one that was sent
    assert [one["role"] for one in await shop.shown(token)] == ["visitor", "assistant"]
    assert [job.status for job in shop.jobs()] == [OutboxStatus.SENT]


async def test_a_reply_with_a_secret_is_held_for_a_person(shop):
    token = await shop.visitor("What is the code?")
    (job,) = shop.answer("It is {{door_code}}.")
    await shop.deliver()
    assert [one["role"] for one in await shop.shown(token)] == ["visitor"]
    (held,) = [one for one in shop.jobs() if one.id == job.id]
    assert held.status is OutboxStatus.DRAFT


async def test_history_is_read_on_with_the_number_of_the_last(shop):
    token = await shop.visitor("1")
    await shop.answered("one")
    shop.clock.advance(61)
    await shop.say("2", token)
    assert [one["text"] for one in await shop.shown(token, after=1)] == ["one", "2"]
    assert await shop.shown(token, after=3) == []
    bad = await shop.client.get(f"{BASE}/messages?after=x", headers=bearer(token))
    assert bad.status_code == 422


async def test_that_a_visitor_is_writing_is_noted(shop):
    token = await shop.visitor()
    response = await shop.client.post(f"{BASE}/typing", headers=bearer(token))
    assert response.status_code == 204
    with shop.db.read() as conn:
        ((at,),) = conn.exec_driver_sql("SELECT typing_at FROM visitors").all()
    assert at is not None


async def test_the_config_has_every_sentence_in_both_languages(shop):
    response = await shop.client.get(f"{BASE}/config")
    said = response.json()
    assert (said["title"], said["languages"], set(said["words"])) == ("Rosa", ["en", "fr"], {"en", "fr"})
    english, french = said["words"]["en"], said["words"]["fr"]
    assert (english["ai"], french["ai"]) == ("AI", "IA")
    assert english.keys() == french.keys()
    assert all(english[key] != french[key] for key in english if key != "conversation")


async def test_the_script_is_one_file_of_at_most_15_kb_without_eval(shop):
    response = await shop.client.get("/widget.js")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    source = SCRIPT.read_text()
    assert response.text == source
    assert len(gzip.compress(source.encode(), 9)) <= 15 * 1024
    assert not any(
        word in source for word in ("eval(", "new Function", "import(", "innerHTML", "document.cookie")
    )
    again = await shop.client.get("/widget.js", headers={"if-none-match": response.headers["etag"]})
    assert again.status_code == 304


async def test_the_site_is_called_as_the_account_is_where_nothing_is_said(db, clock, tmp_path):
    shop = Shop(db, clock, tmp_path, site=None)
    assert shop.account.site == ACCOUNT != SITE
    assert (await shop.client.get(f"/api/widget/{ACCOUNT}/config")).status_code == 200
    await shop.close()
