"""What the database says when it fails, as this package's errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg
from eventsourcing import persistence
from psycopg_pool import PoolClosed, PoolTimeout

from ledger.log.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

REASONS: Final = {
    "25006": "the server is a standby and takes reads alone; name the primary, or add"
    " target_session_attrs=read-write to the URL",
    "28000": "the server refuses the user; look at its pg_hba.conf",
    "28P01": "the password is wrong or missing",
    "3D000": "the server has no such database; make it with CREATE DATABASE",
    "42501": "the user lacks a privilege",
    "42P01": "its tables are gone",
    "53100": "the server's disk is full",
    "53300": "the server takes no more connections",
    "53400": "the server takes no more connections",
    "55P03": "a lock was waited for too long",
    "57014": "it took longer than a statement may",
    "57P03": "the server is starting up or shutting down",
}
"""A phrase for each SQLSTATE that an operator can do something about."""


def is_lost(error: Exception | None) -> bool:
    """Whether the connection ended, so that nobody can tell what became of the statement."""
    if isinstance(error, PoolTimeout | PoolClosed) or not isinstance(
        error, psycopg.OperationalError | psycopg.InterfaceError
    ):
        return False
    # Without a state the error is the client's own: it has no connection any more.
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def reason_of(error: Exception) -> str:
    """A short phrase that says what is wrong, without anything secret."""
    if isinstance(error, PoolTimeout):
        return "no connection came free in time"
    if isinstance(error, PoolClosed):
        return "it was closed"
    state = getattr(error, "sqlstate", None)
    if state in REASONS:
        return REASONS[state]
    # libpq names host, port and user here, never the password.
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return said[-1] if said else "the database failed"


@contextmanager
def translated(database: str, action: str) -> Iterator[None]:
    """Turn the errors of the driver, the pool and the library into `LogUnavailable`."""
    try:
        yield
    except psycopg.Error as error:
        raise LogUnavailable(database, action, reason_of(error)) from error
    except persistence.PersistenceError as error:
        cause = error.__cause__
        reason = reason_of(cause) if isinstance(cause, psycopg.Error) else "the database failed"
        raise LogUnavailable(database, action, reason) from error
