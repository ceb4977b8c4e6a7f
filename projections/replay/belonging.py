"""Whose an event is: the cycles and teams that it touches, as known at its own position."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.call import hides
from ledger.event import fact_of
from ledger.objectives import objective_of
from ledger.teams import team_of
from okr.v1 import events_pb2 as facts
from projections import adjustments, plan, revisions
from projections.touched import touched

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.event import Record
    from ledger.revision import Revision
    from projections.store.views import Views

_OF_TWO_OBJECTIVES: Final = (facts.KeyResultCarriedOver.DESCRIPTOR.full_name,)
"""What the stream of an objective holds that is about another one too."""

History = Sequence[tuple[int, str]]
"""A value and the position from which it is known, in order."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """Tells which events are those of a cycle, of a team with its sub-teams, or of both.

    Empty names ask for nothing. Costs by the number of objectives that the events are about and,
    for a team, by the number of teams.
    """

    views: Views
    cycle: str
    team: str

    async def wait_for(self, position: int, seconds: float) -> None:
        """Returns once it can be told of events up to a position.

        Raises:
            ProjectionStopped: it never can until someone acts.
            DeadlinePassed: it took longer.
        """
        await self.views.wait_for(position, seconds)

    def of(self, records: Sequence[Record]) -> Sequence[Record] | None:
        """Those of the records that belong; None where the read models do not hold them now.

        Raises:
            Displaced: the read models are another version's.
        """
        with self.views.reading() as reading:
            if reading.position < records[-1].position:
                return None
            return self.among(reading.connection, records)

    def among(self, connection: Connection, records: Sequence[Record]) -> Sequence[Record]:
        """Those of the records that belong; the tables have to hold them."""
        owners = _Owners(connection, records, trees=bool(self.team))
        return [record for record in records if self._has(owners, record)]

    def _has(self, owners: _Owners, record: Record) -> bool:
        if self.cycle and self.cycle not in owners.cycles(record):
            return False
        return not self.team or self.team in owners.teams(record)


class _Owners:
    """The cycles and teams of some consecutive records."""

    def __init__(self, connection: Connection, records: Sequence[Record], *, trees: bool) -> None:
        known = records[-1].position
        self._about = _about(connection, records)
        objectives = {name for names in self._about.values() for name in names}
        named = sorted(name for name in objectives if name.startswith("objectives/"))
        self._cycles: dict[str, str] = {}
        self._teams: dict[str, History] = {}
        for name, rows in revisions.of_many(connection, named, known).items():
            if rows:
                found = [row.revision for row in rows]
                self._cycles[name] = found[0].fact.cycle  # type: ignore[attr-defined]  # the first is its creation
                self._teams[name] = _teams_of(name, found)
        self._parents = _parents(connection, known) if trees else {}

    def cycles(self, record: Record) -> set[str]:
        """Every cycle that the record touches."""
        about = self._about[record.position]
        return {
            name if name.startswith("cycles/") else self._cycles.get(name, "") for name in about
        }

    def teams(self, record: Record) -> set[str]:
        """Every team that the record touches, and those above, just before or just after it."""
        return {
            team
            for position in (record.position - 1, record.position)
            for name in self._about[record.position]
            for team in self._upwards(self._team(name, position), position)
        }

    def _team(self, name: str, position: int) -> str:
        return name if name.startswith("teams/") else _at(self._teams.get(name, ()), position)

    def _upwards(self, team: str, position: int) -> Iterator[str]:
        while team:
            yield team
            team = _at(self._parents.get(team, ()), position)


def _about(connection: Connection, records: Sequence[Record]) -> Mapping[int, set[str]]:
    """The objectives, cycles and teams that each record is about, by its position."""
    found: dict[int, set[str]] = {}
    decided: dict[int, str] = {}
    for record in records:
        collection = record.stream.partition("/")[0]
        if collection == "objectives" and record.event_type not in _OF_TWO_OBJECTIVES:
            found[record.position] = {record.stream}
            continue
        fact = fact_of(record)
        found[record.position] = _shown(set(touched(fact)))
        if isinstance(fact, facts.AdjustmentApproved | facts.AdjustmentRejected):
            decided[record.position] = record.stream
    known = records[-1].position
    rows = adjustments.of_many(connection, sorted(set(decided.values())), known)
    for position, adjustment in decided.items():
        for row in rows[adjustment]:
            if row.position <= position:
                found[position] |= _shown(set(touched(row.fact)))
    return found


def _shown(names: set[str]) -> set[str]:
    """Those that the caller is shown: by what is hidden nothing belongs to anybody.

    All of them where they are all hidden, and with them the event.
    """
    return {name for name in names if not hides(name)} or names


def _teams_of(name: str, found: Sequence[Revision]) -> History:
    """Whose an objective is, from which position."""
    teams: list[tuple[int, str]] = []
    for number, revision in enumerate(found, 1):
        fact = revision.fact
        created = isinstance(fact, facts.ObjectiveCreated)
        if created or (isinstance(fact, facts.ObjectiveRevised) and "team" in fact.changed.paths):
            made = objective_of(name, found[:number])
            if made is not None:
                teams.append((revision.position, made.definition.team))
    return teams


def _parents(connection: Connection, known: int) -> Mapping[str, History]:
    """What each team is below, from which position."""
    names = [entry.member for entry in plan.members_of(connection, plan.TEAMS, known)]
    rows = revisions.of_many(connection, names, known)
    return {name: list(_parent_of(name, [r.revision for r in rows[name]])) for name in names}


def _parent_of(name: str, found: Sequence[Revision]) -> Iterable[tuple[int, str]]:
    for number, revision in enumerate(found, 1):
        made = team_of(name, found[:number])
        if made is not None:
            yield revision.position, made.definition.parent


def _at(history: History, position: int) -> str:
    """The value known at a position; empty before the first."""
    index = bisect_right(history, position, key=lambda entry: entry[0])
    return history[index - 1][1] if index else ""
