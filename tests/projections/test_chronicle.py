"""The chronicle of a cycle: seals, amendments, reviews and lessons, as known at a position."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import FinalScore
from projections import chronicle, plan, revisions
from projections.chronicle import Wanted
from projections.following.follower import Follower
from tests.projections.feed import DAY, Feed, views_beside

pytestmark = pytest.mark.usefixtures("each_database")


CYCLE, OTHER = "cycles/q4", "cycles/q3"
FIRST = "objectives/awareness/keyResults/first"
NEXT = "objectives/next/keyResults/first"


def ended() -> Feed:
    """A cycle that was sealed, opened again and sealed anew, with what was said meanwhile."""
    feed = Feed()
    scores = [FinalScore(name="objectives/awareness", score="0.5")]
    feed.add(facts.CycleDrafted(cycle=CYCLE))
    feed.add(facts.CycleDrafted(cycle=OTHER))
    feed.add(facts.CycleClosing(cycle=CYCLE))
    feed.add(facts.CycleSealed(cycle=CYCLE, number=1, closing_position=3, objective_scores=scores))
    feed.add(facts.AmendmentRecorded(cycle=CYCLE, number=1, seal=1, subject=FIRST), day=None)
    feed.add(facts.LessonRecorded(cycle=CYCLE, number=1), day=None)
    feed.add(facts.LessonRecorded(cycle=OTHER, number=1, subject=FIRST), day=None)
    feed.add(facts.CycleReopened(cycle=CYCLE, seal=1), day=DAY + timedelta(7))
    feed.add(facts.ReviewHeld(review="reviews/r", cycle=CYCLE, team="teams/marketing"))
    feed.add(facts.LessonRecorded(cycle=CYCLE, number=2, subject=FIRST), day=None)
    feed.add(facts.CycleClosing(cycle=CYCLE))
    feed.add(facts.CycleSealed(cycle=CYCLE, number=2, closing_position=11, objective_scores=scores))
    feed.add(facts.KeyResultCarriedOver(key_result=NEXT, continued_from=FIRST))
    return feed


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    feed = ended()
    views = views_beside(tmp_path_factory.mktemp("views"), feed)
    Follower(feed, views).catch_up()
    with views.reading() as reading:
        yield reading.connection
    views.close()


def names(connection: Connection, wanted: Wanted, known: int = 99, after: int = 0) -> list[str]:
    found = chronicle.of_cycle(connection, wanted, known, after_position=after)
    return [entry.name for entry in found]


def test_entries_come_by_kind_in_order_and_as_known(connection: Connection) -> None:
    seals = Wanted(CYCLE, facts.CycleSealed)
    assert names(connection, seals) == [f"{CYCLE}/seals/1", f"{CYCLE}/seals/2"]
    assert names(connection, seals, known=11) == [f"{CYCLE}/seals/1"]
    assert names(connection, seals, known=3) == []
    assert names(connection, seals, after=4) == [f"{CYCLE}/seals/2"]
    assert names(connection, Wanted(CYCLE, facts.ReviewHeld)) == ["reviews/r"]
    first = chronicle.of_cycle(connection, seals, 99, limit=1)
    assert [entry.position for entry in first] == [4]


def test_entries_are_those_of_the_cycle_and_of_what_they_are_about(connection: Connection) -> None:
    lessons = Wanted(CYCLE, facts.LessonRecorded)
    assert names(connection, lessons) == [f"{CYCLE}/lessons/1", f"{CYCLE}/lessons/2"]
    assert names(connection, lessons._replace(about=FIRST)) == [f"{CYCLE}/lessons/2"]
    assert names(connection, lessons._replace(cycle=OTHER)) == [f"{OTHER}/lessons/1"]
    reviews = Wanted(CYCLE, facts.ReviewHeld, "teams/sales")
    assert names(connection, reviews) == []
    assert names(connection, reviews._replace(about="teams/marketing")) == ["reviews/r"]


def test_an_entry_is_found_by_its_name(connection: Connection) -> None:
    seal = chronicle.named(connection, f"{CYCLE}/seals/1", 99)
    assert seal is not None
    assert (seal.position, seal.effective) == (4, DAY)
    opened = chronicle.named(connection, chronicle.reopening_of(seal.name), 99)
    assert opened is not None
    assert (opened.position, opened.effective) == (8, DAY + timedelta(7))
    assert chronicle.named(connection, opened.name, 7) is None
    assert chronicle.named(connection, f"{CYCLE}/amendments/2", 99) is None


def test_reads_of_a_cycle_carry_neither_lessons_nor_a_seals_scores(connection: Connection) -> None:
    rows = revisions.of(connection, CYCLE, 99)
    told = [row.event_type.removeprefix("okr.v1.Cycle") for row in rows]
    assert told == ["Drafted", "Closing", "Sealed", "Reopened", "Closing", "Sealed"]
    assert rows[2].revision.fact == facts.CycleSealed(cycle=CYCLE, number=1, closing_position=3)


def test_a_continued_key_result_is_found_from_its_origin(connection: Connection) -> None:
    collection = plan.continuations_of(FIRST)
    assert [entry.member for entry in plan.members_of(connection, collection, 99)] == [NEXT]
    assert plan.members_of(connection, collection, 12) == []
    collection = plan.key_results_of("objectives/next")
    assert [entry.member for entry in plan.members_of(connection, collection, 99)] == [NEXT]
