"""The state of a stream: each kind of stream and how an event changes its state."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.adjustments import Adjustment, adjustment_after
from ledger.alignment import STREAM as ALIGNMENT
from ledger.alignment import Alignments
from ledger.alignment import applied as alignments_after
from ledger.cycles import Cycle
from ledger.cycles import applied as cycle_after
from ledger.objectives import Objective
from ledger.objectives import applied as objective_after
from ledger.persons import Person, person_after
from ledger.revision import Revision
from ledger.teams import Team, team_of
from ledger.values import recorded_day
from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata


@dataclass(frozen=True, slots=True)
class Noted:
    """A stream of which decisions need to know only that it exists: reviews.

    `cycle` is what the review looked at.
    """

    name: str
    cycle: str = ""


_OF_ADJUSTMENTS = (
    facts.AdjustmentProposed,
    facts.AdjustmentApproved,
    facts.AdjustmentRejected,
    facts.StrategyAdjusted,
)

State = Cycle | Team | Objective | Alignments | Adjustment | Noted | Person


def initial(stream: str) -> State | None:
    """The state of a stream without events; None where nothing exists yet."""
    return Alignments() if stream == ALIGNMENT else None


def applied(
    state: State | None, stream: str, fact: Message, metadata: EventMetadata, position: int
) -> State:
    """The state after one more event; `position` is 0 for one not recorded yet.

    Raises:
        TypeError: a fact that does not belong to the stream.
    """
    revision = Revision(recorded_day(metadata.effective_date), position, fact)
    match stream.partition("/")[0], state:
        case "objectives", Objective() | None as objective:
            return objective_after(objective, stream, revision)
        case "cycles", Cycle() | None as cycle:
            return _known(cycle_after(cycle, stream, revision), stream, fact)
        case "teams", Team() | None as team:
            return _known(team_of(stream, _with(team, revision)), stream, fact)
        case "alignment", Alignments() as alignments:
            return alignments_after(alignments, revision)
        case "adjustments", Adjustment() | None as adjustment if isinstance(fact, _OF_ADJUSTMENTS):
            return adjustment_after(adjustment, stream, fact, metadata, position)
        case "people", Person() | None as person:
            return person_after(person, stream, fact)
        case "reviews", _ if isinstance(fact, facts.ReviewHeld):
            return Noted(stream, fact.cycle)
        case _:
            raise TypeError(f"{fact.DESCRIPTOR.full_name} does not belong to {stream}")


def _with(team: Team | None, revision: Revision) -> tuple[Revision, ...]:
    return (*team.revisions, revision) if team else (revision,)


def _known(state: State | None, stream: str, fact: Message) -> State:
    if state is None:
        raise TypeError(f"{fact.DESCRIPTOR.full_name} before {stream} was created")
    return state
