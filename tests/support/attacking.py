"""Somebody who has the database's password, and changes what nobody should."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from ledger.log.database import Database
from projections.proofs.tables import proofs_file, proofs_schema


class Attacker:
    """Statements on a ledger and on its proofs, without the triggers that guard them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @contextmanager
    def log(self) -> Iterator[Callable[..., Any]]:
        """Statements on the log, without what guards it."""
        tables = ("events", "requests", "ledger", "schema_steps")
        if self.database.is_postgres:
            with postgres(self.database, self.database.schema) as execute:
                for table in tables:
                    execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
                yield execute
            return
        with sqlite(self.database.file) as execute:
            yield execute

    @contextmanager
    def proofs(self) -> Iterator[Callable[..., Any]]:
        """The same on the tree and what was signed."""
        if self.database.is_postgres:
            with postgres(self.database, proofs_schema(self.database)) as execute:
                for table in ("checkpoints", "epochs", "keys"):
                    execute(f"ALTER TABLE {table} DISABLE TRIGGER kept_for_ever")
                yield execute
            return
        with sqlite(proofs_file(self.database.file)) as execute:
            yield execute

    def forget_proofs(self) -> None:
        """Removes the tree and what was signed, so that all is made anew of what is there."""
        with self.proofs() as execute:
            for table in ("checkpoints", "epochs", "tree", "tiles"):
                execute(f"DELETE FROM {table}")


@contextmanager
def sqlite(file: Path) -> Iterator[Callable[..., Any]]:
    with closing(sqlite3.connect(file)) as connection:
        triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
        for (name,) in connection.execute(triggers).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield lambda statement, *values: connection.execute(statement, values)
        connection.commit()


@contextmanager
def postgres(database: Database, schema: str) -> Iterator[Callable[..., Any]]:
    options = f"-c search_path={schema}"
    with psycopg.connect(database.url, options=options, autocommit=True) as connection:
        yield lambda statement, *values: connection.execute(statement.replace("?", "%s"), values)
