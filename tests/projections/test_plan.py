"""Who belonged to what, what a subject was, what an adjustment changed: at any position known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import AlignmentKind
from projections import adjustments, alignments, plan, revisions
from projections.following.follower import Follower
from tests.projections.feed import DAY, Feed, quarter, views_beside

pytestmark = pytest.mark.usefixtures("each_database")


ONE, TWO = "objectives/awareness", "objectives/revenue"
FIRST = f"{ONE}/keyResults/first"
SUPPORTS = AlignmentKind.ALIGNMENT_KIND_SUPPORTS
CONTRIBUTES = AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES


@pytest.fixture
def feed() -> Feed:
    return quarter(Feed(), check_ins=2)


@pytest.fixture
def connection(tmp_path: Path, feed: Feed) -> Iterator[Connection]:
    views = views_beside(tmp_path, feed)
    Follower(feed, views).catch_up()
    with views.reading() as reading:
        yield reading.connection
    views.close()


def members(connection: Connection, collection: str, known: int) -> list[str]:
    return [entry.member for entry in plan.members_of(connection, collection, known)]


def test_members_are_known_from_their_positions(connection: Connection) -> None:
    assert members(connection, plan.CYCLES, 99) == ["cycles/q4"]
    assert members(connection, plan.TEAMS, 2) == ["teams/marketing"]
    assert members(connection, plan.TEAMS, 99) == ["teams/marketing", "teams/sales"]
    assert members(connection, plan.objectives_of("cycles/q4"), 3) == []
    assert members(connection, plan.objectives_of("cycles/q4"), 5) == [ONE]
    assert members(connection, plan.objectives_of("cycles/q4"), 99) == [ONE, TWO]
    assert members(connection, plan.key_results_of(ONE), 99) == [FIRST]
    assert members(connection, plan.adjustments_of("cycles/q4"), 99) == ["adjustments/a"]


def test_an_objective_that_moved_was_both_teams(connection: Connection) -> None:
    own = [plan.objectives_of(team) for team in ("teams/marketing", "teams/sales", "teams/none")]
    assert plan.members_of_many(connection, own, 99) == dict(
        zip(own, [[ONE, TWO], [TWO], []], strict=True)
    )
    assert plan.members_of_many(connection, own, 10)[own[1]] == []


def test_members_come_in_pages(connection: Connection) -> None:
    collection = plan.objectives_of("cycles/q4")
    (first,) = plan.members_of(connection, collection, 99, limit=1)
    (second,) = plan.members_of(connection, collection, 99, after_position=first.position, limit=1)
    assert (first.member, second.member) == (ONE, TWO)
    assert plan.members_of(connection, collection, 99, after_position=second.position) == []


def test_revisions_come_in_order_and_as_known(feed: Feed, connection: Connection) -> None:
    rows = revisions.of(connection, FIRST, 99)
    assert [row.event_type for row in rows] == ["okr.v1.KeyResultAdded", "okr.v1.KeyResultRevised"]
    assert [row.position for row in rows] == sorted(row.position for row in rows)
    assert revisions.of(connection, FIRST, rows[0].position) == rows[:1]
    assert revisions.of(connection, FIRST, rows[0].position - 1) == []
    assert rows[0].revision.fact == facts.KeyResultAdded.FromString(rows[0].payload)
    assert (rows[0].effective, rows[0].circumstances.actor.plain) == (DAY, "ann")
    assert rows[0].recorded_us == feed.records[rows[0].position - 1].recorded_us


def test_many_subjects_in_one_go(connection: Connection) -> None:
    names = [f"objectives/missing-{i}" for i in range(300)]
    found = revisions.of_many(connection, [*names, ONE, "cycles/q4", ONE], 99)
    assert set(found) == {*names, ONE, "cycles/q4"}
    assert [len(found[name]) for name in (names[0], ONE, "cycles/q4")] == [0, 1, 5]


def test_facts_without_a_date_hold_from_the_beginning(connection: Connection) -> None:
    (row,) = revisions.of(connection, "teams/sales", 99)
    assert row.effective == date.min


def test_an_adjustment_and_what_it_changed(connection: Connection) -> None:
    name = "adjustments/a"
    (row,) = adjustments.of(connection, name, 99)
    assert isinstance(row.fact, facts.StrategyAdjusted)
    assert row.effective == DAY
    assert adjustments.of(connection, name, row.position - 1) == []
    changed = revisions.of_adjustments(connection, [name, "adjustments/b"], 99)
    assert [each.subject for each in changed[name]] == [FIRST, TWO]
    assert changed["adjustments/b"] == []


def test_proposed_adjustments_keep_their_events_together(tmp_path: Path) -> None:
    feed = Feed()
    cycle, name = "cycles/q4", "adjustments/p"
    feed.add(facts.AdjustmentProposed(adjustment=name, cycle=cycle))
    feed.add(facts.StrategyAdjusted(adjustment="adjustments/q", cycle=cycle))
    feed.add(facts.AdjustmentApproved(adjustment=name))
    feed.add(facts.StrategyAdjusted(adjustment=name, cycle=cycle))
    views = views_beside(tmp_path, feed)
    Follower(feed, views).catch_up()
    with views.reading() as reading:
        entries = plan.members_of(reading.connection, plan.adjustments_of(cycle), 4)
        names = list(dict.fromkeys(entry.member for entry in entries))
        found = adjustments.of_many(reading.connection, names, 4)
        assert {key: [row.position for row in rows] for key, rows in found.items()} == {
            name: [1, 3, 4],
            "adjustments/q": [2],
        }
    views.close()


def test_edges_on_both_axes(tmp_path: Path) -> None:
    feed = Feed()
    late = DAY + timedelta(days=30)
    feed.add(facts.Aligned(child=TWO, parent=ONE, kind=CONTRIBUTES, weight="1"), day=DAY)
    feed.add(facts.Aligned(child=FIRST, parent=TWO, kind=SUPPORTS, weight="1"), day=late)
    feed.add(facts.Unaligned(child=TWO, parent=ONE, kind=CONTRIBUTES), day=late)
    back = DAY + timedelta(days=10)
    feed.add(
        facts.Aligned(child=TWO, parent=ONE, kind=SUPPORTS, weight="2"),
        day=back,
        adjustment="adjustments/a",
    )
    views = views_beside(tmp_path, feed)
    Follower(feed, views).catch_up()
    with views.reading() as reading:

        def parents_of(known: int, on: date) -> list[tuple[str, str]]:
            edges = alignments.of_children(reading.connection, [TWO, FIRST, ONE], known, on)
            return [(edge.parent, edge.weight) for edge in edges]

        assert parents_of(4, DAY - timedelta(days=1)) == []
        assert parents_of(4, DAY) == [(ONE, "1")]
        assert parents_of(3, back) == [(ONE, "1")]
        assert parents_of(4, back) == [(ONE, "1"), (ONE, "2")]
        assert parents_of(4, late) == [(ONE, "2"), (TWO, "1")]
        assert parents_of(2, late) == [(ONE, "1"), (TWO, "1")]
        children = alignments.of_parents(reading.connection, [ONE], 4, late)
        assert [(edge.child, edge.kind, edge.position) for edge in children] == [(TWO, SUPPORTS, 4)]
        ever = alignments.ever_of_parents(reading.connection, [ONE, TWO], 4)
        assert {name: [r.position for r in known] for name, known in ever.items()} == {
            ONE: [1, 3, 4],
            TWO: [2],
        }
        (row,) = alignments.of_adjustments(reading.connection, ["adjustments/a"], 4)[
            "adjustments/a"
        ]
        assert (row.position, row.circumstances.actor.plain) == (4, "ann")
    views.close()
