"""Whose an objective is: its cycle, and the teams that it was and is of at a position."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ledger.cycles import Cycle, cycle_of
from ledger.objectives import objective_of
from ledger.refusals import NotFound
from projections import adjustments, revisions

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from sqlalchemy import Connection

    from projections.revisions import RevisionRow


class Owners:
    """The owners of objectives as known at a position; each objective is looked up once."""

    def __init__(self, connection: Connection, known: int) -> None:
        self._connection = connection
        self._known = known
        self._objectives: dict[str, list[RevisionRow]] = {}
        self._cycles: dict[str, Cycle] = {}

    def load(self, objectives: Iterable[str]) -> None:
        """Looks objectives up together."""
        new = sorted({name for name in objectives if name not in self._objectives})
        self._objectives.update(revisions.of_many(self._connection, new, self._known))

    def knows(self, objective: str) -> bool:
        """Whether an objective is known."""
        self.load([objective])
        return bool(self._objectives[objective])

    def cycle(self, objective: str) -> Cycle:
        """The cycle of an objective, as it is known now.

        Raises:
            NotFound: the objective is not known.
        """
        if not self.knows(objective):
            raise NotFound(objective)
        # An objective's first event is its creation.
        return self.cycle_named(self._objectives[objective][0].revision.fact.cycle)  # type: ignore[attr-defined]

    def cycle_of_adjustment(self, name: str) -> Cycle:
        """The cycle of an adjustment.

        Raises:
            NotFound: it is not known.
        """
        events = self.facts_of_adjustment(name, self._known)
        if not events:
            raise NotFound(name)
        # An adjustment's first event proposes or makes it.
        return self.cycle_named(events[0].cycle)  # type: ignore[attr-defined]

    def facts_of_adjustment(self, name: str, position: int) -> list[Message]:
        """What an adjustment's own stream holds up to a position."""
        return [row.fact for row in adjustments.of(self._connection, name, position)]

    def cycle_named(self, name: str) -> Cycle:
        """A cycle, as it is known now.

        Raises:
            NotFound: it is not known.
        """
        if name not in self._cycles:
            known = revisions.of(self._connection, name, self._known)
            found = cycle_of(name, [row.revision for row in known])
            if found is None:
                raise NotFound(name)
            self._cycles[name] = found
        return self._cycles[name]

    def teams(self, objective: str, position: int) -> frozenset[str]:
        """The teams of an objective just before and just after a position."""
        self.load([objective])
        rows = self._objectives[objective]
        found = set()
        for at in (position - 1, position):
            known = rows[: bisect_right(rows, at, key=lambda row: row.position)]
            there = objective_of(objective, [row.revision for row in known])
            if there is not None:
                found.add(there.definition.team)
        return frozenset(found)
