"""What a new key result's definition must say before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from okr.v1.values_pb2 import Direction, KeyResultDefinition, Metric

_BOUNDS = {
    Direction.DIRECTION_MAINTAIN_AT_LEAST: ("lower_bound",),
    Direction.DIRECTION_MAINTAIN_AT_MOST: ("upper_bound",),
    Direction.DIRECTION_MAINTAIN_WITHIN: ("lower_bound", "upper_bound"),
}


def misfits(definition: KeyResultDefinition) -> Iterator[tuple[str, str]]:
    """What is missing or cannot be scored: (column, sentence). The service checks the rest."""
    match definition.metric:
        case Metric.METRIC_BINARY:
            return
        case Metric.METRIC_MILESTONES:
            if not definition.milestones:
                yield "metric", "needs milestones, each a record of kind milestone"
        case Metric.METRIC_ZONES:
            if not definition.HasField("stretch"):
                yield "stretch", "is missing; a key result measured in zones needs it"
        case _ if definition.direction in _BOUNDS:
            for bound in _BOUNDS[definition.direction]:
                if not getattr(definition, bound):
                    yield bound, "is missing; this direction needs it"
        case _:
            yield from _without_a_way(definition)


def _without_a_way(definition: KeyResultDefinition) -> Iterator[tuple[str, str]]:
    baseline = Decimal(definition.baseline or 0)
    if definition.HasField("target_change_percent"):
        if baseline * Decimal(definition.target_change_percent) == 0:
            yield "target", "a relative target needs a baseline other than 0 and a change"
    elif not definition.HasField("target"):
        yield "target", "is missing"
    elif Decimal(definition.target) == baseline:
        yield "target", f"must differ from the baseline, {baseline}"
