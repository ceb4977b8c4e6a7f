"""`make simulate`: plays seeds one after the other; one that fails is cut down and shown."""

from __future__ import annotations

import argparse
import time

from tests.simulation.history import History, history
from tests.simulation.playing import play
from tests.simulation.shrinking import shrunk


def main() -> int:
    """Plays what the command line says; 1 if a seed fails."""
    parser = argparse.ArgumentParser(prog="make simulate ARGS=…", description=__doc__)
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first seed")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many seeds are played")
    parser.add_argument("--trace", action="store_true", help="show what happened in each seed")
    asked = parser.parse_args()
    begun = told = time.monotonic()
    for number, seed in enumerate(range(asked.first, asked.first + asked.seeds), start=1):
        played = history(seed)
        try:
            trace = play(played)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            _show(played, error)
            return 1
        if asked.trace:
            print(played.setting, *trace, sep="\n")
        now = time.monotonic()
        if now - told > 10:
            told = now
            print(f"{number} of {asked.seeds} seeds, {number / (now - begun):.0f} a second")
    print(f"{asked.seeds} seeds from {asked.first} on, nothing found")
    return 0


def _show(played: History, error: Exception) -> None:
    steps = len(played.steps)
    print(f"seed {played.seed} fails: {error!r}\nCutting its {steps} steps down …")
    least, failure = shrunk(played, error)
    print(f"{len(least.steps)} steps are left, with {least.setting}:")
    print(*failure.__notes__, f"{type(failure).__name__}: {failure}", sep="\n")
    print(f'Play it again: make simulate ARGS="--from {played.seed} --seeds 1"')


if __name__ == "__main__":
    raise SystemExit(main())
