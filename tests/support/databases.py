"""In which database the ledgers of tests are: SQLite, or a PostgreSQL that they share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

import psycopg
import pytest

from ledger.log.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from tools.postgres import Postgres

ON_SQLITE_ALONE = pytest.mark.parametrize("each_database", ["sqlite"], indirect=True)
"""For a test that reaches into the ledger's file."""

_servers: list[Postgres | None] = [None]


@contextmanager
def ledgers_in(server: Postgres | None) -> Iterator[None]:
    """While the block runs ledgers are on the server, on SQLite if None; then they are removed."""
    _servers.append(server)
    try:
        yield
    finally:
        _servers.remove(server)
        if server is not None:
            _remove_schemas(server)


def ledger(folder: Path) -> Database:
    """Where the ledger of a folder is: in a file there, or in a schema named after the folder."""
    server = _servers[-1]
    if server is None:
        return Database(f"sqlite:///{folder / 'okr-ledger.db'}")
    name = blake2b(str(folder).encode(), digest_size=8).hexdigest()
    return Database(server.url(), schema=f"test_{name}")


def _remove_schemas(server: Postgres) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        for (name,) in connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'test\\_%'"
        ).fetchall():
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
