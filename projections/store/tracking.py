"""How far the tables are: which log they were made from, up to which position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eventsourcing.persistence import IntegrityError, Tracking, TrackingRecorder
from sqlalchemy import Column, LargeBinary, Table, insert, inspect, select, update

from projections.errors import Overtaken
from projections.event import digest_of
from projections.store.tables import TABLES, TEXT, WHOLE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from projections.errors import FailingEvent
    from projections.event import Followed

tracking = Table(
    "tracking",
    TABLES,
    Column("projection", TEXT, primary_key=True),
    Column("log_id", TEXT, primary_key=True),
    Column("version", TEXT, nullable=False),
    Column("epoch", WHOLE, nullable=False),
    Column("position", WHOLE, nullable=False),
    # Tells the event at the position from any other that the log may come to have there.
    Column("digest", LargeBinary, nullable=False),
    # Where the projection stopped and why; 0 and empty while it runs.
    Column("stopped_position", WHOLE, nullable=False),
    Column("stopped_reason", TEXT, nullable=False),
)

PROJECTION: Final = "views"


@dataclass(frozen=True, slots=True)
class Tracked:
    """A row: `position` is the last event that the tables hold, `digest` tells it from others."""

    version: str
    epoch: int
    position: int
    digest: bytes
    stopped_position: int
    stopped_reason: str


class Tracker(TrackingRecorder):
    """The positions of the projection, one for each log by its id.

    As the library's recorder it takes a log's id for the name of the tracked application. Rows of
    read models and `advance` share a transaction, so that each event counts exactly once.
    """

    def __init__(self, engine: Engine, version: str, epoch: int) -> None:
        self._engine = engine
        self._version = version
        self._epoch = epoch

    def insert_tracking(self, tracking: Tracking) -> None:
        """Records a position in a transaction of its own.

        Raises:
            IntegrityError: the position, or a later one, is recorded already.
        """
        with self._engine.begin() as connection:
            found = self.read(connection, tracking.application_name)
            if found is None:
                self.start(connection, tracking.application_name, tracking.notification_id)
            elif found.position < tracking.notification_id:
                self.advance(
                    connection,
                    tracking.application_name,
                    found.position,
                    tracking.notification_id,
                )
            else:
                raise IntegrityError(f"position {found.position} is recorded already")

    def max_tracking_id(self, application_name: str) -> int | None:
        with self._engine.connect() as connection:
            found = self.read(connection, application_name)
            return found.position if found else None

    def read(self, connection: Connection, log_id: str) -> Tracked | None:
        """The row of a log, whatever its version and epoch; None if there is none."""
        row = connection.execute(
            select(
                tracking.c.version,
                tracking.c.epoch,
                tracking.c.position,
                tracking.c.digest,
                tracking.c.stopped_position,
                tracking.c.stopped_reason,
            ).where(tracking.c.projection == PROJECTION, tracking.c.log_id == log_id)
        ).one_or_none()
        return Tracked(*row) if row else None

    def current(self, connection: Connection, log_id: str) -> Tracked | None:
        """The row of a log, None if the tables hold another version, log or epoch."""
        found = self.read(connection, log_id)
        same = found and (found.version, found.epoch) == (self._version, self._epoch)
        return found if same else None

    def start(self, connection: Connection, log_id: str, position: int = 0) -> None:
        """Begins the row of a log."""
        connection.execute(
            insert(tracking).values(
                projection=PROJECTION,
                log_id=log_id,
                version=self._version,
                epoch=self._epoch,
                position=position,
                digest=b"",
                stopped_position=0,
                stopped_reason="",
            )
        )

    def advance(
        self, connection: Connection, log_id: str, before: int, after: int, digest: bytes = b""
    ) -> None:
        """Moves from one position to a later one, in the caller's transaction.

        `digest` tells the event there from others.

        Raises:
            Overtaken: the tables are not at `before`, or hold another version or epoch.
        """
        moved = connection.execute(
            update(tracking)
            .where(
                tracking.c.projection == PROJECTION,
                tracking.c.log_id == log_id,
                tracking.c.version == self._version,
                tracking.c.epoch == self._epoch,
                tracking.c.position == before,
            )
            .values(position=after, digest=digest, stopped_position=0, stopped_reason="")
        )
        if moved.rowcount != 1:
            raise Overtaken(before)

    def stop(self, connection: Connection, log_id: str, failure: FailingEvent) -> None:
        """Records where the projection stopped, until it advances."""
        connection.execute(
            update(tracking)
            .where(tracking.c.projection == PROJECTION, tracking.c.log_id == log_id)
            .values(stopped_position=failure.position, stopped_reason=str(failure))
        )


def is_of(tracked: Tracked, source: Followed) -> bool:
    """Whether the log has the last event that the tables hold, and no other in its place.

    If it has not, it was set back to an earlier state: events that came to differ stay different.
    """
    if not tracked.position:
        return True
    found = source.read(tracked.position - 1, 1)
    return bool(found) and digest_of(found[0]) == tracked.digest


def is_laid_out(connection: Connection) -> bool:
    """Whether the tracking table is there as this version knows it."""
    schema = inspect(connection)
    if not schema.has_table(tracking.name):
        return False
    return {column["name"] for column in schema.get_columns(tracking.name)} == {
        column.name for column in tracking.c
    }
