"""What goes wrong at the edges of the code under test, at an instant that a step has chosen."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from ledger.log.sqlite.datastore import LedgerConnection, LedgerConnectionPool, LedgerDatastore
from tests.simulation.disk import LEDGER, torn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulation.disk import Disk, Files

ERRORS: Final = {
    "full": (sqlite3.SQLITE_FULL, "database or disk is full"),
    "busy": (sqlite3.SQLITE_BUSY, "database is locked"),
    "io": (sqlite3.SQLITE_IOERR, "disk I/O error"),
}
CRASHES: Final = ("kill", "cut")

WRITING: Final = ("log BEGIN", "log PLAN", "log INSERT", "log COMMIT", "log COMMITTED")
VIEWS: Final = ("views BEGIN", "views SELECT", "views UPDATE", "views INSERT", "views COMMIT")


class Crash(BaseException):
    """The process is gone; `files` is what it leaves."""

    def __init__(self, files: Files) -> None:
        self.files = files


@dataclass
class Fault:
    """What happens when the code is about to do `where` once more after `passed` times.

    `kind` is one of `ERRORS` or `CRASHES`, or "between": then `act` is done and the code goes on.
    """

    kind: str
    where: str
    passed: int = 0
    act: Callable[[], None] = lambda: None

    def __str__(self) -> str:
        return f"{self.kind} at {self.where} after {self.passed}"


class Faults:
    """The faults that are due."""

    def __init__(self, disk: Disk) -> None:
        self.appended = False
        """Whether a lane that runs has appended."""
        self._disk = disk
        self._due: list[Fault] = []
        self._chance = Random(0)

    @contextmanager
    def during(self, faults: Sequence[Fault], chance: Random) -> Iterator[None]:
        """While the block runs each of the faults may strike, once."""
        before = self._due, self._chance
        self._due, self._chance = list(faults), chance
        try:
            yield
        finally:
            self._due, self._chance = before

    def meet(self, where: str) -> None:
        """The code is about to do something that may fail.

        Raises:
            sqlite3.OperationalError, Crash: it does.
        """
        fault = self._strikes(where)
        if fault is None:
            return
        if fault.kind == "between":
            fault.act()
        elif fault.kind in ERRORS:
            raise failure(fault.kind)
        else:
            self.crash(fault.kind)

    def commit(self, connection: sqlite3.Connection) -> None:
        """Commits to the log; where the power goes meanwhile, the disk has part of it."""
        fault = self._strikes("log COMMIT")
        if fault is None or fault.kind == "between":
            connection.execute("COMMIT")
        elif fault.kind in ERRORS:
            raise failure(fault.kind)
        elif fault.kind == "kill":
            self.crash("kill")
        else:
            before = self._disk.killed()
            connection.execute("COMMIT")
            self._tear(before)
        self.meet("log COMMITTED")

    def crash(self, kind: str) -> None:
        """Ends the process, or the power.

        Raises:
            Crash: it is gone.
        """
        if kind == "kill":
            raise Crash(self._disk.killed())
        raise Crash(self._disk.cut(self._chance, self._chance.choice((0.1, 0.5, 1.0))))

    def _tear(self, before: Files) -> None:
        lost = self._chance.choice((0.0, 0.02, 0.5, 1.0))
        files = self._disk.cut(self._chance, lost)
        wal = f"{LEDGER}-wal"
        files[wal] = torn(before.get(wal, b""), files[wal], self._chance, lost)
        raise Crash(files)

    def _strikes(self, where: str) -> Fault | None:
        for fault in self._due:
            if fault.where == where:
                if not fault.passed:
                    self._due.remove(fault)
                    return fault
                fault.passed -= 1
        return None


def failure(kind: str) -> sqlite3.OperationalError:
    """An error as the database module raises it."""
    code, message = ERRORS[kind]
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


class FaultyConnection:
    """Stands before a connection to the log."""

    def __init__(self, raw: sqlite3.Connection, faults: Faults) -> None:
        self._raw = raw
        self._faults = faults

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        if statement == "COMMIT":
            self._faults.commit(self._raw)
            return self._raw.cursor()
        verb = statement.split(maxsplit=1)[0]
        if verb in {"SELECT", "WITH"}:
            self._faults.meet("log PLAN" if self._raw.in_transaction else "log READ")
            if self._faults.appended:
                self._faults.meet("log READ LATE")
        elif verb != "ROLLBACK":
            self._faults.meet(f"log {verb}")
        return self._raw.execute(statement, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class FaultyPool(LedgerConnectionPool):
    """Gives connections that meet faults."""

    def __init__(self, file: Path, faults: Faults, *, writes: bool) -> None:
        super().__init__(file, writes=writes)
        self._faults = faults

    def _create_connection(self) -> LedgerConnection:
        made = super()._create_connection()
        made.raw = FaultyConnection(made.raw, self._faults)  # type: ignore[assignment]
        return made


class FaultyDatastore(LedgerDatastore):
    """A log's file whose reads and writes meet faults.

    Where it is `shared`, others may have it open for writing too, as on PostgreSQL.
    """

    def __init__(self, file: Path, faults: Faults, *, writes: bool, shared: bool = False) -> None:
        super().__init__(file, read_only=shared or not writes)
        self.readers = self.pool = FaultyPool(file, faults, writes=False)
        self.writer = FaultyPool(file, faults, writes=True)
        self._shared = shared

    @property
    def writable(self) -> bool:
        return self._shared or super().writable


@contextmanager
def in_views(faults: Faults) -> Iterator[None]:
    """While the block runs, every database of read models meets the faults."""

    def statement(*arguments: Any) -> None:
        meet(f"views {arguments[2].split(maxsplit=1)[0]}")

    def commit(_connection: object) -> None:
        meet("views COMMIT")

    def meet(where: str) -> None:
        try:
            faults.meet(where)
        except sqlite3.OperationalError as error:
            raise OperationalError(where, None, error) from error

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", commit)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", statement)
        event.remove(Engine, "commit", commit)
