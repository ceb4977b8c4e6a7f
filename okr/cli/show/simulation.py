"""Scoring policies, and a cycle under two of them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import marks
from okr.cli.show.measures import knobs
from okr.v1.policy_simulation_pb2 import PolicyPreset, PolicySimulation, SimulatedScore


def policies(given: Iterable[PolicyPreset]) -> Table:
    """A line for each policy, with the knobs in which it differs from the standard one."""
    table = marks.table("policy", "differs from standard in", "what it is for")
    for each in given:
        differs = ", ".join(knobs(each.policy, each.differs)) or marks.NOTHING
        table.add_row(f"{each.policy.name}/v{each.policy.version}", differs, each.about)
    return table


def side_by_side(given: PolicySimulation, position: int) -> RenderableType:
    """Every line under both policies; current scores, and the others where they differ too."""
    of = f"{names.short(given.team)} in " if given.team else ""
    head = Text.assemble(
        (f"{of}{names.short(given.cycle)}", "bold"),
        f"  {given.policy.name}/v{given.policy.version} → {given.simulated.name}/"
        f"v{given.simulated.version}",
    )
    paths = [
        field.name
        for field in given.policy.DESCRIPTOR.fields
        if field.name not in ("name", "version")
        and getattr(given.policy, field.name) != getattr(given.simulated, field.name)
    ]
    differing = ", ".join(knobs(given.simulated, paths)) or "no knob differs"
    when = f"effective {marks.day(given.effective_at)}, known at @{position}"
    table = marks.table(
        "", "score", "", "what if", "", "original", "", "what if",
        right=("score", "what if", "original"),
    )  # fmt: skip
    for line in given.scores:
        table.add_row(*_line(line))
    return Group(head, f"  {differing}", Text(f"  {when}", style="dim"), "", table)


def _line(line: SimulatedScore) -> tuple[RenderableType, ...]:
    was, is_now = line.actual, line.simulated
    return (
        names.short(line.name),
        marks.banded(was.score, was.band),
        "→",
        marks.banded(is_now.score, is_now.band),
        marks.movement(was.score, is_now.score),
        marks.score(was.original_score),
        "→",
        marks.score(is_now.original_score),
    )
