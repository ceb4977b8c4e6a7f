"""Each event counts exactly once, whatever happens on the way."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from ledger.event import Record
from ledger.log.errors import LogUnavailable
from okr.v1 import events_pb2 as facts
from projections.errors import Displaced, FailingEvent
from projections.following import follower as following
from projections.following.follower import Follower
from projections.models import READ_MODELS
from projections.read_model import Batch
from tests.projections.feed import (
    DAY,
    Feed,
    dump,
    quarter,
    serving_from_the_start,
    views_beside,
)

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def feed() -> Feed:
    return quarter(Feed())


def followed(folder: Path, feed: Feed) -> dict[str, list[tuple[Any, ...]]]:
    """The tables after following a feed to its end."""
    folder.mkdir(exist_ok=True)
    views = serving_from_the_start(folder, feed)
    Follower(feed, views).catch_up()
    views.close()
    return dump(folder)


def test_all_events_are_in_the_tables(tmp_path: Path, feed: Feed) -> None:
    tables = followed(tmp_path, feed)
    (tracked,) = tables.pop("tracking")
    assert tracked[4] == len(feed.records)
    positions = {row[0] for name in tables if name != "members" for row in tables[name]}
    assert positions == set(range(1, len(feed.records) + 1))


def test_twice_is_once(tmp_path: Path, feed: Feed) -> None:
    assert followed(tmp_path, feed) == followed(tmp_path, feed)


@pytest.mark.parametrize("seed", range(3))
def test_batches_do_not_show(
    tmp_path: Path, feed: Feed, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = followed(tmp_path / "whole", feed)
    sizes = random.Random(seed)
    (tmp_path / "parts").mkdir()
    views = serving_from_the_start(tmp_path / "parts", feed)
    follower = Follower(feed, views)
    steps = 1
    while steps:
        monkeypatch.setattr(following, "BATCH", sizes.randint(1, 30))
        steps = follower.step()
    views.close()
    assert dump(tmp_path / "parts") == whole


def test_building_gives_the_same_rows(tmp_path: Path, feed: Feed) -> None:
    (tmp_path / "built").mkdir()
    views = views_beside(tmp_path / "built", feed)
    assert Follower(feed, views).catch_up() == len(feed.records)
    views.close()
    assert dump(tmp_path / "built") == followed(tmp_path, feed)


class Crash(BaseException):
    """The end of a process, as far as the database can tell."""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before_cursor_execute", "after_cursor_execute", "commit"])
def test_a_crash_at_any_statement_loses_and_doubles_nothing(
    tmp_path: Path, feed: Feed, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = followed(tmp_path / "expected", feed)
    monkeypatch.setattr(following, "BATCH", 30)
    survived = False
    point = 0
    while not survived:
        point += 1
        folder = tmp_path / str(point)
        folder.mkdir()
        views = serving_from_the_start(folder, feed)
        views.open(feed)
        left = [point]

        def crash(*_: object, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

        event.listen(views._current().tracker._engine, moment, crash)
        try:
            Follower(feed, views).catch_up()
            survived = True
        except Crash:
            event.remove(views._current().tracker._engine, moment, crash)
            views.close()
            views = views_beside(folder, feed)
            Follower(feed, views).catch_up()
        views.close()
        assert dump(folder) == expected
    assert point > 3


def test_a_commit_with_an_unknown_end_is_taken_up_where_it_went(tmp_path: Path, feed: Feed) -> None:
    views = serving_from_the_start(tmp_path, feed)
    write = views.write

    def committed_but_unanswered(before: int, batch: Batch) -> None:
        write(before, batch)
        views.write = write  # type: ignore[method-assign]  # the fault happens once
        raise OperationalError("COMMIT", None, Exception("connection lost"))

    views.write = committed_but_unanswered  # type: ignore[method-assign]  # the injected fault
    follower = Follower(feed, views, poll_seconds=0.01, gather_seconds=0)
    stop = Event()
    thread = Thread(target=follower.run, args=[stop])
    thread.start()
    while views.progress.position < len(feed.records):
        stop.wait(0.005)
    stop.set()
    thread.join()
    views.close()
    assert follower.failure is None
    assert dump(tmp_path) == followed(tmp_path / "expected", feed)


def test_two_followers_share_the_work(
    tmp_path: Path, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BATCH", 10)
    views = [serving_from_the_start(tmp_path, feed), views_beside(tmp_path, feed)]
    one, two = (Follower(feed, each) for each in views)
    while one.step() + two.step():
        pass
    for each in views:
        each.close()
    assert dump(tmp_path) == followed(tmp_path / "expected", feed)


def test_what_is_recorded_while_it_runs_is_followed(tmp_path: Path, feed: Feed) -> None:
    views = views_beside(tmp_path, feed)
    follower = Follower(feed, views)
    stop = Event()
    thread = Thread(target=follower.run, args=[stop])
    thread.start()
    for number in range(100, 150):
        feed.check_in(
            "objectives/awareness/keyResults/first", number, DAY.replace(day=1 + number % 28)
        )
        follower.wake()
    while views.progress.position < len(feed.records):
        stop.wait(0.005)
    stop.set()
    follower.wake()
    thread.join()
    views.close()
    assert dump(tmp_path) == followed(tmp_path / "expected", feed)


def test_a_database_that_is_busy_is_waited_for(tmp_path: Path, feed: Feed) -> None:
    views = serving_from_the_start(tmp_path, feed)
    write = views.write
    refusals = [OperationalError("BEGIN", None, Exception("database is locked"))] * 2

    def busy(before: int, batch: Batch) -> None:
        if refusals:
            raise refusals.pop()
        write(before, batch)

    views.write = busy  # type: ignore[method-assign]  # the injected fault
    stop = Event()
    follower = Follower(feed, views, on_progress=lambda _: stop.set(), gather_seconds=0)
    follower.wake()
    follower.run(stop)
    assert views.progress.position == len(feed.records)
    views.close()


def test_a_log_that_was_set_back_while_it_was_away_stops_it(tmp_path: Path, feed: Feed) -> None:
    views = serving_from_the_start(tmp_path, feed)
    follower = Follower(feed, views, poll_seconds=0.01, gather_seconds=0)
    held = follower.catch_up()
    before = dump(tmp_path)
    # Restored to an earlier state, it has grown otherwise, and further than the tables.
    del feed.records[-10:]
    for number in range(30):
        feed.add(facts.CycleDrafted(cycle=f"cycles/other-{number}"))
    read, away = feed.read, [True]

    def read_when_there(after_position: int, limit: int) -> list[Record]:
        if away:
            away.clear()
            raise LogUnavailable("a database", "read", "the connection was lost")
        return read(after_position, limit)

    feed.read = read_when_there  # type: ignore[method-assign]  # the injected fault
    follower.run(Event())
    assert isinstance(follower.failure, FailingEvent)
    assert follower.failure.position == held
    assert "the log was set back" in str(follower.failure)
    del before["tracking"]
    assert before.items() <= dump(tmp_path).items()
    views.close()


def test_a_follower_of_another_version_goes_on_beside_it(tmp_path: Path, feed: Feed) -> None:
    old = views_beside(tmp_path, feed)
    follower = Follower(feed, old)
    follower.catch_up()
    newer = [replace(READ_MODELS[0], version=2), *READ_MODELS[1:]]
    new = views_beside(tmp_path, feed, models=newer)
    Follower(feed, new).catch_up()
    feed.retract("objectives/awareness/keyResults/first", 1)
    assert follower.catch_up() == len(feed.records)
    assert old.tracked().position == new.tracked().position + 1
    old.close()
    new.close()


def test_tables_that_are_gone_stop_it(tmp_path: Path, feed: Feed) -> None:
    views = views_beside(tmp_path, feed)
    follower = Follower(feed, views)
    follower.catch_up()
    views.generations.retire(1)
    with pytest.raises(Displaced):
        follower.catch_up()
    assert isinstance(follower.failure, Displaced)
    views.close()


def test_rows_that_the_tables_refuse_stop_it(tmp_path: Path, feed: Feed) -> None:
    views = serving_from_the_start(tmp_path, feed)

    def broken(before: int, batch: Batch) -> None:
        raise TypeError("a float where a number belongs")

    views.write = broken  # type: ignore[method-assign]  # the injected fault
    follower = Follower(feed, views)
    follower.run(Event())
    assert isinstance(follower.failure, FailingEvent)
    assert follower.failure.position == 1
    views.close()
