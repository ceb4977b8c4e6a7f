"""What a decision sees: the states of streams, and the events that it has decided so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from ledger.adjustments import Adjustment
from ledger.alignment import STREAM as ALIGNMENT
from ledger.alignment import Alignments
from ledger.cycles import Cycle
from ledger.event import NewEvent, Record
from ledger.fold import Noted, State, applied
from ledger.key_results import KeyResult
from ledger.objectives import KEY_RESULTS, Objective, stream_of
from ledger.persons import Person
from ledger.refusals import Exists, NotFound
from ledger.teams import Team
from okr.v1.event_record_pb2 import EventMetadata

PAGE = 100
"""Records read at a time on the way back from a stream's end."""

Kind = TypeVar("Kind", Cycle, Team, Objective, Alignments, Adjustment, Noted, Person)


class World(Protocol):
    """What a decision may read. Each stream that it asks for is guarded by the append."""

    def state(self, stream: str) -> tuple[Any, int]:
        """The folded state of a stream and its version; version 0 if it does not exist.

        Raises:
            Exception: the log cannot be read now.
        """

    def records(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[Record]:
        """The records of a stream in order, those decided before in the batch included.

        `after_version` is exclusive, `up_to_version` inclusive. Costs by their number: for what a
        state does not keep.

        Raises:
            Exception: the log cannot be read now.
        """


class View:
    """Typed access to the states of a world, with the decision's own events applied."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ahead: dict[str, State] = {}
        self._seen: dict[str, None] = {}

    def apart(self) -> View:
        """A view of the same streams, without what has been decided ahead in this one."""
        return View(self._world)

    @property
    def seen(self) -> list[str]:
        """The streams that were asked for, in that order."""
        return list(self._seen)

    def ahead(self, events: Iterable[NewEvent], metadata: EventMetadata) -> None:
        """Lets the rest of the decision see events that it has already decided."""
        for event in events:
            state = applied(self._find(event.stream), event.stream, event.fact, metadata, 0)
            self._ahead[event.stream] = state

    def records(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None
    ) -> Sequence[Record]:
        """The recorded events of a stream in order; costs by their number."""
        return self._world.records(stream, after_version, up_to_version)

    def records_since(self, stream: str, position: int) -> list[Record]:
        """The recorded events of a stream after a position, in order; costs by their number."""
        _, version = self._world.state(stream)
        since: list[Record] = []
        while version > 0:
            page = self._world.records(stream, max(version - PAGE, 0), version)
            later = [record for record in page if record.position > position]
            since = later + since
            if len(later) < len(page):
                break
            version -= PAGE
        return since

    def cycle(self, name: str) -> Cycle:
        """A cycle.

        Raises:
            NotFound: there is none of that name.
        """
        return self._typed(name, Cycle)

    def team(self, name: str) -> Team:
        """A team.

        Raises:
            NotFound: there is none of that name.
        """
        return self._typed(name, Team)

    def find_team(self, name: str) -> Team | None:
        """A team, None if there is none of that name."""
        found = self._find(name)
        return found if isinstance(found, Team) else None

    def person(self, name: str) -> Person:
        """A registered person, erased or not.

        Raises:
            NotFound: there is none of that name.
        """
        return self._typed(name, Person)

    def find_person(self, name: str) -> Person | None:
        """The same, None if there is none of that name."""
        found = self._find(name)
        return found if isinstance(found, Person) else None

    def objective(self, name: str) -> Objective:
        """An objective, or that of a key result's or check-in's name.

        Raises:
            NotFound: there is none of that name.
        """
        return self._typed(stream_of(name), Objective)

    def key_result(self, name: str) -> KeyResult:
        """A key result.

        Raises:
            NotFound: there is none of that name.
        """
        found = self.objective(name).key_results.get(name)
        if found is None:
            raise NotFound(name)
        return found

    def node(self, name: str) -> Objective:
        """The objective of a node of the alignment graph, which must exist.

        Raises:
            NotFound: there is none of that name.
        """
        if KEY_RESULTS in name:
            self.key_result(name)
        return self.objective(name)

    def alignments(self) -> Alignments:
        """The alignment graph."""
        return self._typed(ALIGNMENT, Alignments)

    def review(self, name: str) -> Noted:
        """A review.

        Raises:
            NotFound: there is none of that name.
        """
        return self._typed(name, Noted)

    def vacant(self, name: str) -> None:
        """Refuses a name that is taken.

        Raises:
            Exists: it is.
        """
        if KEY_RESULTS in name:
            taken = name in self.objective(name).key_results
        else:
            taken = self._find(name) is not None
        if taken:
            raise Exists(name)

    def adjustment(self, name: str) -> Adjustment:
        """An adjustment.

        Raises:
            NotFound: there is none of that name.
        """
        return self._typed(name, Adjustment)

    def _find(self, stream: str) -> State | None:
        self._seen[stream] = None
        found: State | None
        if stream in self._ahead:
            found = self._ahead[stream]
        else:
            found, _ = self._world.state(stream)
        return found

    def _typed(self, stream: str, kind: type[Kind]) -> Kind:
        found = self._find(stream)
        if not isinstance(found, kind):
            raise NotFound(stream)
        return found
