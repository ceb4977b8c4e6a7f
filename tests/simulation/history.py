"""What a seed says: how a server is set up, how much goes wrong, and the steps of a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from tests.simulation.faults import VIEWS, WRITING
from tests.simulation.server import Setting

STEPS: Final[Mapping[str, int]] = {
    "ask": 14,
    "again": 4,
    "deliver": 14,
    "run": 20,
    "follow": 10,
    "read": 8,
    "time": 3,
    "snapshots": 5,
    "kill": 1,
    "cut": 1,
    "restart": 1,
    "copy": 3,
    "restore": 2,
}
"""What may happen in a step, and how often."""


PLACES: Final[Mapping[str, Sequence[str]]] = {
    "run": (*WRITING, *WRITING, "log READ", "log READ LATE", "log READ LATE", "append", "appended"),
    "follow": (*VIEWS, "views COMMITTED", "views NOTICE", "log READ"),
    "read": (*VIEWS, "log READ"),
    "deliver": ("log READ",),
    "snapshots": ("log READ",),
}
"""Where it may go wrong, by the kind of step."""

WHOLE: Final = ("append", "appended", "log COMMITTED", "views COMMITTED", "views NOTICE")
"""Places of our own, between two steps of the code: nothing but a crash can happen there."""


class Step(NamedTuple):
    """Something that happens; what exactly is drawn from the number."""

    kind: str
    number: int


class History(NamedTuple):
    """All that a seed says."""

    seed: int
    setting: Setting
    faults: float
    steps: tuple[Step, ...]


def history(seed: int) -> History:
    """The history of a seed: 30 to 70 steps."""
    chance = Random(seed)
    setting = Setting(
        lanes=chance.choice((1, 1, 2, 2, 3)),
        states_kept=chance.choice((1, 2, 4, 20_000, 20_000)),
        batch_at_most=chance.choice((1, 3, 256)),
        followers=chance.choice((1, 1, 1, 2)),
    )
    faults = chance.choice((0.0, 0.1, 0.3, 0.5))
    kinds = chance.choices(tuple(STEPS), tuple(STEPS.values()), k=chance.randint(30, 70))
    return History(
        seed, setting, faults, tuple(Step(kind, chance.getrandbits(60)) for kind in kinds)
    )
