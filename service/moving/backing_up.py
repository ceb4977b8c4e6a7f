"""A ledger to a place of safety, and back."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from ledger.log.clock import now_us
from ledger.log.contract import Epoch, LogIdentity
from ledger.log.errors import LogMismatch
from ledger.log.opening import open_log
from ledger.log.sqlite.copying import begin_epoch, copy_log
from ledger.log.sqlite.lock import WriterLock
from service.moving.exporting import export
from service.moving.files import FileUnusable, reading, told, unfinished
from service.moving.importing import take_in
from service.moving.notes import tell_proofs
from service.moving.telling import told_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ledger.log.database import Database
    from service.moving.files import Unfinished
    from service.moving.telling import Tell

SQLITE: Final = b"SQLite format 3\0"
"""What a file of SQLite begins with."""

BESIDE: Final = ("-wal", "-journal")
"""What SQLite calls the files beside one that hold a part of it."""


class Safe(NamedTuple):
    """A ledger in a backup, or restored from one: which it is, and its last event."""

    identity: LogIdentity
    position: int


def back_up(database: Database, target: Path, tell: Tell = told_nobody) -> Safe:
    """Writes what a ledger is now to a file, beside running servers.

    Of a ledger on SQLite a copy of its file, of one on PostgreSQL an export. `tell` gets pages or
    events.

    Raises:
        FileUnusable: there is a file already, or it cannot be written.
        LogMismatch, LogUnavailable: there is no such ledger, or it cannot be read.
        ExportRefused: as `export`.
    """
    if database.is_postgres:
        with closing(open_log(database, read_only=True)) as log:
            tally, _ = export(log, database, target, tell=tell)
        identity = LogIdentity(tally.header.log_id, tally.header.epochs[-1].epoch)
        return Safe(identity, tally.position)
    # First as a reader, who tells of a ledger that is none.
    open_log(database, read_only=True).close()
    with _copy(target) as made:
        copied = copy_log(database.file, made.path, tell)
    return Safe(copied.identity, copied.head.position)


def restore(
    sources: Sequence[Path],
    database: Database,
    tell: Tell = told_nobody,
    clock: Callable[[], int] = now_us,
) -> Safe:
    """Makes a ledger of a backup, or of an export and those that go on from it, in a new epoch.

    Nobody can open it before it is whole. `clock` gives µs since 1970 UTC.

    Raises:
        FileUnusable: a source cannot be read, or there is something in the ledger's place.
        LogLocked: a server runs there.
        ExportRefused, LogMismatch, LogUnavailable, LedgerContradicted: as `take_in`, and where the
            place is not empty.
    """

    def following(last: Epoch) -> Epoch:
        now = clock()
        return Epoch(last.log_id, max(last.epoch + 1, now // 1_000_000), now)

    with reading(sources[0]) as file, told(sources[0], "read"):
        is_copy = file.read(len(SQLITE)) == SQLITE
    if is_copy:
        safe = _restore_copy(sources, database, tell, following)
    else:
        imported = take_in(database, sources, begin_epoch=following, tell=tell)
        safe = Safe(imported.identity, imported.tally.position)
    with closing(open_log(database, read_only=True)) as log:
        tell_proofs(database, log)
    return safe


def _restore_copy(
    sources: Sequence[Path], database: Database, tell: Tell, following: Callable[[Epoch], Epoch]
) -> Safe:
    source = sources[0]
    if database.is_postgres or len(sources) > 1:
        reason = (
            "a copy of a ledger on SQLite is restored on SQLite and by itself; export it, and"
            " restore that"
        )
        raise LogMismatch(str(source), reason)
    target = database.file
    lock = WriterLock(target)
    try:
        for beside in (target.with_name(target.name + end) for end in BESIDE):
            if beside.exists():
                reason = f"{beside} of an earlier ledger is there; move it away"
                raise FileUnusable(str(target), "write", reason)
        with _copy(target) as made:
            copied = copy_log(source, made.path, tell, still=not _is_open(source))
            identity = begin_epoch(made.path, following)
    finally:
        lock.release()
    return Safe(identity, copied.head.position)


@contextmanager
def _copy(target: Path) -> Iterator[Unfinished]:
    """An empty file that is put in its place at the end; no part of a copy is of use later."""
    with unfinished(target) as made:
        try:
            with told(target, "write"):
                made.file.truncate()
                _remove_beside(made.path)
            yield made
            made.put()
        except BaseException:
            made.discard()
            _remove_beside(made.path)
            raise


def _remove_beside(file: Path) -> None:
    for end in (*BESIDE, "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)


def _is_open(source: Path) -> bool:
    """Whether something of a file may stand in another one beside it."""
    return any(source.with_name(source.name + end).exists() for end in BESIDE)
