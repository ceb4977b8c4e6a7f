"""Read models are rebuilt beside those that serve, and take over without anybody noticing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from shutil import copytree
from threading import get_ident

import pytest
from sqlalchemy import Engine, event, inspect, text

from projections.errors import FailingEvent, RebuildRunning, TablesDiffer
from projections.following.follower import Follower
from projections.following.watcher import Watcher
from projections.models import READ_MODELS
from projections.store import building
from projections.store.claims import this_process
from projections.store.generations import State
from projections.store.rebuilding import rebuild
from projections.store.tables import TABLES
from projections.store.views import Views
from tests.projections.feed import (
    Feed,
    dump,
    quarter,
    serving_from_the_start,
    tables,
    views_beside,
)

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def feed() -> Feed:
    return quarter(Feed())


@pytest.fixture
def views(tmp_path: Path, feed: Feed) -> Iterator[Views]:
    """Views that a follower has brought to the feed's end, event by event."""
    with closing(serving_from_the_start(tmp_path, feed)) as views:
        Follower(feed, views).catch_up()
        yield views


def states(views: Views) -> dict[int, str]:
    return {entry.number: entry.state for entry in views.generations.all()}


def test_what_is_rebuilt_is_what_was_followed(tmp_path: Path, feed: Feed, views: Views) -> None:
    before = dump(tmp_path)
    rebuilt = rebuild(views, feed)
    assert dump(tmp_path) == before
    assert (rebuilt.generation, rebuilt.position) == (2, len(feed.records))
    assert rebuilt.comparison.rows == sum(map(len, before.values())) - len(before["tracking"])
    assert rebuilt.comparison.differences == ()


def test_it_has_the_indexes_that_the_queries_need(tmp_path: Path, feed: Feed, views: Views) -> None:
    rebuild(views, feed)
    engine = tables(tmp_path)
    with engine.connect() as connection:
        schema = inspect(connection)
        found = {
            index["name"] for name in schema.get_table_names() for index in schema.get_indexes(name)
        }
    engine.dispose()
    assert found == {index.name for table in TABLES.sorted_tables for index in table.indexes}


def test_readers_and_followers_go_over_by_themselves(
    tmp_path: Path, feed: Feed, views: Views, each_database: str
) -> None:
    follower = Follower(feed, views)
    follower.catch_up()
    with (
        closing(views_beside(tmp_path, feed)) as watched,
        closing(views_beside(tmp_path, feed)) as by,
    ):
        Watcher(watched).look()
        with views.reading() as old:
            rebuild(by, feed)
            feed.retract("objectives/awareness/keyResults/first", 1)
            follower.catch_up()
            Watcher(watched).look()
            # What is being read stays as it was until the reading ends.
            assert old.position == len(feed.records) - 1
            assert states(by) == {1: State.RETIRED, 2: State.SERVING}
        with views.reading() as new:
            assert new.position == len(feed.records)
        follower.catch_up()
        Watcher(watched).look()
        follower.catch_up()
        assert states(by) == {2: State.SERVING}
        assert watched.progress.position == len(feed.records)
    if each_database == "sqlite":
        assert sorted(file.name for file in tmp_path.glob("*.db")) == [
            "okr-ledger.views-2.db",
            "okr-ledger.views.db",
        ]


def test_what_was_known_once_stays_known(tmp_path: Path, feed: Feed, views: Views) -> None:
    """Reads go over only when the new tables hold what the old ones had told."""
    follower = Follower(feed, views)
    follower.catch_up()
    shorter = Feed(feed.log_id, feed.epoch, feed.records[:-20])
    with closing(views_beside(tmp_path, feed)) as by, closing(by.build(shorter)) as built:
        while built.step():
            pass
        built.switch()
    Watcher(views).look()
    assert views.progress.position == len(feed.records)
    with views.reading() as reading:
        assert reading.position == len(feed.records)
    follower.catch_up()
    assert views.tracked().position == len(feed.records)
    with views.reading() as reading:
        assert reading.position == len(feed.records)


def test_a_difference_is_told_and_does_not_serve(tmp_path: Path, feed: Feed, views: Views) -> None:
    views.generations.close()
    engine = tables(tmp_path)
    with engine.begin() as connection:
        connection.execute(text("UPDATE check_ins SET moment = 7 WHERE position IN (20, 30)"))
        connection.execute(text("DELETE FROM check_ins WHERE position = 31"))
        connection.execute(text("INSERT INTO members VALUES ('teams', 3, 'teams/nobody')"))
    engine.dispose()
    planted = dump(tmp_path)
    with pytest.raises(TablesDiffer) as told:
        rebuild(views, feed)
    of_check_ins, of_members = sorted(told.value.differences)
    assert of_check_ins.startswith("check_ins: 3 rows differ, the first at 20;")
    assert of_members.startswith("members: 1 rows differ, the first at teams, 3, teams/nobody;")
    assert dump(tmp_path) == planted
    assert states(views) == {1: State.SERVING, 2: State.BUILDING}
    rebuilt = rebuild(views, feed, despite_differences=True)
    assert (rebuilt.generation, rebuilt.resumed_position) == (2, len(feed.records))
    assert dump(tmp_path)["check_ins"] != planted["check_ins"]


