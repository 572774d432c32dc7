"""The host's own texts are shown to the draft as voice, masked, and never become a fact or a source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from src.assistant.live import LiveAssistant
from src.assistant.voice import MOST, choose_examples, mask_example
from src.db import conversations, outbox_queue
from src.model.inbox import AuthorRole
from src.model.statuses import OutboxStatus
from src.model.values import Direction
from tests.support.api import ACCOUNT, inbox, thread_id  # noqa: F401
from tests.support.assistant import FILES, settings_for, write_folder
from tests.support.model_answers import good_draft
from tests.support.model_server import ModelServer

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

BOOKED = {"reservation_status": "ACCEPTED"}
KETTLE = "Where is the kettle in your kitchen, please?"
EDIT = "Hi dear Gerda, the kettle hides behind the red curtain since Monday, cheers!"
PAYLOAD = {
    "conversation_id": "c1",
    "request_id": "r1",
    "sender": "Camille",
    "message": KETTLE,
    "property_id": "4711",
    "stay": {"stage": "booked"},
}


def test_names_numbers_and_addresses_are_taken_out_of_an_example():
    text = "Hi Gerda!\nCall +33 6 12 34 56 78, code 4821, see https://x.example/y or me@house.example. Gerda, bye"
    assert mask_example(text, "Gerda Guest") == "Hi {guest}! Call #, code #, see … or … {guest}, bye"


def test_the_nearest_five_are_chosen_and_no_text_twice():
    texts = [(f"The towels are on shelf number {n} of the wardrobe.", None) for n in range(9)]
    texts += [("The kettle stands in the kitchen, enjoy your tea.", None), ("Ok", None)]
    texts += [(f"Number of nice neighbours, street {word}", None) for word in "abcdefgh"]
    chosen = choose_examples(KETTLE, texts, lambda text: text)
    assert chosen[0] == "The kettle stands in the kitchen, enjoy your tea."
    assert len(chosen) == MOST
    assert len(set(chosen)) == MOST


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
async def assistant(server, db, clock, tmp_path) -> AsyncIterator[LiveAssistant]:
    """With the product's own looks."""
    write_folder(tmp_path / "knowledge", FILES)
    settings = settings_for(
        server,
        assistant_knowledge_dir=tmp_path / "knowledge",
        assistant_agents_dir=tmp_path / "agents",
    )
    made = LiveAssistant(settings, db, clock=clock)
    yield made
    await made.close()


@pytest.fixture
def wrote(inbox, make_message, clock):
    """A text of the host's side in another conversation about the listing."""

    def wrote(text=EDIT, number=7, stay=BOOKED, listing="4711", role=AuthorRole.HOST):
        said = make_message(text, role=role, sent_at=clock() - timedelta(days=1))
        return inbox.conversation(thread_id(number), said, listing_id=listing, stay=stay)

    return wrote


async def ask(assistant, server):
    said = await assistant.respond(PAYLOAD)
    prompts = {call.step: call for call in server.calls}
    return said.body, prompts


@on_sqlite
async def test_the_hosts_own_text_is_shown_to_the_draft_outside_of_the_facts(assistant, server, wrote):
    wrote()
    _, prompts = await ask(assistant, server)
    facts, _, rest = prompts["draft"].system.partition("</facts nonce")
    assert "red curtain" not in facts
    assert "Hi dear {guest}, the kettle hides behind the red curtain" in rest
    assert "Gerda" not in rest
    for step in ("triage", "check"):
        assert "red curtain" not in prompts[step].text


@pytest.mark.parametrize(
    "elsewhere", [{"listing": "815"}, {"stay": {"reservation_status": "INQUIRY"}}, {"role": AuthorRole.GUEST}]
)
@on_sqlite
async def test_texts_of_other_listings_other_stages_and_guests_are_not_shown(
    assistant, server, wrote, elsewhere
):
    wrote(**elsewhere)
    _, prompts = await ask(assistant, server)
    assert "red curtain" not in prompts["draft"].system


@on_sqlite
async def test_a_fact_in_an_edit_never_becomes_a_source(assistant, server, wrote):
    wrote()
    stolen = "The kettle hides behind the red curtain since Monday."
    for sources in (["f5"], ["f9"], ["voice"], [EDIT]):
        server.script["draft"] = lambda call, sources=sources: {
            **good_draft(call),
            "message": stolen,
            "sources": sources,
        }
        body, _ = await ask(assistant, server)
        assert body.get("hold") == "no_source", body
        assert "sources" not in body


@on_sqlite
async def test_a_draft_that_a_person_changed_is_shown_as_it_was_sent(
    assistant, server, db, clock, inbox, make_message
):
    home = inbox.conversation(
        thread_id(8), make_message("Hm?", sent_at=clock()), listing_id="4711", stay=BOOKED
    )
    with db.write() as conn:
        job, _ = outbox_queue.enqueue(
            conn,
            ACCOUNT,
            home,
            "The kettle is in the kitchen cupboard.",
            request_id=None,
            idempotency_key="k",
            status=OutboxStatus.DRAFT,
            reason="approval_required",
            now=clock(),
        )
        edited = "The kettle is in the kitchen cupboard, big hug!"
        outbox_queue.approve(conn, job.id, edited, clock())
        seen = make_message(edited, role=AuthorRole.HOST, sent_at=clock())
        ours = conversations.insert_message(
            conn,
            ACCOUNT,
            home,
            seen,
            direction=Direction.OUTBOUND,
            origin="assistant",
            skip_reason=None,
            now=clock(),
        )
        conversations.attach_receipt(conn, ours.id, job)
    _, prompts = await ask(assistant, server)
    assert "big hug" in prompts["draft"].system
