"""Where plans stand on a day: the facts in force, made scores, statuses and roll-ups.

Pure: whoever has the facts (the write side when it grades, the read side when it answers) gets
the same digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from ledger.check_ins import CheckIn
from ledger.cycles import Cycle
from ledger.definitions import scoring_definition
from ledger.key_results import KeyResult
from ledger.objectives import KEY_RESULTS, Objective, stream_of
from ledger.policies import policy_of
from ledger.scoring import pace
from ledger.scoring.exact import ZERO, total
from ledger.scoring.key_result import (
    UNMEASURED,
    Aggregation,
    Definition,
    Reading,
    attainment,
)
from ledger.scoring.key_result import Direction as ScoringDirection
from ledger.scoring.pace import Band, Cadence, Commitment, Status
from ledger.scoring.policy import Maintain, Policy
from ledger.scoring.rollup import Unit, cycle_score, objective_rollup, team_score, unit
from okr.v1 import values_pb2 as values
from okr.v1.values_pb2 import KeyResultDefinition, ObjectiveState

_KEPT = (
    ScoringDirection.MAINTAIN_AT_LEAST,
    ScoringDirection.MAINTAIN_AT_MOST,
    ScoringDirection.MAINTAIN_WITHIN,
)


@dataclass(frozen=True, slots=True)
class KeyResultFacts:
    """What is known of a key result on the day.

    `original` is its definition at plan commitment, None for a later addition; `judged` the
    definition in force on the day of the check-in in force. `check_ins` holds, in order, those in
    force on the day: all of them for a sum or a share of periods, else the last one at most.
    """

    current: KeyResult
    original: KeyResultDefinition | None
    judged: KeyResultDefinition | None
    check_ins: Sequence[CheckIn]


@dataclass(frozen=True, slots=True)
class Contribution:
    """A child that counts in a parent's score with a weight.

    `position` is that of the event that aligned it.
    """

    child: str
    weight: Decimal
    position: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known and in force on a day, of some objectives and all that contribute to them.

    `contributors` and `planned_contributors` (those of the original plan) are by parent.
    `planned` names the objectives of the original plan.
    """

    day: date
    cycles: Mapping[str, Cycle]
    objectives: Mapping[str, Objective]
    key_results: Mapping[str, KeyResultFacts]
    contributors: Mapping[str, Sequence[Contribution]] = field(default_factory=dict)
    planned_contributors: Mapping[str, Sequence[Contribution]] = field(default_factory=dict)
    planned: frozenset[str] = frozenset()


class Kind(StrEnum):
    """Which of the three scores."""

    CURRENT = "current"
    ORIGINAL = "original"
    AS_JUDGED = "as_judged"


@dataclass(frozen=True, slots=True)
class Three:
    """Three scores side by side; None where there is none."""

    current: Decimal | None
    original: Decimal | None
    as_judged: Decimal | None

    def of(self, kind: Kind) -> Decimal | None:
        """One of them."""
        found: Decimal | None = getattr(self, kind.value)
        return found


NO_SCORES = Three(None, None, None)
"""What has no score of any kind."""


@dataclass(frozen=True, slots=True)
class KeyResultStanding:
    """Where a key result stands."""

    facts: KeyResultFacts
    value: Decimal | None
    attainment: Decimal | None
    scores: Three
    expected_progress: Decimal | None
    expected_value: Decimal | None
    status: Status
    band: Band | None
    unit: Unit
    original_unit: Unit | None
    judged_unit: Unit


@dataclass(frozen=True, slots=True)
class ChildStanding:
    """A contributing child and its share of the parent's score."""

    name: str
    score: Decimal | None
    share: Decimal


