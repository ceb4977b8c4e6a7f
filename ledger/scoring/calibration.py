"""Calibration: how well confidence foretold the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ledger.scoring.exact import ONE, ZERO, mean, multiply, ratio, rounded, subtract

CONFIDENCE_SCALE: Final = Decimal(10)
"""The highest confidence; the lowest is 0."""


def brier(confidence: Decimal, met: bool) -> Decimal:
    """(confidence ÷ 10 − outcome)², the outcome being 1 if met, else 0; 0 is best, 1 worst.

    Source: Monthly Weather Review 78 (1), 1950, on verifying forecasts of probability.
    """
    error = subtract(ratio(confidence, CONFIDENCE_SCALE), ONE if met else ZERO)
    return rounded(multiply(error, error))


def brier_mean(forecasts: Sequence[tuple[Decimal, bool]]) -> Decimal | None:
    """The mean Brier score of (confidence, met) pairs, rounded; None of none."""
    if not forecasts:
        return None
    return rounded(mean([brier(confidence, met) for confidence, met in forecasts]))


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well some confidences foretold their outcomes; figures are rounded, None of none."""

    count: int
    brier: Decimal | None
    mean_confidence: Decimal | None
    met_share: Decimal | None


def calibrated(forecasts: Sequence[tuple[Decimal, bool]]) -> Calibration:
    """The calibration of (confidence, met) pairs; mean confidence is on the scale 0 to 1."""
    if not forecasts:
        return Calibration(0, None, None, None)
    confidence = ratio(mean([given for given, _ in forecasts]), CONFIDENCE_SCALE)
    kept = mean([ONE if met else ZERO for _, met in forecasts])
    return Calibration(len(forecasts), brier_mean(forecasts), rounded(confidence), rounded(kept))


def made_share(made: int, due: int) -> Decimal | None:
    """The share of due check-ins that were made, rounded; None where none was due."""
    return rounded(ratio(Decimal(made), Decimal(due))) if due else None
