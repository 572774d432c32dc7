"""A look at the inbox: what is opened, what is taken in, how far back the next look goes."""

from datetime import timedelta

import pytest

from src.db import accounts, conversations
from src.db.wakeup import Wakeup
from src.errors import ChannelGone, Halt, NotUnderstood, PermanentError, TransientError, WallHit
from src.model.gate import Refusal
from src.model.inbox import AuthorRole
from src.model.statuses import InboxStatus, OutboxStatus
from tests.faults.invariants import broken_promises
from tests.support.channel import FakeChannel
from tests.support.house import ACCOUNT, TroubledDatabase
from tests.support.site import Acceptance, FakeSite

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def account(house):
    with house.db.read() as conn:
        return accounts.get(conn, ACCOUNT)


def opened(house):
    return house.channel.calls.count("read")


async def test_a_new_message_is_opened_taken_in_and_queued(house):
    where = house.site.conversation("Hello", "Is there a cot?")
    report = await house.synced()
    assert (report.conversations, report.changed, report.opened) == (1, 1, 1)
    assert (report.new_messages, report.queued) == (2, 1)
    assert report.words() == "1 changed, 1 opened, 2 new, 1 queued"
    assert house.open_request(where) is not None
    assert broken_promises(house) == []


async def test_the_ai_worker_is_woken_for_what_send_finds_before_sync(house, db):
    where = house.site.conversation("Is there a cot?")
    house.reply_for(where)
    wakeup = Wakeup(db, ["inbox"])
    await wakeup.wait(0)
    house.channel.before("reread", lambda: house.site.guest_writes(where, "And a high chair?"))
    await house.sent()
    assert house.open_request(where) is not None
    assert await wakeup.wait(10)
    wakeup.close()


async def test_the_ai_worker_is_woken_for_what_is_queued(house, db):
    wakeup = Wakeup(db, ["inbox"])
    await wakeup.wait(0)
    house.site.conversation("Is there a cot?")
    await house.synced()
    assert await wakeup.wait(10)
    wakeup.close()


async def test_what_has_not_changed_is_not_opened_again(house):
    where = house.site.conversation("Is there a cot?")
    await house.synced()
    report = await house.synced()
    assert (report.changed, report.opened) == (0, 0)
    assert opened(house) == 1
    house.site.guest_writes(where, "Hello?")
    assert (await house.synced()).opened == 1


@pytest.mark.parametrize("change", ["edit", "unsend"])
async def test_a_newest_message_that_was_changed_or_taken_back_is_news(house, change):
    where = house.site.conversation("Is there a cot?")
    await house.synced()
    if change == "edit":
        house.site.edit(where.messages[0], "Is there a crib?")
    else:
        house.site.unsend(where.messages[0])
    assert (await house.synced()).changed == 1
    assert (await house.synced()).changed == 0
    assert broken_promises(house) == []


@pytest.mark.parametrize("write", [FakeSite.host_writes, FakeSite.cohost_writes])
async def test_what_the_host_answered_is_taken_from_the_list_and_stays_unread(house, write):
    where = house.site.conversation("Is there a cot?")
    asked = house.request_for(where)
    write(house.site, where, "It is in the wardrobe")
    assert (await house.synced()).opened == 0
    assert house.request(asked).status is InboxStatus.CANCELLED


@pytest.mark.parametrize("facts", [{"is_stay": False}, {"is_hosting": False}, {"viewer_is_host": False}])
async def test_a_conversation_that_is_not_ours_to_answer_is_not_opened(house, facts):
    where = house.site.conversation("Welcome!", **facts)
    assert (await house.synced()).opened == 0
    assert house.stored(where).skip_reason is not None


async def test_a_conversation_without_fresh_activity_is_not_opened(house, clock):
    house.site.conversation("Is there a cot?")
    clock.advance(25 * 3600)
    house.site.conversation("And here?")
    assert (await house.synced()).opened == 1


@pytest.mark.parametrize("newest", [FakeSite.card, FakeSite.photo, FakeSite.bulletin])
async def test_what_stands_above_a_card_or_photo_is_looked_for(house, newest):
    where = house.site.conversation("Is there a cot?")
    newest(house.site, where)
    await house.synced()
    text, _ = house.messages(where).values()
    assert text.skip_reason == Refusal.NOT_THE_NEWEST
    assert broken_promises(house) == []


async def test_a_host_who_sent_a_card_or_took_a_message_back_has_not_answered(house):
    first, second = house.site.conversation("One"), house.site.conversation("Two")
    house.site.card(first, AuthorRole.HOST)
    house.site.unsend(house.site.host_writes(second, "Yes"))
    assert (await house.synced()).opened == 2


