"""Statuses, bands and commitments at their boundaries."""

from dataclasses import replace
from decimal import Decimal

import pytest

from ledger.scoring.policy import STANDARD, BandRule, StatusRollup, StatusRule
from ledger.scoring.status import (
    Band,
    Commitment,
    Status,
    band,
    gap,
    met,
    status,
    status_rollup,
)

D = Decimal
RATIO = replace(STANDARD, status=StatusRule.RATIO)
MEAN = replace(STANDARD, status_rollup=StatusRollup.ROUNDED_MEAN)

ON, BEHIND, RISK = Status.ON_TRACK, Status.BEHIND, Status.AT_RISK
STALE, PENDING = Status.STALE, Status.PENDING


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ("0.33", "0.33", ON),
        ("0.33", "0.4", ON),
        ("0.5", "0.499999999999", BEHIND),
        ("0.5", "0.25", BEHIND),
        ("0.5", "0.249999999999", RISK),
        ("0", "-1", ON),
        ("-0.1", "-1", ON),
    ],
)
def test_by_difference(expected: str, actual: str, found: Status) -> None:
    assert status(D(expected), D(actual), STANDARD) is found


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ("0.5", "0.45", ON),
        ("0.5", "0.449999999999", BEHIND),
        ("0.5", "0.375", BEHIND),
        ("0.5", "0.374999999999", RISK),
        ("0", "0", ON),
        ("0.5", "-1", RISK),
    ],
)
def test_by_ratio(expected: str, actual: str, found: Status) -> None:
    assert status(D(expected), D(actual), RATIO) is found


def test_a_rounded_number_meets_its_unrounded_equal() -> None:
    two_thirds = D(2) / D(3)
    for policy in (STANDARD, RATIO):
        assert status(D("0.666666666667"), two_thirds, policy) is ON
        assert status(two_thirds, D("0.666666666667"), policy) is ON
    assert status(D("0.666666666667"), D("0.6"), RATIO) is ON


def test_before_a_measured_value_it_is_pending_and_in_silence_stale() -> None:
    assert status(D("0.5"), None, STANDARD) is PENDING
    assert status(None, D("0.5"), STANDARD) is PENDING
    assert status(D("0.5"), D(1), STANDARD, stale=True) is STALE
    assert status(D("0.5"), D(0), STANDARD, stale=True) is STALE
    assert status(D("0.5"), None, STANDARD, stale=True) is PENDING


def test_the_gap_is_what_is_missing() -> None:
    assert gap(D("0.52"), D("0.47")) == D("0.05")
    assert gap(D("0.4"), D("0.5")) == D("-0.1")


@pytest.mark.parametrize(
    ("statuses", "worst", "mean"),
    [
        ([], PENDING, PENDING),
        ([PENDING, PENDING], PENDING, PENDING),
        ([ON, PENDING], ON, ON),
        ([ON, BEHIND], BEHIND, BEHIND),
        ([ON, ON, BEHIND], BEHIND, ON),
        ([BEHIND, RISK], RISK, RISK),
        ([ON, RISK], RISK, BEHIND),
        ([ON, ON, STALE], STALE, STALE),
        ([BEHIND, STALE], STALE, BEHIND),
        ([STALE, RISK], RISK, RISK),
    ],
)
def test_several_statuses_make_one(statuses: list[Status], worst: Status, mean: Status) -> None:
    assert status_rollup(statuses, STANDARD) is worst
    assert status_rollup(statuses, MEAN) is mean


@pytest.mark.parametrize(
    ("score", "exact", "tenths"),
    [
        ("0", Band.RED, Band.RED),
        ("0.349999999999", Band.RED, Band.RED),
        ("0.35", Band.RED, Band.YELLOW),
        ("0.4", Band.YELLOW, Band.YELLOW),
        ("0.65", Band.YELLOW, Band.GREEN),
        ("0.699999999999", Band.YELLOW, Band.GREEN),
        ("0.7", Band.GREEN, Band.GREEN),
        ("-0.2", Band.RED, Band.RED),
        ("1.3", Band.GREEN, Band.GREEN),
    ],
)
def test_bands_by_the_exact_score_or_its_tenth(score: str, exact: Band, tenths: Band) -> None:
    assert band(D(score), STANDARD) is exact
    assert band(D(score), replace(STANDARD, bands=BandRule.TENTHS)) is tenths


def test_bands_follow_the_policys_limits() -> None:
    policy = replace(STANDARD, yellow_from=D("0.2"), green_from=D("0.9"))
    assert [band(D(each), policy) for each in ("0.1", "0.2", "0.9")] == list(Band)
    assert band(None, policy) is None


def test_a_commitment_is_kept_at_one_and_an_aspiration_at_seven_tenths() -> None:
    assert met(D(1), Commitment.COMMITTED)
    assert not met(D("0.999999999999"), Commitment.COMMITTED)
    assert met(D("0.7"), Commitment.ASPIRATIONAL)
    assert not met(D("0.699999999999"), Commitment.ASPIRATIONAL)
    assert not met(None, Commitment.ASPIRATIONAL)
