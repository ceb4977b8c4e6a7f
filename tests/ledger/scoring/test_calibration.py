"""How well confidence foretold the outcome, of several key results together."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.scoring.calibration import Calibration, brier, calibrated

D = Decimal
CONFIDENCE = st.integers(0, 10).map(Decimal)


def test_calibration_stands_beside_what_was_believed() -> None:
    found = calibrated([(D(9), True), (D(8), False), (D(5), True)])
    # 0.01, 0.64 and 0.25; 22 of 30; two of three.
    assert found == Calibration(3, D("0.3"), D("0.733333333333"), D("0.666666666667"))
    assert calibrated([]) == Calibration(0, None, None, None)


@given(CONFIDENCE, st.booleans())
def test_a_score_lies_between_best_and_worst(confidence: Decimal, met: bool) -> None:
    assert 0 <= brier(confidence, met) <= 1
    # Full confidence in the other outcome is told from the same figures.
    assert brier(confidence, met) == brier(10 - confidence, not met)


@given(st.lists(st.tuples(CONFIDENCE, st.booleans()), min_size=1))
def test_a_group_lies_between_its_members(forecasts: list[tuple[Decimal, bool]]) -> None:
    found = calibrated(forecasts)
    scores = [brier(*each) for each in forecasts]
    assert found.count == len(forecasts)
    assert found.brier is not None
    assert min(scores) <= found.brier <= max(scores)
    assert found == calibrated(forecasts[::-1])
