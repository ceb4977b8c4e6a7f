"""Why the read models cannot answer or cannot go on."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.refusals import Refusal


class ProjectionError(Exception):
    """The read models fail; `str()` is a sentence for people."""


@dataclass(eq=False)
class ProjectionStopped(ProjectionError):
    """The projection stopped before `position` and will not pass it until someone acts."""

    projection: str
    position: int

    def __str__(self) -> str:
        return f"projection {self.projection} stopped at position {self.position}"


@dataclass(eq=False)
class FailingEvent(ProjectionError):
    """An event that the read models cannot take in."""

    position: int
    event_type: str
    reason: str

    def __str__(self) -> str:
        return f"event {self.position} ({self.event_type}) cannot be taken in: {self.reason}"


@dataclass(eq=False)
class Overtaken(ProjectionError):
    """The tables are not where this follower left them: another one moved or cleared them."""

    expected_position: int

    def __str__(self) -> str:
        return f"the projection is no longer at position {self.expected_position}"


@dataclass(eq=False)
class Relieved(ProjectionError):
    """This follower is no longer the one on duty."""

    def __str__(self) -> str:
        return "another process follows the log"


@dataclass(eq=False)
class Displaced(ProjectionError):
    """Another version of the projection, or another log's, holds the tables."""

    projection: str

    def __str__(self) -> str:
        return f"the tables are no longer those of projection {self.projection}"


@dataclass(eq=False)
class RebuildRunning(ProjectionError):
    """The read models are being built by another process, or another part of this one."""

    builder: str

    def __str__(self) -> str:
        builder = self.builder or "another process"
        return f"the read models are being built by {builder} already"


@dataclass(eq=False)
class TablesDiffer(ProjectionError):
    """Tables that were built are not the same as those that serve; a sentence for each table."""

    built: int
    serving: int
    differences: tuple[str, ...]

    def __str__(self) -> str:
        told = (
            f"generation {self.built}, built now, differs from {self.serving}, which still serves"
        )
        return "\n".join([told, *self.differences])


@dataclass(eq=False)
class TablesUnavailable(ProjectionError):
    """Tables that are being built cannot be written now; `reason` is the database's own."""

    reason: str

    def __str__(self) -> str:
        return (
            f"the read models cannot be built now: {self.reason}; those that serve are as they"
            " were, and the next rebuild goes on from here"
        )


@dataclass(eq=False)
class ReadModelsUnavailable(ProjectionError):
    """The read models' database cannot be read now; `reason` is what it said."""

    reason: str

    def __str__(self) -> str:
        return f"the read models cannot be read now: {self.reason}"


@dataclass(eq=False)
class LedgerContradicted(ProjectionError):
    """The ledger is not what was signed of it; `position` is the first event that may be wrong."""

    position: int
    reason: str

    def __str__(self) -> str:
        return f"the ledger does not fit what was signed of it: {self.reason}"


@dataclass(eq=False)
class ProofsMissing(ProjectionError):
    """What was asked of the proofs is not there; `reason` is a sentence."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class ProofNotReady(ProjectionError):
    """No checkpoint covers the position yet; `covered` is the last one that one does."""

    position: int
    covered: int

    def __str__(self) -> str:
        return f"no checkpoint covers position {self.position} yet, only {self.covered} events"


@dataclass(eq=False)
class ProofsOff(Refusal):
    """This server keeps no tree of the ledger."""

    def __str__(self) -> str:
        return "this server gives no proofs; they are switched off"


@dataclass(eq=False)
class PositionAhead(Refusal):
    """The ledger has not reached the position yet."""

    position: int
    head: int

    def __str__(self) -> str:
        return f"the ledger has not reached position {self.position}; its head is {self.head}"


@dataclass(eq=False)
class InstantOutOfRange(Refusal):
    """The instant lies before the ledger's first event or in the future; RFC 3339, UTC."""

    instant: str

    def __str__(self) -> str:
        return f"nothing was known at {self.instant}: it is before the first event or in the future"


@dataclass(eq=False)
class InstantsReversed(Refusal):
    """The earlier of two pairs of instants lies after the later one, on an axis of AsOf."""

    axis: str
    since: str
    as_of: str

    def __str__(self) -> str:
        word = "position" if self.axis == "known_at" else "day"
        return f"since is about {word} {self.since}, which lies after {self.as_of}, that of as_of"


@dataclass(eq=False)
class ReplayTooLarge(Refusal):
    """The cycle has more events than a replay takes: at least `events`."""

    events: int
    limit: int

    def __str__(self) -> str:
        return f"the cycle has more than {self.limit} events, too many to be replayed at once"
