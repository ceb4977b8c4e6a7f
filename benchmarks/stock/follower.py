"""The stock read side: what the library teaches, one transaction for each event with its tracking.

The tables, their indexes and the rows are the service's. Followed in order, a page at a time, by
the library's recorders with their defaults.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.sqlite import SQLiteDatastore, SQLiteTrackingRecorder
from sqlalchemy.schema import CreateIndex, CreateTable

from projections.models import READ_MODELS
from projections.read_model import Folding
from projections.store.database import dialect_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Table

    from ledger.log.contract import LogReader
    from ledger.log.database import Database

PAGE = 1_000
APPLICATION = "ledger"


class Views(Protocol):
    """Read models that are followed so, on either database."""

    def lay_out(self, statements: list[str]) -> None: ...

    def insert(self, table: Table) -> str:
        """The statement that inserts a row into a table."""

    def add(self, added: Added, tracking: Tracking) -> None: ...

    def close(self) -> None: ...


Added = list[tuple[str, tuple[Any, ...]]]
"""Statements of inserts, each with its row."""


class SQLiteViews(SQLiteTrackingRecorder):
    """Read models in a SQLite file of their own."""

    def __init__(self, file: Path) -> None:
        super().__init__(SQLiteDatastore(str(file)))
        self.create_table()

    def lay_out(self, statements: list[str]) -> None:
        """Makes tables and indexes."""
        with self.datastore.transaction(commit=True) as cursor:
            for statement in statements:
                cursor.execute(statement)

    def insert(self, table: Table) -> str:
        return f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.c))})"

    def add(self, added: Added, tracking: Tracking) -> None:
        """Adds the rows of an event in one transaction with its position."""
        with self.datastore.transaction(commit=True) as cursor:
            for statement, row in added:
                cursor.execute(statement, row)
            self._insert_tracking(cursor, tracking)

    def close(self) -> None:
        """Closes the connections."""
        self.datastore.close()


class PostgresViews(PostgresTrackingRecorder):
    """Read models in a schema of their own."""

    def __init__(self, url: str, schema: str) -> None:
        at = urlsplit(url)
        self._place = schema
        datastore = PostgresDatastore(
            at.path.removeprefix("/"),
            at.hostname or "",
            at.port or 5432,
            at.username or "",
            at.password or "",
            schema=schema,
        )
        with datastore.transaction(commit=True) as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}".encode())
        super().__init__(datastore)
        self.create_table()

    def lay_out(self, statements: list[str]) -> None:
        """Makes tables and indexes."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(f"SET LOCAL search_path = {self._place}".encode())
            for statement in statements:
                cursor.execute(statement.encode())

    def insert(self, table: Table) -> str:
        values = ", ".join(["%s"] * len(table.c))
        return f"INSERT INTO {self._place}.{table.name} VALUES ({values})"

    def add(self, added: Added, tracking: Tracking) -> None:
        """Adds the rows of an event in one transaction with its position."""
        with self.datastore.transaction(commit=True) as cursor:
            for statement, row in added:
                cursor.execute(statement.encode(), row, prepare=True)
            self._insert_tracking(cursor, tracking)

    def close(self) -> None:
        """Closes the connections."""
        self.datastore.close()


def follow(log: LogReader, database: Database, views: Views, seconds: float) -> float:
    """Events a second, followed one by one from the log's start for so long."""
    tables = [model.table for model in READ_MODELS]
    dialect = dialect_of(database)
    views.lay_out(
        [
            *(str(CreateTable(table).compile(dialect=dialect)) for table in tables),
            *(str(CreateIndex(i).compile(dialect=dialect)) for t in tables for i in t.indexes),
        ]
    )
    inserts = {table: views.insert(table) for table in tables}
    folding = Folding(READ_MODELS)
    began, position = time.perf_counter(), 0
    while records := log.read(position, PAGE):
        for record in records:
            rows = folding.batch(position, [record]).rows
            added = [(inserts[table], row) for table, made in rows.items() for row in made]
            views.add(added, Tracking(APPLICATION, record.position))
            position = record.position
            taken = time.perf_counter() - began
            if taken > seconds:
                return position / taken
    return position / (time.perf_counter() - began)
