"""The rhythm of check-ins."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.scoring.cadence import (
    Cadence,
    Period,
    check_ins_made,
    is_stale,
    made_late,
    next_due,
    periods,
)

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


@pytest.mark.parametrize(
    ("cadence", "last", "since", "day", "number"),
    [
        # Never checked in: the first whole period that it counted for.
        (Cadence.WEEKLY, None, Q4[0], date(2026, 10, 7), 1),
        (Cadence.WEEKLY, None, date(2026, 10, 8), date(2026, 10, 14), 2),
        (Cadence.WEEKLY, None, date(2026, 10, 9), date(2026, 10, 21), 3),
        (Cadence.WEEKLY, None, date(2026, 12, 25), date(2026, 12, 31), 13),
        (Cadence.BIWEEKLY, None, date(2026, 10, 2), date(2026, 10, 28), 2),
        (Cadence.MONTHLY, None, date(2026, 10, 2), date(2026, 11, 30), 2),
        # A cadence after the last one, which may be in the period after the next.
        (Cadence.WEEKLY, date(2026, 10, 1), Q4[0], date(2026, 10, 8), 2),
        (Cadence.WEEKLY, date(2026, 10, 7), Q4[0], date(2026, 10, 14), 2),
        (Cadence.BIWEEKLY, date(2026, 10, 5), Q4[0], date(2026, 10, 19), 2),
        (Cadence.MONTHLY, date(2026, 10, 31), Q4[0], date(2026, 11, 30), 2),
        # The cycle's last day is the latest.
        (Cadence.WEEKLY, date(2026, 12, 23), Q4[0], date(2026, 12, 30), 13),
        (Cadence.BIWEEKLY, date(2026, 12, 20), Q4[0], date(2026, 12, 31), 7),
        (Cadence.MONTHLY, date(2026, 11, 30), Q4[0], date(2026, 12, 30), 3),
    ],
)
def test_the_next_check_in_is_due(
    cadence: Cadence, last: date | None, since: date, day: date, number: int
) -> None:
    due = next_due(periods(*Q4, cadence), last, since, cadence)
    assert due is not None
    assert (due.day, due.number) == (day, number)
    assert due.period == periods(*Q4, cadence)[number - 1]


def test_after_a_check_in_in_the_last_period_no_more_is_due() -> None:
    for cadence, last in (
        (Cadence.WEEKLY, date(2026, 12, 25)),
        (Cadence.BIWEEKLY, date(2026, 12, 24)),
        (Cadence.MONTHLY, date(2026, 12, 1)),
        (Cadence.WEEKLY, date(2027, 1, 3)),
    ):
        assert next_due(periods(*Q4, cadence), last, Q4[0], cadence) is None
    assert next_due((), None, Q4[0], Cadence.WEEKLY) is None


CADENCES = st.sampled_from(Cadence)
DAYS = st.dates(date(2026, 9, 1), date(2027, 2, 1))


@given(CADENCES, st.none() | DAYS, DAYS, DAYS)
def test_what_is_stale_is_overdue(
    cadence: Cadence, last: date | None, since: date, day: date
) -> None:
    due = next_due(periods(*Q4, cadence), last, since, cadence)
    on = min(day, Q4[1])
    if due is not None:
        assert due.period.first_day <= due.day <= due.period.last_day
        assert Q4[0] <= due.day <= Q4[1]
    if last is not None and last >= Q4[0] and is_stale(last, on, cadence):
        assert due is not None
        assert due.day < on


@given(CADENCES, st.sets(st.dates(*Q4)), DAYS)
def test_no_more_check_ins_are_made_than_due(cadence: Cadence, days: set[date], day: date) -> None:
    beats = periods(*Q4, cadence)
    made, due = check_ins_made(beats, days, day)
    assert 0 <= made <= due <= len(beats)
    assert made <= len(days)


def test_a_check_in_is_late_once_its_period_has_ended() -> None:
    due = periods(*Q4, Cadence.WEEKLY)
    told = [
        (date(2026, 10, 7), date(2026, 10, 7)),
        (date(2026, 10, 14), date(2026, 10, 15)),
        (date(2026, 10, 15), date(2026, 10, 30)),
        (date(2026, 10, 20), date(2026, 10, 21)),  # another one of the same period, in time
        (date(2026, 10, 22), date(2026, 11, 9)),
    ]
    assert made_late(due, told, date(2026, 10, 28)) == 2
    assert made_late(due, told, date(2026, 10, 27)) == 1
    assert made_late(due, [], date(2026, 12, 31)) == 0


@given(CADENCES, st.lists(st.tuples(st.dates(*Q4), DAYS)), DAYS)
def test_no_more_are_late_than_made(
    cadence: Cadence, told: list[tuple[date, date]], day: date
) -> None:
    beats = periods(*Q4, cadence)
    made, _ = check_ins_made(beats, [of for of, _ in told], day)
    assert 0 <= made_late(beats, told, day) <= made
    # Told on its own day, none is late.
    assert made_late(beats, [(of, of) for of, _ in told], day) == 0
