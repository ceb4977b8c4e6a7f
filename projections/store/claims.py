"""Who builds read models and who uses them: locks that end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
import socket
from typing import TYPE_CHECKING, Any, Protocol

from projections.errors import ReadModelsUnavailable
from projections.store import postgres
from projections.store.database import CATALOGUE, views_file

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg import Connection as Session

    from ledger.log.database import Database


def this_process() -> str:
    """This process, as others are told of it: `HOST:PID`, at most 40 characters of the host."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


class Claim(Protocol):
    """Something held until it is released, or until the process ends."""

    def held(self) -> bool:
        """Whether it still is: a session can be lost without its process."""

    def release(self) -> None: ...


class Claims(Protocol):
    """What may be claimed of the read models beside one log.

    Raises:
        ReadModelsUnavailable: a database that keeps the claims cannot be reached now.
    """

    def building(self) -> Claim | None:
        """The right to build; None while another one has it."""

    def use(self, number: int) -> Claim | None:
        """Keeps a generation from being removed; None if it is being removed now."""

    def removal(self, number: int) -> Claim | None:
        """The right to remove a generation; None while anybody uses it."""


class FileClaims:
    """Claims on the files beside a log on SQLite: the system's locks on files of their own.

    Never on the databases: closing any descriptor of one would drop SQLite's locks on it.
    """

    def __init__(self, log_file: Path) -> None:
        self._log_file = log_file

    def building(self) -> Claim | None:
        path = views_file(self._log_file).with_suffix(".building.lock")
        return _locked(path, fcntl.LOCK_EX)

    def use(self, number: int) -> Claim | None:
        return _locked(self._file(number), fcntl.LOCK_SH)

    def removal(self, number: int) -> Claim | None:
        path = self._file(number)
        return _locked(path, fcntl.LOCK_EX, removed=True)

    def _file(self, number: int) -> Path:
        return views_file(self._log_file, number).with_suffix(".lock")


class FileClaim:
    """A lock on an open file, which is removed with the claim where its path is given."""

    def __init__(self, descriptor: int, path: Path | None = None) -> None:
        self._descriptor = descriptor
        self._path = path

    def held(self) -> bool:
        return True

    def release(self) -> None:
        if self._path is not None:
            # Before the lock is given back: whoever waits for this file finds the generation gone.
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def _locked(path: Path, kind: int, *, removed: bool = False) -> FileClaim | None:
    """A lock on a file, which is made where it is missing; None while it cannot be had."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return FileClaim(descriptor, path if removed else None)


class SessionClaims:
    """Claims on the schemas beside a log on PostgreSQL: advisory locks of sessions of their own."""

    def __init__(self, log: Database) -> None:
        self._log = log

    def building(self) -> Claim | None:
        return self._locked("pg_try_advisory_lock", CATALOGUE, "building")

    def use(self, number: int) -> Claim | None:
        return self._locked("pg_try_advisory_lock_shared", number, "use")

    def removal(self, number: int) -> Claim | None:
        return self._locked("pg_try_advisory_lock", number, "use")

    def _locked(self, function: str, number: int, purpose: str) -> Claim | None:
        import psycopg

        key = postgres.lock_key(postgres.views_schema(self._log, number), purpose)
        try:
            session = postgres.connect(self._log)
            (taken,) = session.execute(f"SELECT {function}(%s)".encode(), (key,)).fetchone() or (0,)
        except psycopg.OperationalError as error:
            raise ReadModelsUnavailable(str(error).strip()) from error
        if taken:
            return SessionClaim(session)
        session.close()
        return None


class SessionClaim:
    """A lock of a session, which ends with it."""

    def __init__(self, session: Session[Any]) -> None:
        self._session = session

    def held(self) -> bool:
        import psycopg

        try:
            self._session.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def release(self) -> None:
        self._session.close()


def claims_beside(log: Database) -> Claims:
    """The claims on the read models of a log."""
    return SessionClaims(log) if log.is_postgres else FileClaims(log.file)
