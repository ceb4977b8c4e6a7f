"""The scoring policy: every choice that OKR systems make differently, as one named value."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from ledger.scoring.knobs import (
    BandRule,
    Boundary,
    ChildRollup,
    Clamp,
    CycleRollup,
    DayCount,
    Formula,
    Maintain,
    Rollup,
    StatusRollup,
    StatusRule,
    Ungraded,
    Weights,
)

__all__ = [
    "PRESETS",
    "STANDARD",
    "THRESHOLDS",
    "BandRule",
    "Boundary",
    "ChildRollup",
    "Clamp",
    "CycleRollup",
    "DayCount",
    "Formula",
    "Maintain",
    "Policy",
    "Rollup",
    "StatusRollup",
    "StatusRule",
    "Ungraded",
    "Weights",
    "contradictions",
    "with_knobs",
]


@dataclass(frozen=True, slots=True)
class Policy:
    """A named, versioned scoring policy; the defaults are those of `standard/v1`.

    `at_risk_over` is the largest gap (a share of the target) that is still BEHIND under
    DIFFERENCE. `on_track` and `behind` are the smallest actual ÷ expected of these statuses
    under RATIO. `yellow_from` and `green_from` are the lowest scores of their bands.
    """

    name: str
    version: int = 1
    clamp: Clamp = Clamp.UNIT
    formula: Formula = Formula.BASELINE
    maintain: Maintain = Maintain.LATEST
    boundary: Boundary = Boundary.INCLUSIVE
    ungraded: Ungraded = Ungraded.ZERO
    rollup: Rollup = Rollup.MEAN_OF_SCORES
    weights: Weights = Weights.GIVEN
    child_rollup: ChildRollup = ChildRollup.EACH_IS_ONE_UNIT
    cycle_rollup: CycleRollup = CycleRollup.MEAN_OF_OBJECTIVES
    status: StatusRule = StatusRule.DIFFERENCE
    status_rollup: StatusRollup = StatusRollup.WORST
    day_count: DayCount = DayCount.FIRST_DAY_ZERO
    bands: BandRule = BandRule.EXACT
    at_risk_over: Decimal = Decimal("0.25")
    on_track: Decimal = Decimal("0.90")
    behind: Decimal = Decimal("0.75")
    yellow_from: Decimal = Decimal("0.4")
    green_from: Decimal = Decimal("0.7")

    @property
    def label(self) -> str:
        """Name and version as people write them, such as `standard/v1`."""
        return f"{self.name}/v{self.version}"


STANDARD: Final = Policy("standard")

AS_STANDARD: Final = (
    *("rework", "whatmatters", "upraise", "leantime", "puzzle", "lattice", "hirebook"),
    *("synergita", "leapsome", "shamanr"),
)
"""Systems and authors whose published figures the standard policy reproduces."""

PRESETS: Final[Mapping[str, Policy]] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            STANDARD,
            Policy("viva", at_risk_over=Decimal("0.25")),
            Policy("quantive", clamp=Clamp.NONE, boundary=Boundary.STRICT),
            Policy(
                "servicenow",
                maintain=Maintain.SHARE_OF_PERIODS,
                status=StatusRule.RATIO,
                on_track=Decimal("0.90"),
                behind=Decimal("0.75"),
            ),
            Policy("profitco", maintain=Maintain.SHARE_OF_PERIODS),
            Policy("profitco-distance", maintain=Maintain.DISTANCE, clamp=Clamp.NONE),
            Policy("perdoo"),
            Policy("lattice-sum", rollup=Rollup.SUM_OF_VALUES),
            Policy("boja", status_rollup=StatusRollup.ROUNDED_MEAN),
            Policy("feedback4e", clamp=Clamp.NONE),
            Policy("feedback4e-ratio", formula=Formula.RATIO, clamp=Clamp.NONE),
            Policy("okr-tracker", clamp=Clamp.FLOOR_ONLY),
            Policy("google", bands=BandRule.TENTHS),
            Policy("engagedly", day_count=DayCount.DAY_COUNTED),
            Policy("weights-by-target", weights=Weights.BY_TARGET),
            Policy(
                "ipfs",
                ungraded=Ungraded.EXCLUDE,
                cycle_rollup=CycleRollup.MEAN_OF_KEY_RESULTS,
            ),
            *map(Policy, AS_STANDARD),
        )
    }
)
"""The newest version of each preset by name; a vendor's knobs are those its figures show."""

THRESHOLDS: Final = ("at_risk_over", "on_track", "behind", "yellow_from", "green_from")
"""The fields of a policy that are numbers."""


def contradictions(policy: Policy) -> list[tuple[str, str]]:
    """What makes a policy unusable: (field, the rule it breaks), in field order; [] when sound."""
    found = []
    if not policy.name:
        found.append(("name", "must not be empty"))
    if policy.version < 1:
        found.append(("version", "must be 1 or more"))
    wrong = set()
    for field in THRESHOLDS:
        number: Decimal = getattr(policy, field)
        if not number.is_finite() or number < 0:
            wrong.add(field)
            found.append((field, "must be a number of 0 or more"))
    if not wrong & {"behind", "on_track"} and policy.behind > policy.on_track:
        found.append(("behind", "must not exceed on_track"))
    if not wrong & {"yellow_from", "green_from"} and policy.yellow_from > policy.green_from:
        found.append(("yellow_from", "must not exceed green_from"))
    return found


def with_knobs(policy: Policy, knobs: Mapping[str, Any]) -> Policy:
    """The policy with some fields changed: enum fields by their names, numbers as decimal text.

    Raises:
        ValueError: a field that a policy does not have, or a value that the field cannot take.
    """
    known = {field.name for field in fields(Policy)}
    changed: dict[str, Any] = {}
    for name, value in knobs.items():
        if name not in known:
            raise ValueError(f"a policy has no {name!r}")
        kind = type(getattr(STANDARD, name))
        try:
            changed[name] = kind(value)
        except (ValueError, TypeError, InvalidOperation):
            raise ValueError(f"{value!r} is no {name} of a policy") from None
    return replace(policy, **changed)
