"""What became of each key result of a cycle, and what mid-cycle made of it beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from ledger.context import day_in
from ledger.cycles import Cycle
from ledger.definitions import scoring_definition
from ledger.dues import Tally, owner_of, tally
from ledger.momentum import foretold, in_units
from ledger.objectives import Objective
from ledger.scoring.calibration import brier
from ledger.scoring.exact import subtract
from ledger.scoring.key_result import Definition
from ledger.scoring.pace import Forecast, met
from ledger.standing import KeyResultStanding, commitment_of
from okr.v1.retrospective_pb2 import ConfidenceRole
from projections import plan
from projections.known_check_ins import KnownCheckIn, all_in_force
from projections.scorecard import Tree


@dataclass(frozen=True, slots=True)
class MidConfidence:
    """A confidence from 0 to 10, and in which role it was given."""

    value: int
    role: ConfidenceRole.ValueType


@dataclass(frozen=True, slots=True)
class Outcome:
    """A key result as it ended, with what was believed at mid-cycle.

    `counts` says that it is neither dropped nor part of an abandoned objective; `value` is a share
    of the whole for milestones. `check_ins` are all that hold on the day, in order.
    """

    standing: KeyResultStanding
    objective: Objective
    definition: Definition
    owner: str
    counts: bool
    met: bool
    value: Decimal | None
    confidence: MidConfidence | None
    forecast: Forecast | None
    tally: Tally
    check_ins: Sequence[KnownCheckIn]
    continued_by: Sequence[str]

    @property
    def name(self) -> str:
        """Its resource name."""
        return self.standing.facts.current.name

    @property
    def team(self) -> str:
        """The team that owns its objective."""
        return self.objective.definition.team

    @property
    def belief(self) -> tuple[Decimal, bool] | None:
        """The confidence and whether it was met; None where it does not count."""
        if self.confidence is None or not self.counts:
            return None
        return Decimal(self.confidence.value), self.met

    @property
    def brier(self) -> Decimal | None:
        """The Brier score of the confidence."""
        return brier(*self.belief) if self.belief else None

    @property
    def forecast_error(self) -> Decimal | None:
        """How far the value went beyond the forecast."""
        if self.forecast is None or self.value is None:
            return None
        return subtract(self.value, self.forecast.value)


def mid_day(cycle: Cycle) -> date:
    """The day at mid-cycle: half of the days after the first, rounded down."""
    return cycle.first_day + timedelta((cycle.last_day - cycle.first_day).days // 2)


def outcomes(connection: Connection, of: Tree, position: int) -> dict[str, list[Outcome]]:
    """The outcomes by objective, dropped key results included, in the order of the tree.

    Costs by the number of key results and of their check-ins.
    """
    standings = [of.board.standings.objective(name) for name in of.order]
    names = [each.facts.current.name for s in standings for each in s.key_results]
    held = all_in_force(connection, names, position, of.day)
    continued = plan.members_of_many(
        connection, [plan.continuations_of(name) for name in names], position
    )
    found: dict[str, list[Outcome]] = {}
    for objective in standings:
        found[objective.objective.name] = [
            _outcome(
                of,
                objective.objective,
                each,
                counts=objective.counts and not each.facts.current.dropped,
                check_ins=held[each.facts.current.name],
                continued_by=continued[plan.continuations_of(each.facts.current.name)],
            )
            for each in objective.key_results
        ]
    return found


def _outcome(
    of: Tree,
    objective: Objective,
    standing: KeyResultStanding,
    *,
    counts: bool,
    check_ins: Sequence[KnownCheckIn],
    continued_by: Sequence[str],
) -> Outcome:
    key_result = standing.facts.current
    definition = scoring_definition(key_result.definition)
    owner = owner_of(objective, key_result)
    mid = mid_day(of.cycle)
    early = [each for each in check_ins if each.effective <= mid <= of.day]
    zone = of.cycle.definition.time_zone
    told = [(each.effective, _told(each, zone)) for each in check_ins]
    return Outcome(
        standing,
        objective,
        definition,
        owner,
        counts,
        met(standing.scores.current, commitment_of(objective)),
        in_units(standing, definition),
        _confidence(early, owner),
        foretold(definition, [each.check_in for each in early], of.cycle, mid),
        tally(objective, key_result, of.cycle, told, of.day),
        check_ins,
        continued_by,
    )


def _confidence(check_ins: Sequence[KnownCheckIn], owner: str) -> MidConfidence | None:
    """The last one given."""
    for each in reversed(check_ins):
        content = each.measured
        if content.HasField("confidence"):
            said = each.correction or each.recording
            giver = said.on_behalf_of.plain or said.actor.plain
            return MidConfidence(content.confidence, _role(giver, owner))
    return None


def _role(giver: str, owner: str) -> ConfidenceRole.ValueType:
    if giver.startswith("services/"):
        return ConfidenceRole.CONFIDENCE_ROLE_SERVICE
    if giver == owner:
        return ConfidenceRole.CONFIDENCE_ROLE_OWNER
    return ConfidenceRole.CONFIDENCE_ROLE_COLLEAGUE


def _told(check_in: KnownCheckIn, time_zone: str) -> date:
    """The day on which it was first told, by the source's own time where it was imported."""
    said = check_in.recording
    if said.HasField("source_time"):
        time = said.source_time
        return day_in(time_zone, time.seconds * 1_000_000 + time.nanos // 1000)
    return day_in(time_zone, check_in.recorded_us)
