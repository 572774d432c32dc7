"""Kill -9 and trouble at every step of SEND: never twice, never a false "sent", nothing stuck.

The site's own log is the judge (``broken_promises``). A crash is an exception that nobody catches; afterwards only
the database and the site are left.
"""

import pytest

from src.errors import ChannelGone, Halt, TransientError, WallHit
from src.model.statuses import OutboxStatus
from tests.faults.invariants import broken_promises
from tests.support.channel import Crash, FakeChannel
from tests.support.house import House, TroubledDatabase
from tests.support.site import Acceptance

CLAIM, OPENED, ARM, REREAD, SETTLE = range(1, 6)
"""The transactions that write, in their order."""

POINTS = {
    "before_claim": (CLAIM, False),
    "after_claim": (CLAIM, True),
    "before_open": ("before", "read"),
    "after_open": ("after", "read"),
    "before_what_is_seen_is_stored": (OPENED, False),
    "after_what_is_seen_is_stored": (OPENED, True),
    "before_type": ("before", "write"),
    "mid_type": ("during", "write"),
    "after_type": ("after", "write"),
    "before_arm": (ARM, False),
    "after_arm": (ARM, True),
    "before_reread": ("before", "reread"),
    "after_reread": ("after", "reread"),
    "before_the_last_judgement": (REREAD, False),
    "after_the_last_judgement": (REREAD, True),
    "before_press": ("before", "press_send"),
    "after_accept": ("after", "press_send"),
    "before_verify": ("before", "follow"),
    "after_verify": ("after", "follow"),
    "before_commit": (SETTLE, False),
    "after_commit": (SETTLE, True),
}
NEVER_ARMED = list(POINTS)[: list(POINTS).index("after_arm")]
ARMED = [point for point in POINTS if point not in NEVER_ARMED]
PRESSED = ARMED[ARMED.index("before_press") + 1 :]

ACCEPTANCES = {
    "prompt": Acceptance(),
    "late": Acceptance(hidden_for=4),
    "much_later": Acceptance(hidden_for=20),
    "never": Acceptance(taken=False),
    "altered": Acceptance(change=lambda text: text.replace(" ", "  ")),
}


@pytest.fixture
def house(db, clock):
    with House(db, clock) as made:
        yield made


only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def arrange_crash(house, point):
    """SEND, about to die at the point."""
    first, second = POINTS[point]
    if isinstance(first, int):
        return house.new_send(TroubledDatabase(house.db, first, Crash(), committed=bool(second)))

    def die():
        raise Crash

    getattr(house.channel, str(first))(second, die)
    return house.new_send()


async def look_after_everything(house):
    """What the next processes do until there is nothing left: SEND, then SYNC until the site shows everything."""
    for _ in range(6):
        house.clock.advance(60)
        try:
            if not house.send.has_work():
                break
            await house.send.run_once(house.channel)
        except ChannelGone:
            house.channel = FakeChannel(house.site)
        except Halt:
            house.start_anew()  # a person has solved it
        except TransientError:
            continue
    house.start_anew()
    assert not house.send.has_work()
    for where in house.site.conversations.values():
        for message in where.messages:
            message.hidden_for = min(message.hidden_for, 1)
    await house.synced()
    await house.synced()


def check_end(house, job):
    assert broken_promises(house) == []
    now = house.job(job)
    there = any(press.message for press in house.site.presses if press.text == job.text)
    if there:
        assert now.status is OutboxStatus.SENT
    else:
        assert now.status is OutboxStatus.UNCONFIRMED


@pytest.mark.parametrize("point", POINTS)
async def test_after_a_crash_at_any_point_there_is_one_reply_or_a_person_is_asked(house, point):
    few = house.db.dialect == "postgresql" or point not in PRESSED
    for acceptance in list(ACCEPTANCES.values())[: 1 if few else None]:
        house.begin_anew()
        house.site.acceptance = acceptance
        job = house.reply_for(house.site.conversation("Is there a cot?"))
        send = arrange_crash(house, point)
        with pytest.raises(Crash):
            await send.run_once(house.channel)
        armed = house.job(job).armed
        assert armed == (point in ARMED)
        pressed = house.presses_of(job)
        house.start_anew()
        await look_after_everything(house)
        check_end(house, job)
        if armed:
            assert house.presses_of(job) == pressed
            assert "press_send" not in house.channel.calls
        else:
            assert house.presses_of(job) == 1


@only_sqlite
@pytest.mark.parametrize("committed", [False, True])
async def test_an_arm_that_is_not_known_to_be_committed_is_not_pressed(house, committed):
    job = house.reply_for(house.site.conversation("Is there a cot?"))
    trouble = TransientError("the connection was lost")
    send = house.new_send(TroubledDatabase(house.db, ARM, trouble, committed=committed))
    await send.run_once(house.channel)
    assert house.site.presses == []
    now = house.job(job)
    assert (now.status, now.arm_count, now.attempts) == (OutboxStatus.PENDING, 0, 1)


@only_sqlite
@pytest.mark.parametrize("method", ["read", "write", "reread", "press_send", "follow"])
async def test_a_wall_goes_up_whatever_the_database_does(house, method):
    for number in range(2, 8):
        house.begin_anew()
        job = house.reply_for(house.site.conversation("Is there a cot?"))
        wall = WallHit("captcha", "a challenge is shown")
        house.channel.fail(method, wall)
        db = TroubledDatabase(house.db, number, TransientError("the database is locked"))
        try:
            await house.new_send(db).run_once(house.channel)
        except Halt as halt:
            assert halt is wall  # noqa: PT017 - the database may have failed first
        except TransientError:
            assert method not in house.channel.calls  # the database failed before the wall was met
        calls = len(house.channel.calls)
        if method in house.channel.calls:
            assert house.channel.calls[calls - 1] == method
        house.start_anew()
        await look_after_everything(house)
        check_end(house, job)
