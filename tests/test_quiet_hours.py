"""Quiet hours in every time zone of the world, also in the nights in which its clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from src.quiet_hours import QuietHours

PARIS = ZoneInfo("Europe/Paris")
NIGHT = QuietHours.read("22-7")
MINUTE = timedelta(minutes=1)

zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
moments = st.floats(978_307_200, 2_145_830_400).map(lambda at: datetime.fromtimestamp(at, UTC))
times = st.times().map(lambda at: at.replace(second=0, microsecond=0))
hours = st.tuples(times, times).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: QuietHours(*pair))


def in_paris(text):
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("22-7", time(22), time(7)),
        ("22:30-7:15", time(22, 30), time(7, 15)),
        (" 0 - 6 ", time(0), time(6)),
        ("22–24", time(22), time(0)),
        ("13-14", time(13), time(14)),
    ],
)
def test_two_times_of_the_day_are_read(text, begin, end):
    assert QuietHours.read(text) == QuietHours(begin, end)


@pytest.mark.parametrize(
    "text", ["22", "22-", "25-7", "22-7h", "22:60-7", "10pm-7am", "7-7", "0-24", "-1-7", "٢٢-٧"]
)
def test_what_is_no_pair_of_times_says_what_to_write(text):
    with pytest.raises(ValueError, match="write two times of the day like 22-7"):
        QuietHours.read(text)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-21T21:59", None),
        ("2026-11-21T22:00", "2026-11-22T07:00"),
        ("2026-11-22T03:00", "2026-11-22T07:00"),
        ("2026-11-22T06:59", "2026-11-22T07:00"),
        ("2026-11-22T07:00", None),
        ("2026-12-31T23:30", "2027-01-01T07:00"),
    ],
)
def test_a_night_is_quiet_until_its_morning(now, until):
    assert NIGHT.end_after(in_paris(now), PARIS) == (in_paris(until) if until else None)


def test_a_night_with_a_change_of_the_clock_ends_when_the_clock_says_so():
    spring, autumn = in_paris("2026-03-28T22:00"), in_paris("2026-10-24T22:00")
    assert NIGHT.end_after(spring, PARIS) - spring.astimezone(UTC) == timedelta(hours=8)
    assert NIGHT.end_after(autumn, PARIS) - autumn.astimezone(UTC) == timedelta(hours=10)


def test_an_end_that_the_clock_shows_twice_is_the_second_one_and_one_that_it_skips_comes_an_hour_on():
    until_half_past_two = QuietHours.read("22-2:30")
    twice = until_half_past_two.end_after(in_paris("2026-10-24T23:00"), PARIS)
    assert twice == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    skipped = until_half_past_two.end_after(in_paris("2026-03-28T23:00"), PARIS)
    assert skipped.astimezone(PARIS).time() == time(3, 30)


@given(moments, hours, zones)
@example(datetime(2011, 12, 29, 23, tzinfo=UTC), QuietHours.read("22-7"), ZoneInfo("Pacific/Apia"))
@example(datetime(2026, 10, 24, 23, tzinfo=UTC), QuietHours.read("2:40-2:30"), PARIS)
def test_a_quiet_time_ends_once_and_everything_up_to_its_end_is_quiet(now, quiet, zone):
    until = quiet.end_after(now, zone)
    if until is None:
        return
    assert until > now
    assert until.utcoffset() == timedelta(0)
    assert quiet.end_after(until, zone) is None
    for part in (0.25, 0.5, 0.999):
        assert quiet.end_after(now + part * (until - now), zone) == until


@given(moments, hours, zones)
def test_away_from_changes_of_the_clock_it_is_quiet_exactly_between_the_two_times(now, quiet, zone):
    offsets = {(now + timedelta(days=n)).astimezone(zone).utcoffset() for n in range(-3, 4)}
    around = [(now + timedelta(hours=n)).astimezone(zone).utcoffset() for n in range(-72, 73)]
    if len(offsets | set(around)) > 1:
        return
    here = now.astimezone(zone).time()
    if quiet.begin < quiet.end:
        expected = quiet.begin <= here < quiet.end
    else:
        expected = here >= quiet.begin or here < quiet.end
    until = quiet.end_after(now, zone)
    assert (until is not None) == expected
    if until is not None:
        assert until.astimezone(zone).time() == quiet.end


@given(moments, zones)
def test_no_night_is_longer_than_itself_and_the_change_of_the_clock(now, zone):
    until = NIGHT.end_after(now, zone)
    assert until is None or until - now <= timedelta(hours=9 + 24)
