"""Key-result definitions: defaults, rules, and the form that the scoring functions take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from ledger.refusals import invalid
from ledger.scoring import key_result as scoring
from ledger.scoring.exact import CONTEXT, text
from ledger.scoring.trajectory import LINEAR, Checkpointed, Phased, Trajectory
from ledger.values import blank, day, decimal_text, plain, recorded_day
from okr.v1 import values_pb2 as values
from okr.v1.values_pb2 import Aggregation, Direction, KeyResultDefinition, MeasureKind, Metric

MAINTAIN = (
    Direction.DIRECTION_MAINTAIN_AT_LEAST,
    Direction.DIRECTION_MAINTAIN_AT_MOST,
    Direction.DIRECTION_MAINTAIN_WITHIN,
)
_DECIMALS = (
    "baseline",
    "target",
    "target_change_percent",
    "commit",
    "stretch",
    "lower_bound",
    "upper_bound",
    "weight",
)
_BOUNDS = ("lower_bound", "upper_bound")
_OF_A_NUMBER = ("target_change_percent", "commit", "stretch", *_BOUNDS)
_SMALLEST = Decimal("1E-9")
_LARGEST = Decimal("1E18")


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a cycle, both inclusive."""

    first: date
    last: date


def settled(given: KeyResultDefinition, field: str) -> KeyResultDefinition:
    """The definition with every default filled, numbers in one form, and its rules checked.

    A relative target is resolved against the baseline and both are kept; `field` is the
    definition's path in the request. Whether the trajectory fits is `trajectory_misfit`'s to say.

    Raises:
        FieldInvalid: it breaks a rule.
    """
    result = KeyResultDefinition()
    result.CopyFrom(given)
    result.title = plain(given.title)
    if blank(result.title):
        raise invalid(f"{field}.title", "string.min_len", "must not be empty")
    result.unit = plain(given.unit)
    if result.unit and blank(result.unit):
        raise invalid(f"{field}.unit", "string.blank", "must be empty or say something")
    for name in _DECIMALS:
        if given.HasField(name):  # type: ignore[arg-type]  # a field's name, from the table
            setattr(result, name, decimal_text(getattr(given, name)))
    result.metric = given.metric or Metric.METRIC_NUMBER
    result.aggregation = given.aggregation or Aggregation.AGGREGATION_LAST
    result.measure_kind = given.measure_kind or MeasureKind.MEASURE_KIND_LAG
    if not given.HasField("weight"):
        result.weight = "1"
    if given.owner.HasField("plain"):
        result.owner.plain = plain(given.owner.plain)
    _settle_trajectory(result, f"{field}.trajectory")
    _settle_milestones(result, field)
    match result.metric:
        case Metric.METRIC_BINARY | Metric.METRIC_MILESTONES:
            _settle_whole(result, field)
        case Metric.METRIC_ZONES:
            _settle_zones(result, field)
        case _ if given.direction in MAINTAIN:
            _check_bounds(result, field)
        case _:
            _settle_move(result, field)
    return result


def trajectory_misfit(definition: KeyResultDefinition, days: Days) -> str:
    """Why a trajectory does not fit the rest of its settled definition; empty if it does."""
    trajectory = definition.trajectory
    shape = trajectory.WhichOneof("shape")
    if shape in (None, "linear"):
        return ""
    if definition.metric not in (Metric.METRIC_NUMBER, Metric.METRIC_ZONES) or (
        definition.direction in MAINTAIN
    ):
        return "only a number that moves to a target can follow planned values"
    if shape == "phased":
        return _phased_misfit(trajectory.phased, definition, days)
    return _checkpointed_misfit(trajectory.checkpointed, definition)


def scoring_definition(definition: KeyResultDefinition) -> scoring.Definition:
    """The form that the scoring functions take; `definition` has every default filled."""
    return _scoring_definition(definition.SerializeToString(deterministic=True))


@lru_cache(maxsize=32_768)
def _scoring_definition(serialised: bytes) -> scoring.Definition:
    stored = KeyResultDefinition.FromString(serialised)

    def number(name: str) -> Decimal | None:
        given = stored.HasField(name)  # type: ignore[arg-type]  # a field's name
        return Decimal(getattr(stored, name)) if given else None

    direction = Direction.Name(stored.direction).removeprefix("DIRECTION_")
    return scoring.Definition(
        metric=scoring.Metric(Metric.Name(stored.metric).removeprefix("METRIC_")),
        direction=scoring.Direction(direction),
        aggregation=scoring.Aggregation(
            Aggregation.Name(stored.aggregation).removeprefix("AGGREGATION_")
        ),
        baseline=number("baseline"),
        target=number("target"),
        commit=number("commit"),
        stretch=number("stretch"),
        lower=number("lower_bound"),
        upper=number("upper_bound"),
        weight=Decimal(stored.weight),
        milestones=tuple(scoring.Milestone(m.id, Decimal(m.weight)) for m in stored.milestones),
        trajectory=_scoring_trajectory(stored.trajectory),
    )


