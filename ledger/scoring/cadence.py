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
    if last_check_in_day is None:
        return False
    length = _DAYS.get(cadence)
    if length is not None:
        return (day - last_check_in_day).days > length
    following = _month_end(last_check_in_day)
    if following == date.max:
        return False
    month_end = _month_end(following + _DAY)
    return day > month_end.replace(day=min(last_check_in_day.day, month_end.day))


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


def _days(period: Period) -> int:
    return (period.last_day - period.first_day).days + 1


def _block_end(start: date, cadence: Cadence) -> date:
    ordinal = start.toordinal() + _DAYS[cadence] - 1
    return date.fromordinal(min(ordinal, date.max.toordinal()))


def _month_end(day: date) -> date:
    if day.month == 12:
        return day.replace(day=31)
    return day.replace(month=day.month + 1, day=1) - _DAY
