"""One writer per file: a lock of the operating system, held for the process's life."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

from ledger.log.errors import LogLocked, LogUnavailable

if TYPE_CHECKING:
    from pathlib import Path


PATIENCE_SECONDS = 3.0
"""How long a lock is waited for whose owner has died: what it started ends a moment later."""
POLL_SECONDS = 0.02


class WriterLock:
    """An exclusive lock on `<file>.lock`, which holds the owner's process id.

    The system drops the lock with the process, however that ends; the file stays, because removing
    it would let two owners lock two files of one name. `owner_pid` is the process that people
    know, where this one works for it.

    Raises:
        LogLocked: another writer has the file.
        LogUnavailable: the lock's file cannot be made.
    """

    def __init__(self, log_file: Path, owner_pid: int = 0) -> None:
        path = log_file.with_name(log_file.name + ".lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            reason = error.strerror or "unknown error"
            raise LogUnavailable(str(log_file), "lock", reason) from error
        patience = time.monotonic() + PATIENCE_SECONDS
        while not self._taken():
            owner = self._owner()
            if _lives(owner) or time.monotonic() > patience:
                os.close(self._descriptor)
                raise LogLocked(str(log_file), owner)
            time.sleep(POLL_SECONDS)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{owner_pid or os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _owner(self) -> int:
        """The process id in the file, 0 if there is none yet."""
        told = os.pread(self._descriptor, 20, 0).strip()
        return int(told) if told.isdigit() else 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return pid > 0