async def test_a_list_of_previews_is_enough_to_find_what_is_new(house):
    house.site.list_previews_only = True
    where = house.site.conversation("Is there a cot?")
    assert (await house.synced()).queued == 1
    assert (await house.synced()).changed == 0
    house.site.host_writes(where, "It is in the wardrobe")
    await house.synced()
    assert house.open_request(where) is None
    assert (await house.synced()).changed == 0
    assert broken_promises(house) == []


async def test_sixty_messages_between_two_looks_are_all_stored(house):
    house.site.stretch = 10
    where = house.site.conversation("Is there a cot?")
    await house.synced()
    for number in range(60):
        house.site.guest_writes(where, f"And {number}")
    report = await house.synced()
    assert report.new_messages == 60
    assert len(house.messages(where)) == 61
    assert broken_promises(house) == []


async def test_a_conversation_is_read_back_only_as_far_as_needed(house, clock):
    house.site.stretch = 5
    where = house.site.conversation(*(f"Old {n}" for n in range(30)))
    clock.advance(25 * 3600)
    house.site.guest_writes(where, "Is there a cot?")
    await house.synced()
    assert len(house.messages(where)) == 5

    answered = house.site.conversation(*(f"Before {n}" for n in range(30)))
    house.site.host_writes(answered, "Thanks")
    for number in range(7):
        house.site.guest_writes(answered, f"After {number}")
    await house.synced()
    assert len(house.messages(answered)) == 10
    assert broken_promises(house) == []


async def test_conversations_are_taken_oldest_first_and_others_may_go_between(house, clock):
    for number in range(3):
        house.site.conversation(f"Question {number}")
        clock.advance(60)
    seen = []

    async def yield_turn():
        seen.append(len(house.channel.calls))

    await house.sync.run_once(house.channel, yield_turn)
    assert seen == [2, 3, 4]
    with house.db.read() as conn:
        found = [c.external_id for c in conversations.list_recent(conn, ACCOUNT, 9)]
    assert found == list(house.site.conversations)[::-1]


async def test_a_cycle_that_is_stopped_leaves_the_rest_to_the_next_one(house):
    for number in range(3):
        house.site.conversation(f"Question {number}")
    answers = iter([True, False])
    report = await house.sync.run_once(house.channel, keep_going=lambda: next(answers))
    assert report.opened == 1
    assert account(house).swept_through is None
    assert (await house.synced()).opened == 2
    assert broken_promises(house) == []


# --- trouble ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [TransientError(), NotUnderstood()])
async def test_one_conversation_that_fails_does_not_keep_the_others_from_being_read(house, error):
    first, second = house.site.conversation("One"), house.site.conversation("Two")
    house.channel.fail("read", error)
    assert len((await house.synced()).failures) == 1
    assert account(house).swept_through is None
    with house.db.read() as conn:
        assert conversations.by_external_id(conn, ACCOUNT, first.external_id) is None
    assert house.open_request(second) is not None
    await house.synced()
    assert house.open_request(first) is not None
    assert broken_promises(house) == []


@pytest.mark.parametrize("error", [ChannelGone(), WallHit("captcha", "a challenge is shown")])
@pytest.mark.parametrize("method", ["glance", "read"])
async def test_a_browser_that_goes_or_a_wall_ends_the_cycle_at_once(house, error, method):
    house.site.conversation("One")
    house.site.conversation("Two")
    house.channel.fail(method, error)
    with pytest.raises(type(error)):
        await house.synced()
    assert house.channel.calls[-1] == method
    house.start_anew()
    await house.synced()
    assert broken_promises(house) == []


async def test_a_conversation_that_the_site_does_not_open_waits_for_a_person(house):
    where = house.site.conversation("Is there a cot?")
    house.channel.fail("read", PermanentError(reason="no_such_conversation"))
    await house.synced()
    (message,) = house.messages(where).values()
    assert message.skip_reason == Refusal.CANNOT_BE_OPENED
    assert house.request(message.request_id).status is InboxStatus.ESCALATED
    assert (await house.synced()).changed == 0
    assert broken_promises(house) == []


async def test_a_database_in_trouble_loses_nothing(house, monkeypatch):
    house.site.conversation("Is there a cot?")
    really, tries = house.db.write, []

    def write(**how):
        tries.append(1)
        if len(tries) == 2:
            raise TransientError("the database is locked")
        return really(**how)

    monkeypatch.setattr(house.db, "write", write)
    with pytest.raises(TransientError):
        await house.synced()
    assert (await house.synced()).queued == 1
    assert broken_promises(house) == []


