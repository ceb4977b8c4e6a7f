"""What key results measure and what check-ins say, in a few words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import Message

from okr.cli.show.marks import NOTHING, day, number, percent, personal, planned, word
from okr.v1.resources_pb2 import KeyResultScore
from okr.v1.values_pb2 import (
    Aggregation,
    Direction,
    KeyResultDefinition,
    MeasureKind,
    Measurement,
    Metric,
    ObjectiveDefinition,
    PersonalText,
    ScoringPolicy,
    Trajectory,
)


def goal(definition: KeyResultDefinition) -> str:
    """From where to where: "12 000 → 14 400 followers", "≤ 4 %", "3 milestones", "done"."""
    unit = f" {definition.unit}" if definition.unit else ""
    lower, upper = number(definition.lower_bound), number(definition.upper_bound)
    match definition.metric, definition.direction:
        case Metric.METRIC_BINARY, _:
            return "done or not"
        case Metric.METRIC_MILESTONES, _:
            return f"{len(definition.milestones)} milestones"
        case _, Direction.DIRECTION_MAINTAIN_AT_LEAST:
            return f"≥ {lower}{unit}"
        case _, Direction.DIRECTION_MAINTAIN_AT_MOST:
            return f"≤ {upper}{unit}"
        case _, Direction.DIRECTION_MAINTAIN_WITHIN:
            return f"{lower} … {upper}{unit}"
    return f"{number(definition.baseline)} → {number(definition.target)}{unit}"


def reading(measurement: Measurement, definition: KeyResultDefinition | None = None) -> str:
    """What a check-in says."""
    match measurement.WhichOneof("reading"):
        case "value" if definition and definition.metric == Metric.METRIC_BINARY:
            return "done" if measurement.value == "1" else "not done"
        case "value":
            return number(measurement.value)
        case "completed":
            return ", ".join(measurement.completed.ids) or "no milestone"
        case "not_measured":
            return "not measured"
    return NOTHING


def value(line: KeyResultScore) -> str:
    """The value in force of a scorecard's line."""
    definition, measurement = line.key_result.definition, line.check_in.measurement
    match measurement.WhichOneof("reading"):
        case "completed":
            return f"{len(measurement.completed.ids)} of {len(definition.milestones)}"
        case "value" if definition.metric != Metric.METRIC_BINARY:
            return number(line.value)
    return reading(measurement, definition)


def amount(definition: KeyResultDefinition, text: str) -> str:
    """A computed value in the key result's unit; a share of the whole where it has parts."""
    if definition.metric in (Metric.METRIC_BINARY, Metric.METRIC_MILESTONES):
        return percent(text).replace("-", "\N{MINUS SIGN}")
    return planned(text)


def expected(line: KeyResultScore) -> str:
    """Where the plan says the value should be; a share where it is done in parts or not at all."""
    if line.key_result.definition.metric in (Metric.METRIC_BINARY, Metric.METRIC_MILESTONES):
        return percent(line.expected_progress)
    return planned(line.expected_value)


def fields(
    definition: KeyResultDefinition | ObjectiveDefinition,
) -> Iterator[tuple[str, str]]:
    """The filled fields of a definition: name and value."""
    for described, value in definition.ListFields():
        name = described.name.replace("_", " ")
        yield name, field(definition, described.name, value)


def field(definition: Message, name: str, value: object = None) -> str:
    """A field of a definition as text; a dash for one that is not filled."""
    if value is None:
        value = {f.name: v for f, v in definition.ListFields()}.get(name)
    described = definition.DESCRIPTOR.fields_by_name[name]
    match value:
        case None if described.type == described.TYPE_BOOL:
            return "no"
        case None:
            return NOTHING
        case PersonalText():
            return personal(value)
        case Trajectory():
            return _trajectory(value)
        case ScoringPolicy():
            return f"{value.name}/v{value.version}"
        case int() if described.enum_type is not None:
            return str(described.enum_type.values_by_number[value].name).rpartition("_")[2].lower()
        case str() if name == "target_change_percent":
            return f"{'' if value.startswith('-') else '+'}{number(value)} %"
        case True:
            return "yes"
        case str() if name not in ("title", "unit", "description", "team", "parent", "time_zone"):
            return number(value)
        case _ if name == "milestones":
            return ", ".join(step.id for step in getattr(definition, name))
    return str(value)


def knobs(policy: ScoringPolicy, paths: Iterable[str]) -> Iterator[str]:
    """Some knobs of a policy: "clamp=none", "green_from=0.75"."""
    for path in paths:
        described = policy.DESCRIPTOR.fields_by_name[path]
        value = getattr(policy, path)
        if described.enum_type is not None:
            value = word(described.enum_type, value).replace(" ", "-")
        yield f"{path}={value}"


def kind(definition: KeyResultDefinition) -> str:
    """What is measured and how: "number, last value, increase, lag"."""
    said = (
        word(Metric.DESCRIPTOR, definition.metric),
        "sum of check-ins" if definition.aggregation == Aggregation.AGGREGATION_SUM else "",
        word(Direction.DESCRIPTOR, definition.direction),
        word(MeasureKind.DESCRIPTOR, definition.measure_kind) + " measure",
    )
    return ", ".join(filter(None, said))


def _trajectory(trajectory: Trajectory) -> str:
    match trajectory.WhichOneof("shape"):
        case "phased":
            points = trajectory.phased.points
            return "; ".join(f"{day(point.day)}={point.value}" for point in points)
        case "checkpointed":
            worths = trajectory.checkpointed.points
            return "; ".join(f"{point.value}={point.share}" for point in worths)
    return "linear"
