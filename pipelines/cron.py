"""Five-field cron in any time zone, turned into what KFP's controller reads: six fields in a zone of its own."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from m2m.errors import InputError

DAY = 24 * 60
YEARS = 3
"""For how long two zones must keep their distance to be taken for shiftable."""


@dataclass(frozen=True)
class Timetable:
    """When a pipeline runs.

    Attributes:
        cron: Five fields: minute, hour, day of the month, month, day of the week.
        zone: The time zone that they are meant in.
    """

    cron: str
    zone: ZoneInfo

    def next(self, count: int, after: datetime | None = None) -> list[datetime]:
        """The next times.

        Args:
            count: How many.
            after: With a time zone; now by default.

        Returns:
            In this timetable's zone; fewer where there are no more.
        """
        return list(itertools.islice(CronSim(self.cron, (after or datetime.now(UTC)).astimezone(self.zone)), count))

    def for_cluster(self, zone: str, now: datetime | None = None) -> str:
        """Six fields, seconds first, as KFP's controller (robfig/cron 1.2) reads them.

        Args:
            zone: The controller's time zone (`cronScheduleTimezone` of its installation).
            now: From when on it must hold.

        Raises:
            InputError: No cron in that zone means these times: summer time shifts them, or a month's days.
        """
        theirs = _zone(zone)
        minutes = self._shift(theirs, now or datetime.now(UTC))
        fields = CronSim(self.cron, datetime.now(UTC))
        _, _, dom, month, dow = self.cron.upper().split()
        times = [divmod(hour * 60 + minute + minutes, DAY) for hour in fields.hours for minute in fields.minutes]
        days = {day for day, _ in times}
        hours, at = {time // 60 for _, time in times}, {time % 60 for _, time in times}
        every_day = dom == month == dow == "*"
        if len(hours) * len(at) != len(times) or (len(days) > 1 and not every_day):
            raise self._refused(zone)
        (shift, *_) = days
        if every_day or shift == 0:
            week = dow if dow.startswith("*") else _numbers({_weekday(d) % 7 for d in fields.weekdays})
            whole = dom if dom.startswith("*") else _numbers(fields.days)
            months = month if month.startswith("*") else _numbers(fields.months)
        elif dom == "*" and month == "*" and not dow.startswith("*"):
            whole, months, week = "*", "*", _numbers({(_weekday(d) + shift) % 7 for d in fields.weekdays})
        else:
            raise self._refused(zone)
        return f"0 {_numbers(at, 60)} {_numbers(hours, 24)} {whole} {months} {week}"

    def _shift(self, theirs: ZoneInfo, now: datetime) -> int:
        """Minutes from this timetable's clock to theirs."""
        if theirs.key == self.zone.key:
            return 0
        moments = [now + timedelta(days=day) for day in range(YEARS * 366)]
        found = {_offset(theirs, moment) - _offset(self.zone, moment) for moment in moments}
        if len(found) > 1:
            raise self._refused(theirs.key)
        return found.pop() // timedelta(minutes=1)

    def _refused(self, zone: str) -> InputError:
        return InputError(
            f"no cron in {zone} means {self.cron!r} in {self.zone.key} all the year round",
            f"set cronScheduleTimezone of KFP's installation to {self.zone.key} and say so with --cluster-timezone, or "
            "choose times in its zone",
        )


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; not a name; a folder of the data base
        raise InputError(f"unknown time zone {name!r}", "name one as Europe/Berlin or UTC") from error


def _weekday(day: int | tuple[int, int]) -> int:
    if isinstance(day, tuple):
        raise InputError("KFP's cron knows neither L nor #", "name plain days")
    return day


def _numbers(numbers: Iterable[int], whole: int = 0) -> str:
    found = sorted(numbers)
    if found[0] < 0:
        raise InputError("KFP's cron knows neither L nor #", "name plain days")
    return "*" if len(found) == whole else ",".join(map(str, found))


def parse(cron: str, zone: str) -> Timetable:
    """A timetable.

    Args:
        cron: Five fields; names of days and months, lists, ranges and steps are understood.
        zone: A name of the IANA data base.

    Raises:
        InputError: Either is malformed, or the times never come.
    """
    if len(cron.split()) != 5:
        raise InputError(f"--cron {cron!r} is not five fields", "minute, hour, day, month, weekday: '30 3 * * mon-fri'")
    timetable = Timetable(cron, _zone(zone))
    try:
        coming = timetable.next(1)
    except CronSimError as error:
        raise InputError(f"--cron {cron!r}: {str(error).lower()}", "as in '30 3 * * mon-fri'") from error
    if not coming:
        raise InputError(f"--cron {cron!r} never comes")
    return timetable
