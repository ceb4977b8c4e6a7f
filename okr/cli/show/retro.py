"""A retrospective: plan and outcome, what changed and what followed, discipline, calibration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import marks
from okr.cli.show.audit import verb
from okr.cli.show.measures import amount, goal
from okr.cli.show.why import attribution, sentence
from okr.v1.resources_pb2 import Band, KeyResult, KeyResultRevision, Lesson, ObjectiveRevision
from okr.v1.retrospective_pb2 import (
    AdjustmentOutcome,
    Calibration,
    CarryOverReason,
    CarryOverSuggestion,
    Discipline,
    KeyResultOutcome,
    ObjectiveOutcome,
    Retrospective,
)
from okr.v1.values_pb2 import (
    Category,
    Commitment,
    KeyResultState,
    ObjectiveState,
)

FURTHEST_MOVEMENTS: Final = 8
"""How many events that moved the score are shown."""

_MET: Final = ("met", "green")
_MISSED: Final = ("missed", "red")


def retrospective(given: Retrospective, position: int) -> RenderableType:
    """The whole of it, by sections; a section without content is left out."""
    blocks: list[RenderableType] = [*_head(given, position)]
    for title, content in (
        ("Plan and outcome", _objectives(given.objectives)),
        ("What moved the score since plan commitment", _moved(given)),
        ("Adjustments and what followed", _adjustments(given.adjustments)),
        ("Changed without an adjustment", _revisions(given)),
        ("Check-in discipline", _discipline(given)),
        ("Confidence at mid-cycle against the outcome", _calibration(given)),
        ("Forecasts at mid-cycle against the values", _forecasts(given)),
        ("Lessons", _lessons(given.lessons)),
        ("Worth carrying over", _carry_overs(given)),
    ):
        shown = list(content)
        if shown:
            blocks += ["", Text(title, style="bold underline"), *shown]
    return Group(*blocks)


def _head(given: Retrospective, position: int) -> Iterator[RenderableType]:
    definition = given.cycle.definition
    of = f"  {names.short(given.team)}" if given.team else ""
    yield Text.assemble((definition.title, "bold"), f"  {names.short(given.cycle.name)}{of}")
    yield Text(
        f"{'still running, as of' if given.running else 'outcome of'}"
        f" {marks.day(given.effective_at)}, mid-cycle {marks.day(given.mid_day)},"
        f" known at @{position}",
        style="dim",
    )
    yield Text.assemble(
        marks.bar(given.score, given.band),
        " ",
        marks.banded(given.score, given.band),
        f"  original {marks.score(given.original_score)}",
        f"  as judged {marks.score(given.as_judged_score)}",
        f"  {given.met_count} of {given.objective_count} objectives met",
    )


def _objectives(given: Iterable[ObjectiveOutcome]) -> Iterator[RenderableType]:
    for each in given:
        definition = each.objective.definition
        abandoned = each.objective.state == ObjectiveState.OBJECTIVE_STATE_ABANDONED
        committed = definition.commitment == Commitment.COMMITMENT_COMMITTED
        yield Text.assemble(
            (definition.title, "bold"),
            f"  {names.short(each.objective.name)}",
            f"  {names.short(definition.team)}, {'committed' if committed else 'aspirational'}  ",
            f"{marks.score(each.score)} (original {marks.score(each.original_score)})  ",
            ("abandoned", "dim") if abandoned else _verdict(each.met),
        )
        if each.key_results:
            yield marks.indented(_key_results(each.key_results))


def _key_results(given: Iterable[KeyResultOutcome]) -> Table:
    table = marks.table(
        "key result", "plan", "now", "value", "", "score", "original", "", right=("value",)
    )
    for each in given:
        definition = each.key_result.definition
        dropped = _is_dropped(each)
        table.add_row(
            definition.title,
            goal(each.planned) if each.HasField("planned") else "added later",
            _changed_goal(each),
            amount(definition, each.value) if each.HasField("value") else marks.NOTHING,
            marks.bar(each.score, Band.BAND_UNSPECIFIED),
            marks.score(each.score),
            marks.score(each.original_score),
            "dropped" if dropped else Text.assemble(_verdict(each.met)),
            style="dim" if dropped else None,
        )
    return table


def _moved(given: Retrospective) -> Iterator[RenderableType]:
    if not given.HasField("attribution"):
        return
    yield attribution(given.attribution, FURTHEST_MOVEMENTS)
    table = marks.table("objective", "from plan to outcome, in hundredths")
    for each in given.objectives:
        table.add_row(names.short(each.objective.name), sentence(each.parts))
    yield ""
    yield table


def _changed_goal(given: KeyResultOutcome) -> str:
    """The goal in force, where it is not the planned one."""
    now = goal(given.key_result.definition)
    return "=" if given.HasField("planned") and now == goal(given.planned) else now


def _adjustments(given: Iterable[AdjustmentOutcome]) -> Iterator[RenderableType]:
    for each in given:
        made = each.adjustment
        yield Text.assemble(
            (made.title, "bold"),
            f"  {names.short(made.name)}  @{made.first_position}"
            f"  effective {marks.day(made.effective_date)}  by {made.on_behalf_of or made.actor}",
        )
        yield marks.indented(_because(made.category, made.reason))
        for change in made.changes:
            yield f"  {verb(change.event_type)} {names.short(change.subject)}  @{change.position}"
        if each.courses:
            table = marks.table("score of", "before", "right after", "", "at the end", "")
            for course in each.courses:
                table.add_row(
                    names.short(course.name),
                    marks.score(course.score_before),
                    marks.score(course.score_after),
                    marks.movement(course.score_before, course.score_after),
                    marks.score(course.score_at_end),
                    marks.movement(course.score_after, course.score_at_end),
                )
            yield marks.indented(table)


def _revisions(given: Retrospective) -> Iterator[RenderableType]:
    for of_objective in given.objective_revisions:
        yield from _revision(of_objective)
    for of_key_result in given.revisions:
        yield from _revision(of_key_result)


def _revision(given: KeyResultRevision | ObjectiveRevision) -> Iterator[RenderableType]:
    name = given.name.partition("/revisions/")[0]
    fields = f" ({', '.join(given.changed.paths)})" if given.changed.paths else ""
    yield Text.assemble(
        (names.short(name), "bold"),
        f" {verb(given.event_type)}{fields}  @{given.position}"
        f"  effective {marks.day(given.effective_date)}  by {given.on_behalf_of or given.actor}"
        f"  {marks.score(given.score_before)} → {marks.score(given.score_after)}",
    )
    yield marks.indented(_because(given.category, given.reason))


def _because(category: Category.ValueType, reason: str) -> Text:
    return Text.assemble(f"{marks.word(Category.DESCRIPTOR, category)}: ", (reason, "italic"))


def _discipline(given: Retrospective) -> Iterator[RenderableType]:
    if not given.discipline.due:
        return
    table = marks.table("", "made", "", "of due", "late", right=("of due", "late"))
    groups = (
        ("together", [given.discipline]),
        ("", given.discipline_by_team),
        ("", given.discipline_by_owner),
    )
    for name, lines in groups:
        for line in lines:
            table.add_row(*_discipline_cells(name or line.name or "nobody", line))
    yield table


def _discipline_cells(name: str, line: Discipline) -> Iterator[RenderableType]:
    yield names.short(name) if name.startswith("teams/") else name
    yield marks.bar(line.made_share, Band.BAND_UNSPECIFIED)
    yield marks.percent(line.made_share)
    yield f"{line.made} of {line.due}"
    yield str(line.late)


def _calibration(given: Retrospective) -> Iterator[RenderableType]:
    if not given.calibration.count:
        return
    table = marks.table("", "key results", "Brier", "confidence", "met", "", right=("key results",))
    for name, lines in (
        ("together", [given.calibration]),
        ("", given.calibration_by_team),
        ("", given.calibration_by_role),
    ):
        for line in lines:
            table.add_row(*_calibration_cells(name or line.name, line))
    yield table
    table = marks.table("key result", "confidence", "outcome", "Brier", right=("confidence",))
    for key_result in _counting(given):
        if key_result.HasField("brier"):
            table.add_row(
                names.short(key_result.key_result.name),
                str(key_result.mid_confidence),
                Text.assemble(_verdict(key_result.met)),
                marks.score(key_result.brier),
            )
    yield marks.indented(table)


def _calibration_cells(name: str, line: Calibration) -> Iterator[RenderableType]:
    yield names.short(name) if name.startswith("teams/") else name.lower()
    yield str(line.count)
    yield marks.score(line.brier)
    yield marks.percent(line.mean_confidence)
    yield marks.percent(line.met_share)
    yield marks.movement(line.mean_confidence, line.met_share)


def _forecasts(given: Retrospective) -> Iterator[RenderableType]:
    accuracy = given.forecasts
    if not accuracy.count:
        return
    away = (
        f", on average {marks.percent(accuracy.mean_error)} of the way off"
        if accuracy.HasField("mean_error")
        else ""
    )
    yield f"{accuracy.within_range} of {accuracy.count} values came out within the range{away}"
    table = marks.table(
        "key result", "foretold", "range", "came out", "off by", right=("foretold", "came out")
    )
    for each in _counting(given):
        if each.HasField("forecast_error"):
            definition, made = each.key_result.definition, each.mid_forecast
            table.add_row(
                names.short(each.key_result.name),
                amount(definition, made.value),
                f"{amount(definition, made.low)} … {amount(definition, made.high)}",
                amount(definition, each.value),
                amount(definition, each.forecast_error),
            )
    yield marks.indented(table)


def _lessons(given: Iterable[Lesson]) -> Iterator[RenderableType]:
    for each in given:
        about = f"  {names.short(each.subject)}" if each.subject else ""
        yield Text.assemble(
            f"{marks.word(Category.DESCRIPTOR, each.category)}{about}"
            f"  {each.on_behalf_of or each.actor}: ",
            (each.lesson, "italic"),
        )


def _carry_overs(given: Retrospective) -> Iterator[RenderableType]:
    if not given.carry_overs:
        return
    known = {each.key_result.name: each.key_result for each in _counting(given)}
    table = marks.table("key result", "", "why", "begin at", right=("begin at",))
    for each in given.carry_overs:
        table.add_row(*_carry_over_cells(known[each.key_result], each))
    yield table


def _carry_over_cells(of: KeyResult, given: CarryOverSuggestion) -> Iterator[RenderableType]:
    yield names.short(of.name)
    yield of.definition.title
    yield ", ".join(marks.word(CarryOverReason.DESCRIPTOR, reason) for reason in given.reasons)
    yield marks.number(given.baseline)


def _counting(given: Retrospective) -> Iterator[KeyResultOutcome]:
    """The key results that are neither dropped nor part of an abandoned objective."""
    for objective in given.objectives:
        if objective.objective.state != ObjectiveState.OBJECTIVE_STATE_ABANDONED:
            yield from (each for each in objective.key_results if not _is_dropped(each))


def _is_dropped(given: KeyResultOutcome) -> bool:
    return given.key_result.state == KeyResultState.KEY_RESULT_STATE_DROPPED


def _verdict(met: bool) -> tuple[str, str]:
    return _MET if met else _MISSED
