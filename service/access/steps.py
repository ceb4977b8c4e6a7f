"""A score's arithmetic without the steps of what is hidden from the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from okr.v1.explanation_pb2 import ScoreStep

if TYPE_CHECKING:
    from collections.abc import MutableSequence

UNSHOWN: Final = "not all of what it is made of is shown"
"""Label of a step whose inputs are left out and that has no number."""


def without_hidden_steps(steps: Any, hidden: Callable[[str], bool]) -> bool:
    """Takes hidden steps out, in place; whether there were any.

    A score that takes something hidden in becomes a leaf with its number, so that the others still
    lead to the last one; the arithmetic between goes, and so does what nothing leads to any more.
    """
    gone: set[int] = set()
    for i, step in enumerate(steps):
        # What has no subject is part of the arithmetic of the next step that has one.
        if hidden(step.subject) or not (step.subject or gone.isdisjoint(step.inputs)):
            gone.add(i)
    if not gone:
        return False
    last = len(steps) - 1
    gone.discard(last)
    needed = {last}
    for i in range(last, -1, -1):
        if i in needed:
            _without(steps[i], gone)
            needed.update(steps[i].inputs, steps[i].because)
    _keep(steps, sorted(needed))
    return True


def _without(step: ScoreStep, gone: set[int]) -> None:
    because = [i for i in step.because if i not in gone]
    if not gone.isdisjoint(step.inputs):
        del step.inputs[:]
        if step.HasField("value"):
            step.operation = ScoreStep.OPERATION_CONSTANT
        else:
            step.operation = ScoreStep.OPERATION_NOTHING
            step.label = UNSHOWN
    step.because[:] = because


def _keep(steps: MutableSequence[ScoreStep], kept: list[int]) -> None:
    """Leaves only these steps, numbered anew."""
    number = {old: new for new, old in enumerate(kept)}
    for i in range(len(steps) - 1, -1, -1):
        if i not in number:
            del steps[i]
    for step in steps:
        step.inputs[:] = [number[i] for i in step.inputs]
        step.because[:] = [number[i] for i in step.because]
