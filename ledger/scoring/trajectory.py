"""Trajectories: the way a key result is planned to take through its cycle."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from ledger.scoring.exact import ONE, ZERO, along


@dataclass(frozen=True, slots=True)
class Linear:
    """From the baseline on the cycle's first day straight to the target on its last."""


@dataclass(frozen=True, slots=True)
class Phased:
    """Dated values, ascending by day, at least one; linear between them, level beyond them."""

    points: tuple[tuple[date, Decimal], ...]

    def value_on(self, day: date) -> Decimal:
        """The value planned for a day, not rounded."""
        ordinals = [(Decimal(at.toordinal()), value) for at, value in self.points]
        return _on_line(ordinals, Decimal(day.toordinal()))


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """What share of the way each value is worth: (value, share), shares ascending, at least one.

    Time runs evenly and the values bend: on a day, the expected value is the one that is worth
    the share of the cycle that has passed, so that easy first steps are not taken for a lead.
    Between checkpoints the worth is linear. The way begins at the baseline with share 0 and ends
    at the target with share 1, unless a checkpoint lies there. Only what is expected depends on
    this, never the score.
    """

    points: tuple[tuple[Decimal, Decimal], ...]

    def value_at(self, share: Decimal, baseline: Decimal, target: Decimal) -> Decimal:
        """The value that is worth a share of the way (0 to 1), not rounded."""
        line = [(worth, value) for value, worth in self.points]
        if line[0][0] > 0 and line[0][1] != baseline:
            line.insert(0, (ZERO, baseline))
        if line[-1][0] < 1 and line[-1][1] != target:
            line.append((ONE, target))
        return _on_line(line, share)


Trajectory = Linear | Phased | Checkpointed

LINEAR: Final = Linear()


def _on_line(points: Sequence[tuple[Decimal, Decimal]], x: Decimal) -> Decimal:
    """The height at `x` on the line through `points`, ascending; level beyond its ends."""
    left, height = points[0]
    if x <= left:
        return height
    for right, next_height in points[1:]:
        if x < right:
            return along(x, left, height, right, next_height)
        left, height = right, next_height
    return height
