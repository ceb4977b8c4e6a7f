"""The working of a key result's score; the same rules as `key_result`, written as steps."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from ledger.scoring.definition import MOVING, Definition, Direction, Metric
from ledger.scoring.exact import ONE, ZERO
from ledger.scoring.key_result import COMMIT_SCORE, TARGET_SCORE, bounds, zones
from ledger.scoring.policy import Boundary, Clamp, Formula, Maintain, Policy
from ledger.scoring.working import Operation, Source, Working

__all__ = ["KeyResultWorking", "Measured", "Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy at work; `source` says where each of its knobs was recorded."""

    working: Working
    policy: Policy
    source: Callable[[str], Source]

    def knob(self, name: str) -> int:
        """A knob as a choice."""
        chosen: str = getattr(self.policy, name).name
        return self.working.choice(chosen, f"policy: {name.replace('_', ' ')}", self.source(name))

    def clamped(self, step: int) -> int:
        """A step within the limits that the policy sets for a score."""
        limits: dict[Clamp, tuple[Decimal, ...]] = {
            Clamp.NONE: (),
            Clamp.FLOOR_ONLY: (ZERO,),
            Clamp.UNIT: (ZERO, ONE),
        }
        held = [self.working.constant(limit) for limit in limits[self.policy.clamp]]
        return self.working.apply(
            Operation.CLAMP, [step, *held], "within the scale", (self.knob("clamp"),)
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A reading as steps.

    `value` is the value in force, a NOTHING step where there is none. `periods` has a step for
    each period that counts, a constant 0 for one without a check-in. `completed` holds the ids of
    milestones and `said` the step of the check-in that names them. `missing` is the NOTHING step
    of a key result that is not measured, None for one that is.
    """

    value: int
    periods: tuple[tuple[int, bool], ...] = ()
    completed: frozenset[str] = frozenset()
    said: tuple[int, ...] = ()
    missing: int | None = None


@dataclass(frozen=True, slots=True)
class KeyResultWorking:
    """A key result whose score is worked out; `source` says where each number was recorded."""

    name: str
    rules: Rules
    definition: Definition
    source: Callable[[str], Source]
    measured: Measured

    def score(self) -> int:
        """The attainment made a grade by the policy, rounded once."""
        graded = self.rules.clamped(self.attainment())
        return self.rules.working.apply(Operation.ROUND, [graded], "score", subject=self.name)

    def attainment(self) -> int:
        """How far the key result has come, unclamped and not rounded."""
        missing, definition = self.measured.missing, self.definition
        if missing is not None:
            return missing
        if definition.metric is Metric.MILESTONES:
            return self._completed_share()
        if definition.metric is Metric.NUMBER and not self.moves:
            return self._maintained()
        if not self._has_value:
            return self.measured.value
        if definition.metric is Metric.BINARY:
            done = self.rules.working.constant(ONE, "done")
            return self._apply(Operation.AT_LEAST, self.measured.value, done, label="attainment")
        if definition.metric is Metric.ZONES:
            return self._zoned()
        if definition.target is None:
            return self.rules.working.nothing("the definition has no target")
        if self.rules.policy.formula is Formula.RATIO:
            return self._share_of_target()
        achieved, wanted = (self._way(to) for to in (self.measured.value, self.fact("target")))
        return self._apply(
            Operation.DIVIDE, achieved, wanted, label="attainment", because="formula"
        )

    def fact(self, name: str) -> int:
        """A number of the definition, 0 where it has none."""
        number: Decimal | None = getattr(self.definition, name)
        label = name.replace("_", " ")
        if number is None:
            return self.rules.working.constant(ZERO, label)
        return self.rules.working.fact(number, label, self.name, self.source(name))

    @property
    def moves(self) -> bool:
        """Whether it is a number that leads from a baseline to a target."""
        return self.definition.metric is Metric.NUMBER and self.definition.direction in MOVING

    def amounts(self) -> tuple[int, int] | None:
        """What was achieved of what is wanted, for a sum of values; None where it has no way."""
        definition, target = self.definition, self.definition.target
        if not self.moves or target is None:
            return None
        nothing = self.rules.working.constant(ZERO, "nothing achieved")
        known = self.measured.missing is None and self._has_value
        if self.rules.policy.formula is Formula.RATIO:
            if definition.direction is Direction.DECREASE:
                fits = known and target > 0 and self._number(self.measured.value) > 0
                return (self.fact("target"), self.measured.value) if fits else None
            achieved = self.measured.value if known else nothing
            return (achieved, self.fact("target")) if target > 0 else None
        falling = target < (definition.baseline or ZERO)
        achieved = self._way(self.measured.value, falling=falling) if known else nothing
        return achieved, self._way(self.fact("target"), falling=falling)

    @property
    def _has_value(self) -> bool:
        return self.rules.working.numbers[self.measured.value] is not None

    def _number(self, step: int) -> Fraction:
        number = self.rules.working.numbers[step]
        assert number is not None
        return number

    def _apply(self, operation: Operation, *inputs: int, label: str = "", because: str = "") -> int:
        chosen = (self.rules.knob(because),) if because else ()
        return self.rules.working.apply(operation, inputs, label, chosen)

    def _way(self, to: int, *, falling: bool = False) -> int:
        ends = (self.fact("baseline"), to) if falling else (to, self.fact("baseline"))
        label = "way to the target" if to == self.fact("target") else "way made"
        return self._apply(Operation.SUBTRACT, *ends, label=label)

    def _completed_share(self) -> int:
        working = self.rules.working
        weights = {
            at: working.fact(
                step.weight,
                f"weight of {step.id}",
                self.name,
                self.source(f"milestones[{at}].weight"),
            )
            for at, step in enumerate(self.definition.milestones)
        }
        done = [
            weights[at]
            for at, step in enumerate(self.definition.milestones)
            if step.id in self.measured.completed
        ]
        reached = working.apply(Operation.ADD, done, "milestones reached", self.measured.said)
        whole = working.apply(Operation.ADD, list(weights.values()), "all milestones")
        return self._apply(Operation.DIVIDE, reached, whole, label="attainment")

    def _share_of_target(self) -> int:
        value, target = self.measured.value, self.fact("target")
        positive = self._number(target) > 0
        if self.definition.direction is Direction.DECREASE:
            if positive and self._number(value) > 0:
                operation, inputs = Operation.DIVIDE, (target, value)
            else:
                operation, inputs = Operation.AT_MOST, (value, target)
        else:
            operation = Operation.DIVIDE if positive else Operation.AT_LEAST
            inputs = (value, target)
        return self._apply(operation, *inputs, label="attainment", because="formula")

    def _maintained(self) -> int:
        lower, upper = bounds(self.definition)
        working, policy = self.rules.working, self.rules.policy
        if lower is None and upper is None:
            return working.nothing("the definition has no bounds")
        if policy.maintain is Maintain.SHARE_OF_PERIODS:
            if not self.measured.periods:
                return working.nothing("no period has passed")
            kept = [
                self._within(step) if checked else step for step, checked in self.measured.periods
            ]
            return self._apply(Operation.MEAN, *kept, label="attainment", because="maintain")
        if not self._has_value:
            return self.measured.value
        if policy.maintain is Maintain.DISTANCE:
            return self._distance(lower, upper)
        return self._within(self.measured.value, "attainment", self.rules.knob("maintain"))

    def _within(self, value: int, label: str = "bounds kept", *because: int) -> int:
        """1 where a value keeps the bounds, else 0."""
        lower, upper = bounds(self.definition)
        strict = self.rules.policy.boundary is Boundary.STRICT
        above = Operation.MORE_THAN if strict else Operation.AT_LEAST
        below = Operation.LESS_THAN if strict else Operation.AT_MOST
        working, why = self.rules.working, (self.rules.knob("boundary"),)
        kept = [
            working.apply(operation, [value, self.fact(bound)], f"{bound} bound kept", why)
            for operation, bound, number in ((above, "lower", lower), (below, "upper", upper))
            if number is not None
        ]
        return working.apply(Operation.MULTIPLY, kept, label, because)

    def _distance(self, lower: Decimal | None, upper: Decimal | None) -> int:
        working, value = self.rules.working, self.measured.value
        number, why = self._number(value), (self.rules.knob("maintain"),)
        if upper is not None and (lower is None or number > Fraction(upper)):
            bound, ends = self.fact("upper"), (self.fact("upper"), value)
        elif lower is not None and (upper is None or number < Fraction(lower)):
            bound, ends = self.fact("lower"), (value, self.fact("lower"))
        else:
            sides = (
                working.apply(Operation.AT_LEAST, [value, self.fact("lower")]),
                working.apply(Operation.AT_MOST, [value, self.fact("upper")]),
            )
            return working.constant(ONE, "attainment between the bounds", (*why, *sides))
        if not self._number(bound):
            return self._within(value, "attainment", *why)
        room = working.apply(Operation.SUBTRACT, ends, "room left before the bound")
        size = working.apply(Operation.MAGNITUDE, [bound], "size of the bound")
        share = working.apply(Operation.DIVIDE, [room, size])
        return working.apply(Operation.ADD, [working.constant(ONE), share], "attainment", why)

    def _zoned(self) -> int:
        working, definition = self.rules.working, self.definition
        if definition.stretch is None:
            return working.nothing("the definition has no stretch")
        derived = dict(
            zip(("commit", "target"), zones(definition.baseline or ZERO, definition.stretch),
                strict=True)
        )  # fmt: skip
        points = [self.measured.value]
        for name, score in (
            ("baseline", ZERO),
            ("commit", COMMIT_SCORE),
            ("target", TARGET_SCORE),
            ("stretch", ONE),
        ):
            if name in derived and getattr(definition, name) is None:
                points.append(
                    working.constant(derived[name], f"{name} between baseline and stretch")
                )
            else:
                points.append(self.fact(name))
            points.append(working.constant(score, f"score at the {name}"))
        return working.apply(Operation.PIECEWISE, points, "attainment")
