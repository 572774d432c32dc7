"""A request that a person was to answer is put to the AI again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from src.db import conversations, inbox_queue
from src.model.answer import Action, Answer
from src.model.statuses import InboxStatus, OutboxStatus
from src.services import outbox_moves
from src.services.answers import take_answer
from src.services.asking_again import ask_again

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def where(house):
    return house.site.conversation("Is there a blender?")


def escalated(house, where, **said):
    request = house.request_for(where)
    said = {"reason": "missing_fact", "draft": "A draft for the host.", **said}
    outcome = take_answer(
        house.db,
        house.wakeup,
        Answer(where.external_id, request.id, action=Action.ESCALATE, **said),
        accounts=house.settings.accounts_by_name,
        now=house.clock(),
        is_conversation_id=lambda _, external_id: house.channel.is_conversation_id(external_id),
    )
    house.clock.advance(60)
    return request, outcome.job


def again(house, *requests):
    return ask_again(house.db, house.wakeup, [one.id for one in requests], house.clock())


async def test_it_is_asked_again_with_the_same_messages_and_its_draft_is_replaced(house, where):
    request, _ = escalated(house, where)
    (draft,) = house.jobs()

    (new,) = again(house, request)

    assert (new.status, new.newest_external_id, new.reply_by) == (
        InboxStatus.PENDING,
        request.newest_external_id,
        request.reply_by,
    )
    assert new.due_at == house.clock() + timedelta(seconds=2), "another process has read the folder by then"
    with house.db.read() as conn:
        assert [m.text for m in conversations.messages_of_request(conn, new.id)] == ["Is there a blender?"]
    assert (house.job(draft).status, house.job(draft).reason) == (OutboxStatus.CANCELLED, "replaced")
    assert again(house, request) == [], "once is enough"


async def test_the_new_answer_is_sent_once_also_after_a_holding_text(house, where):
    request, holding = escalated(house, where, draft=None, holding_message="We have your message.")
    await house.sent()
    assert house.job(holding).status is OutboxStatus.SENT

    (new,) = again(house, request)
    house.clock.advance(3)
    house.ask_ai()
    house.answer(new, "Yes, below the sink. Kind regards!")
    await house.sent()
    await house.synced()

    assert where.texts == [
        "Is there a blender?",
        "We have your message.",
        "Yes, below the sink. Kind regards!",
    ]


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda house, where: house.site.host_writes(where, "Yes, there is."),
        lambda house, where: house.site.guest_writes(where, "And a toaster?"),
    ],
    ids=["the host answered", "the guest wrote again"],
)
async def test_nobody_is_asked_again_about_what_is_over(house, where, meanwhile):
    request, _ = escalated(house, where)
    meanwhile(house, where)
    house.take_in(where)
    assert again(house, request) == []


async def test_a_message_that_is_too_old_is_not_asked_about_again(house, where):
    request, _ = escalated(house, where)
    house.clock.advance(24 * 3600)
    assert again(house, request) == []


async def test_what_a_person_has_seen_to_is_not_asked_about_again(house, where):
    request, _ = escalated(house, where)
    with house.db.write() as conn:
        assert conversations.mark_seen_to(conn, house.stored(where).id, None, house.clock())
    assert again(house, request) == []


async def test_a_draft_that_a_person_approved_is_the_answer(house, where):
    request, _ = escalated(house, where)
    (draft,) = house.jobs()
    outbox_moves.approve(house.db, house.wakeup, draft.id, None, now=house.clock())
    assert again(house, request) == []
    await house.sent()
    assert where.texts[-1] == "A draft for the host."
    assert again(house, request) == []


async def test_a_message_that_the_guest_took_back_is_not_asked_about_again(house, where):
    request, _ = escalated(house, where)
    house.site.unsend(where.messages[0])
    house.take_in(where)
    assert again(house, request) == []


async def test_what_was_answered_or_is_unknown_is_left_alone(house, where):
    request = house.request_for(where)
    assert again(house, request) == [], "it is open"
    house.answer(request)
    assert again(house, request) == []
    assert ask_again(house.db, house.wakeup, ["never-there"], house.clock()) == []
    with house.db.read() as conn:
        assert inbox_queue.open_request(conn, house.stored(where).id) is None
