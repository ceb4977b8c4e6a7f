"""A file that is written under another name and put in its place when it is whole."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from ledger.durable import flush_names

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
"""How a file system says that a file has one name there."""


@dataclass(eq=False)
class FileUnusable(Exception):
    """A file cannot be read or written; `reason` is a short phrase."""

    file: str
    action: str
    reason: str

    def __str__(self) -> str:
        return f"cannot {self.action} {self.file}: {self.reason}"


class Unfinished:
    """A file on its way to its place: `file` is open for reading and writing, at its beginning.

    What an earlier attempt has left under `path` is in it. The place is taken only by `put`.
    """

    def __init__(self, target: Path, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self._target = target

    def put(self) -> None:
        """Makes the file durable and puts it in its place, unless there is one by now."""
        with told(self._target, "write"):
            self.file.flush()
            os.fsync(self.file.fileno())
            try:
                self._target.hardlink_to(self.path)
                self.path.unlink()
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                _require_free(self._target)
                self.path.rename(self._target)
            flush_names(self._target)

    def discard(self) -> None:
        """Removes what is of no use to a later attempt."""
        self.path.unlink(missing_ok=True)


@contextmanager
def unfinished(target: Path) -> Iterator[Unfinished]:
    """A file that will be `target`; under `target` with ".partial" meanwhile, and if it fails.

    Raises:
        FileUnusable: there is a file already, another process writes it, or it cannot be made.
    """
    path = target.with_name(target.name + ".partial")
    with told(target, "write"):
        _require_free(target)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        with told(target, "write"):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine = os.path.samestat(path.stat(), os.fstat(file.fileno()))
            except (BlockingIOError, FileNotFoundError):
                mine = False
            if not mine:
                raise FileUnusable(str(target), "write", "another process writes it")
        yield Unfinished(target, path, file)


@contextmanager
def reading(file: Path) -> Iterator[BinaryIO]:
    """A file to read from its beginning.

    Raises:
        FileUnusable: it cannot be read.
    """
    with told(file, "read"), file.open("rb") as opened:
        yield opened


@contextmanager
def told(file: Path, action: str) -> Iterator[None]:
    """Turns the system's errors into `FileUnusable`."""
    try:
        yield
    except OSError as error:
        raise FileUnusable(str(file), action, error.strerror or "unknown error") from error


def _require_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise FileExistsError(errno.EEXIST, "it is there already")
