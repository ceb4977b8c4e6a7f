"""One generation of the read models: a set of tables, how rows get in and how they are read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.schema import CreateIndex, CreateTable

from projections.errors import Displaced
from projections.store.database import (
    insert_rows,
    make_room,
    reader,
    reads_told,
    settle,
    take_time,
    tell,
    writer,
)
from projections.store.tables import TABLES
from projections.store.tracking import PROJECTION, Tracker, is_laid_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ledger.log.contract import LogIdentity
    from ledger.log.database import Database
    from projections.errors import FailingEvent
    from projections.read_model import Batch
    from projections.store.tracking import Tracked


@dataclass(frozen=True, slots=True)
class Reading:
    """One state of the tables: all reads on the connection see it, up to `position`."""

    connection: Connection
    position: int


class Generation:
    """The tables of one generation. Opening touches nothing."""

    def __init__(self, log: Database, number: int, identity: LogIdentity, version: str) -> None:
        self.number = number
        self._log = log
        self.identity = identity
        self._version = version
        self._writer = writer(log, number)
        self._reader = reader(log, number)
        self.tracker = Tracker(self._writer, version, identity.epoch)

    def lay_out(self) -> None:
        """Makes the tables, without their indexes, at position 0."""
        with self._writer.begin() as connection:
            make_room(connection)
            for table in TABLES.sorted_tables:
                # A table of its own: `create_all` would make the indexes too.
                connection.execute(CreateTable(table))
            self.tracker.start(connection, self.identity.log_id)

    def is_laid_out(self) -> bool:
        """Whether the tables have been made."""
        with reads_told(), self._reader.connect() as connection:
            return is_laid_out(connection)

    def index(self) -> None:
        """Makes the indexes that are missing, each in a transaction of its own, and settles all.

        On full tables this costs a fraction of what keeping indexes up row by row would.
        """
        for table in TABLES.sorted_tables:
            for made in sorted(table.indexes, key=lambda index: str(index.name)):
                with self._writer.begin() as connection:
                    take_time(connection)
                    connection.execute(CreateIndex(made, if_not_exists=True))
        settle(self._writer, TABLES.sorted_tables)

    def write(self, before: int, batch: Batch) -> None:
        """Adds the rows of the events after `before`, all or none.

        Raises:
            Overtaken: the tables are not at `before`.
        """
        with self._writer.begin() as connection:
            self.tracker.advance(
                connection, self.identity.log_id, before, batch.last_position, batch.digest
            )
            for table, rows in batch.rows.items():
                insert_rows(connection, table, rows)
            tell(connection, self._log, batch.last_position)

    def stop(self, failure: FailingEvent) -> None:
        """Keeps where and why the projection stopped, for every process that reads."""
        with self._writer.begin() as connection:
            self.tracker.stop(connection, self.identity.log_id, failure)

    def tracked(self) -> Tracked:
        """Where the tables are.

        Raises:
            Displaced: another log, epoch or version has written to them.
            ReadModelsUnavailable: their database cannot be read now.
        """
        with reads_told(), self._reader.connect() as connection:
            return self._current(connection)

    def tracked_by_any(self) -> Tracked | None:
        """Where the tables are, whichever version writes to them; None if nothing does."""
        with reads_told(), self._reader.connect() as connection:
            return self.tracker.read(connection, self.identity.log_id)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Reads of one state of the tables, from any thread.

        Raises:
            Displaced: another log, epoch or version has written to them.
            ReadModelsUnavailable: their database cannot be read now.
        """
        with reads_told(), self._reader.connect() as connection:
            yield Reading(connection, self._current(connection).position)

    def close(self) -> None:
        """Closes the connections that are not in use."""
        self._reader.dispose()
        self._writer.dispose()

    def _current(self, connection: Connection) -> Tracked:
        found = self.tracker.current(connection, self.identity.log_id)
        if found is None:
            raise Displaced(f"{PROJECTION}/{self._version}")
        return found
