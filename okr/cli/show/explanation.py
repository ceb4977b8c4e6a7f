"""A score's arithmetic as a tree, each number with the event that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from okr import names
from okr.cli.show import marks
from okr.v1.explanation_pb2 import ScoreExplanation, ScoreKind, ScoreStep

Op = ScoreStep.Operation
_SHORT: Final = Decimal("0.000001")
_QUIET: Final = (Op.OPERATION_CONSTANT, Op.OPERATION_CHOICE)
"""Leaves that are told in the line of what they are part of."""


def tree(given: ScoreExplanation, position: int, *, full: bool) -> RenderableType:
    """The whole tree, or down to the scores that it is made of."""
    of = names.short(given.name)
    if given.name.startswith("teams/"):
        of += f"  in {names.short(given.cycle)}"
    kind = marks.word(ScoreKind.DESCRIPTOR, given.kind)
    head = Text.assemble((of, "bold"), f"  {kind} score  {marks.score(given.score)}")
    when = Text(f"  effective {marks.day(given.effective_at)}, known at @{position}", style="dim")
    return Group(head, when, "", _Steps(given, full).grown())


class _Steps:
    def __init__(self, given: ScoreExplanation, full: bool) -> None:
        self._steps = given.steps
        self._name = given.name
        self._full = full

    def grown(self) -> Tree:
        last = len(self._steps) - 1
        return self._grow(Tree(self._line(last)), last)

    def _grow(self, branch: Tree, index: int) -> Tree:
        step = self._steps[index]
        for each in dict.fromkeys(map(self._behind, step.inputs)):
            below = self._steps[each]
            if below.operation in _QUIET:
                continue
            is_a_score = bool(below.inputs and below.subject not in ("", self._name))
            node = branch.add(self._line(each))
            if self._full or not is_a_score:
                self._grow(node, each)
        return branch

    def _behind(self, index: int) -> int:
        """The step, or what stands behind one that only passes a number on."""
        step = self._steps[index]
        while step.operation == Op.OPERATION_OR_ELSE and self._steps[step.inputs[0]].HasField(
            "value"
        ):
            index = step.inputs[0]
            step = self._steps[index]
        return index

    def _line(self, index: int) -> Text:
        step = self._steps[index]
        label = f"{step.label} of {names.short(step.subject)}" if step.subject else step.label
        line = Text.assemble((label, "bold"), " ", _number(step))
        if said := self._said(step):
            line.append(f" = {said}" if step.operation != Op.OPERATION_ROUND else f"  {said}")
        for each in step.because:
            choice = self._steps[each]
            if choice.operation == Op.OPERATION_CHOICE:
                line.append(f"  {choice.label} {choice.text.lower()}{_place(choice)}", style="dim")
        line.append(_place(step), style="dim")
        return line

    def _said(self, step: ScoreStep) -> str:
        parts = [self._steps[i] for i in step.inputs]
        if step.operation == Op.OPERATION_WEIGHTED_MEAN:
            pairs = list(pairwise(parts))[::2]
            told = ", ".join(f"{_number(weight)} × {_number(each)}" for weight, each in pairs)
            return f"weighted mean of {told}" if told else "mean of nothing"
        if step.operation == Op.OPERATION_PIECEWISE:
            points = list(pairwise(parts[1:]))[::2]
            told = ", ".join(f"{_number(place)} → {_number(height)}" for place, height in points)
            return f"{_number(parts[0])} on the line {told}"
        say = _SAYINGS.get(step.operation)
        return say([_number(part) for part in parts]) if say else ""


_SAYINGS: Final[dict[int, Callable[[Sequence[str]], str]]] = {
    Op.OPERATION_ADD: lambda n: " + ".join(n) if len(n) != 1 else "",
    Op.OPERATION_SUBTRACT: " − ".join,
    Op.OPERATION_MULTIPLY: lambda n: " × ".join(n) if len(n) != 1 else "",
    Op.OPERATION_DIVIDE: " ÷ ".join,
    Op.OPERATION_MAGNITUDE: lambda n: f"size of {n[0]}",
    Op.OPERATION_CLAMP: lambda n: (
        n[0]
        + "".join(f" {word} {limit}" for word, limit in zip(("from", "to"), n[1:], strict=False))
    ),
    Op.OPERATION_AT_LEAST: " ≥ ".join,
    Op.OPERATION_AT_MOST: " ≤ ".join,
    Op.OPERATION_MORE_THAN: " > ".join,
    Op.OPERATION_LESS_THAN: " < ".join,
    Op.OPERATION_MEAN: lambda n: f"mean of {', '.join(n)}" if n else "mean of nothing",
    Op.OPERATION_OR_ELSE: lambda n: f"{n[0]}, else {n[1]}",
    Op.OPERATION_OVERRIDE: lambda n: f"{n[0]} as graded; the policy computes {n[1]}",
    Op.OPERATION_ROUND: lambda n: "rounded to 12 places",
}


def _number(step: ScoreStep) -> str:
    """A number with at most six places; --json has what there is."""
    if not step.HasField("value"):
        return marks.NOTHING
    number = Decimal(step.value)
    exact = number == number.quantize(_SHORT)
    return marks.number(step.value if exact else f"{number.quantize(_SHORT)}") + "…" * (not exact)


def _place(step: ScoreStep) -> str:
    return f"  @{step.event_position}" if step.event_position else ""
