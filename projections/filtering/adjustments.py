"""The facets of adjustments that filters see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.objectives import stream_of
from ledger.values import recorded_day
from okr.v1.resources_pb2 import AdjustmentState
from projections.filtering.events import CATEGORY
from projections.filtering.fields import DAY, NAME, NAMES, NUMBER, TEXT, TIME, Field, enum

if TYPE_CHECKING:
    from okr.v1.resources_pb2 import Adjustment
    from projections.owners import Owners


@dataclass(frozen=True, slots=True)
class AdjustmentFacets:
    """An adjustment, the position of its first event, and who owns what it changes."""

    adjustment: Adjustment
    position: int
    owners: Owners

    @property
    def subjects(self) -> frozenset[str]:
        """What it changes, or would change."""
        aligned = (change.alignment.parent for change in self.adjustment.changes)
        changed = (change.subject for change in self.adjustment.changes)
        return frozenset((*changed, *aligned)) - {""}

    @property
    def changed(self) -> frozenset[str]:
        """The fields of definitions that it changes."""
        return frozenset(
            path for change in self.adjustment.changes for path in change.changed.paths
        )

    @property
    def teams(self) -> frozenset[str]:
        """The teams of the objectives that it changes or would create, before or after."""
        changes = self.adjustment.changes
        own = {
            team
            for each in changes
            for team in (each.objective_before.team, each.objective_after.team)
        }
        objectives = {stream_of(s) for s in self.subjects if s.startswith("objectives/")}
        before_and_after = {self.adjustment.first_position, self.adjustment.last_position}
        return frozenset(own - {""}).union(
            *(self.owners.teams(name, at) for name in objectives for at in before_and_after)
        )


ADJUSTMENT_FIELDS: Final[Mapping[str, Field[AdjustmentFacets]]] = {
    "actor": Field(NAME, lambda each: each.adjustment.actor),
    "category": Field(CATEGORY, lambda each: each.adjustment.category or None),
    "decider": Field(NAME, lambda each: each.adjustment.decided.actor),
    "effective_date": Field(DAY, lambda each: recorded_day(each.adjustment.effective_date)),
    "field": Field(NAMES, lambda each: each.changed),
    "on_behalf_of": Field(NAME, lambda each: each.adjustment.on_behalf_of),
    "position": Field(NUMBER, lambda each: each.position),
    "proposer": Field(NAME, lambda each: each.adjustment.proposed.actor),
    "reason": Field(TEXT, lambda each: each.adjustment.reason),
    "recorded_time": Field(TIME, lambda each: each.adjustment.recorded_time.ToMicroseconds()),
    "state": Field(
        enum(AdjustmentState.DESCRIPTOR, "ADJUSTMENT_STATE_"), lambda each: each.adjustment.state
    ),
    "subject": Field(NAMES, lambda each: each.subjects),
    "team": Field(NAMES, lambda each: each.teams),
    "title": Field(TEXT, lambda each: each.adjustment.title),
}
"""What adjustments may be filtered by."""
