"""A team lead, on Tuesday of week 6: what deviates from plan today, and who depends on it?

36 of the 91 days after the first have passed, and 55 are left.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import Deviation, DeviationKind, DueState
from tests.story.figures import of, said, tenths
from tests.story.quarter import (
    CUSTOMERS,
    FOLLOWERS,
    LEADS,
    Q3,
    REVENUE,
    TRAFFIC,
    WEEK_6,
    WHY,
    Told,
    at,
)
from tests.support.ask import day

EXPECTED = of(36, 91)


def kinds(found: Deviation) -> list[str]:
    return [DeviationKind.Name(f.kind).removeprefix("DEVIATION_KIND_") for f in found.findings]


def test_what_deviates_worst_first(story: Told) -> None:
    assert [(each.name, *kinds(each)) for each in story.deviating] == [
        # A tenth is more than a quarter behind.
        (TRAFFIC, "AT_RISK", "FALLING_BEHIND"),
        # Silent since 19 July, a week and more.
        (CUSTOMERS, "STALE", "FALLING_BEHIND"),
        (LEADS, "BEHIND", "FALLING_BEHIND"),
        # 0.4 of the way is as far as it should be, but it has stood still.
        (FOLLOWERS, "FALLING_BEHIND"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "attained"),
    [
        (TRAFFIC, "51000", tenths(1)),
        (CUSTOMERS, "12", of(12, 80)),
        (LEADS, "60", of(60, 400)),
        (FOLLOWERS, "10800", of(800, 2000)),
    ],
)
def test_by_how_much(story: Told, name: str, value: str, attained: Fraction) -> None:
    found = next(each for each in story.deviating if each.name == name)
    assert (found.value, found.attainment) == (value, said(attained))
    assert found.expected_progress == said(EXPECTED)
    # Both sides are rounded before they are compared.
    assert found.gap == said(round(EXPECTED, 12) - attained)


def test_where_leads_will_end_and_how_fast_they_would_have_to_come(story: Told) -> None:
    leads = next(each for each in story.deviating if each.name == LEADS)
    # The last four Fridays: 40, 50, 55 and 60 in all; 59 days from 2 August to the end.
    assert leads.recent_pace == said(of(20, 21))
    assert leads.required_pace == said(of(400 - 60, 55))
    assert (leads.forecast.value, leads.forecast.low, leads.forecast.high) == (
        said(60 + of(20, 21) * 59),
        said(60 + of(5, 7) * 59),
        said(60 + of(10, 7) * 59),
    )


def test_who_depends_on_it(story: Told) -> None:
    found = {
        each.name: [(d.name, d.team, d.owner) for d in each.dependants] for each in story.deviating
    }
    revenue = (REVENUE, "teams/sales", "people/bea")
    customers = (CUSTOMERS, "teams/sales", "people/bea")
    # All of awareness moves revenue; leads support the customers too.
    assert found == {
        TRAFFIC: [revenue],
        CUSTOMERS: [],
        LEADS: [revenue, customers],
        FOLLOWERS: [revenue],
    }


def test_what_is_due(story: Told) -> None:
    (line,) = story.due
    assert (line.key_result, line.owner) == (CUSTOMERS, "people/bea")
    assert (line.due_day, line.overdue_days) == (day("2024-07-26"), 11)
    assert line.state == DueState.DUE_STATE_OVERDUE


def test_whoever_depends_on_what_was_adjusted_sees_it_with_its_cause(story: Told) -> None:
    changed = DeviationKind.DEVIATION_KIND_DEPENDENCY_CHANGED
    found = {
        each.name: {f.subject: f for f in each.findings if f.kind == changed}
        for each in story.concerned
    }
    assert {name: list(of_each) for name, of_each in found.items()} == {
        CUSTOMERS: [LEADS],
        REVENUE: [LEADS, TRAFFIC],
    }
    cause = found[CUSTOMERS][LEADS]
    assert (cause.adjustment, cause.actor, cause.reason) == (WEEK_6, "people/bea", WHY)
    (position,) = cause.positions
    assert story.events[position - 1].header.event_type == "okr.v1.KeyResultRevised"


def test_the_same_is_told_of_that_day_for_ever(story: Told) -> None:
    then = at(on="2024-08-06", position=story.week_6)
    found = story.me.ask(scores.ListDeviationsRequest(cycle=Q3, as_of=then)).deviations
    assert list(found) == story.deviating
