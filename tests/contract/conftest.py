"""The stores that the suite runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from ledger.log.contract import EventLog, LogReader
from ledger.log.sqlite import open_log


class Store(Protocol):
    """A place for one log, which can be opened, and opened again after it was closed."""

    def open(self) -> EventLog: ...

    def reader(self) -> LogReader:
        """The log as another process reads it."""


class SQLiteStore:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "okr-ledger.db"
        self._opened: list[EventLog] = []

    def open(self) -> EventLog:
        return self._kept(open_log(self.file))

    def reader(self) -> EventLog:
        return self._kept(open_log(self.file, read_only=True))

    def _kept(self, log: EventLog) -> EventLog:
        self._opened.append(log)
        return log

    def close(self) -> None:
        for log in self._opened:
            log.close()


@pytest.fixture(params=["sqlite"])
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SQLiteStore(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def log(store: Store) -> EventLog:
    return store.open()
