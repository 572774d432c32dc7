"""A person takes a visitor's conversation over from the AI, and gives it back; the visitor is told."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

import pytest

from src.model.statuses import OutboxStatus
from tests.support.dashboard import form_of, words_of
from tests.support.widget import Shop


@pytest.fixture
def host(shop):
    """The host on this machine."""
    return shop.from_address("127.0.0.1", page=None)


def home(shop) -> str:
    (conversation,) = shop.conversations()
    return f"/conversations/{quote(conversation.external_id, safe='')}"


async def roles(shop, token):
    return [(one["role"], one.get("note") or one["text"], one.get("name")) for one in await shop.shown(token)]


async def test_operator_takes_over_writes_and_gives_back_and_the_visitor_sees_who(shop, host):
    token = await shop.visitor("Is it blue?")
    taken = await host.post(f"/api{home(shop)}/take-over", json={"name": "Anna"})
    assert (taken.status_code, taken.json()) == (200, {"success": True, "name": "Anna"})
    assert (await host.post(f"/api{home(shop)}/take-over", json={"name": "Anna"})).status_code == 200
    written = await host.post(f"/api{home(shop)}/messages", json={"message": "Hello, I am Anna."})
    assert written.status_code == 202
    await shop.deliver()
    shop.clock.advance(60)
    await shop.say("And how large?", token)
    assert shop.open_requests() == []
    given = await host.post(f"/api{home(shop)}/give-back")
    assert given.json() == {"success": True}
    assert (await host.post(f"/api{home(shop)}/give-back")).status_code == 200
    shop.clock.advance(1)
    await shop.say("Are you there?", token)
    (request,) = shop.open_requests()
    assert request.due_at <= shop.clock()
    await shop.answered("It is 250 ml.")
    assert await roles(shop, token) == [
        ("visitor", "Is it blue?", None),
        ("note", "joined", "Anna"),
        ("person", "Hello, I am Anna.", "Anna"),
        ("visitor", "And how large?", None),
        ("note", "left", "Anna"),
        ("visitor", "Are you there?", None),
        ("assistant", "It is 250 ml.", "Rosa"),
    ]


async def test_an_answer_of_the_ai_that_is_about_to_be_pressed_is_held_when_a_person_takes_over(shop, host):
    token = await shop.visitor()
    shop.answer("Too late.")
    put_own = shop.channel._place.store.put_own

    async def interrupted(*given, **more):
        await host.post(f"/api{home(shop)}/take-over", json={"name": "Anna"})
        return await put_own(*given, **more)

    shop.channel._place.store.put_own = interrupted
    await shop.deliver()
    assert [one[0] for one in await roles(shop, token)] == ["visitor", "note"]
    (job,) = shop.jobs()
    assert (job.status, job.reason, job.arm_count) == (OutboxStatus.DRAFT, "mode_off", 0)


async def test_an_answer_that_waits_becomes_a_draft_and_may_still_be_approved(shop, host):
    token = await shop.visitor()
    (job,) = shop.answer("As the AI has it.")
    await host.post(f"/api{home(shop)}/take-over", json={})
    await shop.deliver()
    assert [one[0] for one in await roles(shop, token)] == ["visitor", "note"]
    approved = await host.post(f"/api/outbox/{job.id}/approve", json={"message": "As Anna has it."})
    assert approved.status_code == 200
    await shop.deliver()
    assert (await roles(shop, token))[-1][1] == "As Anna has it."


async def test_without_a_name_the_setting_says_it(db, clock, tmp_path):
    shop = Shop(db, clock, tmp_path, person="The Bluebell team")
    token = await shop.visitor()
    host = shop.from_address("127.0.0.1", page=None)
    taken = await host.post(f"/api{home(shop)}/take-over")
    assert taken.json()["name"] == "The Bluebell team"
    assert (await roles(shop, token))[-1] == ("note", "joined", "The Bluebell team")
    await shop.close()


async def test_a_name_that_cannot_be_shown_and_a_conversation_that_is_not_there_are_refused(shop, host):
    await shop.visitor()
    for name in ("x" * 61, "An\x00na", "An\u202ena"):
        refused = await host.post(f"/api{home(shop)}/take-over", json={"name": name})
        assert (refused.status_code, refused.json()["field"]) == (422, "name")
    assert (await host.post("/api/conversations/v-0/take-over")).status_code == 404
    stranger = shop.from_address("192.0.2.9", page=None)
    assert (await stranger.post(f"/api{home(shop)}/take-over")).status_code == 401


async def test_many_who_take_over_at_once_are_one_note(shop, host):
    token = await shop.visitor()
    at_once = (host.post(f"/api{home(shop)}/take-over", json={"name": "Anna"}) for _ in range(6))
    assert {one.status_code for one in await asyncio.gather(*at_once)} == {200}
    assert len(await roles(shop, token)) == 2


async def test_on_the_page_a_person_takes_over_and_gives_back(shop, host):
    token = await shop.visitor("Is it blue?")
    page = home(shop)
    assert "Who answers" in words_of(await host.get(page))
    form = {**await form_of(host, page), "id": page.rpartition("/")[2], "name": "Anna"}
    assert (await host.post("/take-over", data=form)).status_code == 303
    shown = words_of(await host.get(page))
    assert "Anna has taken over" in shown
    assert re.search(r"Anna [\d:]+ A person took over; the visitor was told\.", shown)
    assert "Airbnb" not in shown.partition("A person took over")[0].rpartition("Is it blue?")[2]
    assert (await roles(shop, token))[-1] == ("note", "joined", "Anna")
    assert (await host.post("/give-back", data={**form, "name": ""})).status_code == 303
    shown = (await host.get(page)).text
    assert re.search(r'name="name"[^>]*value="Anna"', shown)
    assert (await roles(shop, token))[-1] == ("note", "left", "Anna")


async def test_on_the_page_it_shows_that_the_visitor_is_writing(shop, host):
    token = await shop.visitor()
    page = home(shop)
    assert "is writing" not in words_of(await host.get(page))
    await shop.client.post("/api/widget/shop/typing", headers={"authorization": f"Bearer {token}"})
    assert "The visitor is writing" in words_of(await host.get(page))
    shop.clock.advance(10)
    assert "is writing" not in words_of(await host.get(page))
