"""A secret is on the keyboard and on the site, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from loguru import logger

from src.assistant.keystroke import KeystrokeSecrets
from src.errors import ChannelGone
from src.model.answer import Answer, Result
from src.model.secrets import NO_SECRETS
from src.model.statuses import OutboxStatus
from src.services import outbox_moves
from src.services.answers import take_answer
from tests.assistant.knowledge.folders import write
from tests.support.house import RULES, House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

VALUE = "chestnut-4821"
TEXT = "The code is {{door_code}}. Welcome!"
LISTING = """
    time_zone = "UTC"
    check_in = "15:00"
    check_out = "11:00"
"""
SECRETS = f"""
    [door_code]
    value = "{VALUE}"
    from = "check_in - 24h"
    until = "check_out"
"""


@pytest.fixture
def knowledge(tmp_path):
    files = {"listings/4711/listing.toml": LISTING, "listings/4711/secrets.toml": SECRETS}
    return write(tmp_path / "knowledge", files)


@pytest.fixture
def secrets(knowledge):
    return KeystrokeSecrets(knowledge)


@pytest.fixture
def house(db, clock, secrets):
    with House(db, clock, rules=replace(RULES, secrets=secrets)) as house:
        yield house


def stay(house, days=0, nights=3, **facts):
    """A stay whose check-in is so many days from today."""
    begin = house.clock().date() + timedelta(days=days)
    dates = {"check_in": str(begin), "check_out": str(begin + timedelta(days=nights))}
    return {"trip_stage": "UPCOMING_RESERVATIONS", "reservation_status": "ACCEPTED", **dates, **facts}


@pytest.fixture
def where(house):
    return house.site.conversation("How do I get in?", listing_id="4711", stay=stay(house, days=-1))


def every_byte(tmp_path):
    """Everything that was written anywhere but the host's own folder."""
    files = [one for one in tmp_path.rglob("*") if one.is_file() and "knowledge" not in one.parts]
    assert any(one.name.endswith(".db") for one in files)
    return b"".join(one.read_bytes() for one in files)


async def test_a_secret_is_typed_and_in_no_row_and_no_log(house, where, tmp_path):
    logger.add(tmp_path / "all.log", level="TRACE", backtrace=True, diagnose=True)
    job = house.reply_for(where, TEXT)

    assert await house.sent() == 1
    await house.synced()
    await house.recovered()

    assert where.texts[-1] == f"The code is {VALUE}. Welcome!"
    now = house.job(job)
    assert (now.status, now.text, now.receipt_text) == (OutboxStatus.SENT, TEXT, None)
    ours = house.messages(where)[now.receipt_external_id]
    assert (ours.text, ours.origin) == (TEXT, "assistant")
    assert house.stored(where).host_wrote_at is None, "it is not taken for the host's own answer"
    logger.remove()
    assert VALUE.encode() not in every_byte(tmp_path)
    assert b"The code is" in every_byte(tmp_path), "the search finds what is there"


@pytest.mark.parametrize(
    "facts",
    [
        {"days": 2},
        {"days": -5},
        {"days": -1, "trip_stage": "CANCELED_RESERVATIONS"},
        {"days": -1, "trip_stage": "INQUIRIES"},
        {"days": -1, "check_in": "", "check_out": ""},
    ],
    ids=["before the window", "after it", "cancelled", "only asks", "no dates"],
)
async def test_a_reply_whose_window_is_closed_waits_for_a_person(house, facts):
    where = house.site.conversation("How do I get in?", listing_id="4711", stay=stay(house, **facts))
    job = house.reply_for(where, TEXT)

    await house.sent()

    now = house.job(job)
    assert (now.status, now.reason, now.text) == (OutboxStatus.DRAFT, "secret_not_due", TEXT)
    assert where.texts == ["How do I get in?"]
    assert "write" not in house.channel.calls


async def test_the_window_is_judged_when_it_is_typed_and_not_when_it_is_written(house, knowledge):
    """A draft that is approved too late is held again."""
    where = house.site.conversation("How do I get in?", listing_id="4711", stay=stay(house, days=-1))
    job = house.reply_for(where, TEXT)
    write(
        knowledge,
        {"listings/4711/secrets.toml": SECRETS.replace('until = "check_out"', 'until = "check_in"')},
    )

    await house.sent()
    assert house.job(job).reason == "secret_not_due"

    outbox_moves.approve(house.db, house.wakeup, job.id, None, now=house.clock(), secrets=house.rules.secrets)
    await house.sent()
    assert house.job(job).reason == "secret_not_due"
    assert where.texts == ["How do I get in?"]

    write(knowledge, {"listings/4711/secrets.toml": SECRETS})
    outbox_moves.approve(house.db, house.wakeup, job.id, None, now=house.clock(), secrets=house.rules.secrets)
    await house.sent()
    assert where.texts[-1] == f"The code is {VALUE}. Welcome!"


@pytest.mark.parametrize("listing_id", ["4711", "4712", None])
async def test_a_placeholder_that_nobody_knows_waits_for_a_person(house, listing_id):
    where = house.site.conversation("How?", listing_id=listing_id, stay=stay(house, days=-1))
    job = house.reply_for(where, "Here: {{gate_code}}")
    await house.sent()
    assert (house.job(job).status, house.job(job).reason) == (OutboxStatus.DRAFT, "unknown_placeholder")


async def test_without_a_folder_a_placeholder_waits_and_all_else_is_sent(db, clock, tmp_path):
    nothing = KeystrokeSecrets(tmp_path / "none")
    with House(db, clock, rules=replace(RULES, secrets=nothing)) as house:
        plain, named = house.site.conversation("One?"), house.site.conversation("Two?")
        first, second = (
            house.reply_for(plain, "Yes {a} {{}} {{ 1 }}"),
            house.reply_for(named, "{{door_code}}"),
        )
        await house.sent()
        assert house.job(first).status is OutboxStatus.SENT
        assert house.job(second).reason == "unknown_placeholder"
    assert NO_SECRETS.mask(VALUE, None) == VALUE


