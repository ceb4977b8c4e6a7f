"""Which check-in is in force, at any position known and on any day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from projections.following.follower import Follower
from projections.known_check_ins import (
    KnownCheckIn,
    all_in_force,
    counts,
    in_force,
    page,
)
from tests.projections.feed import DAY, Feed, views_beside

pytestmark = pytest.mark.usefixtures("each_database")


KR = "objectives/awareness/keyResults/followers"
OTHER = "objectives/awareness/keyResults/visits"


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def value(found: KnownCheckIn | None) -> str | None:
    return found.content.measurement.value if found else None


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def connect(tmp_path: Path, feed: Feed) -> Iterator[Callable[[], Connection]]:
    """Follows the feed and gives a connection to its tables."""
    views = views_beside(tmp_path, feed)
    opened: list[Connection] = []

    def connection() -> Connection:
        Follower(feed, views).catch_up()
        opened.append(views._current()._reader.connect())
        return opened[-1]

    yield connection
    for each in opened:
        each.close()
    views.close()


def entries(feed: Feed) -> dict[str, int]:
    """Check-ins of several weeks: position of each, by what it does."""
    return {
        "week 1": feed.check_in(KR, 1, day(7), 10),
        "week 2": feed.check_in(KR, 2, day(14), 20),
        "late, of week 1": feed.check_in(KR, 3, day(8), 11),
        "same day": feed.check_in(KR, 4, day(14), 21),
        "same day at noon": feed.check_in(KR, 5, day(14), 22, second=43_200),
        "same day in the morning": feed.check_in(KR, 6, day(14), 23, second=28_800),
        "old one corrected": feed.correct(KR, 1, day(7), 12),
        "noon retracted": feed.retract(KR, 5),
        "week 2 moved to week 3": feed.correct(KR, 2, day(21), 24),
        "moved back": feed.correct(KR, 2, day(14), 25),
        "week 1 retracted": feed.retract(KR, 1),
    }


@pytest.mark.parametrize(
    ("known", "on", "expected"),
    [
        ("week 1", 6, None),
        ("week 1", 7, "10"),
        ("week 1", 99, "10"),
        ("week 2", 13, "10"),
        ("week 2", 14, "20"),
        # A late entry orders by its day, not by its position.
        ("late, of week 1", 14, "20"),
        ("late, of week 1", 13, "11"),
        ("late, of week 1", 7, "10"),
        # On one day: without an instant first, then by instant, then by position.
        ("same day", 14, "21"),
        ("same day at noon", 14, "22"),
        ("same day in the morning", 14, "22"),
        ("noon retracted", 14, "23"),
        # A correction of an old check-in does not make it the newest.
        ("old one corrected", 14, "22"),
        ("old one corrected", 7, "12"),
        ("same day in the morning", 7, "10"),
        # A correction moves the day, and another one moves it back to its place.
        ("week 2 moved to week 3", 20, "23"),
        ("week 2 moved to week 3", 21, "24"),
        ("moved back", 21, "23"),
        ("moved back", 14, "23"),
        # A retraction uncovers what stood before.
        ("week 1 retracted", 7, None),
        ("week 1 retracted", 8, "11"),
    ],
)
def test_in_force(
    feed: Feed,
    connect: Callable[[], Connection],
    known: str,
    on: int,
    expected: str | None,
) -> None:
    positions = entries(feed)
    found = in_force(connect(), [KR, OTHER], positions[known], day(on))
    assert value(found.get(KR)) == expected
    assert OTHER not in found


def test_a_correction_keeps_who_recorded_it(feed: Feed, connect: Callable[[], Connection]) -> None:
    recorded = feed.check_in(KR, 1, day(3), 1)
    corrected = feed.correct(KR, 1, day(4), 2)
    connection = connect()
    before = in_force(connection, [KR], recorded, day(9))[KR]
    after = in_force(connection, [KR], corrected, day(9))[KR]
    assert (before.position, before.content_position, before.corrected_position) == (1, 1, 0)
    assert (after.position, after.content_position, after.corrected_position) == (1, 2, 2)
    assert (before.correction, before.effective) == (None, day(3))
    assert after.correction is not None
    assert after.correction.effective_date.day == day(4).day
    assert after.recording.effective_date.day == day(3).day
    assert after.recorded_us == feed.records[0].recorded_us
    assert after.check_in.order == (day(4), (), 1)


def test_counts_are_of_what_was_recorded(feed: Feed, connect: Callable[[], Connection]) -> None:
    entries(feed)
    feed.check_in(OTHER, 1, day(1))
    connection = connect()
    expected = [0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6]
    for known, count in enumerate(expected):
        assert counts(connection, [KR, OTHER], known) == {KR: count, OTHER: 0}
    assert counts(connection, [OTHER, "objectives/o/keyResults/k"], 99) == {
        OTHER: 1,
        "objectives/o/keyResults/k": 0,
    }


def test_pages_go_on_after_a_place(feed: Feed, connect: Callable[[], Connection]) -> None:
    entries(feed)
    connection = connect()
    known = len(feed.records)
    whole = page(connection, KR, known, day(99), limit=100)
    assert [found.number for found in whole] == [1, 3, 2, 4, 6, 5]
    assert [found.retracted for found in whole] == [True, False, False, False, False, True]
    pages: list[KnownCheckIn] = []
    while part := page(
        connection, KR, known, day(99), limit=2, after=pages[-1].place if pages else None
    ):
        assert len(part) <= 2
        pages += part
    assert pages == whole
    assert [found.number for found in page(connection, KR, known, day(13), limit=9)] == [1, 3]


@dataclass(frozen=True)
class Step:
    """What happens next: to one of two key results, to one of its check-ins, on a day."""

    key_result: str
    kind: str
    which: int
    on: int
    second: int | None


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from([KR, OTHER]),
        st.sampled_from(["record", "record", "record", "correct", "retract"]),
        st.integers(0, 30),
        st.integers(0, 6),
        st.sampled_from([None, None, 0, 60, 3_600]),
    ),
    max_size=40,
)


class Naive:
    """The rule as it reads, over all that happened."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.happened: list[tuple[int, str, str, int, int, int | None]] = []
        self.recorded: dict[str, list[int]] = {KR: [], OTHER: []}
        self.retracted: set[tuple[str, int]] = set()

    def play(self, step: Step) -> None:
        numbers = self.recorded[step.key_result]
        known = [n for n in numbers if (step.key_result, n) not in self.retracted]
        kind = step.kind if known else "record"
        if kind == "record":
            number = len(numbers) + 1
            numbers.append(number)
            position = self.feed.check_in(
                step.key_result, number, day(step.on), len(self.happened), step.second
            )
        else:
            number = known[step.which % len(known)]
            if kind == "correct":
                position = self.feed.correct(
                    step.key_result, number, day(step.on), len(self.happened), step.second
                )
            else:
                position = self.feed.retract(step.key_result, number)
                self.retracted.add((step.key_result, number))
        self.happened.append((position, step.key_result, kind, number, step.on, step.second))

    def forms(self, key_result: str, known: int, on: int) -> list[tuple[int, int, bool]]:
        """(number, position of the content, retracted) in order."""
        originals: dict[int, int] = {}
        contents: dict[int, tuple[int, int, int | None]] = {}
        retracted = set()
        for position, name, kind, number, at, second in self.happened:
            if position > known or name != key_result:
                continue
            if kind == "retract":
                retracted.add(number)
                continue
            originals.setdefault(number, position)
            contents[number] = (position, at, second)
        order = sorted(
            (at, -1 if second is None else second, originals[number], number, position)
            for number, (position, at, second) in contents.items()
            if at <= on
        )
        return [(number, position, number in retracted) for *_, number, position in order]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(happens=steps, asked=st.lists(st.tuples(st.integers(0, 42), st.integers(-1, 7)), max_size=8))
