"""An answer in several messages: each is sent once, in order, and none over what came between them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from src.channels.pgnotify.settings import PgnotifySettings
from src.db import accounts, outbox_views
from src.model.pace import reading_sec, typing_sec
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.services import outbox_moves
from tests.support.channel import Crash
from tests.support.house import ACCOUNT
from tests.support.site import Acceptance
from tests.support.table import TableChannel

THREE = ("Hello Gerda!", "Yes, there is a cot.", "See you soon.")
SENT, PENDING = OutboxStatus.SENT, OutboxStatus.PENDING


@pytest.fixture
def told(house):
    """People are told that an AI answers, on a channel that takes several messages for one answer."""
    house.account_changes = {"channel": "pgnotify", "own": PgnotifySettings(), "disclosure": "label"}
    with house.db.write() as conn:
        accounts.set_disclosed(conn, ACCOUNT, house.clock())
    return house


@pytest.fixture
def human(told):
    """The same, at a person's pace."""
    told.account_changes["own"] = PgnotifySettings(pace="human")
    return told


@pytest.fixture
def where(house):
    return house.site.conversation("Hello", "Is there a cot?")


def statuses(house):
    return [job.status for job in house.jobs()]


def ours(house, where):
    return [m.text for m in where.messages if m.text in THREE]


async def test_three_parts_are_three_messages_in_their_order(told, where):
    told.answer(told.request_for(where), parts=THREE)
    assert [(job.part, job.parts, job.text) for job in told.jobs()] == [
        (number, 3, text) for number, text in enumerate(THREE, 1)
    ]
    assert len({job.group_id for job in told.jobs()}) == 1
    assert await told.sent() == 3
    assert ours(told, where) == list(THREE)
    assert statuses(told) == [SENT] * 3


