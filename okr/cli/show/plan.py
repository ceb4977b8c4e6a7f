"""Cycles, teams, objectives, key results, check-ins and alignments, one or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import marks, scorecard
from okr.cli.show.measures import fields, goal, kind, reading
from okr.v1.resources_pb2 import (
    Alignment,
    CheckIn,
    Cycle,
    KeyResult,
    KeyResultScore,
    Objective,
    Person,
    Team,
)
from okr.v1.values_pb2 import (
    AlignmentKind,
    Cadence,
    Commitment,
    CycleState,
    KeyResultState,
    ObjectiveState,
    Visibility,
)


def cycle(given: Cycle) -> RenderableType:
    """A cycle with every field."""
    definition = given.definition
    committed = f" (plan committed at @{given.plan_position})" if given.plan_position else ""
    return _card(
        definition.title,
        given.name,
        ("state", f"{marks.word(CycleState.DESCRIPTOR, given.state)}{committed}"),
        ("days", f"{marks.day(definition.first_day)} – {marks.day(definition.last_day)}"),
        ("time zone", definition.time_zone),
        ("cadence", marks.word(Cadence.DESCRIPTOR, definition.cadence)),
        ("grace", f"{definition.grace_days} days"),
        ("policy", f"{definition.policy.name}/v{definition.policy.version}"),
        ("approval", "needed" if definition.adjustments_need_approval else "not needed"),
        ("etag", given.etag),
    )


def cycles(given: Iterable[Cycle]) -> Table:
    """A line for each cycle."""
    table = marks.table("cycle", "title", "state", "first day", "last day", "policy")
    for each in given:
        definition = each.definition
        table.add_row(
            names.short(each.name),
            definition.title,
            marks.word(CycleState.DESCRIPTOR, each.state),
            marks.day(definition.first_day),
            marks.day(definition.last_day),
            f"{definition.policy.name}/v{definition.policy.version}",
        )
    return table


def teams(given: Iterable[Team]) -> Table:
    """A line for each team."""
    table = marks.table("team", "title", "parent", "state")
    for each in given:
        parent = names.short(each.definition.parent) or marks.NOTHING
        state = "retired" if each.retired else "active"
        table.add_row(names.short(each.name), each.definition.title, parent, state)
    return table


def people(given: Iterable[Person]) -> Table:
    """A line for each person."""
    table = marks.table("person", "name", "state", "successor")
    for each in given:
        state = "erased" if each.erased else "active"
        successor = each.successor or marks.NOTHING
        table.add_row(each.name, each.display_name or marks.NOTHING, state, successor)
    return table


def objective(given: Objective) -> RenderableType:
    """An objective with every field."""
    definition = given.definition
    said = [
        ("cycle", names.short(given.cycle)),
        ("team", names.short(definition.team)),
        ("state", marks.word(ObjectiveState.DESCRIPTOR, given.state)),
        ("commitment", marks.word(Commitment.DESCRIPTOR, definition.commitment)),
        ("visibility", marks.word(Visibility.DESCRIPTOR, definition.visibility)),
        ("owner", definition.owner.plain or marks.NOTHING),
    ]
    if given.HasField("final_score"):
        computed = f" (computed {marks.score(given.computed_score)})"
        said.append(("final score", f"{marks.score(given.final_score)}{computed}"))
    if definition.description:
        said.append(("description", definition.description))
    said.append(("key results", "\n".join(map(names.short, given.key_results)) or marks.NOTHING))
    said.append(("etag", given.etag))
    return _card(definition.title, given.name, *said)


def objectives(given: Iterable[Objective]) -> Table:
    """A line for each objective."""
    table = marks.table(
        *("objective", "title", "team", "state", "visibility", "key results"),
        right=("key results",),
    )
    for each in given:
        table.add_row(
            names.short(each.name),
            each.definition.title,
            names.short(each.definition.team),
            marks.word(ObjectiveState.DESCRIPTOR, each.state),
            marks.word(Visibility.DESCRIPTOR, each.definition.visibility),
            str(len(each.key_results)),
        )
    return table


def key_result(given: KeyResult) -> RenderableType:
    """A key result with every field of its definition, without scores."""
    definition = given.definition
    shown = [(name, text) for name, text in fields(definition) if name != "title"]
    return _card(
        definition.title,
        given.name,
        ("goal", goal(definition)),
        ("measure", kind(definition)),
        ("state", marks.word(KeyResultState.DESCRIPTOR, given.state)),
        *[(name, text) for name, text in shown if name in ("weight", "owner", "trajectory")],
        ("revision", str(given.revision)),
        ("check-ins", str(given.check_in_count)),
        *_carried_over(given),
        ("etag", given.etag),
    )


def _carried_over(given: KeyResult) -> Iterator[tuple[str, str]]:
    if given.continued_from:
        yield "continues", names.short(given.continued_from)
    if given.continued_by:
        yield "continued by", "\n".join(map(names.short, given.continued_by))


def key_result_score(given: KeyResultScore) -> RenderableType:
    """A key result with its scores."""
    return Group(key_result(given.key_result), "", scorecard.key_results([given]))


def check_ins(given: Iterable[CheckIn]) -> Table:
    """A line for each check-in, with the movement since the one before it."""
    table = marks.table(
        "no", "day", "value", "", "confidence", "by", "recorded", "note",
        right=("no", "value", "confidence"),
    )  # fmt: skip
    before = ""
    for each in given:
        value = each.measurement.value if each.measurement.WhichOneof("reading") == "value" else ""
        table.add_row(
            each.name.rpartition("/")[2],
            marks.day(each.effective_date),
            reading(each.measurement),
            "" if each.retracted else marks.step(before, value),
            str(each.confidence) if each.HasField("confidence") else marks.NOTHING,
            each.actor,
            marks.instant(each.source_time if each.HasField("source_time") else each.recorded_time),
            " ".join(_remarks(each)),
            style="dim strike" if each.retracted else None,
        )
        before = before if each.retracted else value
    return table


def alignments(given: Iterable[Alignment]) -> Table:
    """A line for each alignment."""
    table = marks.table("child", "", "parent", "weight", right=("weight",))
    for each in given:
        table.add_row(
            names.short(each.child),
            f"{marks.word(AlignmentKind.DESCRIPTOR, each.kind)} →",
            names.short(each.parent),
            each.weight or marks.NOTHING,
        )
    return table


def _remarks(check_in: CheckIn) -> Iterator[str]:
    if check_in.retracted:
        yield "(retracted)"
    elif check_in.corrected_position:
        yield f"(corrected @{check_in.corrected_position} by {check_in.corrected_by})"
    if check_in.note:
        yield check_in.note


def _card(title: str, name: str, *said: tuple[str, str]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    for field, text in said:
        table.add_row(field, text)
    return Group(Text.assemble((title, "bold"), f"  {names.short(name)}"), marks.indented(table))
