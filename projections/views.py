"""The read models as a whole: made anew when they do not fit the log, written, read, waited for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.schema import CreateIndex, CreateTable

from projections.database import begin_alone, insert_rows, reader, reads_told, writer
from projections.errors import Displaced
from projections.models import READ_MODELS
from projections.progress import Progress
from projections.tables import TABLES
from projections.tracking import PROJECTION, Tracker, is_laid_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Connection, Dialect

    from ledger.log.contract import LogIdentity
    from ledger.log.database import Database
    from projections.errors import FailingEvent
    from projections.read_model import Batch, ReadModel
    from projections.tracking import Tracked

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """One state of the tables: all reads on the connection see it, up to `position`."""

    connection: Connection
    position: int


class Views:
    """The read models of one log, in the database that it is in.

    Opening touches nothing; `prepare` lays the tables out.
    """

    def __init__(
        self, log: Database, identity: LogIdentity, models: Iterable[ReadModel] = READ_MODELS
    ) -> None:
        self.models = tuple(models)
        self.identity = identity
        self._writer = writer(log)
        self._reader = reader(log)
        version = version_of(self.models, self._writer.dialect)
        self.tracker = Tracker(self._writer, version, identity.epoch)
        self.progress = Progress(f"{PROJECTION}/{version}")

    def prepare(self, head: Callable[[], int]) -> int:
        """Lays the tables out where they are missing or do not fit the log.

        They do not fit when another version or another log made them, or when they are ahead of
        the log's `head`; they are then emptied and have to be followed from the start. Returns the
        position that they hold.
        """
        with self._writer.begin() as connection:
            begin_alone(connection)
            found = self._fitting(connection, head)
            if found is None:
                self.tracker.reset(connection, self.identity.log_id)
        position = found.position if found else 0
        self.progress.reach(position)
        return position

    def rebuild(self) -> None:
        """Throws the read models away; whoever follows goes on from position 0."""
        with self._writer.begin() as connection:
            begin_alone(connection)
            self.tracker.reset(connection, self.identity.log_id)
        self.progress.reach(0)

    def write(self, before: int, batch: Batch) -> None:
        """Adds the rows of the events after `before`, all or none.

        Raises:
            Overtaken: the tables are not at `before`.
        """
        with self._writer.begin() as connection:
            self.tracker.advance(connection, self.identity.log_id, before, batch.last_position)
            for table, rows in batch.rows.items():
                insert_rows(connection, table, rows)

    def stop(self, failure: FailingEvent) -> None:
        """Keeps where and why the projection stopped, for every process that reads."""
        with self._writer.begin() as connection:
            self.tracker.stop(connection, self.identity.log_id, failure)

    def tracked(self) -> Tracked:
        """Where the tables are.

        Raises:
            Displaced: another version, log or epoch took them over.
            ReadModelsUnavailable: their database cannot be read now.
        """
        with reads_told(), self._reader.connect() as connection:
            return self._current(connection)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Reads of one state of the tables, from any thread.

        Raises:
            Displaced: another version, log or epoch took them over.
            ReadModelsUnavailable: their database cannot be read now.
        """
        with reads_told(), self._reader.connect() as connection:
            found = self.tracker.current(connection, self.identity.log_id)
            if found is None:
                # Where others laid the tables out while it waited, only a later state shows them.
                connection.rollback()
            yield Reading(connection, (found or self._current(connection)).position)

    async def wait_for(self, position: int, seconds: float | None) -> None:
        """Returns once the tables hold a position, at most `seconds` from now; None waits for ever.

        Raises:
            ProjectionStopped: they will not hold it until someone acts.
            DeadlinePassed: they did not in time.
        """
        await self.progress.wait_for(position, seconds)

    def close(self) -> None:
        """Closes the connections that are not in use; call it when nobody reads or follows."""
        self._reader.dispose()
        self._writer.dispose()

    def _current(self, connection: Connection) -> Tracked:
        found = self.tracker.current(connection, self.identity.log_id)
        if found is None:
            raise Displaced(self.progress.projection)
        return found

    def _fitting(self, connection: Connection, head: Callable[[], int]) -> Tracked | None:
        """The row of tracking if the tables fit the log, else None."""
        if not is_laid_out(connection):
            return None
        found = self.tracker.current(connection, self.identity.log_id)
        # In this order: another process may append and follow meanwhile.
        if found and found.position <= head():
            return found
        reason = "they are ahead of the log" if found else "another version or log made them"
        log.warning("read models are built anew", reason=reason)
        return None


def version_of(models: Iterable[ReadModel], dialect: Dialect) -> str:
    """Twelve hexadecimal digits that change when the tables or the folds do."""
    digest = sha256()
    for table in TABLES.sorted_tables:
        digest.update(str(CreateTable(table).compile(dialect=dialect)).encode())
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            digest.update(str(CreateIndex(index).compile(dialect=dialect)).encode())
    for model in models:
        digest.update(f"{model.table.name} {model.version} ".encode())
    return digest.hexdigest()[:12]
