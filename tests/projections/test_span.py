"""What the tables give of a span is what the ledger holds, whatever part of it is asked for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.attribution import Walk
from ledger.span import Instants, Span
from projections.follower import Follower
from projections.span import span_of
from tests.projections.feed import Feed, views_beside
from tests.support import spans
from tests.support.histories import CYCLES, FIRST, KEY_RESULTS, OBJECTIVES, TEAMS, histories
from tests.support.scenario import Scenario

instants = st.tuples(st.integers(0, 1000), st.integers(0, 92))


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.lists(st.tuples(instants, instants), min_size=3, max_size=3))
def test_the_tables_tell_the_same_movements_as_the_ledger(
    scenario: Scenario, pairs: list[tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    feed = Feed(records=scenario.records)
    with TemporaryDirectory() as folder:
        views = views_beside(Path(folder), feed)
        Follower(feed, views).catch_up()
        with views.reading() as reading:
            for chosen in pairs:
                shares, days = zip(*chosen, strict=True)
                known = sorted(share * len(scenario.records) // 1000 for share in shares)
                on = [FIRST + timedelta(ahead) for ahead in sorted(days)]
                start, end = Instants(known[0], on[0]), Instants(known[1], on[1])
                for cycle, subject in asked(scenario, end.position):
                    told = Walk(
                        span_of(reading.connection, subject, cycle, start, end), cycle, [subject]
                    )
                    plain = Walk(plainly(scenario, start, end), cycle, [subject])
                    assert told.scores == plain.scores
                    assert list(told) == list(plain)
        views.close()


def plainly(scenario: Scenario, start: Instants, end: Instants) -> Span:
    first, last = ((each.position, each.day.isoformat()) for each in (start, end))
    return spans.span_of(scenario, first, last)


def asked(scenario: Scenario, known: int) -> list[tuple[str, str]]:
    """Some subjects known at a position, each with its cycle."""
    recorded = {record.stream for record in scenario.records[:known]}
    found: list[tuple[str, str]] = [
        (cycle, name) for cycle in CYCLES for name in (cycle, *TEAMS) if name in recorded
    ]
    for name in (*OBJECTIVES, *KEY_RESULTS[known % 3 :: 3]):
        stream = name.partition("/keyResults/")[0]
        if stream in recorded:
            found.append((scenario.objective(stream).cycle, name))
    return found