def _scoring_trajectory(stored: values.Trajectory) -> Trajectory:
    match stored.WhichOneof("shape"):
        case "phased":
            points = stored.phased.points
            return Phased(tuple((recorded_day(p.day), Decimal(p.value)) for p in points))
        case "checkpointed":
            checkpoints = stored.checkpointed.points
            return Checkpointed(tuple((Decimal(p.value), Decimal(p.share)) for p in checkpoints))
        case _:
            return LINEAR


def _settle_trajectory(result: KeyResultDefinition, field: str) -> None:
    """Fills in the straight line, and writes planned numbers in one form."""
    match result.trajectory.WhichOneof("shape"):
        case "phased":
            for i, planned in enumerate(result.trajectory.phased.points):
                day(planned.day, f"{field}.phased.points[{i}].day")
                planned.value = decimal_text(planned.value)
        case "checkpointed":
            for worth in result.trajectory.checkpointed.points:
                worth.value = decimal_text(worth.value)
                worth.share = decimal_text(worth.share)
        case None:
            result.trajectory.linear.SetInParent()


def _refuse_foreign(result: KeyResultDefinition, field: str, names: tuple[str, ...]) -> None:
    for name in names:
        if result.HasField(name):  # type: ignore[arg-type]  # a field's name, from the caller
            raise invalid(f"{field}.{name}", "metric", "does not belong to this metric")


def _settle_milestones(result: KeyResultDefinition, field: str) -> None:
    if result.metric != Metric.METRIC_MILESTONES:
        if result.milestones:
            raise invalid(f"{field}.milestones", "metric", "belong to the milestones metric")
        return
    if not result.milestones:
        raise invalid(f"{field}.milestones", "required", "must hold at least one")
    for i, step in enumerate(result.milestones):
        step.title = plain(step.title)
        step.weight = decimal_text(step.weight or "1")
        if Decimal(step.weight) == 0:
            raise invalid(f"{field}.milestones[{i}].weight", "gt", "must be greater than 0")
        if blank(step.title):
            raise invalid(f"{field}.milestones[{i}].title", "string.min_len", "must not be empty")
    if len({step.id for step in result.milestones}) < len(result.milestones):
        raise invalid(f"{field}.milestones", "unique", "must have ids of their own")


def _settle_whole(result: KeyResultDefinition, field: str) -> None:
    """What is done or not, as a whole or in parts: from 0 to 1, up, last value counts.

    A binary baseline may be 1: what is done already and is to stay so.
    """
    _refuse_foreign(result, field, _OF_A_NUMBER)
    if result.aggregation == Aggregation.AGGREGATION_SUM:
        raise invalid(f"{field}.aggregation", "metric", "SUM belongs to the number metric")
    if result.direction not in (Direction.DIRECTION_UNSPECIFIED, Direction.DIRECTION_INCREASE):
        raise invalid(f"{field}.direction", "metric", "must be INCREASE for this metric")
    result.direction = Direction.DIRECTION_INCREASE
    if result.target not in ("", "1"):
        raise invalid(f"{field}.target", "metric", "must be 1 for this metric")
    if result.metric == Metric.METRIC_MILESTONES and result.baseline not in ("", "0"):
        raise invalid(f"{field}.baseline", "metric", "must be 0 for this metric")
    if result.baseline not in ("", "0", "1"):
        raise invalid(f"{field}.baseline", "metric", "must be 0 or 1 for this metric")
    if result.metric == Metric.METRIC_BINARY:
        result.baseline = result.baseline or "0"
        result.target = result.target or "1"


def _settle_zones(result: KeyResultDefinition, field: str) -> None:
    _refuse_foreign(result, field, _BOUNDS)
    if result.direction in MAINTAIN:
        raise invalid(f"{field}.direction", "metric", "zones lead up or down to the stretch")
    if not result.HasField("stretch"):
        raise invalid(f"{field}.stretch", "required", "must be given for the zones metric")
    result.baseline = result.baseline or "0"
    baseline, stretch = Decimal(result.baseline), Decimal(result.stretch)
    if baseline == stretch:
        raise invalid(f"{field}.stretch", "differs", "must differ from the baseline")
    commit, target = scoring.zones(baseline, stretch)
    _settle_target(result, field)
    if not result.HasField("commit"):
        result.commit = text(commit)
    if not result.HasField("target"):
        result.target = text(target)
    way = [Decimal(v) for v in (result.baseline, result.commit, result.target, result.stretch)]
    if way not in (sorted(way), sorted(way, reverse=True)):
        raise invalid(
            f"{field}.target", "zones.order", "baseline, commit, target, stretch must be in order"
        )
    _settle_direction(result, field, up=stretch > baseline)


