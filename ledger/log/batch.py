"""What a batch is made of: commands on their way, decisions, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ledger.log.contract import Accepted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.message import Message

    from ledger.event import Record
    from ledger.log.command import Command, Done
    from ledger.log.contract import Append, Outcome, RequestKey
    from ledger.log.world import Versioned
    from okr.v1.event_record_pb2 import EventMetadata


@dataclass(slots=True, eq=False)
class Job:
    """A command in the lane.

    `source` is what its ids are made from, with the `principal`: the caller's name, or a pseudonym
    where the ledger has keys for texts. `plain_key` is then the key that the name itself makes.
    """

    command: Command
    key: RequestKey | None
    source: str
    principal: str
    plain_key: RequestKey | None = None
    attempts: int = 0


class Decided(NamedTuple):
    """A decision ready to be appended, with the records and states that it leads to."""

    job: Job
    append: Append
    records: tuple[Record, ...]
    states: Mapping[str, Versioned]
    facts: Sequence[Message]
    metadata: EventMetadata

    def foresaw(self, outcome: Outcome) -> bool:
        """Whether the log took it at the positions and the time that it was decided for."""
        first = self.records[0]
        return (
            isinstance(outcome, Accepted)
            and outcome.first_position == first.position
            and outcome.recorded_us == first.recorded_us
        )


class Unwritten(NamedTuple):
    """An answer that writes nothing, and the versions of the streams that it was taken on.

    They are those after the first `decided` decisions of the batch.
    """

    job: Job
    answer: Done | Exception
    guards: Mapping[str, int]
    decided: int


@dataclass(slots=True)
class Result:
    """What became of a batch: answers, and commands that have to be decided once more."""

    answers: list[tuple[Job, Done | Exception]] = field(default_factory=list)
    again: list[Job] = field(default_factory=list)
    events: int = 0
    flushes: int = 0
    last_position: int = 0
    """The last position that the batch wrote, 0 if none."""
