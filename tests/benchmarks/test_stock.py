"""The stock stack does what it is compared for: it keeps every check-in, and follows them."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from benchmarks.history import Shape, write_history
from benchmarks.stock.follower import SQLiteViews, follow
from benchmarks.stock.ledger import KeyResult, Ledger, open_ledger
from ledger.log.database import Database
from ledger.log.opening import open_log
from projections.models import READ_MODELS
from projections.store.database import views_file
from tools.postgres import Postgres


def check_in(ledger: Ledger, name: str, value: str) -> tuple[int, int]:
    answer: tuple[int, int] = ledger.record_check_in(
        name=name,
        request_id="7e2f1b1c-1f58-4a5d-9c83-0d0a9a1f6a11",
        effective_date="2026-08-10",
        value=Decimal(value),
        confidence=7,
        note="",
    )
    return answer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.contract)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "stock.db")
    server: Postgres = request.getfixturevalue("postgres")
    with psycopg.connect(server.url(), autocommit=True) as session:
        session.execute("CREATE DATABASE stock")
    return server.url("stock")


def test_check_ins_survive_a_restart_and_are_numbered_by_key_result(database: str) -> None:
    ledger = open_ledger(database)
    ledger.add_key_result("objectives/o/keyResults/k")
    ledger.add_key_result("objectives/o/keyResults/l")
    assert check_in(ledger, "objectives/o/keyResults/k", "1.5") == (1, 3)
    assert check_in(ledger, "objectives/o/keyResults/l", "2") == (1, 4)
    ledger.close()

    reopened = open_ledger(database)
    assert check_in(reopened, "objectives/o/keyResults/k", "2.5") == (2, 5)
    kept: KeyResult = reopened.repository.get(KeyResult.create_id("objectives/o/keyResults/k"))
    assert kept.value == Decimal("2.5")
    reopened.close()


def test_the_stock_follower_makes_the_same_rows(tmp_path: Path) -> None:
    shape = Shape(quarters=1, events_each=200, objectives=2, key_results=2)
    url, _ = write_history(tmp_path, shape, lambda _: None)
    database = Database(url)
    with (
        closing(open_log(database, read_only=True)) as log,
        closing(SQLiteViews(tmp_path / "stock.db")) as views,
    ):
        assert follow(log, database, views, seconds=60) > 0
        assert views.max_tracking_id("ledger") == 200
    served = views_file(database.file, 1)
    with (
        closing(sqlite3.connect(tmp_path / "stock.db")) as stock,
        closing(sqlite3.connect(served)) as ours,
    ):
        for model in READ_MODELS:
            query = f"SELECT * FROM {model.table.name} ORDER BY position"
            assert stock.execute(query).fetchall() == ours.execute(query).fetchall()
