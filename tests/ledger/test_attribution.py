"""What moved each score: the parts add up, and each has its cause and its event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.attribution import Walk, attribution
from ledger.causes import parts_of
from ledger.event import EVENT_TYPES
from ledger.scoring.attribution import Cause, difference
from ledger.values import recorded_day
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import ScoringPolicy
from tests.support import ask
from tests.support.histories import CYCLES, TEAMS, begun, choices, histories, instants_of
from tests.support.known import as_known, score_of
from tests.support.scenario import Scenario
from tests.support.spans import span_of

FITTING = {
    Cause.PROGRESS: {"CheckInRecorded", "CheckInCorrected"},
    Cause.CORRECTION: {"CheckInCorrected", "CheckInRetracted"},
    Cause.BASELINE: {"KeyResultRevised"},
    Cause.TARGET: {"KeyResultRevised"},
    Cause.WEIGHT: {"KeyResultRevised"},
    Cause.SCOPE: {
        "KeyResultAdded",
        "KeyResultCarriedOver",
        "KeyResultDropped",
        "KeyResultRestored",
        "ObjectiveCreated",
        "ObjectiveRevised",
        "ObjectiveAbandoned",
        "TeamRegistered",
        "TeamRevised",
        "CycleDrafted",
    },
    Cause.ALIGNMENT: {"Aligned", "Unaligned"},
    Cause.POLICY: {"CycleRevised"},
    Cause.OVERRIDE: {"ObjectiveGraded", "ObjectiveRegraded"},
}
"""The events that a movement of each cause may name; a correction's day may come like any other."""


def parts_add_up(
    scenario: Scenario, cycle: str, start: tuple[int, str], end: tuple[int, str]
) -> None:
    """At every level they do, exactly, and each names an event of the span that fits its cause."""
    span = span_of(scenario, start, end)
    subjects = [cycle, *TEAMS, *subjects_of(scenario, cycle)]
    walk = Walk(span, cycle, subjects)
    before, after = (as_known(scenario, position) for position, _ in (start, end))
    expected = {name: score_of(before, start[1], cycle, name) for name in subjects}
    assert walk.scores == expected
    parts = dict.fromkeys(subjects, Decimal(0))
    for moved in walk:
        movement = moved.movement
        assert movement.before == expected[moved.subject]
        expected[moved.subject] = movement.after
        parts[moved.subject] += movement.delta
        fits(scenario, movement.cause, movement.position, start, end)
    assert walk.scores == expected
    for name in subjects:
        found = score_of(after, end[1], cycle, name)
        assert expected[name] == found, name
        assert parts[name] == difference(score_of(before, start[1], cycle, name), found)
    name = subjects[len(scenario.records) % len(subjects)]
    alone = attribution(span, cycle, name)
    assert alone.after == expected[name]
    assert sum(alone.by_cause().values()) == alone.difference == parts[name]


def subjects_of(scenario: Scenario, cycle: str) -> Iterator[str]:
    for name in [s for s in scenario.states if s.startswith("objectives/")]:
        objective = scenario.objective(name)
        if objective.cycle == cycle:
            yield name
            yield from objective.key_results


def fits(
    scenario: Scenario,
    cause: Cause,
    position: int | None,
    start: tuple[int, str],
    end: tuple[int, str],
) -> None:
    if cause is Cause.TIME:
        assert position is None
        return
    assert position is not None
    record = scenario.records[position - 1]
    assert record.event_type.removeprefix("okr.v1.") in FITTING[cause]
    assert position <= end[0]
    if position <= start[0]:
        effective = recorded_day(EventMetadata.FromString(record.metadata).effective_date)
        assert start[1] < effective.isoformat() <= end[1]


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    histories(),
    st.lists(st.tuples(st.sampled_from(CYCLES), choices), min_size=3, max_size=3),
)
def test_in_any_history_the_parts_add_up_between_any_instants(
    scenario: Scenario, asked: list[tuple[str, list[tuple[int, int]]]]
) -> None:
    for cycle, chosen in asked:
        start, end = instants_of(scenario, cycle, chosen)
        parts_add_up(scenario, cycle, start, end)


def test_before_its_first_day_a_cycle_is_what_it_is_on_it() -> None:
    """A quarter's objective contributes to a year's before the quarter has begun."""
    year = "objectives/year/keyResults/k"
    ungraded: dict[str, Any] = {"policy": ScoringPolicy(name="ipfs"), "because": ask.WHY}
    scenario = begun().given(
        ask.check_in(year, "5", on="2026-05-04"),
        ask.update_cycle(CYCLES[1], on="2026-05-01", **ungraded),
        ask.update_cycle(CYCLES[0], on="2026-07-01", **ungraded),
    )
    last = len(scenario.records)
    # Half way with a weight of 1; the child counts as 0 with a weight of 2, and under the quarter's
    # new policy not at all.
    for known, score in ((last - 1, "0.166666666667"), (last, "0.5")):
        found = score_of(as_known(scenario, known), "2026-06-01", CYCLES[1], "objectives/year")
        assert found == Decimal(score)
    parts_add_up(scenario, CYCLES[1], (last, "2026-06-01"), (last, "2026-07-10"))
    parts_add_up(scenario, CYCLES[1], (last - 1, "2026-06-01"), (last, "2026-06-02"))


NO_PART_OF_SCORES = re.compile("Person|Adjustment|StrategyAdjusted|ReviewHeld")


def test_every_event_about_goals_has_causes_or_is_known_to_have_none() -> None:
    about_goals = {n: m for n, m in EVENT_TYPES.items() if not NO_PART_OF_SCORES.search(n)}
    causes = {name: {cause for cause, _ in parts_of(kind())} for name, kind in about_goals.items()}
    for cause, names in FITTING.items():
        # What depends on which fields changed, or on the kind of an alignment, has none here.
        told = {name for name, found in causes.items() if cause in found}
        assert told <= {f"okr.v1.{name}" for name in names}
    assert {"okr.v1.PlanCommitted", "okr.v1.AmendmentRecorded"} <= {
        name for name, found in causes.items() if not found
    }
