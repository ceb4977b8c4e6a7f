"""Two plans side by side: their figures, and every difference with before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import marks
from okr.cli.show.audit import changed
from okr.cli.show.measures import goal
from okr.v1.plan_comparison_pb2 import PlanChange, PlanChangeKind, PlanComparison, PlanSide
from okr.v1.resources_pb2 import Alignment
from okr.v1.values_pb2 import AlignmentKind, KeyResultDefinition, ObjectiveDefinition

_WORDS: Final = {
    PlanChangeKind.PLAN_CHANGE_KIND_RETARGETED: "re-targeted",
    PlanChangeKind.PLAN_CHANGE_KIND_REWEIGHTED: "re-weighted",
    PlanChangeKind.PLAN_CHANGE_KIND_REALIGNED: "re-aligned",
    PlanChangeKind.PLAN_CHANGE_KIND_MOVED: "moved to another team",
    PlanChangeKind.PLAN_CHANGE_KIND_REASSIGNED: "another owner",
}
_STYLES: Final = {
    PlanChangeKind.PLAN_CHANGE_KIND_ADDED: "green",
    PlanChangeKind.PLAN_CHANGE_KIND_RESTORED: "green",
    PlanChangeKind.PLAN_CHANGE_KIND_DROPPED: "red",
}


def comparison(given: PlanComparison) -> RenderableType:
    """Both plans' figures, the totals, and what differs subject by subject."""
    of = f"{names.short(given.team)} in " if given.team else ""
    blocks: list[RenderableType] = [
        Text.assemble((f"{of}{names.short(given.cycle)}", "bold"), "  two plans"),
        "",
        _sides(given.before, given.after),
        "",
    ]
    if not given.changes:
        return Group(*blocks, Text("no differences", style="dim"))
    blocks += [_totals(given), ""]
    for subject, changes in groupby(given.changes, key=lambda each: each.subject):
        blocks += [*_subject(subject, changes), ""]
    return Group(*blocks[:-1])


def _sides(before: PlanSide, after: PlanSide) -> Table:
    table = marks.table("", "before", "", "after")
    for label, was, is_now in (
        ("known at", f"@{before.position}", f"@{after.position}"),
        ("effective", marks.day(before.effective_at), marks.day(after.effective_at)),
        ("objectives", str(before.objective_count), str(after.objective_count)),
        ("key results", str(before.key_result_count), str(after.key_result_count)),
        ("score", marks.score(before.score), marks.score(after.score)),
        ("original", marks.score(before.original_score), marks.score(after.original_score)),
        ("as judged", marks.score(before.as_judged_score), marks.score(after.as_judged_score)),
    ):
        table.add_row(label, was, "→", is_now)
    return table


def _totals(given: PlanComparison) -> Table:
    table = marks.table("", "objectives", "key results", right=("objectives", "key results"))
    for total in given.totals:
        cells = (str(each or marks.NOTHING) for each in (total.objectives, total.key_results))
        table.add_row(_word(total.kind), *cells)
    return table


def _subject(name: str, changes: Iterable[PlanChange]) -> Iterator[RenderableType]:
    yield Text(names.short(name), style="bold")
    for change in changes:
        events = "  ".join(f"@{position}" for position in change.event_positions)
        kind = (_word(change.kind), _STYLES.get(change.kind, "yellow"))
        yield Text.assemble("  ", kind, "  ", (events, "dim"))
        if change.changed.paths:
            yield marks.indented(marks.indented(_changed(change)))
        else:
            yield from (f"    {line}" for line in _said(change))
        yield from _edges("no longer", change.alignments_before)
        yield from _edges("now", change.alignments_after)


def _changed(change: PlanChange) -> Table:
    if change.HasField("key_result_before") or change.HasField("key_result_after"):
        return changed(change.changed, change.key_result_before, change.key_result_after)
    return changed(change.changed, change.objective_before, change.objective_after)


def _said(change: PlanChange) -> Iterator[str]:
    """What came or went, in a line."""
    for name in ("key_result_before", "key_result_after", "objective_before", "objective_after"):
        if change.HasField(name):
            definition: KeyResultDefinition | ObjectiveDefinition = getattr(change, name)
            yield (
                f"{definition.title}: {goal(definition)}"
                if isinstance(definition, KeyResultDefinition)
                else definition.title
            )


def _edges(when: str, edges: Iterable[Alignment]) -> Iterator[str]:
    for edge in edges:
        kind = marks.word(AlignmentKind.DESCRIPTOR, edge.kind)
        weight = f" with weight {edge.weight}" if edge.weight not in ("", "1") else ""
        yield f"    {when} {kind} → {names.short(edge.parent)}{weight}"


def _word(kind: PlanChangeKind.ValueType) -> str:
    return _WORDS.get(kind) or marks.word(PlanChangeKind.DESCRIPTOR, kind)
