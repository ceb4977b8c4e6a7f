"""The tables fit the log that they were made from, or are made anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from ledger.log.database import Database
from okr.v1 import events_pb2 as facts
from projections import plan, revisions
from projections.adjustments import AdjustmentRow, adjustments
from projections.alignments import AlignmentRow, alignments
from projections.check_ins import CheckInRow, check_ins
from projections.errors import Displaced
from projections.following.follower import Follower
from projections.models import READ_MODELS
from projections.plan import Membership, members
from projections.store.database import CATALOGUE, dialect_of, views_file, writer
from projections.store.views import version_of
from tests.projections.feed import Feed, dump, quarter, views_beside
from tests.support.databases import ledger

pytestmark = pytest.mark.usefixtures("each_database")


def made(folder: Path, feed: Feed) -> None:
    views = views_beside(folder, feed)
    Follower(feed, views).catch_up()
    views.close()


def test_a_ledger_that_grows_is_not_followed_from_the_start(tmp_path: Path) -> None:
    feed = quarter(Feed(), check_ins=5)
    made(tmp_path, feed)
    views = views_beside(tmp_path, feed)
    assert views.open(feed) == len(feed.records)
    views.close()


@pytest.mark.parametrize("change", ["log", "epoch", "restored", "restored and grown otherwise"])
def test_tables_of_another_log_are_made_anew(tmp_path: Path, change: str) -> None:
    made(tmp_path, quarter(Feed(), check_ins=20))
    other = quarter(Feed(), check_ins=5)
    if change == "restored and grown otherwise":
        for number in range(30):
            other.add(facts.CycleDrafted(cycle=f"cycles/other-{number}"))
    if change == "log":
        other.log_id = "9e107d9d-372b-4cb6-a1f3-000000000002"
    elif change == "epoch":
        other.epoch = 2
    made(tmp_path, other)
    (tmp_path / "fresh").mkdir()
    made(tmp_path / "fresh", other)
    assert dump(tmp_path) == dump(tmp_path / "fresh")


def test_tables_of_another_version_are_made_anew(tmp_path: Path) -> None:
    feed = quarter(Feed(), check_ins=5)
    made(tmp_path, feed)
    newer = [replace(READ_MODELS[0], version=2), *READ_MODELS[1:]]
    views = views_beside(tmp_path, feed, models=newer)
    assert views.open(feed) is None
    assert Follower(feed, views).catch_up() == len(feed.records)
    views.close()


def test_tables_laid_out_otherwise_are_made_anew(tmp_path: Path, each_database: str) -> None:
    feed = quarter(Feed(), check_ins=5)
    engine = writer(ledger(tmp_path), CATALOGUE)
    with engine.begin() as connection:
        if each_database == "postgres":
            schema = connection.exec_driver_sql("SHOW search_path").scalar_one()
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        connection.execute(text("CREATE TABLE generations (position INTEGER)"))
        connection.execute(text("CREATE TABLE revisions (anything TEXT)"))
    engine.dispose()
    made(tmp_path, feed)
    assert len(dump(tmp_path)["revisions"]) > 0


def test_what_others_took_over_is_not_read(tmp_path: Path) -> None:
    feed = quarter(Feed(), check_ins=5)
    made(tmp_path, feed)
    views = views_beside(tmp_path, replace(feed, epoch=2))
    with pytest.raises(Displaced), views.reading():
        pass
    views.close()


def test_the_version_follows_tables_and_folds() -> None:
    dialect = dialect_of(Database("sqlite:///unused.db"))
    version = version_of(READ_MODELS, dialect)
    assert version == version_of(READ_MODELS, dialect)
    assert len(version) == 12
    assert version != version_of([replace(READ_MODELS[0], version=2)], dialect)


def test_a_reading_sees_one_state(tmp_path: Path) -> None:
    feed = quarter(Feed(), check_ins=5)
    views = views_beside(tmp_path, feed)
    follower = Follower(feed, views)
    before = follower.catch_up()
    with views.reading() as reading:
        feed.add(facts.CycleDrafted(cycle="cycles/q5"))
        follower.catch_up()
        found = plan.members_of(reading.connection, plan.CYCLES, before + 1)
        assert (reading.position, [entry.member for entry in found]) == (before, ["cycles/q4"])
        assert revisions.of(reading.connection, "cycles/q5", before + 1) == []
    with views.reading() as reading:
        assert reading.position == before + 1
    views.close()


@pytest.mark.parametrize(
    ("log", "views"),
    [
        ("okr-ledger.db", "okr-ledger.views.db"),
        ("/var/lib/okr/ledger.sqlite", "/var/lib/okr/ledger.views.sqlite"),
        ("/var/lib/okr.d/ledger", "/var/lib/okr.d/ledger.views.db"),
    ],
)
def test_the_views_lie_beside_the_log(log: str, views: str) -> None:
    assert str(views_file(Path(log))) == views
    assert views_file(Path(log), 3) == Path(views.replace(".views", ".views-3"))


def test_rows_have_their_tables_columns() -> None:
    for row, table in (
        (revisions.RevisionRow, revisions.revisions),
        (CheckInRow, check_ins),
        (Membership, members),
        (AlignmentRow, alignments),
        (AdjustmentRow, adjustments),
    ):
        assert list(row._fields) == table.columns.keys()
