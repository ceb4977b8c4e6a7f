"""What a key result promises, and what its check-ins amount to on a day."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from ledger.scoring.exact import ONE
from ledger.scoring.trajectory import LINEAR, Trajectory


class Metric(StrEnum):
    """What a key result is measured in."""

    NUMBER = "NUMBER"
    BINARY = "BINARY"
    MILESTONES = "MILESTONES"
    ZONES = "ZONES"


class Direction(StrEnum):
    """Where a number should go, or where it should stay."""

    INCREASE = "INCREASE"
    DECREASE = "DECREASE"
    MAINTAIN_AT_LEAST = "MAINTAIN_AT_LEAST"
    MAINTAIN_AT_MOST = "MAINTAIN_AT_MOST"
    MAINTAIN_WITHIN = "MAINTAIN_WITHIN"


class Aggregation(StrEnum):
    """Whether the value in force is the last check-in or the sum of all."""

    LAST = "LAST"
    SUM = "SUM"


MOVING: Final = frozenset({Direction.INCREASE, Direction.DECREASE})
"""The directions that lead from a baseline to a target."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """One step of a MILESTONES key result; weights are 0 or more, in any unit."""

    id: str
    weight: Decimal = ONE


@dataclass(frozen=True, slots=True)
class Definition:
    """What a key result promises.

    NUMBER has `baseline` (0 when absent) and `target`, or for MAINTAIN_AT_LEAST `lower`, for
    MAINTAIN_AT_MOST `upper`, for MAINTAIN_WITHIN both. ZONES has `baseline` and `stretch`;
    `commit` and `target` are derived where absent. MILESTONES has `milestones`. A stretch on a
    NUMBER informs only. `weight` is the key result's in its objective, 0 or more.
    """

    metric: Metric = Metric.NUMBER
    direction: Direction = Direction.INCREASE
    aggregation: Aggregation = Aggregation.LAST
    baseline: Decimal | None = None
    target: Decimal | None = None
    commit: Decimal | None = None
    stretch: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    weight: Decimal = ONE
    milestones: tuple[Milestone, ...] = ()
    trajectory: Trajectory = LINEAR


@dataclass(frozen=True, slots=True)
class Reading:
    """What the check-ins in force amount to on a day.

    `value` is aggregated already; `completed` holds the ids of milestones. `periods` holds, for
    share of periods, the value in force of each cadence period that has ended by the day, and of
    the running one if it has a check-in; None is a period without one. `measured` is false before
    the first check-in and from a check-in that says "not measured": the key result is ungraded.
    """

    value: Decimal | None = None
    completed: frozenset[str] = frozenset()
    periods: tuple[Decimal | None, ...] = ()
    measured: bool = True


UNMEASURED: Final = Reading(measured=False)
