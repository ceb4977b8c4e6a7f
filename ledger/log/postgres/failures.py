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
    "42501": "the user lacks a privilege; the ledger's schema has to belong to it, or it has to be"
    " allowed to create one",
    "42P01": "its tables are gone",
    "53100": "the server's disk is full",
    "57014": "it took longer than a statement may",
}
"""A phrase for each SQLSTATE that an operator can do something about."""

ADVICE: Final = {
    "password": "give the right one in OKR_DATABASE_URL, PGPASSWORD or ~/.pgpass",
    "does not exist": "make it first, with CREATE ROLE or CREATE DATABASE",
    "pg_hba.conf": "the server has to allow this user from here",
    "too many": "raise the server's max_connections, or lower OKR_DATABASE_CONNECTIONS",
    "remaining connection slots": "raise the server's max_connections, or lower"
    " OKR_DATABASE_CONNECTIONS",
    "timeout expired": "can the server be reached from here?",
    "SSL": "let sslmode in the URL agree with the server, or set the server's certificate up",
}
"""What to do, by what libpq says when it cannot connect: such an error has no SQLSTATE."""


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection ended, so that nobody can tell what became of the statement."""
    if not isinstance(error, psycopg.Error) or isinstance(error, PoolTimeout | PoolClosed):
        return False
    if error.sqlstate is None:
        # The error is the client's own: it has no connection any more.
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    # A server that panics as it flushes may find the commit in its log when it recovers.
    fatal = error.diag.severity_nonlocalized in {"FATAL", "PANIC"}
    return fatal or error.sqlstate.startswith("08")


def reason_of(error: Exception) -> str:
    """A short phrase that says what is wrong, without anything secret."""
    if isinstance(error, PoolTimeout):
        return "no connection came free in time"
    if isinstance(error, PoolClosed):
        return "it was closed"
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return REASONS.get(error.sqlstate) or error.diag.message_primary or "the database failed"
    # libpq names host, port and user here, never the password.
    told = " ".join(str(error).split()) or "the database failed"
    advice = next((advice for part, advice in ADVICE.items() if part in told), "")
    return f"{told}; {advice}" if advice else told


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
