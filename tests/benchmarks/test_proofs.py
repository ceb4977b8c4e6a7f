from pathlib import Path

import pytest
from rich.progress import Progress

from benchmarks.proofs import measure_proofs


@pytest.mark.slow
def test_a_short_run_measures_everything(tmp_path: Path) -> None:
    figures = measure_proofs(tmp_path / "proofs", Progress(disable=True), quick=True)
    assert figures["proof_1k_hashes"] == 10
    assert min(figures.values()) > 0
