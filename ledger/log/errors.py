"""What the log and the write lane may fail with.

Each type carries facts, and after each of them but `OutcomeUnknown` nothing of the command was
written. No error of the database beneath leaves the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNFINISHED: Final = "an import into it has not ended; go on with it"
"""Why a log is not opened that is there in part."""


class LogError(Exception):
    """A command or a read that the log cannot serve; `str()` is a sentence for people."""


@dataclass(eq=False)
class LogUnavailable(LogError):
    """The log cannot be read or written now; nothing of the attempt is in it.

    `database` is the file or the URL without its password, `reason` a short phrase, such as "the
    disk is full".
    """

    database: str
    action: str
    reason: str

    def __str__(self) -> str:
        return f"cannot {self.action} {self.database}: {self.reason}"


@dataclass(eq=False)
class OutcomeUnknown(LogUnavailable):
    """The answer to an append was lost: nobody can tell now whether it was written.

    The same request, sent again under its request id, is answered if it was, and done if not.
    """


@dataclass(eq=False)
class LogLocked(LogError):
    """Another process, or another part of this one, writes to the file.

    `holder_pid` is 0 when the holder has not told its process id.
    """

    file: str
    holder_pid: int

    def __str__(self) -> str:
        holder = f"process {self.holder_pid}" if self.holder_pid else "another process"
        return f"{self.file} is being written by {holder}; one server at a time may write to a file"


@dataclass(eq=False)
class LogMismatch(LogError):
    """The database holds no log that this version can use."""

    database: str
    reason: str

    def __str__(self) -> str:
        return f"{self.database} cannot be used: {self.reason}"


@dataclass(eq=False)
class RecordUnfit(LogError):
    """A record from elsewhere does not follow on what the log holds; nothing of it was stored."""

    database: str
    position: int
    reason: str

    def __str__(self) -> str:
        return f"{self.database} cannot take in event {self.position}: {self.reason}"


@dataclass(eq=False)
class UnknownEventType(LogError):
    """No message of `okr.v1.events` has this name: the log is newer than the code, or broken."""

    event_type: str

    def __str__(self) -> str:
        return f"{self.event_type} is not an event that this version knows"


@dataclass(eq=False)
class DamagedRecord(LogError):
    """The stored bytes are not the message that the record's type names."""

    position: int
    event_type: str

    def __str__(self) -> str:
        return f"the record at position {self.position} is not a readable {self.event_type}"


@dataclass(eq=False)
class Overloaded(LogError):
    """Too many commands wait already."""

    waiting: int

    def __str__(self) -> str:
        return f"{self.waiting} commands wait already; try again later"


@dataclass(eq=False)
class ShuttingDown(LogError):
    """The lane takes no more commands."""

    def __str__(self) -> str:
        return "the server is shutting down; the same request may be sent again"


@dataclass(eq=False)
class DeadlinePassed(LogError):
    """The caller's deadline passed while the command waited."""

    def __str__(self) -> str:
        return "the deadline passed while the request waited"


@dataclass(eq=False)
class ClockBehind(LogError):
    """The clock is so far behind the last record that recorded times would stand still."""

    behind_seconds: int

    def __str__(self) -> str:
        return f"the clock is {self.behind_seconds} s behind the last record"


@dataclass(eq=False)
class RequestIdReused(LogError):
    """The request id was used before with other content."""

    request_id: str

    def __str__(self) -> str:
        return f"request id {self.request_id} was used before with other content"


@dataclass(eq=False)
class Contended(LogError):
    """Other writers changed what the decision read, each time it was taken."""

    streams: tuple[str, ...]
    attempts: int

    def __str__(self) -> str:
        return f"{', '.join(self.streams)} changed during each of {self.attempts} attempts"
