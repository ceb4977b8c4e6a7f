"""The newest records kept at hand, so that a follower beside the writer need not read them again.

Reading a page row by row gives the interpreter lock back at every row; beside a busy writer that
costs far more than the records' memory.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.event import Record
    from ledger.log.contract import Head, LogIdentity

LARGEST_BYTES: Final = 16 << 20
"""The most metadata and payload that is kept; a follower further behind reads the log."""


class Source(Protocol):
    """What following asks of a log; see `ledger.log.contract.LogReader`."""

    def identity(self) -> LogIdentity: ...

    def head(self) -> Head: ...

    def read(self, after_position: int, limit: int) -> list[Record]: ...


class RecentRecords:
    """A source that answers from records offered by the writer, else from the log."""

    def __init__(self, log: Source) -> None:
        self._log = log
        self._lock = Lock()
        self._records: deque[Record] = deque()
        self._bytes = 0

    def identity(self) -> LogIdentity:
        return self._log.identity()

    def head(self) -> Head:
        return self._log.head()

    def offer(self, records: Iterable[Record]) -> None:
        """Takes durable records in order of position; call it from one thread."""
        with self._lock:
            for record in records:
                if self._records and record.position != self._records[-1].position + 1:
                    self._clear()
                self._records.append(record)
                self._bytes += _size(record)
            while self._bytes > LARGEST_BYTES:
                self._bytes -= _size(self._records.popleft())

    def read(self, after_position: int, limit: int) -> list[Record]:
        """The records after a position; those before it are let go."""
        with self._lock:
            while self._records and self._records[0].position <= after_position:
                self._bytes -= _size(self._records.popleft())
            if self._records and self._records[0].position == after_position + 1:
                return list(islice(self._records, limit))
        return self._log.read(after_position, limit)

    def _clear(self) -> None:
        self._records.clear()
        self._bytes = 0


def _size(record: Record) -> int:
    return len(record.metadata) + len(record.payload)
