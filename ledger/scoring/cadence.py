"""The rhythm of check-ins: a cycle's periods, and when silence has lasted too long."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final


class Cadence(StrEnum):
    """How often a check-in is due."""

    WEEKLY = "WEEKLY"
    BIWEEKLY = "BIWEEKLY"
    MONTHLY = "MONTHLY"


@dataclass(frozen=True, slots=True)
class Period:
    """One beat of the cadence; both days inclusive."""

    first_day: date
    last_day: date


_DAYS: Final = {Cadence.WEEKLY: 7, Cadence.BIWEEKLY: 14}
_DAY: Final = timedelta(days=1)


def periods(first_day: date, last_day: date, cadence: Cadence) -> tuple[Period, ...]:
    """A cycle's periods in order, without gaps; () when it ends before it begins.

    WEEKLY and BIWEEKLY count 7 and 14 days from the first day; a rest shorter than half of that
    joins the last period, so that a quarter of 92 days has 13 weeks. MONTHLY follows the
    calendar's months, cut to the cycle.
    """
    if last_day < first_day:
        return ()
    found = []
    start = first_day
    while start <= last_day:
        end = _month_end(start) if cadence is Cadence.MONTHLY else _block_end(start, cadence)
        found.append(Period(start, min(end, last_day)))
        if end >= last_day:
            break
        start = end + _DAY
    length = _DAYS.get(cadence)
    if length and len(found) > 1 and 2 * _days(found[-1]) < length:
        tail = found.pop()
        found[-1] = Period(found[-1].first_day, tail.last_day)
    return tuple(found)


def is_stale(last_check_in_day: date | None, day: date, cadence: Cadence) -> bool:
    """Whether the cadence has passed by `day` without a check-in; never before the first one.

    A week after the last check-in the next is due, a day later it is missing; monthly, after the
    same day of the next month (or that month's last). Days after a cycle's end are the caller's
    to cut.
    """
    return last_check_in_day is not None and day > _next_after(last_check_in_day, cadence)


@dataclass(frozen=True, slots=True)
class Due:
    """A check-in to make: by which day, for which period, that one's number from 1."""

    day: date
    period: Period
    number: int


def next_due(
    beats: Sequence[Period], last: date | None, since: date, cadence: Cadence
) -> Due | None:
    """The next check-in that a key result owes; None once the cycle asks for no more.

    `beats` are the cycle's periods, `last` the day of the last check-in, `since` the day from
    which the key result counts. Before the first check-in it is due on the last day of the first
    period that the key result counted for in full. After one it is due a cadence later, as
    `is_stale` counts, or on the cycle's last day where that comes first; then a check-in in the
    last period is the last one.
    """
    if not beats:
        return None
    end = beats[-1]
    if last is None:
        day = next((p.last_day for p in beats if p.first_day >= since), end.last_day)
    else:
        day = max(_next_after(last, cadence), beats[0].first_day)
        if day > end.last_day and last >= end.first_day:
            return None
        day = min(day, end.last_day)
    number = sum(1 for period in beats if period.first_day <= day)
    return Due(day, beats[number - 1], number)


def check_ins_made(
    due: Sequence[Period], check_in_days: Iterable[date], day: date
) -> tuple[int, int]:
    """(made, due): of the periods that have ended by `day`, how many hold a check-in."""
    days = sorted(check_in_days)
    ended = [period for period in due if period.last_day <= day]
    made = sum(
        1 for period in ended if any(period.first_day <= at <= period.last_day for at in days)
    )
    return made, len(ended)


def made_late(due: Sequence[Period], told: Iterable[tuple[date, date]], day: date) -> int:
    """Of the check-ins made, how many were told after their period had ended.

    `told` holds the day that each check-in is of and the day on which it was told. A period whose
    check-ins were all told later than its last day is late.
    """
    given = list(told)
    in_time = [
        of
        for of, on in given
        if any(period.first_day <= of and max(of, on) <= period.last_day for period in due)
    ]
    made, _ = check_ins_made(due, (of for of, _ in given), day)
    return made - check_ins_made(due, in_time, day)[0]


def _next_after(last_check_in_day: date, cadence: Cadence) -> date:
    """The day on which the check-in after one is due."""
    length = _DAYS.get(cadence)
    if length is not None:
        return _later(last_check_in_day, length)
    following = _month_end(last_check_in_day)
    if following == date.max:
        return date.max
    month_end = _month_end(following + _DAY)
    return month_end.replace(day=min(last_check_in_day.day, month_end.day))


def _days(period: Period) -> int:
    return (period.last_day - period.first_day).days + 1


def _block_end(start: date, cadence: Cadence) -> date:
    return _later(start, _DAYS[cadence] - 1)


def _later(day: date, days: int) -> date:
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def _month_end(day: date) -> date:
    if day.month == 12:
        return day.replace(day=31)
    return day.replace(month=day.month + 1, day=1) - _DAY
