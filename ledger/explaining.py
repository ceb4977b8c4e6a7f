"""Where scores come from: the working of any score of a board, down to the events.

Pure, as `standing` is. The steps are written by the rules of `ledger.scoring.explain_*`, of the
same facts as the scores, and have to lead to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from ledger.cycles import cycle_of
from ledger.definitions import scoring_definition
from ledger.objectives import KEY_RESULTS
from ledger.policies import policy_of
from ledger.provenance import grading_of, source_of
from ledger.scoring.definition import Aggregation, Definition
from ledger.scoring.exact import ZERO
from ledger.scoring.explain_key_result import KeyResultWorking, Rules
from ledger.scoring.explain_key_result import Measured as MeasuredSteps
from ledger.scoring.explain_rollup import Member, mean, objective
from ledger.scoring.policy import CycleRollup
from ledger.scoring.working import RULES, Operation, Source, Working
from ledger.standing import Kind, Measured, ObjectiveStanding, Standings
from okr.v1.values_pb2 import ObjectiveState

if TYPE_CHECKING:
    from ledger.check_ins import CheckIn
    from ledger.cycles import Cycle
    from ledger.key_results import KeyResult
    from ledger.objectives import Objective
    from ledger.standing import Contribution, Facts, KeyResultStanding

VALUE = "measurement.value"


class Explaining:
    """Writes the working of scores of one board; every method returns the index of a score's step.

    Costs by the number of key results that the score stands on.
    """

    def __init__(self, known: Facts, standings: Standings) -> None:
        self.working = Working()
        self._facts = known
        self._standings = standings
        self._found: dict[tuple[str, Kind], int] = {}

    def key_result(self, name: str, kind: Kind) -> int:
        """One of a key result's three scores."""
        found = self._found.get((name, kind))
        if found is None:
            made = self._key_result(self._standings.key_result(name), kind)
            found = self.working.nothing(_LATER) if made is None else made.score()
            self._found[name, kind] = found
        return found

    def objective(self, name: str, kind: Kind) -> int:
        """One of an objective's three scores; of the current ones the final."""
        found = self._found.get((name, kind))
        if found is None:
            found = self._objective(self._standings.objective(name), kind)
            self._found[name, kind] = found
        return found

    def group(
        self, name: str, objectives: Iterable[str], cycle: Cycle, kind: Kind, *, whole_cycle: bool
    ) -> int:
        """One of the three scores of a team's objectives, or of a whole cycle's."""
        if kind is Kind.ORIGINAL and not cycle.plan_position:
            return self.working.nothing("the plan is not committed")
        rules = self._rules(cycle)
        members = self._standings.members(objectives, kind)
        if not whole_cycle:
            return mean([self.objective(m.objective.name, kind) for m in members], rules, name)
        how = (rules.knob("cycle_rollup"),)
        if rules.policy.cycle_rollup is CycleRollup.MEAN_OF_KEY_RESULTS:
            parts = [k.facts.current.name for m in members for k in m.parts(kind)]
            return mean([self.key_result(part, kind) for part in parts], rules, name, how)
        return mean([self.objective(m.objective.name, kind) for m in members], rules, name, how)

    def _objective(self, standing: ObjectiveStanding, kind: Kind) -> int:
        name = standing.objective.name
        original = kind is Kind.ORIGINAL
        if original and name not in self._facts.planned:
            return self.working.nothing(_LATER)
        contributions = standing.planned_contributions if original else standing.contributions
        computed = objective(
            [self._member(part, kind) for part in standing.parts(kind)],
            [self._child(name, each, kind) for each in contributions],
            self._rules(self._standings.cycle_of(name)),
            name,
        )
        graded = standing.objective.closed == ObjectiveState.OBJECTIVE_STATE_GRADED
        if kind is not Kind.CURRENT or not graded:
            return computed
        final = self._graded(standing.objective)
        return self.working.apply(Operation.OVERRIDE, [final, computed], "final score", (), name)

    def _graded(self, closed: Objective) -> int:
        """The score that was recorded when the objective was graded last."""
        grading = grading_of(closed, self._facts.day)
        assert grading is not None
        position, fact = grading
        for field, label in _GRADES:
            if fact.HasField(field):
                number = Decimal(getattr(fact, field))
                return self.working.fact(number, label, closed.name, Source(position, field))
        return self.working.nothing("graded without a score", Source(position))

    def _member(self, standing: KeyResultStanding, kind: Kind) -> Member:
        name = standing.facts.current.name
        made = self._key_result(standing, kind)
        assert made is not None
        amounts = made.amounts()
        target = made.fact("target") if made.moves and made.definition.target is not None else None
        return Member(self.key_result(name, kind), made.fact("weight"), target, amounts)

    def _child(self, parent: str, contribution: Contribution, kind: Kind) -> Member:
        child = contribution.child
        find = self.key_result if KEY_RESULTS in child else self.objective
        weight = self.working.fact(
            contribution.weight, "weight of the alignment", parent,
            Source(contribution.position, "weight"),
        )  # fmt: skip
        return Member(find(child, kind), weight)

    def _key_result(self, standing: KeyResultStanding, kind: Kind) -> KeyResultWorking | None:
        """A key result under the definition that the score is held against, None without one."""
        known, cycle = standing.facts, self._standings.cycle_of(standing.facts.current.name)
        message, revisions, on = known.current.definition, known.current.revisions, self._facts.day
        if kind is Kind.ORIGINAL:
            if known.original is None:
                return None
            message, on = known.original, date.max
            revisions = tuple(r for r in revisions if r.position <= cycle.plan_position)
        elif kind is Kind.AS_JUDGED and known.judged is not None:
            message, on = known.judged, known.check_ins[-1].effective
        definition = scoring_definition(message)
        policy = policy_of(cycle.definition.policy)
        measured = Measured(known.check_ins, cycle, policy, self._facts.day)
        return KeyResultWorking(
            known.current.name,
            self._rules(cycle),
            definition,
            lambda field: source_of(revisions, on, _PATHS.get(field, field)),
            self._measured(known.current, measured, definition),
        )

    def _measured(
        self, key_result: KeyResult, measured: Measured, definition: Definition
    ) -> MeasuredSteps:
        """What `Measured.reading` says, as steps."""
        working, name, last = self.working, key_result.name, measured.last
        if last is None or last.content.measurement.HasField("not_measured"):
            said = RULES if last is None else Source(last.content_position, "measurement")
            missing = working.nothing("not measured" if last else "no check-in yet", said)
            return MeasuredSteps(missing, missing=missing)
        where = Source(last.content_position, "measurement.completed")
        if last.content.measurement.HasField("completed"):
            ids = last.content.measurement.completed.ids
            return MeasuredSteps(
                working.nothing("the check-in names milestones", where),
                completed=frozenset(ids),
                said=(working.choice(", ".join(ids), "milestones reached", where),),
            )
        if definition.aggregation is Aggregation.SUM:
            values = [value for c in measured.check_ins for value in self._value(name, c)]
            value = working.apply(Operation.ADD, values, "sum of check-ins")
        else:
            (value,) = self._value(name, last)
        none = working.constant(ZERO, "period without a check-in")
        periods = [
            next((value for c in inside for value in self._value(name, c)), None)
            for inside in measured.periods(definition)
        ]
        return MeasuredSteps(
            value, tuple((none, False) if each is None else (each, True) for each in periods)
        )

    def _value(self, name: str, check_in: CheckIn) -> Sequence[int]:
        """A check-in's number, () where it gives none."""
        if not check_in.content.measurement.HasField("value"):
            return ()
        number = Decimal(check_in.content.measurement.value)
        where = Source(check_in.content_position, VALUE)
        return (self.working.fact(number, "value", name, where),)

    def _rules(self, cycle: Cycle) -> Rules:
        latest = cycle_of(cycle.name, cycle.revisions) or cycle
        on = max(self._facts.day, latest.first_day)
        return Rules(
            self.working,
            policy_of(cycle.definition.policy),
            lambda knob: source_of(cycle.revisions, on, f"policy.{knob}"),
        )


_GRADES: Final[tuple[tuple[Literal["override_score", "computed_score"], str], ...]] = (
    ("override_score", "score set by a person"),
    ("computed_score", "score when graded"),
)
_LATER = "added after plan commitment"
_PATHS = {"lower": "lower_bound", "upper": "upper_bound"}