@dataclass(frozen=True, slots=True)
class ObjectiveStanding:
    """Where an objective stands; `shares` are by key result name, 0 for a dropped one.

    `contributions` are those that count in its score, `planned_contributions` those that count in
    its original one.
    """

    objective: Objective
    score: Decimal | None
    computed: Decimal | None
    original: Decimal | None
    as_judged: Decimal | None
    status: Status
    band: Band | None
    met: bool
    key_results: Sequence[KeyResultStanding]
    shares: Mapping[str, Decimal]
    children: Sequence[ChildStanding]
    contributions: Sequence[Contribution]
    planned_contributions: Sequence[Contribution]

    @property
    def counts(self) -> bool:
        """Whether it counts in the scores of its team and cycle."""
        return self.objective.closed != ObjectiveState.OBJECTIVE_STATE_ABANDONED

    @property
    def scores(self) -> Three:
        """The final score beside the other two."""
        return Three(self.score, self.original, self.as_judged)

    def parts(self, kind: Kind) -> list[KeyResultStanding]:
        """The key results that count: in the original plan, else those that are not dropped."""
        if kind is Kind.ORIGINAL:
            return [k for k in self.key_results if k.original_unit is not None]
        return [k for k in self.key_results if not k.facts.current.dropped]


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """Where several objectives stand together: a team's tree or a cycle."""

    scores: Three
    status: Status
    band: Band | None
    objective_count: int


@dataclass(frozen=True, slots=True)
class _Original:
    """An objective's score against the original plan, and the contributions that count in it."""

    score: Decimal | None
    contributions: Sequence[Contribution]


_NO_ORIGINAL = _Original(None, ())


