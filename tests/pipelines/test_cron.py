"""Cron with time zones: what KFP's controller does with the six fields is what the five fields mean."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.errors import InputError
from pipelines.cron import parse

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def field(text: str, low: int, high: int) -> tuple[set[int], bool]:
    """A field as robfig/cron 1.2 reads it, and whether it has a star."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        begin, _, end = span.partition("-")
        first, last = (low, high) if span == "*" else (int(begin), int(end or begin))
        assert low <= first <= last <= high
        found |= set(range(first, last + 1, int(step or 1)))
    return found, any(part.startswith("*") for part in text.split(","))


def times(six: str, zone: ZoneInfo, days: int) -> list[datetime]:
    """All minutes of some days at which robfig/cron 1.2 starts something; found by looking at every minute."""
    second, *rest = six.split()
    assert second == "0"
    spans = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    (minutes, _), (hours, _), (dom, any_dom), (months, _), (dow, any_dow) = (
        field(text, *span) for text, span in zip(rest, spans, strict=True)
    )
    found = []
    for minute in range(days * 24 * 60):
        at = (NOW + timedelta(minutes=minute)).astimezone(zone)
        if at.minute in minutes and at.hour in hours and at.month in months:
            in_month, in_week = at.day in dom, at.isoweekday() % 7 in dow
            if (in_month and in_week) if any_dom or any_dow else (in_month or in_week):
                found.append(at.astimezone(UTC))
    return found


CLOCKS = st.tuples(
    st.sampled_from(["0", "30", "15,45", "*/20", "7"]), st.sampled_from(["3", "*", "22-23", "0,12", "*/6"])
)
DAYS = st.sampled_from(
    ["* * *", "* * mon-fri", "* * sun", "1,15 * *", "*/10 * *", "1 * fri", "* mar *", "* * 7", "*/2 * mon"]
)
ZONES = st.sampled_from(["UTC", "Asia/Kolkata", "Asia/Tokyo", "America/Phoenix", "Africa/Lagos", "Asia/Kathmandu"])


@settings(deadline=None, max_examples=60)
@given(CLOCKS, DAYS, ZONES, ZONES)
def test_the_controllers_times_are_those_that_were_meant(clock, days, zone, theirs):
    timetable = parse(" ".join([*clock, days]), zone)
    try:
        six = timetable.for_cluster(theirs, NOW)
    except InputError:
        assert zone != theirs  # refused, never shifted to other times
        return
    expected = [at.astimezone(UTC) for at in timetable.next(60 * 12, NOW - timedelta(minutes=1))]
    end = NOW + timedelta(days=5)
    assert times(six, ZoneInfo(theirs), 5) == [at for at in expected if at < end]


def test_plain_shifts():
    assert parse("30 3 * * mon-fri", "UTC").for_cluster("UTC") == "0 30 3 * * 1,2,3,4,5"
    assert parse("30 3 * * *", "Asia/Kolkata").for_cluster("UTC") == "0 0 22 * * *"
    assert parse("0 9 1 * *", "Asia/Tokyo").for_cluster("UTC") == "0 0 0 1 * *"
    assert parse("0 0 * * 7", "UTC").for_cluster("UTC") == "0 0 0 * * 0"


@pytest.mark.parametrize(
    ("cron", "zone", "theirs"),
    [
        ("0 3 * * *", "Europe/Berlin", "UTC"),  # summer time
        ("0 3 1 * *", "Asia/Tokyo", "UTC"),  # the day before the first
        ("0 3 * * 5L", "UTC", "UTC"),
        ("0 3 L * *", "UTC", "UTC"),
    ],
)
def test_what_no_cron_of_the_controller_means_is_refused(cron, zone, theirs):
    with pytest.raises(InputError):
        parse(cron, zone).for_cluster(theirs)


def test_a_zone_with_summer_time_is_right_where_the_controller_has_it():
    timetable = parse("0 3 * * *", "Europe/Berlin")
    assert timetable.for_cluster("Europe/Berlin") == "0 0 3 * * *"
    coming = timetable.next(3, datetime(2026, 3, 27, 12, tzinfo=UTC))
    assert [at.astimezone(UTC).hour for at in coming] == [2, 1, 1]
    assert [at.hour for at in coming] == [3, 3, 3]
