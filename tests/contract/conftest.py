"""The stores that the suite runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from ledger.log.contract import EventLog, LogReader
from ledger.log.database import Database
from ledger.log.opening import open_log


class Store(Protocol):
    """A place for one log, which can be opened, and opened again after it was closed."""

    def open(self) -> EventLog: ...

    def reader(self) -> LogReader:
        """The log as another process reads it."""


class OpenedStore:
    """A log in a database, with everything closed at the end."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._opened: list[EventLog] = []

    def open(self) -> EventLog:
        return self._kept(open_log(self.database))

    def reader(self) -> EventLog:
        return self._kept(open_log(self.database, read_only=True))

    def _kept(self, log: EventLog) -> EventLog:
        self._opened.append(log)
        return log

    def close(self) -> None:
        for log in self._opened:
            log.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'okr-ledger.db'}")
    else:
        database = request.getfixturevalue("postgres_database")
    opened = OpenedStore(database)
    yield opened
    opened.close()


@pytest.fixture
def log(store: Store) -> EventLog:
    return store.open()
