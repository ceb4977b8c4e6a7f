from collections.abc import Iterator

import pytest

from tests.support.databases import ledgers_in


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.contract)])
def each_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs on both databases; the name of the present one."""
    postgres = request.param == "postgres"
    with ledgers_in(request.getfixturevalue("postgres") if postgres else None):
        yield request.param