def test_any_history_reads_as_the_rule_says(
    happens: list[Step], asked: list[tuple[int, int]]
) -> None:
    feed = Feed()
    naive = Naive(feed)
    for step in happens:
        naive.play(step)
    with TemporaryDirectory() as folder:
        views = views_beside(Path(folder), feed)
        Follower(feed, views).catch_up()
        with views.reading() as reading:
            for known, on in [*asked, (len(happens), 7)]:
                agrees(reading.connection, naive, known, on)
        views.close()


def agrees(connection: Connection, naive: Naive, known: int, on: int) -> None:
    names = [KR, OTHER]
    one = in_force(connection, names, known, day(on))
    every = all_in_force(connection, names, known, day(on))
    total = counts(connection, names, known)
    for name in names:
        forms = naive.forms(name, known, on)
        holding = [(number, position) for number, position, gone in forms if not gone]
        assert [(f.number, f.content_position) for f in every[name]] == holding
        last = one.get(name)
        assert ((last.number, last.content_position) if last else None) == (
            holding[-1] if holding else None
        )
        assert [
            (f.number, f.content_position, f.retracted)
            for f in page(connection, name, known, day(on), limit=100)
        ] == forms
        recorded = [h for h in naive.happened if h[1] == name and h[2] == "record"]
        assert total[name] == sum(h[0] <= known for h in recorded)
