"""Ledgers in a database that a test names, beside each other and in place of each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final

import psycopg
import pytest
from typer.testing import CliRunner, Result

from ledger.log.clock import now_us
from ledger.log.database import Database
from service.cli.app import app
from tests.support.serving import shared_loop
from tests.support.whole import Caller, whole_service
from tools.postgres import Postgres

NOW_US: Final = now_us()

EITHER: Final = ["sqlite", pytest.param("postgres", marks=pytest.mark.contract)]
"""The parameters of a fixture that gives what `server_of` does."""


def server_of(request: pytest.FixtureRequest) -> Postgres | None:
    """The PostgreSQL that a fixture's parameter names, None where ledgers are in files."""
    found: Postgres | None = None
    if request.param == "postgres":
        found = request.getfixturevalue("postgres")
    return found


def place(server: Postgres | None, folder: Path) -> Database:
    """A ledger of a folder in such a database."""
    folder.mkdir(exist_ok=True)
    if server is None:
        return Database(f"sqlite:///{folder / 'okr-ledger.db'}")
    name = blake2b(str(folder).encode(), digest_size=8).hexdigest()
    return Database(server.url(), schema=f"moving_{name}")


def lose(at: Database) -> None:
    """The log is gone; what was made of it stays."""
    if at.is_postgres:
        with psycopg.connect(at.url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {at.schema} CASCADE".encode())
    else:
        at.file.unlink()


@contextmanager
def serving(at: Database, folder: Path, keys_url: str = "") -> Iterator[Caller]:
    """The whole service on it, at a time that stands still."""
    where = {"database_url": at.url, "database_schema": at.schema, "keys_url": keys_url}
    with whole_service(shared_loop(), folder, clock=lambda: NOW_US, **where) as me:
        yield me


def run(at: Database, *command: str | Path) -> Result:
    """The operators' command line on it."""
    where = ("--database-url", at.url, "--database-schema", at.schema)
    return CliRunner().invoke(app, [*map(str, command), *where])


def done(at: Database, *command: str | Path) -> str:
    """What a command says that has to succeed."""
    told = run(at, *command)
    assert told.exit_code == 0, told.output
    return told.stdout


def refused(at: Database, *command: str | Path) -> str:
    """What a command says that has to fail."""
    told = run(at, *command)
    assert told.exit_code in {1, 3}, told.output
    return told.stderr