def _check_bounds(result: KeyResultDefinition, field: str) -> None:
    wants_lower = result.direction != Direction.DIRECTION_MAINTAIN_AT_MOST
    wants_upper = result.direction != Direction.DIRECTION_MAINTAIN_AT_LEAST
    for name, wants in (("lower_bound", wants_lower), ("upper_bound", wants_upper)):
        given = result.HasField(name)  # type: ignore[arg-type]  # a field's name
        if wants and not given:
            raise invalid(f"{field}.{name}", "required", "must be given for this direction")
        if given and not wants:
            raise invalid(f"{field}.{name}", "direction", "does not belong to this direction")
    if wants_lower and wants_upper and Decimal(result.lower_bound) > Decimal(result.upper_bound):
        raise invalid(f"{field}.upper_bound", "gte", "must not be below the lower bound")
    if result.aggregation == Aggregation.AGGREGATION_SUM:
        raise invalid(f"{field}.aggregation", "direction", "a kept value is not a sum")
    if result.HasField("target_change_percent"):
        raise invalid(
            f"{field}.target_change_percent", "direction", "does not belong to this direction"
        )


def _settle_move(result: KeyResultDefinition, field: str) -> None:
    for name in _BOUNDS:
        if result.HasField(name):  # type: ignore[arg-type]  # a field's name, from the table
            raise invalid(f"{field}.{name}", "direction", "belongs to the maintain directions")
    result.baseline = result.baseline or "0"
    _settle_target(result, field)
    if not result.HasField("target"):
        raise invalid(f"{field}.target", "required", "must be given, or target_change_percent")
    baseline, target = Decimal(result.baseline), Decimal(result.target)
    if baseline == target:
        raise invalid(f"{field}.target", "differs", "must differ from the baseline")
    _settle_direction(result, field, up=target > baseline)


def _settle_target(result: KeyResultDefinition, field: str) -> None:
    """Resolves a relative target; both forms may be given if they agree."""
    if not result.HasField("target_change_percent"):
        return
    change = CONTEXT.divide(Decimal(result.target_change_percent), Decimal(100))
    exact = CONTEXT.multiply(Decimal(result.baseline), CONTEXT.add(Decimal(1), change))
    resolved = CONTEXT.quantize(exact, _SMALLEST)
    if abs(resolved) >= _LARGEST:
        raise invalid(
            f"{field}.target_change_percent", "decimal.size", "leads to a target over 18 digits"
        )
    if result.HasField("target") and Decimal(result.target) != resolved:
        raise invalid(
            f"{field}.target",
            "target.agrees",
            f"differs from the {text(resolved)} that target_change_percent gives",
        )
    result.target = text(resolved)


def _settle_direction(result: KeyResultDefinition, field: str, *, up: bool) -> None:
    found = Direction.DIRECTION_INCREASE if up else Direction.DIRECTION_DECREASE
    if result.direction not in (Direction.DIRECTION_UNSPECIFIED, found):
        raise invalid(
            f"{field}.direction",
            "direction.signs",
            f"the way from the baseline leads {'up' if up else 'down'}",
        )
    result.direction = found


def _phased_misfit(
    phased: values.PhasedTrajectory, definition: KeyResultDefinition, days: Days
) -> str:
    planned = [recorded_day(point.day) for point in phased.points]
    if any(later <= earlier for earlier, later in pairwise(planned)):
        return "its days must be in order, none twice"
    if planned[0] < days.first or planned[-1] > days.last:
        return f"its days must lie within {days.first} to {days.last}"
    end = Decimal(phased.points[-1].value)
    if end != Decimal(definition.target):
        return f"it ends at {text(end)} while the target is {definition.target}"
    return ""


def _checkpointed_misfit(
    checkpointed: values.CheckpointedTrajectory, definition: KeyResultDefinition
) -> str:
    reached = [Decimal(point.value) for point in checkpointed.points]
    shares = [Decimal(point.share) for point in checkpointed.points]
    baseline, target = Decimal(definition.baseline), Decimal(definition.target)
    way = [baseline, *reached, target]
    if way not in (sorted(way), sorted(way, reverse=True)):
        return "its values must lead from the baseline to the target in order"
    if shares != sorted(shares):
        return "its shares must not decrease"
    if shares[-1] == 1 and reached[-1] != target:
        return f"it is worth 1 at {text(reached[-1])} while the target is {definition.target}"
    return ""
