"""Files that operators replace while the server runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from service.following import running_beside

log = structlog.get_logger()

Value = TypeVar("Value")

LOOK_SECONDS: Final = 2.0
"""How often files are looked at."""


class FileError(Exception):
    """A file cannot be taken in; the message names it, says why, and repeats nothing of it."""


class Watched(Generic[Value]):
    """What some files hold together, read again when one of them changes.

    Files that belong together may be replaced one after the other: until they fit, what they held
    before stays. `value` may be read in any thread.
    """

    def __init__(
        self, files: Sequence[Path], read: Callable[[Sequence[bytes]], Value], what: str
    ) -> None:
        """Takes them in; `read` makes their value of their bytes, `what` is for the log.

        Raises:
            FileError: they cannot be read, or `read` raises it.
        """
        self._files = files
        self._read = read
        self._what = what
        self._seen = self._marks()
        self._trouble = ""
        self.value = read(self._bytes())

    def look(self) -> None:
        """Takes in what has changed; what is wrong with it is logged once. Reads files."""
        try:
            marks = self._marks()
            if marks != self._seen:
                self._seen = marks
                self.value, self._trouble = self._read(self._bytes()), ""
                log.info(self._what, state="renewed")
        except FileError as error:
            if self._trouble != str(error):
                self._trouble = str(error)
                # Where it was raised tells an operator nothing.
                log.error(self._what, state="kept as before", error=self._trouble)  # noqa: TRY400

    def _marks(self) -> list[tuple[int, ...]]:
        """What changes when a file does: its place on the disk, size and times."""
        try:
            found = [file.stat() for file in self._files]
        except OSError as error:
            raise _unreadable(error) from None
        return [(at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for at in found]

    def _bytes(self) -> list[bytes]:
        return [read_file(file) for file in self._files]


@contextmanager
def looked_at(*looks: Callable[[], None]) -> Iterator[None]:
    """Has files looked at, on a thread of its own, while the block runs."""

    def run(stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            for look in looks:
                look()

    with running_beside("files", run):
        yield


def read_file(file: Path) -> bytes:
    """What the file holds.

    Raises:
        FileError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(error) from None


def _unreadable(error: OSError) -> FileError:
    return FileError(f"{error.filename} cannot be read: {(error.strerror or 'unknown').lower()}")