async def test_the_inbox_of_another_host_is_not_touched(house):
    where = house.site.conversation("Is there a cot?")
    await house.synced()
    house.site.viewer_id = "somebody-else"
    house.site.guest_writes(where, "Hello?")
    with pytest.raises(Halt) as caught:
        await house.synced()
    assert (caught.value.kind, caught.value.exit_code) == ("other_account", 10)
    assert house.channel.calls[-1] == "glance"
    assert len(house.messages(where)) == 1


# --- how far back ----------------------------------------------------------------------------------------------


@pytest.fixture
def asked(house, monkeypatch):
    """What each glance was asked for: how long ago, and whether thoroughly."""
    noted = []
    really = FakeChannel.glance

    async def glance(self, since, *, thorough=False):
        noted.append((house.clock() - since, thorough))
        return await really(self, since, thorough=thorough)

    monkeypatch.setattr(FakeChannel, "glance", glance)
    return noted


DAY, OVERLAP = timedelta(days=1), timedelta(minutes=10)


async def test_the_first_look_is_thorough_and_later_ones_begin_where_it_ended(house, asked, clock):
    house.site.conversation("Is there a cot?")
    for seconds in (60, 3600):
        await house.synced()
        clock.advance(seconds)
    await house.synced()
    assert asked == [
        (DAY, True),
        (OVERLAP + timedelta(seconds=60), False),
        (OVERLAP + timedelta(seconds=3660), False),
    ]
    house.start_anew()
    await house.synced()
    assert asked[-1] == (DAY, True)


async def test_a_look_that_was_not_complete_moves_nothing_on(house, asked, clock):
    house.site.conversation("Is there a cot?")
    house.site.list_complete = False
    await house.synced()
    assert account(house).swept_through is None
    house.site.list_complete = True
    await house.synced()
    assert [thorough for _, thorough in asked] == [True, True]
    assert account(house).swept_through is not None


async def test_a_clock_of_the_site_that_runs_ahead_hides_nothing(house, clock):
    where = house.site.conversation()
    house.site.guest_writes(where, "From the future", clock.later(3600))
    await house.synced()
    assert account(house).swept_through == clock()
    house.site.conversation("Is there a cot?")
    assert (await house.synced()).queued == 1


async def test_an_empty_inbox_is_looked_at_and_nothing_else(house, asked):
    report = await house.synced()
    assert (report.conversations, report.changed) == (0, 0)
    assert account(house).swept_through is None


# --- with SEND -------------------------------------------------------------------------------------------------


async def test_our_own_reply_in_the_list_is_neither_opened_nor_taken_for_the_hosts(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where)
    await house.sent()
    assert (await house.synced()).opened == 0
    assert house.job(job).status is OutboxStatus.SENT
    assert house.stored(where).host_wrote_at is None


async def test_what_sync_and_send_see_in_turn_is_taken_in_once(house):
    where = house.site.conversation("Is there a cot?")
    await house.synced()
    house.clock.advance(60)
    (request,) = house.ask_ai()
    house.answer(request)
    house.channel.before("read", lambda: house.site.guest_writes(where, "And a high chair?"), nth=2)
    await house.sent()
    assert (await house.synced()).changed == 0
    new = house.open_request(where)
    assert new is not None
    assert house.site.presses == []
    house.clock.advance(60)
    house.answer(house.ask_ai()[0])
    await house.sent()
    assert len(house.site.presses) == 1
    assert broken_promises(house) == []


async def test_a_reply_that_shows_late_is_found_however_far_the_list_has_gone_on(house):
    late = house.site.conversation("Is there a cot?")
    job = house.reply_for(late)
    house.site.acceptance = Acceptance(hidden_for=20)
    await house.sent()
    assert house.job(job).status is OutboxStatus.UNCONFIRMED
    house.clock.advance(3600)
    house.site.conversation("Is there a lift?")
    await house.synced()
    late.messages[-1].hidden_for = 0
    await house.synced()
    assert house.job(job).status is OutboxStatus.SENT


async def test_a_reply_without_proof_is_looked_for_above_what_the_host_wrote_after_it(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where)
    house.site.acceptance = Acceptance(hidden_for=20)
    await house.sent()
    assert house.job(job).status is OutboxStatus.UNCONFIRMED
    where.messages[-1].hidden_for = 0
    house.site.host_writes(where, "By the way, the cot is blue.")
    await house.synced()
    assert house.job(job).status is OutboxStatus.SENT


async def test_an_idle_cycle_reads_twice_and_writes_nothing(house):
    for number in range(3):
        house.site.conversation(f"Question {number}")
    await house.synced()
    reads = TroubledDatabase(house.db, 0, AssertionError(), kind="read")
    writes = TroubledDatabase(reads, 0, AssertionError(), kind="write")
    house.sync = house.new_sync(writes)
    assert (await house.synced()).changed == 0
    assert (reads.count, writes.count) == (2, 0)
