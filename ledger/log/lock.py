"""One writer per file: a lock of the operating system, held for the process's life."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from ledger.log.errors import LogLocked, LogUnavailable

if TYPE_CHECKING:
    from pathlib import Path


class WriterLock:
    """An exclusive lock on `<file>.lock`, which holds the owner's process id.

    The system drops the lock with the process, however that ends; the file stays, because removing
    it would let two owners lock two files of one name.

    Raises:
        LogLocked: another writer has the file.
        LogUnavailable: the lock's file cannot be made.
    """

    def __init__(self, log_file: Path) -> None:
        path = log_file.with_name(log_file.name + ".lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            reason = error.strerror or "unknown error"
            raise LogUnavailable(str(log_file), "lock", reason) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).strip()
            os.close(self._descriptor)
            raise LogLocked(str(log_file), int(holder) if holder.isdigit() else 0) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)
