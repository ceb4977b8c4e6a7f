"""The rhythm of check-ins."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from ledger.scoring.cadence import Cadence, Period, check_ins_made, is_stale, periods

Q4 = (date(2026, 10, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("first", "last", "cadence", "count"),
    [
        (*Q4, Cadence.WEEKLY, 13),
        (date(2026, 1, 1), date(2026, 3, 31), Cadence.WEEKLY, 13),
        (date(2026, 4, 1), date(2026, 6, 30), Cadence.WEEKLY, 13),
        (*Q4, Cadence.BIWEEKLY, 7),
        (*Q4, Cadence.MONTHLY, 3),
        (date(2026, 10, 15), date(2026, 12, 10), Cadence.MONTHLY, 3),
        (date(2026, 10, 1), date(2026, 10, 1), Cadence.WEEKLY, 1),
        (date(2026, 10, 2), date(2026, 10, 1), Cadence.WEEKLY, 0),
        (date(9999, 12, 20), date.max, Cadence.WEEKLY, 2),
        (date(9999, 12, 20), date.max, Cadence.MONTHLY, 1),
    ],
)
def test_periods_cover_the_cycle_without_gaps(
    first: date, last: date, cadence: Cadence, count: int
) -> None:
    found = periods(first, last, cadence)
    assert len(found) == count
    if found:
        assert (found[0].first_day, found[-1].last_day) == (first, last)
    for earlier, later in pairwise(found):
        assert later.first_day == earlier.last_day + timedelta(days=1)


def test_a_short_rest_joins_the_last_week() -> None:
    last = periods(*Q4, Cadence.WEEKLY)[-1]
    assert last == Period(date(2026, 12, 24), date(2026, 12, 31))
    months = periods(*Q4, Cadence.MONTHLY)
    assert months[1] == Period(date(2026, 11, 1), date(2026, 11, 30))


@pytest.mark.parametrize(
    ("cadence", "last", "still", "stale"),
    [
        (Cadence.WEEKLY, date(2026, 10, 5), date(2026, 10, 12), date(2026, 10, 13)),
        (Cadence.BIWEEKLY, date(2026, 10, 5), date(2026, 10, 19), date(2026, 10, 20)),
        (Cadence.MONTHLY, date(2026, 10, 5), date(2026, 11, 5), date(2026, 11, 6)),
        (Cadence.MONTHLY, date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 1)),
        (Cadence.MONTHLY, date(2026, 12, 31), date(2027, 1, 31), date(2027, 2, 1)),
    ],
)
def test_silence_is_stale_once_the_cadence_has_passed(
    cadence: Cadence, last: date, still: date, stale: date
) -> None:
    assert not is_stale(last, still, cadence)
    assert is_stale(last, stale, cadence)


def test_nothing_is_stale_before_the_first_check_in_nor_after_time_itself() -> None:
    assert not is_stale(None, date(2026, 12, 31), Cadence.WEEKLY)
    assert not is_stale(date.max, date.max, Cadence.MONTHLY)


def test_due_check_ins_are_those_of_periods_that_have_ended() -> None:
    due = periods(*Q4, Cadence.WEEKLY)
    days = [date(2026, 10, 2), date(2026, 10, 3), date(2026, 10, 16), date(2026, 10, 22)]
    assert check_ins_made(due, days, date(2026, 10, 21)) == (2, 3)
    assert check_ins_made(due, days, date(2026, 10, 6)) == (0, 0)
    assert check_ins_made(due, [], date(2026, 12, 31)) == (0, 13)
