"""What a write answers: the resource as the request's own events left it.

Answers are made from the log's records up to the request's last position, so a repeated request
gets the same answer for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ledger import check_ins, closing, reviews
from ledger.adjustment_resources import Step, change_resource
from ledger.adjustment_resources import resource as adjustment_resource
from ledger.check_ins import CheckIn, Circumstances
from ledger.cycles import Cycle
from ledger.event import Record, fact_of, metadata_of
from ledger.fold import applied, initial
from ledger.objectives import Objective, stream_of
from ledger.persons import Person
from ledger.recorded_check_ins import find
from ledger.teams import Team
from ledger.values import recorded_day
from okr.v1 import resources_pb2 as resources

Kind = TypeVar("Kind", Cycle, Team, Objective, Person)


class ReadStream(Protocol):
    """Reads a stream's stored records; see `ledger.log.contract.LogReader.read_stream`."""

    def __call__(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None, /
    ) -> Sequence[Record]: ...


class History:
    """The ledger as a request left it.

    `made` are the records of the request, and `states` those states after it that are known
    already. `stored` may give an earlier or later state of a stream, with its version.
    """

    def __init__(
        self,
        read: ReadStream,
        made: Sequence[Record],
        states: Mapping[str, object],
        stored: Callable[[str], tuple[Any, int] | None] = lambda _: None,
    ) -> None:
        self._read = read
        self._states = states
        self._stored = stored
        self.made = made

    def records(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None
    ) -> list[Record]:
        """A stream's records up to the request's last; costs by their number.

        `after_version` is exclusive, `up_to_version` inclusive.
        """
        own = [record for record in self.made if record.stream == stream]
        if not own:
            read = self._read(stream, after_version, up_to_version)
            return [record for record in read if record.position < self.made[-1].position]
        # What the request would have made, had it not been validated only, is not in the log.
        before = own[0].stream_version - 1
        last = own[-1].stream_version if up_to_version is None else up_to_version
        earlier = self._read(stream, after_version, min(before, last))
        return [*earlier, *(r for r in own if after_version < r.stream_version <= last)]

    def fact(self) -> Any:
        """The first fact that the request made."""
        return fact_of(self.made[0])

    def state(self, stream: str, kind: type[Kind]) -> Kind:
        """The state that the request left a stream in.

        Where it is not known, costs by the stream's events since an earlier one that is stored.

        Raises:
            TypeError: the stream holds something else.
        """
        state = self._states.get(stream)
        if state is None:
            state, version = self._before(stream)
            for record in self.records(stream, version):
                metadata = metadata_of(record)
                state = applied(state, stream, fact_of(record), metadata, record.position)
        if not isinstance(state, kind):
            raise TypeError(f"{stream} is not a {kind.__name__}")
        return state

    def _before(self, stream: str) -> tuple[Any, int]:
        """A state from before the request, and its version; that of the beginning if need be."""
        first = next((r.stream_version for r in self.made if r.stream == stream), 0)
        if first:
            stored = self._stored(stream)
            if stored is not None and stored[1] < first:
                return stored
        return initial(stream), 0


def cycle(history: History) -> resources.Cycle:
    """The cycle that the request changed."""
    return history.state(history.fact().cycle, Cycle).resource()


def seal(history: History) -> resources.Seal:
    """The seal that ended the request's closing."""
    return closing.seal_resource(history.made[-1])


def amendment(history: History) -> resources.Amendment:
    """The amendment that the request recorded."""
    return closing.amendment_resource(history.made[-1])


def review(history: History) -> resources.Review:
    """The review that the request recorded."""
    return reviews.review_resource(history.made[-1])


def lesson(history: History) -> resources.Lesson:
    """The lesson that the request recorded."""
    return reviews.lesson_resource(history.made[-1])


def team(history: History) -> resources.Team:
    """The team that the request changed."""
    return history.state(history.fact().team, Team).resource()


def person(history: History) -> resources.Person:
    """The person whom the request registered or erased."""
    return history.state(history.fact().person, Person).resource()


def objective(history: History) -> resources.Objective:
    """The objective that the request changed."""
    found = history.state(history.fact().objective, Objective)
    return found.resource(history.state(found.cycle, Cycle))


def key_result(history: History) -> resources.KeyResult:
    """The key result that the request changed."""
    name = history.fact().key_result
    found = history.state(stream_of(name), Objective)
    return found.key_results[name].resource()


def alignment(history: History) -> resources.Alignment:
    """The alignment that the request made or took back."""
    return change_resource(history.fact(), 0).alignment


def recorded_check_in(history: History) -> resources.CheckIn:
    """The check-in that the request recorded; reads nothing."""
    record = history.made[0]
    fact: Any = fact_of(record)
    metadata = metadata_of(record)
    effective = recorded_day(metadata.effective_date)
    position = record.position
    check_in = CheckIn(fact.key_result, fact.number, position, position, effective, fact)
    return check_ins.resource(check_in, Circumstances(record.recorded_us, metadata))


def changed_check_in(history: History) -> resources.CheckIn:
    """The check-in that the request corrected or retracted."""
    fact = history.fact()
    objective = history.state(stream_of(fact.key_result), Objective)
    found = find(history.records, objective.key_results[fact.key_result], fact.number)
    assert found is not None
    at = {record.position: record for record in found.records}
    return check_in_resource(found.check_in, at.__getitem__)


def check_in_resource(check_in: CheckIn, record_at: Callable[[int], Record]) -> resources.CheckIn:
    """A check-in as the API shows it; `record_at` finds the records of its positions."""
    recorded, content = record_at(check_in.position), None
    if check_in.content_position != check_in.position:
        content = _circumstances(record_at(check_in.content_position))
    return check_ins.resource(check_in, _circumstances(recorded), content)


def adjustment(history: History) -> resources.Adjustment:
    """The adjustment that the request proposed, decided or made, without its effects on scores."""
    name: str = history.fact().adjustment
    return adjustment_resource(
        [
            Step(r.position, r.recorded_us, metadata_of(r), fact_of(r))
            for r in history.records(name)
        ],
        [
            change_resource(fact_of(record), record.position)
            for record in history.made
            if record.stream != name
        ],
    )


def _circumstances(record: Record) -> Circumstances:
    return Circumstances(record.recorded_us, metadata_of(record))
