"""Whatever may fail does, and the ledger stays right: from a seed, so that it comes again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.history import history
from tests.simulation.playing import digest, play

SEEDS = 1_000
EACH = 25


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, SEEDS + 1, EACH))
def test_the_ledger_does_what_the_model_does(first: int) -> None:
    for seed in range(first, first + EACH):
        try:
            play(history(seed))
        except Exception as error:
            error.add_note(f'Cut it down: make simulate ARGS="--from {seed} --seeds 1"')
            raise


DIGESTS = """
from tests.simulation.history import history
from tests.simulation.playing import digest, play
print(*(digest(play(history(seed))) for seed in (4, 18, 62)))
"""


def test_a_seed_is_played_the_same_in_every_process() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", DIGESTS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    here = [digest(play(history(seed))) for seed in (4, 18, 62)]
    assert told == [" ".join(here) + "\n"] * 2