class Standings:
    """Scores of the facts given; each is computed once, when first asked for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._key_results: dict[str, KeyResultStanding] = {}
        self._objectives: dict[str, ObjectiveStanding] = {}
        self._originals: dict[str, _Original] = {}
        # Alignments form no cycle on any day; plans of different positions together may.
        self._in_progress: set[str] = set()
        self._originals_in_progress: set[str] = set()

    def key_result(self, name: str) -> KeyResultStanding:
        """Where a key result stands."""
        found = self._key_results.get(name)
        if found is None:
            cycle = self.cycle_of(name)
            found = _key_result_standing(self._facts.key_results[name], cycle, self._facts.day)
            self._key_results[name] = found
        return found

    def objective(self, name: str) -> ObjectiveStanding:
        """Where an objective stands, with all that contributes to it."""
        found = self._objectives.get(name)
        if found is None:
            self._in_progress.add(name)
            found = self._objective_standing(name)
            self._in_progress.discard(name)
            self._objectives[name] = found
        return found

    def renew(self, facts: Facts, touched: Iterable[str]) -> None:
        """Takes changed facts: the key results and objectives named are scored anew.

        Whoever calls it names everything whose score the change can move. Statuses and expected
        values of what is not named stay those of the day on which they were asked for.
        """
        self._facts = facts
        for name in touched:
            self._key_results.pop(name, None)
            self._objectives.pop(name, None)
            self._originals.pop(name, None)

    def group(self, names: Iterable[str], cycle: Cycle, *, whole_cycle: bool) -> GroupStanding:
        """Where objectives of a cycle stand together; abandoned ones count only in the plan."""
        policy = policy_of(cycle.definition.policy)
        wanted = list(names)
        counting = self.members(wanted, Kind.CURRENT)

        def rolled_up(kind: Kind) -> Decimal | None:
            members = self.members(wanted, kind)
            grades = [s.scores.of(kind) for s in members]
            if not whole_cycle:
                return team_score(grades, policy)
            parts = [[k.scores.of(kind) for k in s.parts(kind)] for s in members]
            return cycle_score(list(zip(grades, parts, strict=True)), policy)

        current = rolled_up(Kind.CURRENT)
        return GroupStanding(
            scores=Three(
                current,
                rolled_up(Kind.ORIGINAL) if cycle.plan_position else None,
                rolled_up(Kind.AS_JUDGED),
            ),
            status=pace.status_rollup([s.status for s in counting], policy),
            band=pace.band(current, policy),
            objective_count=len(counting),
        )

    def members(self, names: Iterable[str], kind: Kind) -> list[ObjectiveStanding]:
        """The objectives that count: in the original plan, else those that are not abandoned."""
        standings = [self.objective(name) for name in names]
        if kind is Kind.ORIGINAL:
            return [s for s in standings if s.objective.name in self._facts.planned]
        return [s for s in standings if s.counts]

    def cycle_of(self, name: str) -> Cycle:
        """The cycle of an objective or key result, as it is on the day."""
        return self._facts.cycles[self._facts.objectives[stream_of(name)].cycle]

    def _objective_standing(self, name: str) -> ObjectiveStanding:
        objective = self._facts.objectives[name]
        cycle = self.cycle_of(name)
        policy = policy_of(cycle.definition.policy)
        key_results = [self.key_result(k) for k in objective.key_results]
        counting = [k for k in key_results if not k.facts.current.dropped]
        contributions = [
            c for c in self._contributors(name, self._in_progress) if self._is_counting(c.child)
        ]
        original = self._original(name)
        grades = [self._three_of(c.child) for c in contributions]
        children = [Unit(g.current, c.weight) for g, c in zip(grades, contributions, strict=True)]
        rolled = objective_rollup([k.unit for k in counting], children, policy)
        judged = objective_rollup(
            [k.judged_unit for k in counting],
            [Unit(g.as_judged, c.weight) for g, c in zip(grades, contributions, strict=True)],
            policy,
        ).score
        graded = objective.closed == ObjectiveState.OBJECTIVE_STATE_GRADED
        final = _decimal(objective.final_score) if graded else rolled.score
        shares = dict.fromkeys(objective.key_results, ZERO)
        shares.update(zip([k.facts.current.name for k in counting], rolled.shares, strict=False))
        return ObjectiveStanding(
            objective=objective,
            score=final,
            computed=rolled.score,
            original=original.score,
            as_judged=judged,
            status=pace.status_rollup([k.status for k in counting], policy),
            band=pace.band(final, policy),
            met=pace.met(final, commitment_of(objective)),
            key_results=key_results,
            shares=shares,
            children=[
                ChildStanding(c.child, g.current, share)
                for c, g, share in zip(
                    contributions, grades, rolled.shares[len(counting) :], strict=True
                )
            ],
            contributions=contributions,
            planned_contributions=original.contributions,
        )

    def _original(self, name: str) -> _Original:
        """The score of the original plan: its key results, weights and contributions.

        Those that were dropped or abandoned since are in it.
        """
        found = self._originals.get(name)
        if found is None:
            self._originals_in_progress.add(name)
            found = self._original_of(name) if name in self._facts.planned else _NO_ORIGINAL
            self._originals_in_progress.discard(name)
            self._originals[name] = found
        return found

    def _original_of(self, name: str) -> _Original:
        contributions = [
            c
            for c in self._contributors(name, self._originals_in_progress, original=True)
            if self._is_counting(c.child) or self._is_planned(c.child)
        ]
        known = self._facts.objectives[name].key_results
        parts = [self.key_result(k).original_unit for k in known]
        rolled = objective_rollup(
            [part for part in parts if part is not None],
            [Unit(self._original_score(c.child), c.weight) for c in contributions],
            policy_of(self.cycle_of(name).definition.policy),
        )
        return _Original(rolled.score, contributions)

    def _original_score(self, child: str) -> Decimal | None:
        if KEY_RESULTS in child:
            return self.key_result(child).scores.original
        return self._original(child).score

    def _contributors(
        self, name: str, in_progress: AbstractSet[str], *, original: bool = False
    ) -> list[Contribution]:
        """What contributes to an objective and is known, of the day or of the original plan."""
        known = self._facts.planned_contributors if original else self._facts.contributors
        return [
            c
            for c in known.get(name, ())
            if stream_of(c.child) in self._facts.objectives
            and (
                c.child in self._facts.key_results
                if KEY_RESULTS in c.child
                else c.child not in in_progress
            )
        ]

    def _is_counting(self, child: str) -> bool:
        if KEY_RESULTS in child and self._facts.key_results[child].current.dropped:
            return False
        objective = self._facts.objectives[stream_of(child)]
        return objective.closed != ObjectiveState.OBJECTIVE_STATE_ABANDONED

    def _is_planned(self, child: str) -> bool:
        if KEY_RESULTS in child:
            return self._facts.key_results[child].original is not None
        return child in self._facts.planned

    def _three_of(self, child: str) -> Three:
        if KEY_RESULTS in child:
            return self.key_result(child).scores
        return self.objective(child).scores


@dataclass(frozen=True)
class Measured:
    """The check-ins in force on a day as the scoring functions read them."""

    check_ins: Sequence[CheckIn]
    cycle: Cycle
    policy: Policy
    day: date

    @cached_property
    def last(self) -> CheckIn | None:
        """The check-in in force."""
        return self.check_ins[-1] if self.check_ins else None

    def reading(self, definition: Definition) -> Reading:
        """What the check-ins amount to under a definition."""
        periods = tuple(next(iter(_values(each)), None) for each in self.periods(definition))
        if self.last is None or self.last.content.measurement.HasField("not_measured"):
            return UNMEASURED
        measurement = self.last.content.measurement
        if measurement.HasField("completed"):
            return Reading(completed=frozenset(measurement.completed.ids))
        if definition.aggregation is Aggregation.SUM:
            return Reading(total(_values(self.check_ins)), periods=periods)
        return Reading(Decimal(measurement.value), periods=periods)

    def periods(self, definition: Definition) -> Sequence[Sequence[CheckIn]]:
        """The last check-in of each period that has ended, and of the running one if checked.

        One or none a period; () where the share of periods is not what counts.
        """
        counts = definition.direction in _KEPT and self.policy.maintain is Maintain.SHARE_OF_PERIODS
        return self._periods if counts else ()

    @cached_property
    def _periods(self) -> Sequence[Sequence[CheckIn]]:
        cadence = cadence_of(self.cycle)
        found: list[Sequence[CheckIn]] = []
        for period in pace.periods(self.cycle.first_day, self.cycle.last_day, cadence):
            if period.first_day > self.day:
                break
            inside = [
                c for c in self.check_ins if period.first_day <= c.effective <= period.last_day
            ]
            if inside or period.last_day < self.day:
                found.append(inside[-1:])
        return found


def _key_result_standing(facts: KeyResultFacts, cycle: Cycle, day: date) -> KeyResultStanding:
    policy = policy_of(cycle.definition.policy)
    measured = Measured(facts.check_ins, cycle, policy, day)
    current = scoring_definition(facts.current.definition)
    reading = measured.reading(current)
    current_unit = unit(current, reading, policy)
    original_unit = _unit_under(facts.original, facts.current, current_unit, measured)
    judged_unit = _unit_under(facts.judged, facts.current, current_unit, measured)
    on = min(day, cycle.last_day)
    expected = pace.expected_progress(current, cycle.first_day, cycle.last_day, on, policy)
    attained = attainment(current, reading, policy)
    last = measured.last
    stale = pace.is_stale(last.effective if last else None, on, cadence_of(cycle))
    return KeyResultStanding(
        facts=facts,
        value=reading.value,
        attainment=attained,
        scores=Three(
            current_unit.score,
            original_unit.score if original_unit else None,
            (judged_unit or current_unit).score,
        ),
        expected_progress=expected,
        expected_value=pace.expected_value(current, cycle.first_day, cycle.last_day, on, policy),
        status=pace.status(expected, attained, policy, stale=stale),
        band=pace.band(current_unit.score, policy),
        unit=current_unit,
        original_unit=original_unit,
        judged_unit=judged_unit or current_unit,
    )


def _unit_under(
    definition: KeyResultDefinition | None, key_result: KeyResult, known: Unit, measured: Measured
) -> Unit | None:
    """The key result as a unit under another definition; the same one is not scored again."""
    if definition is None:
        return None
    if definition == key_result.definition:
        return known
    under = scoring_definition(definition)
    return unit(under, measured.reading(under), measured.policy)


def _values(check_ins: Iterable[CheckIn]) -> list[Decimal]:
    return [
        Decimal(c.content.measurement.value)
        for c in check_ins
        if c.content.measurement.HasField("value")
    ]


def commitment_of(objective: Objective) -> Commitment:
    """What the objective's team promises."""
    name = values.Commitment.Name(objective.definition.commitment)
    return Commitment(name.removeprefix("COMMITMENT_"))


def cadence_of(cycle: Cycle) -> Cadence:
    """How often a cycle asks for a check-in."""
    name = values.Cadence.Name(cycle.definition.cadence)
    return Cadence(name.removeprefix("CADENCE_"))


def _decimal(stored: str | None) -> Decimal | None:
    return None if stored is None else Decimal(stored)
