"""The order of the tests, what answers soonest first; and the PostgreSQL that they share."""

from collections.abc import Iterator
from itertools import count

import pytest

from ledger.log.database import Database
from tests.support.databases import ledgers_in
from tools.postgres import Postgres

# The last of these markers that a test carries decides its place.
ORDER = ("contract", "slow", "system")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run unmarked tests first, then the marked ones in the order above; stable within each."""
    items.sort(key=rank)


def rank(item: pytest.Item) -> int:
    """0 for an unmarked test, else one more than its last marker's place in the order."""
    carried = (number for number, name in enumerate(ORDER, 1) if item.get_closest_marker(name))
    return max(carried, default=0)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for all tests that need no more than a schema of it; it never flushes."""
    with Postgres.start(fsync="off") as server:
        yield server


SCHEMAS = count(1)


@pytest.fixture
def postgres_database(postgres: Postgres) -> Database:
    """A schema of that PostgreSQL that nobody has used yet."""
    return Database(postgres.url(), schema=f"okr_{next(SCHEMAS)}")


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.contract)]
)
def each_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A test that uses it runs with its ledgers in each database; the name of the present one."""
    postgres = request.param == "postgres"
    with ledgers_in(request.getfixturevalue("postgres") if postgres else None):
        yield request.param
