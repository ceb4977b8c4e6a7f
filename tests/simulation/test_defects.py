"""The canaries: mistakes that somebody could make, which the simulation must not survive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from tests.simulation import defects
from tests.simulation.beginning import begun
from tests.simulation.defects import DEFECTS
from tests.simulation.history import history
from tests.simulation.playing import play
from tests.simulation.test_simulation import SEEDS

FOUND: Final[Mapping[Callable[[pytest.MonkeyPatch], None], int]] = {
    defects.a_refusal_not_looked_at_again: 371,
    defects.a_snapshot_of_another_history_trusted: 114,
    defects.an_epoch_that_a_copy_repeats: 80,
    defects.told_before_it_is_written: 48,
}
"""The seeds at which those were last found that take a while; there the search begins."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_it_is_found(defect: Callable[[pytest.MonkeyPatch], None]) -> None:
    # Made before anything is planted.
    begun()
    first = FOUND.get(defect, 1)
    for seed in [*range(first, SEEDS + 1), *range(1, first)]:
        with pytest.MonkeyPatch.context() as patch:
            defect(patch)
            try:
                play(history(seed))
            except Exception:  # noqa: BLE001 - it may show in any way
                return
    pytest.fail(f"not found in {SEEDS} seeds")
