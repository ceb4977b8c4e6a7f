"""Attribution: the difference between two scores, told by its causes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from ledger.scoring.exact import ZERO, add, subtract

State = TypeVar("State")


class Cause(StrEnum):
    """Why a score moved; several changes of one event are taken in this order."""

    PROGRESS = "PROGRESS"
    CORRECTION = "CORRECTION"
    BASELINE = "BASELINE"
    TARGET = "TARGET"
    WEIGHT = "WEIGHT"
    SCOPE = "SCOPE"
    ALIGNMENT = "ALIGNMENT"
    POLICY = "POLICY"
    OVERRIDE = "OVERRIDE"
    TIME = "TIME"


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """One change: its cause, the position of its event (None for TIME), the state after it."""

    cause: Cause
    position: int | None
    state: State


@dataclass(frozen=True, slots=True)
class Movement:
    """What one step did to the score; `delta` takes no score for 0."""

    cause: Cause
    position: int | None
    before: Decimal | None
    after: Decimal | None
    delta: Decimal


@dataclass(frozen=True, slots=True)
class Attribution:
    """The way from one score to another: a movement a step, in the order of the steps."""

    before: Decimal | None
    after: Decimal | None
    movements: tuple[Movement, ...]

    @property
    def difference(self) -> Decimal:
        """After − before, no score being 0; exactly the sum of the movements' deltas."""
        return difference(self.before, self.after)

    def by_cause(self) -> dict[Cause, Decimal]:
        """The sum of the deltas of every cause, in the order of causes; exact."""
        sums = dict.fromkeys(Cause, ZERO)
        for movement in self.movements:
            sums[movement.cause] = add(sums[movement.cause], movement.delta)
        return sums


def attribute(
    start: State, steps: Iterable[Step[State]], score: Callable[[State], Decimal | None]
) -> Attribution:
    """Score the start and the state after each step, and give each difference to its step.

    `score` must round as every roll-up does: differences of rounded scores are exact, so that
    they add up to the whole whatever the order. It is called once a state.
    """
    first = before = score(start)
    movements = []
    for step in steps:
        after = score(step.state)
        movements.append(
            Movement(step.cause, step.position, before, after, difference(before, after))
        )
        before = after
    return Attribution(first, before, tuple(movements))


def difference(before: Decimal | None, after: Decimal | None) -> Decimal:
    """After − before, exact; no score counts as 0, so that becoming graded is a movement too."""
    return subtract(ZERO if after is None else after, ZERO if before is None else before)
