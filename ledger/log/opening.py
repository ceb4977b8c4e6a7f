"""Opens a log, whatever database keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.log.errors import LogUnavailable
from ledger.log.sqlite.recorder import open_log as open_file

if TYPE_CHECKING:
    from ledger.log.contract import EventLog
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
    try:
        # Here, because a ledger on SQLite needs no driver of PostgreSQL.
        from ledger.log.postgres.recorder import open_log as open_schema
    except ImportError as error:
        missing = f"{error}; install okr-ledger[postgres]"
        raise LogUnavailable(str(database), "open", missing) from None
    return open_schema(database, read_only=read_only)
