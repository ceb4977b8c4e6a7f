"""What moved each score between two instants: every movement, with its cause and its event.

    told = attribution(span, "cycles/2026-q4", "objectives/brand-awareness")
    told.difference == sum(told.by_cause().values())    # exactly

Costs one scoring of the subjects and of all that contributes to them, and then for each step what
it can move: the key result, its objective, and what they count in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ledger.running import RunningScores
from ledger.scoring.attribution import Attribution, Movement, difference
from ledger.span import Span, Step


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement of a subject's score, and the step that moved it."""

    subject: str
    step: Step
    movement: Movement


class Walk:
    """The way from a span's start to its end, told by the movements of some subjects' scores.

    Subjects are key results, objectives, teams and the cycle itself; a team's score is that of its
    tree in the cycle. Iterating goes the way, once; `scores` are those of where it has come to.
    """

    def __init__(self, span: Span, cycle: str, subjects: Iterable[str]) -> None:
        self._span = span
        self._running = RunningScores(span, cycle, subjects)
        self._scores = {name: self._running.score(name) for name in self._running.subjects}

    @property
    def scores(self) -> Mapping[str, Decimal | None]:
        """The subjects' scores after the last movement that was told; None where there is none."""
        return self._scores

    def __iter__(self) -> Iterator[Moved]:
        """Every movement in order; of one step by the order in which subjects were given.

        Becoming graded and ceasing to be are movements too, even from and to a score of 0.
        """
        for step in self._span.steps():
            touched = self._running.take(step)
            for name in self._running.subjects if touched else ():
                if name in touched:
                    before, after = self._scores[name], self._running.score(name)
                    if before != after:
                        self._scores[name] = after
                        yield Moved(name, step, _movement(step, before, after))


def attribution(span: Span, cycle: str, subject: str) -> Attribution:
    """The movements of one subject's score from a span's start to its end."""
    walk = Walk(span, cycle, [subject])
    before = walk.scores[subject]
    movements = tuple(moved.movement for moved in walk)
    return Attribution(before, walk.scores[subject], movements)


def _movement(step: Step, before: Decimal | None, after: Decimal | None) -> Movement:
    position = step.position or None
    return Movement(step.cause, position, before, after, difference(before, after))