def test_tables_that_cannot_be_read_are_a_difference(
    tmp_path: Path, feed: Feed, views: Views
) -> None:
    before = dump(tmp_path)
    engine = tables(tmp_path)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alignments"))
    engine.dispose()
    with pytest.raises(TablesDiffer, match="cannot be read"):
        rebuild(views, feed)
    rebuild(views, feed, despite_differences=True)
    assert dump(tmp_path) == before


def test_a_second_one_is_refused_and_told_who_builds(
    tmp_path: Path, feed: Feed, views: Views
) -> None:
    with (
        closing(views.build(feed)),
        closing(views_beside(tmp_path, feed)) as other,
        pytest.raises(RebuildRunning, match=this_process()),
    ):
        rebuild(other, feed)
    rebuild(views, feed)


def test_an_event_that_cannot_be_taken_in_leaves_all_as_it_was(
    tmp_path: Path, feed: Feed, views: Views
) -> None:
    before = dump(tmp_path)
    feed.add_bytes("okr.v1.MoonLanded", b"")
    with pytest.raises(FailingEvent):
        rebuild(views, feed)
    assert dump(tmp_path) == before


def test_another_version_is_built_beside_and_both_serve(
    tmp_path: Path, feed: Feed, views: Views
) -> None:
    newer = [replace(READ_MODELS[0], version=2), *READ_MODELS[1:]]
    with closing(views_beside(tmp_path, feed, models=newer)) as other:
        rebuilt = rebuild(other, feed)
        assert rebuilt.comparison.generation == 0
        assert states(views) == {1: State.SERVING, 2: State.SERVING}
        assert views.open(feed) == other.open(feed) == len(feed.records)
    # Nobody uses the newer one now, but it is the newest.
    assert views.generations.sweep() == []
    views.close()
    with closing(views_beside(tmp_path, feed, models=newer)) as other:
        assert other.open(feed) == len(feed.records)
    assert states(views) == {2: State.SERVING}


def test_files_that_belong_to_nothing_are_removed(
    tmp_path: Path, views: Views, each_database: str
) -> None:
    if each_database == "postgres":
        pytest.skip("a schema and its entry go in one transaction")
    for name in ("okr-ledger.views-7.db", "okr-ledger.views-7.db-wal", "okr-ledger.views-8.lock"):
        (tmp_path / name).touch()
    others = {"okr-ledger.views-note.txt", "other.views-7.db"}
    for name in others:
        (tmp_path / name).touch()
    views.generations.sweep()
    left = {file.name for file in tmp_path.iterdir()}
    assert others <= left
    assert not [
        name for name in left if name.startswith(("okr-ledger.views-7", "okr-ledger.views-8"))
    ]
    assert states(views) == {1: State.SERVING}


def test_a_restored_log_is_not_compared_with_what_it_has_lost(
    tmp_path: Path, feed: Feed, views: Views
) -> None:
    restored = quarter(Feed(), check_ins=7)
    assert rebuild(views, restored).comparison.generation == 0
    (tmp_path / "expected").mkdir()
    with closing(serving_from_the_start(tmp_path / "expected", restored)) as expected:
        Follower(restored, expected).catch_up()
    assert dump(tmp_path) == dump(tmp_path / "expected")


class Crash(BaseException):
    """The end of a process, as far as the databases can tell."""


@contextmanager
def crashing(moment: str, at: int) -> Iterator[None]:
    """Every connection of this thread crashes at the `at`-th statement, or commit, of them all."""
    left = [at]
    here = get_ident()

    def crash(*_: object) -> None:
        # Services of other tests may still follow in threads of their own.
        if get_ident() != here:
            return
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    event.listen(Engine, moment, crash)
    try:
        yield
    finally:
        event.remove(Engine, moment, crash)


@pytest.mark.slow
# A connection whose transaction crashes is left as it is, as a process that ends leaves it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("moment", ["before_cursor_execute", "commit"])
def test_a_crash_at_any_statement_loses_and_doubles_nothing(
    tmp_path: Path, moment: str, each_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (each_database, moment) == ("postgres", "before_cursor_execute"):
        pytest.skip("a transaction that is not committed is as if it had not begun")
    monkeypatch.setattr(building, "PAGE", 20)
    feed = quarter(Feed(), check_ins=10)
    served = tmp_path / "served"
    served.mkdir()
    with closing(serving_from_the_start(served, feed)) as views:
        Follower(feed, views).catch_up()
    expected = dump(served)
    resumed = set()
    for point in count(1):
        folder = tmp_path / str(point)
        if each_database == "sqlite":
            copytree(served, folder)
        else:
            with closing(serving_from_the_start(folder, feed)) as views:
                Follower(feed, views).catch_up()
        with closing(views_beside(folder, feed)) as views:
            try:
                with crashing(moment, point):
                    rebuild(views, feed)
            except Crash:
                pass
            else:
                break
        assert dump(folder) == expected
        with closing(views_beside(folder, feed)) as views:
            rebuilt = rebuild(views, feed)
            resumed.add(rebuilt.resumed_position)
            assert dump(folder) == expected
            assert states(views) == {rebuilt.generation: State.SERVING}
    assert {0, 20, len(feed.records)} <= resumed
