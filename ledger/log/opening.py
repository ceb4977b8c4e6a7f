"""Opens a log, whatever database keeps it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger.log.errors import LogUnavailable
from ledger.log.sqlite.intake import open_intake as open_file_intake
from ledger.log.sqlite.recorder import open_log as open_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.log.contract import EventLog, Intake
    from ledger.log.database import Database


def open_log(database: Database, *, owner_pid: int = 0, read_only: bool = False) -> EventLog:
    """Open a log, making it where there is none, or an existing one for reading only.

    On SQLite one writer at a time may have the file, for as long as it is open, and another one is
    told that the process `owner_pid` has it, this one if 0. On PostgreSQL any number may write.

    Raises:
        LogLocked: another writer has the file.
        LogMismatch: the database holds no log that this version can use.
        LogUnavailable: the database cannot be opened or reached.
    """
    if not database.is_postgres:
        return open_file(database.file, owner_pid=owner_pid, read_only=read_only)
    with _driver_needed(database):
        # Here, because a ledger on SQLite needs no driver of PostgreSQL.
        from ledger.log.postgres.recorder import open_log as open_schema
    return open_schema(database, read_only=read_only)


def open_intake(database: Database) -> Intake:
    """Open a log for records from elsewhere, making it where there is none.

    On SQLite it is the only writer; on PostgreSQL others may append, and what does not follow on
    that is refused.

    Raises:
        LogLocked, LogMismatch, LogUnavailable: as `open_log`.
    """
    if not database.is_postgres:
        return open_file_intake(database.file)
    with _driver_needed(database):
        from ledger.log.postgres.intake import open_intake as open_schema_intake
    return open_schema_intake(database)


@contextmanager
def _driver_needed(database: Database) -> Iterator[None]:
    """Turns a driver that is missing into `LogUnavailable`."""
    try:
        yield
    except ImportError as error:
        missing = f"{error}; install okr-ledger[postgres]"
        raise LogUnavailable(str(database), "open", missing) from None