@pytest.mark.parametrize("stage", ["read", "write", "reread", "press_send"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_after_a_crash_in_the_middle_of_three_parts_each_comes_once(told, where, stage, after, nth):
    told.make_channel = TableChannel
    told.start_anew()
    told.answer(told.request_for(where), parts=THREE)
    told.channel.fail(stage, Crash(), nth=nth, after=after)
    with pytest.raises(Crash):
        await told.sent()
    for _ in range(3):
        await told.recovered()
        told.clock.advance(30)
    assert ours(told, where) == list(THREE)
    assert statuses(told) == [SENT] * 3


@pytest.mark.parametrize("stage", ["reread", "press_send", "follow"])
@pytest.mark.parametrize("after", [False, True])
async def test_on_a_page_a_crash_between_the_parts_doubles_none_and_skips_none(told, where, stage, after):
    told.answer(told.request_for(where), parts=THREE)
    told.channel.fail(stage, Crash(), nth=2, after=after)
    with pytest.raises(Crash):
        await told.sent()
    for _ in range(3):
        await told.recovered()
        told.clock.advance(30)
    there = ours(told, where)
    assert there == list(THREE[: len(there)])
    assert statuses(told)[: len(there)] == [SENT] * len(there)
    assert statuses(told)[len(there) :] in ([], [OutboxStatus.UNCONFIRMED, OutboxStatus.DRAFT])


@pytest.mark.parametrize("who", ["guest_writes", "host_writes", "cohost_writes"])
async def test_what_somebody_writes_between_two_parts_cancels_the_rest(told, where, who):
    request = told.request_for(where)
    told.answer(request, parts=THREE)
    told.channel.after("follow", lambda: getattr(told.site, who)(where, "And a towel?"))
    await told.sent()
    first, second, third = told.jobs()
    assert ours(told, where) == [THREE[0]]
    assert first.status is SENT
    reason = CancelReason.GUEST_WROTE_AGAIN if who == "guest_writes" else CancelReason.HOST_ANSWERED
    assert (second.reason, third.reason) == (reason, reason)
    await told.synced()
    again = told.open_request(where)
    assert (again is not None) is (who == "guest_writes")


async def test_the_ai_is_asked_with_the_parts_that_went_out(told, where):
    told.answer(told.request_for(where), parts=THREE)
    told.channel.after("follow", lambda: told.site.guest_writes(where, "And a towel?"))
    await told.sent()
    await told.synced()
    request = told.open_request(where)
    told.clock.advance(60)
    (asked,) = told.ask_ai()
    assert asked.id == request.id
    assert list(told.asked[asked.id].values()) == ["And a towel?"]
    assert {m.origin for m in told.messages(where).values() if m.text == THREE[0]} == {"assistant"}


async def test_a_part_after_one_that_was_not_proven_waits_for_a_person(told, where):
    told.answer(told.request_for(where), parts=THREE)
    told.site.acceptance = Acceptance(taken=False)
    await told.sent()
    assert ours(told, where) == []
    waits = (OutboxStatus.DRAFT, "earlier_part_missing")
    assert [(job.status, job.reason) for job in told.jobs()] == [
        (OutboxStatus.UNCONFIRMED, "no_proof"),
        waits,
        waits,
    ]


def test_a_person_who_cancels_a_part_cancels_what_follows_it(told, where):
    told.answer(told.request_for(where), parts=THREE)
    second = told.jobs()[1]
    outbox_moves.cancel(told.db, second.id, now=told.clock())
    assert statuses(told) == [PENDING, OutboxStatus.CANCELLED, OutboxStatus.CANCELLED]


def test_without_disclosure_the_parts_are_one_message(told, where):
    told.account_changes["disclosure"] = None
    told.answer(told.request_for(where), parts=THREE)
    (job,) = told.jobs()
    assert (job.text, job.parts, job.group_id) == ("\n\n".join(THREE), 1, None)


def test_a_label_that_nobody_has_confirmed_counts_as_none(told, where):
    with told.db.write() as conn:
        conn.exec_driver_sql("UPDATE accounts SET disclosed_at = NULL")
    told.answer(told.request_for(where), parts=THREE)
    assert len(told.jobs()) == 1


def test_on_a_channel_with_one_message_for_an_answer_the_parts_are_joined(told, where):
    told.account_changes["channel"] = "airbnb"
    told.answer(told.request_for(where), parts=THREE)
    assert [job.text for job in told.jobs()] == ["\n\n".join(THREE)]


def test_a_draft_is_one_text_for_the_person_who_approves_it(told, where):
    told.answer(told.request_for(where), parts=THREE, mode="draft")
    assert [(job.status, job.text) for job in told.jobs()] == [(OutboxStatus.DRAFT, "\n\n".join(THREE))]


def test_the_same_answer_in_parts_again_is_the_same_reply(told, where):
    request = told.request_for(where)
    first = told.answer(request, parts=THREE)
    again = told.answer(request, parts=THREE)
    assert (again.result, again.job.id) == ("repeated", first.job.id)
    assert len(told.jobs()) == 3


def test_more_parts_than_the_channel_takes_go_together_into_the_last(told, where):
    told.answer(told.request_for(where), parts=[f"Part {n}" for n in range(8)])
    assert [job.text for job in told.jobs()][-1] == "Part 4\n\nPart 5\n\nPart 6\n\nPart 7"
    assert len(told.jobs()) == 5


def test_an_answer_in_parts_counts_once_for_the_caps(told, where):
    told.answer(told.request_for(where), parts=THREE)
    with told.db.read() as conn:
        long_ago = told.clock() - timedelta(days=1)
        counted = outbox_views.automatic_replies(
            conn, ACCOUNT, told.stored(where).id, hour=long_ago, day=long_ago
        )
    assert (counted.conversation_hour, counted.account_hour) == (1, 1)


# --- pace ------------------------------------------------------------------------------------------------


def test_a_human_pace_reads_before_the_first_part_and_types_each_further_one(human, where):
    request = human.request_for(where)
    asked = "\n".join(human.asked[request.id].values())
    heard = max(m.seen_at for m in human.messages(where).values())
    human.answer(request, parts=THREE)
    first, second, third = human.jobs()
    reads = reading_sec(asked)
    assert first.due_at == human.clock() or 0.8 <= (first.due_at - heard).total_seconds() / reads <= 1.2
    for before, part in ((first, second), (second, third)):
        assert part.typing_from_at == before.due_at
        assert 0.8 <= (part.due_at - before.due_at).total_seconds() / typing_sec(part.text) <= 1.2


async def test_at_a_human_pace_a_part_waits_until_it_would_have_been_typed(human, where):
    human.answer(human.request_for(where), parts=THREE)
    human.clock.advance(10)
    assert await human.sent() == 1
    assert await human.sent() == 0
    second = human.jobs()[1]
    assert second.due_at > human.clock()
    human.clock.advance((second.due_at - human.clock()).total_seconds())
    assert await human.sent() == 1


async def test_a_part_that_comes_late_does_not_make_the_next_one_come_at_once(human, where):
    human.answer(human.request_for(where), parts=THREE)
    human.clock.advance(600)
    assert await human.sent() == 1
    second = human.jobs()[1]
    assert second.typing_from_at == human.clock()
    assert second.due_at > human.clock()


def test_without_a_pace_all_parts_are_due_at_once(told, where):
    told.answer(told.request_for(where), parts=THREE)
    assert {job.due_at for job in told.jobs()} == {told.clock()}
    assert {job.typing_from_at for job in told.jobs()} == {None}


def test_a_long_text_is_taken_apart_only_at_a_human_pace(told, where):
    long = "There is a cot in the wardrobe.\n\nThe key is with the neighbour.\n\nSee you soon."
    told.answer(told.request_for(where), long)
    assert len(told.jobs()) == 1
    told.account_changes["own"] = PgnotifySettings(pace="human")
    other = told.site.conversation("Is there a cot?")
    told.answer(told.request_for(other), long)
    assert [job.text for job in told.jobs()[1:]] == long.split("\n\n")


# --- disclosure ------------------------------------------------------------------------------------------


async def test_the_first_message_that_we_ever_write_says_that_an_ai_answers(told, where):
    told.account_changes["disclosure"] = "first_message"
    told.answer(told.request_for(where), parts=THREE)
    assert told.jobs()[0].text == f"I am an AI assistant and answer here automatically.\n\n{THREE[0]}"
    await told.sent()
    told.site.guest_writes(where, "Thanks")
    told.answer(told.request_for(where), "With pleasure")
    assert told.jobs()[-1].text == "With pleasure"


def test_a_first_message_that_never_went_out_has_told_nobody(told, where):
    told.account_changes["disclosure"] = "first_message"
    told.answer(told.request_for(where), "Yes, there is")
    told.site.guest_writes(where, "And a towel?")
    told.answer(told.request_for(where), "That too")
    assert [job.status for job in told.jobs()] == [OutboxStatus.CANCELLED, PENDING]
    assert all("I am an AI assistant" in job.text for job in told.jobs())


def test_the_sentence_of_the_host_is_used_where_there_is_one(told, where):
    own = PgnotifySettings(disclosure_text="Here answers a machine.")
    told.account_changes |= {"disclosure": "first_message", "own": own}
    request = told.request_for(where)
    told.answer(request, "Yes")
    assert told.jobs()[0].text == "Here answers a machine.\n\nYes"
    assert told.answer(request, "Yes").result == "repeated"


@pytest.mark.parametrize("text", ["I am a real person", "Non, je ne suis pas un robot !"])
@pytest.mark.parametrize("disclosure", [None, "label", "first_message"])
def test_a_text_that_denies_being_an_ai_waits_for_a_person(told, where, text, disclosure):
    told.account_changes["disclosure"] = disclosure
    request = told.request_for(where)
    told.answer(request, text)
    (job,) = told.jobs()
    assert (job.status, job.reason) == (OutboxStatus.DRAFT, "denies_being_ai")
    assert told.request(request).status is InboxStatus.ANSWERED
