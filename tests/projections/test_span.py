"""What the tables give of a span is what the ledger holds, whatever part of it is asked for."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.attribution import Walk
from ledger.objectives import stream_of
from ledger.span import Instants
from projections.audit.span import span_of
from projections.following.follower import Follower
from tests.projections.feed import Feed, views_beside
from tests.support import spans
from tests.support.histories import (
    CYCLES,
    KEY_RESULTS,
    OBJECTIVES,
    TEAMS,
    choices,
    histories,
    instants_of,
)
from tests.support.scenario import Scenario


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    histories(),
    st.lists(st.tuples(st.sampled_from(CYCLES), choices), min_size=3, max_size=3),
)
def test_the_tables_tell_the_same_movements_as_the_ledger(
    scenario: Scenario, asked: list[tuple[str, list[tuple[int, int]]]]
) -> None:
    feed = Feed(records=scenario.records)
    with TemporaryDirectory() as folder:
        views = views_beside(Path(folder), feed)
        Follower(feed, views).catch_up()
        with views.reading() as reading:
            for cycle, chosen in asked:
                first, last = instants_of(scenario, cycle, chosen)
                start, end = (Instants(p, date.fromisoformat(d)) for p, d in (first, last))
                for subject in subjects(scenario, cycle, end.position):
                    told = Walk(
                        span_of(reading.connection, subject, cycle, start, end), cycle, [subject]
                    )
                    plain = Walk(spans.span_of(scenario, first, last), cycle, [subject])
                    assert told.scores == plain.scores
                    assert list(told) == list(plain)
        views.close()


def subjects(scenario: Scenario, cycle: str, known: int) -> list[str]:
    """Some subjects of a cycle known at a position."""
    recorded = {record.stream for record in scenario.records[:known]}
    found: list[str] = [name for name in (cycle, *TEAMS) if cycle in recorded and name in recorded]
    for name in (*OBJECTIVES, *KEY_RESULTS[known % 3 :: 3]):
        objective = stream_of(name)
        if objective in recorded and scenario.objective(objective).cycle == cycle:
            found.append(name)
    return found
