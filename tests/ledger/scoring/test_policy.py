"""Policies: the default is the documented one, and a contradictory one is told why."""

from dataclasses import replace
from decimal import Decimal

import pytest

from ledger.scoring.policy import (
    PRESETS,
    STANDARD,
    BandRule,
    Boundary,
    ChildRollup,
    Clamp,
    CycleRollup,
    DayCount,
    Formula,
    Maintain,
    Policy,
    Rollup,
    StatusRollup,
    StatusRule,
    Ungraded,
    Weights,
    contradictions,
    with_knobs,
)

D = Decimal


def test_the_standard_policy_is_the_documented_one() -> None:
    expanded = Policy(
        name="standard",
        version=1,
        clamp=Clamp.UNIT,
        formula=Formula.BASELINE,
        maintain=Maintain.LATEST,
        boundary=Boundary.INCLUSIVE,
        ungraded=Ungraded.ZERO,
        rollup=Rollup.MEAN_OF_SCORES,
        weights=Weights.GIVEN,
        child_rollup=ChildRollup.EACH_IS_ONE_UNIT,
        cycle_rollup=CycleRollup.MEAN_OF_OBJECTIVES,
        status=StatusRule.DIFFERENCE,
        status_rollup=StatusRollup.WORST,
        day_count=DayCount.FIRST_DAY_ZERO,
        bands=BandRule.EXACT,
        at_risk_over=D("0.25"),
        on_track=D("0.9"),
        behind=D("0.75"),
        yellow_from=D("0.4"),
        green_from=D("0.7"),
    )
    assert expanded == STANDARD
    assert STANDARD.label == "standard/v1"


def test_presets_are_found_by_name_and_are_sound() -> None:
    assert PRESETS["standard"] is STANDARD
    for name, policy in PRESETS.items():
        assert policy.name == name
        assert policy.version == 1
        assert contradictions(policy) == []


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (replace(STANDARD, name=""), [("name", "must not be empty")]),
        (replace(STANDARD, version=0), [("version", "must be 1 or more")]),
        (
            replace(STANDARD, at_risk_over=D("-0.1")),
            [("at_risk_over", "must be a number of 0 or more")],
        ),
        (
            replace(STANDARD, on_track=D("NaN"), behind=D("Infinity")),
            [
                ("on_track", "must be a number of 0 or more"),
                ("behind", "must be a number of 0 or more"),
            ],
        ),
        (replace(STANDARD, behind=D("0.91")), [("behind", "must not exceed on_track")]),
        (replace(STANDARD, yellow_from=D("0.8")), [("yellow_from", "must not exceed green_from")]),
        (replace(STANDARD, behind=D("0.9"), yellow_from=D("0.7")), []),
    ],
)
def test_a_contradiction_names_field_and_rule(policy: Policy, found: list[tuple[str, str]]) -> None:
    assert contradictions(policy) == found


def test_knobs_change_a_policy_by_name() -> None:
    changed = with_knobs(STANDARD, {"clamp": "NONE", "at_risk_over": "0.1", "name": "ours"})
    assert changed == replace(STANDARD, clamp=Clamp.NONE, at_risk_over=D("0.1"), name="ours")
    assert with_knobs(STANDARD, {}) == STANDARD


@pytest.mark.parametrize(
    "knobs", [{"mood": "GOOD"}, {"clamp": "unit"}, {"behind": "much"}, {"behind": []}]
)
def test_an_unknown_knob_or_value_is_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="policy"):
        with_knobs(STANDARD, knobs)
