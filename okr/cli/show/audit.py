"""Who changed what, when and why, and what that did to the scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.field_mask_pb2 import FieldMask
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import marks
from okr.cli.show.measures import field, goal
from okr.v1.audit_service_pb2 import (
    CompareKeyResultRevisionsResponse,
    CompareObjectiveRevisionsResponse,
)
from okr.v1.resources_pb2 import (
    Adjustment,
    AdjustmentChange,
    AdjustmentState,
    KeyResultRevision,
    ObjectiveRevision,
    ScoreEffect,
)
from okr.v1.values_pb2 import (
    AlignmentKind,
    Category,
    CycleDefinition,
    KeyResultDefinition,
    ObjectiveDefinition,
)

_VERBS = {
    "KeyResultAdded": "added",
    "KeyResultRevised": "revised",
    "KeyResultDropped": "dropped",
    "KeyResultRestored": "restored",
    "KeyResultCarriedOver": "carried over",
    "ObjectiveCreated": "created",
    "ObjectiveRevised": "revised",
    "ObjectiveAbandoned": "given up",
    "ObjectiveGraded": "graded",
    "ObjectiveRegraded": "graded again",
    "Aligned": "aligned",
    "Unaligned": "no longer aligned",
    "CycleRevised": "revised",
}
_STATES = {
    AdjustmentState.ADJUSTMENT_STATE_PROPOSED: "yellow",
    AdjustmentState.ADJUSTMENT_STATE_APPLIED: "green",
    AdjustmentState.ADJUSTMENT_STATE_REJECTED: "red",
}


Revision = KeyResultRevision | ObjectiveRevision


def revisions(given: Iterable[Revision], *, named: bool = False) -> RenderableType:
    """Revisions in the order given, each with before and after, and what it is of if `named`."""
    blocks: list[RenderableType] = []
    for revision in given:
        blocks += [*_revision(revision, named=named), ""]
    return Group(*blocks[:-1]) if blocks else Text("no revisions", style="dim")


def adjustments(given: Iterable[Adjustment]) -> RenderableType:
    """Adjustments with their changes and effects."""
    blocks: list[RenderableType] = []
    for adjustment in given:
        blocks += [*_adjustment(adjustment), ""]
    return Group(*blocks[:-1]) if blocks else Text("no adjustments", style="dim")


def comparison(
    given: CompareKeyResultRevisionsResponse | CompareObjectiveRevisionsResponse,
) -> RenderableType:
    """Two revisions of a subject, and what differs between the definitions after them."""
    blocks: list[RenderableType] = []
    revision: Revision
    for revision in (given.first, given.second):
        blocks += [
            Text.assemble(
                (f"revision {revision.number}", "bold"), f"  {verb(revision.event_type)}"
            ),
            Text(
                f"  @{revision.position}  effective {marks.day(revision.effective_date)}"
                f"  by {revision.actor}  score {marks.score(revision.score_after)}",
                style="dim",
            ),
        ]
    if given.changed.paths:
        blocks.append(marks.indented(changed(given.changed, given.before, given.after)))
    else:
        blocks.append(Text("  the definitions are equal", style="dim"))
    return Group(*blocks)


def _revision(given: Revision, *, named: bool) -> Iterator[RenderableType]:
    name = names.short(given.snapshot.name)
    yield Text.assemble(
        (f"{name}  " if named else "", "bold"),
        (f"revision {given.number}", "bold"),
        f"  {verb(given.event_type)}  {given.snapshot.definition.title}",
    )
    by = f"{given.actor} for {given.on_behalf_of}" if given.on_behalf_of else given.actor
    yield Text(
        f"  @{given.position}  effective {marks.day(given.effective_date)}  by {by}"
        f"  recorded {marks.instant(given.recorded_time)}"
        + (
            f"  in the source {marks.instant(given.source_time)}"
            if given.HasField("source_time")
            else ""
        ),
        style="dim",
    )
    if given.adjustment:
        yield f"  part of {given.adjustment}"
    if given.reason:
        yield Text.assemble(
            f"  {marks.word(Category.DESCRIPTOR, given.category)}: ", (given.reason, "italic")
        )
    if given.changed.paths:
        yield marks.indented(changed(given.changed, given.before, given.after))
    elif given.number == 1 and isinstance(given, KeyResultRevision):
        yield f"  goal {goal(given.snapshot.definition)}"
    if given.HasField("score_before") or given.HasField("score_after"):
        yield Text.assemble(
            f"  score {marks.score(given.score_before)} → {marks.score(given.score_after)}  ",
            marks.movement(given.score_before, given.score_after),
            (f"  {_other_two(given)}", "dim"),
        )


def _other_two(given: Revision) -> str:
    """The scores beside the current one: against the plan, and as judged before and after."""
    before, after = given.scores_before, given.scores_after
    original = after.original_score or before.original_score
    judged = f"{marks.score(before.as_judged_score)} → {marks.score(after.as_judged_score)}"
    return f"original {marks.score(original)}  as judged {judged}"


def _adjustment(given: Adjustment) -> Iterator[RenderableType]:
    title = Text.assemble((given.title, "bold"), f"  {names.short(given.name)}")
    if given.HasField("proposed"):
        state = marks.word(AdjustmentState.DESCRIPTOR, given.state)
        title.append(f"  {state}", style=_STATES.get(given.state, ""))
    yield title
    at = f"@{given.first_position}"
    if given.last_position != given.first_position:
        at += f" – @{given.last_position}"
    by = f"{given.actor} for {given.on_behalf_of}" if given.on_behalf_of else given.actor
    yield Text(f"  {at}  effective {marks.day(given.effective_date)}  by {by}", style="dim")
    yield Text.assemble(
        f"  {marks.word(Category.DESCRIPTOR, given.category)}: ", (given.reason, "italic")
    )
    for step, what in ((given.proposed, "proposed"), (given.decided, _decision(given))):
        if step.position:
            by = f"{step.actor} for {step.on_behalf_of}" if step.on_behalf_of else step.actor
            yield Text.assemble(
                (f"  {what} by {by}  @{step.position}", "dim"),
                (f"  {step.reason}", "italic") if step is given.decided else "",
            )
    for change in given.changes:
        yield from _change(change)
    if given.effects:
        yield ""
        yield marks.indented(_effects(given.effects))


def _decision(given: Adjustment) -> str:
    rejected = given.state == AdjustmentState.ADJUSTMENT_STATE_REJECTED
    return "rejected" if rejected else "approved"


def _change(given: AdjustmentChange) -> Iterator[RenderableType]:
    yield Text.assemble(
        f"  {verb(given.event_type)}  ",
        (names.short(given.subject), "bold"),
        f"  @{given.position}" if given.position else "",
    )
    if given.HasField("alignment"):
        kind = marks.word(AlignmentKind.DESCRIPTOR, given.alignment.kind)
        yield f"    {kind} → {names.short(given.alignment.parent)}"
    elif given.HasField("key_result_before"):
        yield _indent(changed(given.changed, given.key_result_before, given.key_result_after))
    elif given.HasField("objective_before"):
        yield _indent(changed(given.changed, given.objective_before, given.objective_after))
    elif given.HasField("cycle_before"):
        yield _indent(changed(given.changed, given.cycle_before, given.cycle_after))
    elif given.HasField("key_result_after"):
        yield f"    {given.key_result_after.title}: {goal(given.key_result_after)}"
    if given.dependants:
        yield f"    depend on it: {', '.join(map(names.short, given.dependants))}"


def changed(
    mask: FieldMask,
    before: KeyResultDefinition | ObjectiveDefinition | CycleDefinition,
    after: KeyResultDefinition | ObjectiveDefinition | CycleDefinition,
) -> Table:
    """A line for each changed field, before and after."""
    table = marks.table("field", "before", "", "after")
    for path in mask.paths:
        was, is_now = field(before, path), field(after, path)
        table.add_row(
            path.replace("_", " "), Text(was, style="red"), "→", Text(is_now, style="green")
        )
    return table


def _effects(given: Iterable[ScoreEffect]) -> Table:
    table = marks.table(
        "effect on", "before", "", "after", "", "original", "as judged", right=("before", "after")
    )
    for effect in given:
        table.add_row(
            names.short(effect.name),
            marks.score(effect.score_before),
            "→",
            marks.score(effect.score_after),
            marks.movement(effect.score_before, effect.score_after),
            marks.score(effect.scores_after.original_score),
            marks.score(effect.scores_after.as_judged_score),
        )
    return table


def _indent(content: RenderableType) -> RenderableType:
    return marks.indented(marks.indented(content))


def verb(event_type: str) -> str:
    """What an event did, from the full name of its message."""
    name = event_type.rpartition(".")[2]
    return _VERBS.get(name, name)
