"""Copies of a log's file, each a whole log at one instant."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from ledger.log.contract import Epoch, Head, LogIdentity
from ledger.log.errors import LogMismatch
from ledger.log.sqlite import schema
from ledger.log.sqlite.datastore import translated
from ledger.log.sqlite.reading import read_epochs, read_head

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGES: Final = 2_048
"""Pages of 4 KiB that are copied at a time."""


class Copied(NamedTuple):
    """What a copy holds."""

    identity: LogIdentity
    head: Head


def copy_log(
    source: Path,
    target: Path,
    tell: Callable[[int, int], object] = lambda _done, _total: None,
    *,
    still: bool = False,
) -> Copied:
    """Copies a log as it is now to an empty file, beside whoever reads and writes it.

    Nobody waits for it: it reads one state, and what is written meanwhile stays in the log's
    write-ahead file. The copy needs no other file beside it. Says how many pages of how many are
    copied. A source that is `still`, because nobody has it open, may be on a disk that is not
    written to.

    Raises:
        LogMismatch: the source is no log that this version can use.
        LogUnavailable: it cannot be read, or the copy not written.
    """
    with (
        translated(str(source), "copy"),
        closing(_connected(source, "mode=ro&immutable=1" if still else "mode=rw")) as log,
        closing(_connected(target, "mode=rw")) as copy,
    ):
        log.execute("PRAGMA query_only = ON")
        # It holds on to one state: else each write would make the copy begin anew.
        log.execute("BEGIN")
        schema.require_present(log, str(source))
        log.backup(
            copy,
            pages=PAGES,
            progress=lambda _status, left, total: tell(total - left, total),
            sleep=0,
        )
        log.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode = DELETE")
        last = read_epochs(copy)[-1]
        return Copied(LogIdentity(last.log_id, last.epoch), read_head(copy))


def begin_epoch(copy: Path, following: Callable[[Epoch], Epoch]) -> LogIdentity:
    """Begins a new generation in a copy that nobody has open, and leaves no file beside it.

    Reads all of it first: a file that was copied while it was written to, by other means, may be
    damaged and not look so.

    Raises:
        LogMismatch: it is damaged.
        LogUnavailable: it cannot be written.
    """
    with translated(str(copy), "write"), closing(_connected(copy, "mode=rw")) as connection:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise LogMismatch(str(copy), "it is damaged")
        epoch = following(read_epochs(connection)[-1])
        connection.execute("INSERT INTO ledger VALUES (?, ?, ?)", epoch)
        return LogIdentity(epoch.log_id, epoch.epoch)


def _connected(file: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?{how}", uri=True, isolation_level=None
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
