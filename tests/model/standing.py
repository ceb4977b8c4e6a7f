"""Where everything stands at (position, day): the three scores, statuses and roll-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1 import values_pb2 as values
from okr.v1.values_pb2 import Commitment, ScoringPolicy
from tests.model import measure
from tests.model.known import Absent, CheckIn, Cycle, KeyResult, Known, Objective
from tests.model.measure import Measured
from tests.model.numbers import Score, number
from tests.model.rollup import Unit, mean, rolled_up, unit


class Three(NamedTuple):
    """The three scores."""

    current: Score
    original: Score
    as_judged: Score


@dataclass(frozen=True)
class KeyResultLine:
    """Where a key result stands; the units are what counts of it in the three scores."""

    key_result: KeyResult
    check_ins: Sequence[CheckIn]
    value: Score
    attainment: Score
    current: Unit
    original: Unit | None
    judged: Unit
    expected_progress: Score
    expected_value: Score
    status: resources.Status.ValueType

    @property
    def scores(self) -> Three:
        original = self.original.score if self.original else None
        return Three(self.current.score, original, self.judged.score)


@dataclass(frozen=True)
class ObjectiveLine:
    """Where an objective stands."""

    objective: Objective
    scores: Three
    computed: Score
    lines: Sequence[KeyResultLine]
    shares: Mapping[str, Fraction]
    children: Sequence[tuple[str, Score, Fraction]]
    status: resources.Status.ValueType
    planned: bool

    @property
    def met(self) -> bool:
        committed = self.objective.definition.commitment == Commitment.COMMITMENT_COMMITTED
        wanted = Fraction(1) if committed else Fraction(7, 10)
        return self.scores.current is not None and self.scores.current >= wanted

    @property
    def counting(self) -> list[KeyResultLine]:
        return [line for line in self.lines if not line.key_result.dropped]


@dataclass(frozen=True)
class Group:
    """Where a team's tree or a cycle stands."""

    scores: Three
    status: resources.Status.ValueType
    count: int


