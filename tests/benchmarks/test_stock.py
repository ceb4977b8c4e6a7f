"""The stock stack does what it is compared for: it keeps every check-in."""

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from benchmarks.stock.ledger import KeyResult, Ledger, open_ledger
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
