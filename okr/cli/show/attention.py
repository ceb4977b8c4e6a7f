"""What needs attention: deviations with their reasons, and check-ins that are due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from okr import names
from okr.cli.show import marks
from okr.cli.show.audit import verb
from okr.cli.show.measures import amount, goal, reading
from okr.v1.resources_pb2 import (
    Dependant,
    Deviation,
    DeviationFinding,
    DeviationKind,
    DueCheckIn,
    DueState,
)
from okr.v1.score_service_pb2 import ListDeviationsResponse
from okr.v1.values_pb2 import Category

_STYLES: Final = {
    DeviationKind.DEVIATION_KIND_AT_RISK: "red",
    DeviationKind.DEVIATION_KIND_STALE: "magenta",
    DeviationKind.DEVIATION_KIND_NOT_STARTED: "magenta",
    DeviationKind.DEVIATION_KIND_BEHIND: "yellow",
    DeviationKind.DEVIATION_KIND_FALLING_BEHIND: "yellow",
    DeviationKind.DEVIATION_KIND_DEPENDENCY_CHANGED: "cyan",
    DeviationKind.DEVIATION_KIND_NO_OWNER: "bright_black",
}
_DAYS_OF_A_WEEK: Final = 7


def deviations(answer: ListDeviationsResponse) -> RenderableType:
    """The attention list, in the order given."""
    if not answer.deviations:
        return Text(f"nothing deviates, known at @{answer.position}", style="dim")
    blocks: list[RenderableType] = [_head(answer), ""]
    for each in answer.deviations:
        blocks += [*_deviation(each), ""]
    return Group(*blocks[:-1])


def due(given: Iterable[DueCheckIn]) -> RenderableType:
    """A line for each check-in that is due."""
    table = marks.table(
        "due", "", "key result", "", "team", "owner", "period", "last check-in", "",
        right=("period",),
    )  # fmt: skip
    for each in given:
        last = each.check_in
        table.add_row(
            marks.day(each.due_day),
            _urgency(each),
            each.title,
            Text(names.short(each.key_result), style="dim"),
            names.short(each.team),
            each.owner or marks.NOTHING,
            str(each.period.number),
            marks.day(last.effective_date),
            reading(last.measurement) if each.HasField("check_in") else "",
        )
    return table if table.row_count else Text("no check-in is due", style="dim")


def _head(answer: ListDeviationsResponse) -> Text:
    """How many, by their worst finding."""
    counted: dict[DeviationKind.ValueType, int] = {}
    for each in answer.deviations:
        kind = each.findings[0].kind
        counted[kind] = counted.get(kind, 0) + 1
    said = [
        (f"{count} {marks.word(DeviationKind.DESCRIPTOR, kind)}", _STYLES[kind])
        for kind, count in sorted(counted.items())
    ]
    parts: list[str | tuple[str, str]] = []
    for part in said:
        parts += [part, "  "]
    return Text.assemble(*parts, (f"known at @{answer.position}", "dim"))


def _deviation(given: Deviation) -> Iterator[RenderableType]:
    yield Text.assemble(
        *_kinds(given.findings),
        "  ",
        (given.title, "bold"),
        f"  {names.short(given.name)}",
        (f"  {names.short(given.team)}, {given.owner or 'nobody'}", "dim"),
    )
    if given.HasField("key_result"):
        yield f"  {_progress(given)}"
        if pace := _pace(given):
            yield f"  {pace}"
        yield Text(f"  {_last(given)}", style="dim")
    decided: dict[str | int, list[DeviationFinding]] = {}
    for finding in given.findings:
        if finding.subject:
            decided.setdefault(finding.adjustment or finding.positions[0], []).append(finding)
    for together in decided.values():
        yield marks.indented(_changed(together))
    if given.dependants:
        yield marks.indented(Text(f"depend on it: {', '.join(map(_dependant, given.dependants))}"))


def _kinds(findings: Iterable[DeviationFinding]) -> Iterator[tuple[str, str] | str]:
    between = "● "
    for kind in dict.fromkeys(finding.kind for finding in findings):
        yield f"{between}{marks.word(DeviationKind.DESCRIPTOR, kind)}", _STYLES[kind]
        between = ", "


def _progress(given: Deviation) -> str:
    """Where it is, where it should be, and how far apart that is."""
    value = _amount(given, given.value) if given.value else "not measured"
    said = [f"{goal(given.key_result.definition)}: {value}"]
    if not given.HasField("expected_value"):
        missed = given.HasField("gap") and Decimal(given.gap) > 0
        return f"{said[0]}, outside its bounds" if missed else said[0]
    said.append(f"expected {_amount(given, given.expected_value)}")
    if given.HasField("gap"):
        ahead = "ahead" if given.gap.startswith("-") else "behind"
        gap = marks.percent(given.gap.removeprefix("-"))
        said.append(f"{marks.percent(given.attainment)} of the way, {gap} {ahead}")
    return ", ".join(said)


def _pace(given: Deviation) -> str:
    """How fast it moves, how fast it would have to, and where it ends."""
    paces = [
        f"{word} {_weekly(given, pace)}"
        for word, pace in (("moves", given.recent_pace), ("needs", given.required_pace))
        if pace
    ]
    said = [f"{', '.join(paces)} a week"] if paces else []
    if given.HasField("forecast"):
        made = given.forecast
        low, high = (_amount(given, text) for text in (made.low, made.high))
        said.append(f"would end at {_amount(given, made.value)} ({low} … {high})")
    return ", ".join(said)


def _last(given: Deviation) -> str:
    """The last check-in and when the next one is due."""
    said = ["no check-in yet"]
    if given.HasField("check_in"):
        last = given.check_in
        confidence = f", confidence {last.confidence}" if last.HasField("confidence") else ""
        said = [f"last check-in {marks.day(last.effective_date)}{confidence}"]
    if given.HasField("due_day"):
        said.append(f"next due {marks.day(given.due_day)}")
    return "; ".join(said)


def _changed(given: list[DeviationFinding]) -> Text:
    """What was changed in one decision, by whom and why."""
    said: list[str | tuple[str, str]] = []
    for finding in given:
        said += [
            ", " if said else "",
            (names.short(finding.subject), "bold"),
            f" was {verb(finding.event_type)} @{finding.positions[0]}",
        ]
    decision = given[0]
    part = f" as part of {names.short(decision.adjustment)}" if decision.adjustment else ""
    because = marks.word(Category.DESCRIPTOR, decision.category)
    said += [f"{part} by {decision.actor}, {because}: ", (decision.reason, "italic")]
    return Text.assemble(*said)


def _dependant(given: Dependant) -> str:
    return f"{names.short(given.name)} ({names.short(given.team)})"


def _amount(given: Deviation, text: str) -> str:
    return amount(given.key_result.definition, text)


def _weekly(given: Deviation, text: str) -> str:
    """A pace a day as a pace a week, with its sign."""
    week = f"{Decimal(text) * _DAYS_OF_A_WEEK:f}"
    shown = _amount(given, week)
    return shown if Decimal(text) < 0 else f"+{shown}"


def _urgency(given: DueCheckIn) -> Text:
    match given.state:
        case DueState.DUE_STATE_OVERDUE:
            days = given.overdue_days
            return Text(f"● overdue by {days} day{'s' * (days > 1)}", style="red")
        case DueState.DUE_STATE_TODAY:
            return Text("● today", style="yellow")
    return Text("● soon", style="green")
