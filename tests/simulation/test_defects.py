"""The canaries: mistakes that somebody could make, which the simulation must not survive."""

from __future__ import annotations

import pytest

from tests.simulation.defects import DEFECTS
from tests.simulation.history import history
from tests.simulation.playing import play
from tests.simulation.test_simulation import SEEDS


def found(defect: object, most: int = SEEDS) -> tuple[int, Exception]:
    """The first seed that a defect fails, and how."""
    for seed in range(1, most + 1):
        with pytest.MonkeyPatch.context() as patch:
            defect(patch)  # type: ignore[operator]
            try:
                play(history(seed))
            except Exception as error:  # noqa: BLE001 - a defect may show in any way
                return seed, error
    raise AssertionError(f"{defect} is not found in {most} seeds")


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_it_is_found(defect: object) -> None:
    found(defect)