class Standing:
    """Everything known, on a day; `simulated` is the policy of one cycle in place of its own."""

    def __init__(
        self, known: Known, day: date, simulated: tuple[str, ScoringPolicy] | None = None
    ) -> None:
        self.known, self.day, self.simulated = known, day, simulated
        self._lines: dict[str, KeyResultLine] = {}
        self._objectives: dict[str, ObjectiveLine] = {}
        self._plans: dict[int, Known] = {}

    @cached_property
    def edges(self) -> list[facts.Aligned]:
        """The alignments in force."""
        return self.known.edges(self.day)

    def cycle(self, name: str) -> Cycle:
        """A cycle on the day."""
        found = self.known.cycle(name, self.day)
        if self.simulated and self.simulated[0] == name:
            definition = values.CycleDefinition()
            definition.CopyFrom(found.definition)
            definition.policy.CopyFrom(self.simulated[1])
            return Cycle(
                name, definition, found.state, found.plan_position, found.plan_date, found.seal
            )
        return found

    # --- key results ---

    def key_result(self, name: str) -> KeyResultLine | None:
        """A key result, None where it does not hold."""
        if name not in self._lines and self.known.key_result(name, self.day) is not None:
            self._lines[name] = self._key_result(name)
        return self._lines.get(name)

    def _key_result(self, name: str) -> KeyResultLine:
        there = self.known.key_result(name, self.day)
        assert there is not None
        cycle = self.cycle(self.known.cycle_of(name))
        policy = cycle.definition.policy
        held = self.known.in_force(name, self.day)
        measured = Measured(
            [(c.day, c.content.payload.measurement) for c in held], cycle.definition, self.day
        )
        planned = self._planned_definition(name, cycle)
        judged = self.known.key_result(name, held[-1].day) if held else None
        definition = there.definition
        on = min(self.day, cycle.last)
        expected = measure.expected_progress(definition, cycle.definition, on)
        attained = measure.attainment(definition, measured, policy)
        cadence = cycle.definition.cadence
        stale = bool(held) and on > measure.next_check_in(held[-1].day, cadence)
        return KeyResultLine(
            key_result=there,
            check_ins=held,
            value=measure.value(definition, measured),
            attainment=attained,
            current=unit(definition, measured, policy),
            original=unit(planned, measured, policy) if planned else None,
            # Where nothing was defined yet on the check-in's day, by the definition in force.
            judged=unit(judged.definition if judged else definition, measured, policy),
            expected_progress=expected,
            expected_value=measure.expected_value(definition, cycle.definition, on),
            status=measure.status(expected, attained, policy, stale=stale),
        )

    def _planned_definition(self, name: str, cycle: Cycle) -> values.KeyResultDefinition | None:
        there = self._upto(cycle.plan_position).key_result(name)
        return there.definition if there and not there.dropped else None

    # --- objectives ---

    def objective(self, name: str) -> ObjectiveLine | None:
        """An objective, None where it does not hold."""
        if name not in self._objectives and self.known.objective(name, self.day) is not None:
            self._objectives[name] = self._objective(name)
        return self._objectives.get(name)

    def _objective(self, name: str) -> ObjectiveLine:
        there = self.known.objective(name, self.day)
        assert there is not None
        policy = self.cycle(there.cycle).definition.policy
        lines = [
            line for k in self.known.key_results(name) if (line := self.key_result(k)) is not None
        ]
        counting = [line for line in lines if not line.key_result.dropped]
        edges = [e for e in self.known.contributions(name, self.day) if self._counts(e.child)]
        scores = [self._scores_of(edge.child) for edge in edges]
        weights = [number(edge.weight) for edge in edges]
        rolled = rolled_up(
            [line.current for line in counting],
            [Unit(s.current, w) for s, w in zip(scores, weights, strict=True)],
            policy,
        )
        judged = rolled_up(
            [line.judged for line in counting],
            [Unit(s.as_judged, w) for s, w in zip(scores, weights, strict=True)],
            policy,
        )
        final = rolled.score
        graded = bool(there.closed) and not there.abandoned
        if graded and not (self._simulates(there) and there.override is None):
            final = None if there.final is None else number(there.final)
        own = len(counting)
        shares = {line.key_result.name: Fraction(0) for line in lines}
        shares.update(
            (line.key_result.name, share)
            for line, share in zip(counting, rolled.shares, strict=False)
        )
        return ObjectiveLine(
            objective=there,
            scores=Three(final, self._original(name), judged.score),
            computed=rolled.score,
            lines=lines,
            shares=shares,
            children=[
                (edge.child, score.current, share)
                for edge, score, share in zip(edges, scores, rolled.shares[own:], strict=True)
            ],
            status=measure.status_of_all([line.status for line in counting], policy),
            planned=self._is_planned(name),
        )

    def _simulates(self, objective: Objective) -> bool:
        return self.simulated is not None and self.simulated[0] == objective.cycle

    def _counts(self, child: str) -> bool:
        """Whether a child is there, is not dropped, and its objective is not abandoned."""
        objective = self.known.objective(child.partition("/keyResults/")[0], self.day)
        if objective is None or objective.abandoned:
            return False
        if "/keyResults/" not in child:
            return True
        there = self.known.key_result(child, self.day)
        return there is not None and not there.dropped

    def _scores_of(self, child: str) -> Three:
        line = self.key_result(child) if "/keyResults/" in child else self.objective(child)
        assert line is not None
        return line.scores

    # --- the original plan ---

    def _at_commitment(self, objective: str) -> Known:
        """What was known when the plan of an objective's cycle was committed; nothing before."""
        return self._upto(self.cycle(self.known.cycle_of(objective)).plan_position)

    def _upto(self, position: int) -> Known:
        if position not in self._plans:
            self._plans[position] = self.known.upto(position)
        return self._plans[position]

    def _is_planned(self, name: str) -> bool:
        if "/keyResults/" in name:
            there = self._at_commitment(name).key_result(name)
            return there is not None and not there.dropped
        then = self._at_commitment(name).objective(name)
        return then is not None and not then.closed

    def _original(self, name: str) -> Score:
        """The original objective keeps its key results, weights and children."""
        if not self._is_planned(name):
            return None
        then = self._at_commitment(name)
        units = [
            line.original
            for k in self.known.key_results(name)
            if (line := self.key_result(k)) is not None and line.original is not None
        ]
        edges = [
            e
            for e in then.contributions(name, date.max)
            if self._holds(e.child) and (self._counts(e.child) or self._is_planned(e.child))
        ]
        children = [Unit(self._original_of(e.child), number(e.weight)) for e in edges]
        policy = self.cycle(self.known.cycle_of(name)).definition.policy
        return rolled_up(units, children, policy).score

    def _holds(self, child: str) -> bool:
        if "/keyResults/" in child:
            return self.known.key_result(child, self.day) is not None
        return self.known.objective(child, self.day) is not None

    def _original_of(self, child: str) -> Score:
        if "/keyResults/" not in child:
            return self._original(child)
        line = self.key_result(child)
        assert line is not None
        return line.scores.original

    # --- teams and cycles ---

    def group(self, names: Sequence[str], cycle: str, *, whole: bool) -> Group:
        """Objectives of a cycle together: of a team's tree, or all of them."""
        there = self.cycle(cycle)
        policy = there.definition.policy
        lines = [line for name in names if (line := self.objective(name)) is not None]
        counting = [line for line in lines if not line.objective.abandoned]
        planned = [line for line in lines if line.planned]
        if whole and policy.cycle_rollup == ScoringPolicy.CYCLE_ROLLUP_MEAN_OF_KEY_RESULTS:
            inner = [part.scores for line in counting for part in line.counting]
            current, judged = [s.current for s in inner], [s.as_judged for s in inner]
            parts = [part for line in planned for part in line.lines if part.original]
            original = [part.scores.original for part in parts]
        else:
            current = [line.scores.current for line in counting]
            judged = [line.scores.as_judged for line in counting]
            original = [line.scores.original for line in planned]
        return Group(
            Three(
                mean(current, policy),
                mean(original, policy) if there.plan_position else None,
                mean(judged, policy),
            ),
            measure.status_of_all([line.status for line in counting], policy),
            len(counting),
        )

    def members(self, cycle: str, teams: Sequence[str]) -> list[str]:
        """The cycle's objectives of some teams on the day: by team, then by creation."""
        there = [
            (name, self.known.objective(name, self.day)) for name in self.known.objectives(cycle)
        ]
        return [
            name
            for team in teams
            for name, found in there
            if found is not None and found.definition.team == team
        ]

    def team(self, team: str, cycle: str) -> Group:
        """A team's tree in a cycle."""
        teams = self.known.teams(self.day)
        if team not in teams:
            raise Absent(team)
        return self.group(self.members(cycle, self.known.tree(teams, team)), cycle, whole=False)

    def whole_cycle(self, cycle: str) -> Group:
        """A cycle."""
        teams = self.known.teams(self.day)
        return self.group(self.members(cycle, self.known.tree(teams, "")), cycle, whole=True)

    def score(self, subject: str, cycle: str) -> Three | None:
        """The scores that count of anything; None of what does not count or is not there."""
        if subject.startswith("cycles/"):
            return self.whole_cycle(subject).scores if self._drafted(subject) else None
        if subject.startswith("teams/"):
            there = self._drafted(cycle) and self.known.team(subject, self.day)
            return self.team(subject, cycle).scores if there else None
        objective = self.known.objective(subject.partition("/keyResults/")[0], self.day)
        if objective is None or objective.abandoned:
            return None
        if "/keyResults/" not in subject:
            return self._scores_of(subject)
        line = self.key_result(subject)
        return None if line is None or line.key_result.dropped else line.scores

    def _drafted(self, cycle: str) -> bool:
        return bool(self.known.of(cycle, "CycleDrafted"))