async def test_what_the_host_writes_by_hand_is_masked_and_still_counts_as_the_hosts_answer(
    house, where, tmp_path
):
    request = house.request_for(where)
    house.site.host_writes(where, f"Use {VALUE.upper()}")
    await house.synced()

    assert [m.text for m in house.messages(where).values()] == ["How do I get in?", "Use {{door_code}}"]
    assert house.request(request).reason == "host_answered"
    assert VALUE.encode().lower() not in every_byte(tmp_path).lower()


async def test_what_a_guest_repeats_is_masked(house, where, tmp_path):
    house.site.guest_writes(where, f"{VALUE} does not work")
    house.take_in(where)
    assert "{{door_code}} does not work" in [m.text for m in house.messages(where).values()]
    assert VALUE.encode() not in every_byte(tmp_path)


async def test_a_value_that_an_ai_writes_by_itself_keeps_to_its_window(house, tmp_path):
    where = house.site.conversation("How do I get in?", listing_id="4711", stay=stay(house, days=9))
    request = house.request_for(where)

    def answer():
        return take_answer(
            house.db,
            house.wakeup,
            Answer(where.external_id, request.id, message=f"It is {VALUE}."),
            accounts=house.settings.accounts_by_name,
            now=house.clock(),
            is_conversation_id=lambda _, external_id: house.channel.is_conversation_id(external_id),
            secrets=house.rules.secrets,
        )

    first, again = answer(), answer()
    assert (first.job.text, again.result, again.job) == ("It is {{door_code}}.", Result.REPEATED, first.job)
    await house.sent()
    assert house.job(first.job).reason == "secret_not_due"
    assert where.texts == ["How do I get in?"]
    assert VALUE.encode() not in every_byte(tmp_path)


async def test_a_value_that_a_person_types_into_a_draft_is_stored_as_its_placeholder(house, where, tmp_path):
    outcome = house.answer(house.request_for(where), "Hello!", mode="draft")
    job = outbox_moves.approve(
        house.db,
        house.wakeup,
        outcome.job.id,
        f"Hello! {VALUE}",
        now=house.clock(),
        secrets=house.rules.secrets,
    )
    assert job.text == "Hello! {{door_code}}"
    await house.sent()
    assert where.texts[-1] == f"Hello! {VALUE}"
    assert VALUE.encode() not in every_byte(tmp_path)


async def test_a_reply_is_found_again_after_a_crash_although_its_text_is_not_what_is_stored(house, where):
    job = house.reply_for(where, TEXT)
    house.channel.fail("press_send", ChannelGone("the process ends"), after=True)
    with pytest.raises(ChannelGone):
        await house.sent()
    await house.recovered()

    assert house.job(job).status is OutboxStatus.SENT
    assert len(house.site.presses) == 1


async def test_a_secret_that_was_changed_leaves_the_stored_messages_as_they_are(
    house, where, knowledge, tmp_path
):
    house.reply_for(where, TEXT)
    await house.sent()
    write(knowledge, {"listings/4711/secrets.toml": SECRETS.replace(VALUE, "walnut-1177")})
    later = KeystrokeSecrets(knowledge)  # a new process, which never knew the old value
    house.rules = replace(house.rules, secrets=later)
    house.start_anew()

    house.take_in(where)

    assert TEXT in [m.text for m in house.messages(where).values()]
    assert VALUE.encode() not in every_byte(tmp_path)


async def test_a_value_that_becomes_a_secret_later_is_masked_and_is_no_change_of_the_guests_message(
    house, knowledge
):
    (knowledge / "listings/4711/secrets.toml").unlink()
    house.rules = replace(house.rules, secrets=KeystrokeSecrets(knowledge))
    where = house.site.conversation(f"Is it {VALUE}?", listing_id="4711")
    request = house.request_for(where)

    write(knowledge, {"listings/4711/secrets.toml": SECRETS})
    house.rules = replace(house.rules, secrets=KeystrokeSecrets(knowledge))
    house.take_in(where)

    assert [m.text for m in house.messages(where).values()] == ["Is it {{door_code}}?"]
    assert house.request(request).reason is None


async def test_the_dates_of_the_calendar_open_the_window_by_the_bookings_code(house, knowledge):
    begin, end = (house.clock().date() + timedelta(days=days) for days in (-1, 2))
    event = f"""
        BEGIN:VCALENDAR
        VERSION:2.0
        BEGIN:VEVENT
        UID:1
        DTSTART;VALUE=DATE:{begin:%Y%m%d}
        DTEND;VALUE=DATE:{end:%Y%m%d}
        DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/details/HMABCDEFGH
        END:VEVENT
        END:VCALENDAR
    """
    write(knowledge, {"listings/4711/airbnb.ics": event})
    facts = {"trip_stage": "UPCOMING_RESERVATIONS", "reservation_status": "ACCEPTED"}
    known = house.site.conversation(
        "How do I get in?", listing_id="4711", stay={**facts, "confirmation_code": "HMABCDEFGH"}
    )
    other = house.site.conversation(
        "How do I get in?", listing_id="4711", stay={**facts, "confirmation_code": "HMOTHERONE"}
    )
    jobs = [house.reply_for(where, TEXT) for where in (known, other)]
    await house.sent()
    assert known.texts[-1] == f"The code is {VALUE}. Welcome!"
    assert [(house.job(job).status, house.job(job).reason) for job in jobs] == [
        (OutboxStatus.SENT, None),
        (OutboxStatus.DRAFT, "secret_not_due"),
    ]
