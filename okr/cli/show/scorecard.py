"""A scorecard: the cycle, its teams, and each objective with its key results."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import marks
from okr.cli.show.measures import expected, goal, value
from okr.v1.resources_pb2 import Band, KeyResultScore, ObjectiveScore, Scorecard, TeamScore
from okr.v1.score_service_pb2 import GetScorecardResponse
from okr.v1.values_pb2 import Commitment, CycleState, KeyResultState, ObjectiveState


def renderable(answer: GetScorecardResponse) -> RenderableType:
    """The whole scorecard."""
    card = answer.scorecard
    blocks: list[RenderableType] = [*_head(card, answer.position), "", _teams(card), ""]
    for objective in card.objectives:
        blocks += [*_objective(objective), ""]
    return Group(*blocks[:-1])


def key_result(line: KeyResultScore) -> RenderableType:
    """One key result's line, as a table of its own."""
    table = _key_result_table()
    _add_key_result(table, line)
    return table


def _head(card: Scorecard, position: int) -> Iterator[RenderableType]:
    cycle = card.cycle
    definition = cycle.definition
    yield Text.assemble(
        (definition.title, "bold"),
        f"  {names.short(cycle.name)}",
        f"  {marks.word(CycleState.DESCRIPTOR, cycle.state)}",
        f"  {marks.day(definition.first_day)} – {marks.day(definition.last_day)}",
        f"  {definition.policy.name}/v{definition.policy.version}",
    )
    yield Text(
        f"effective {marks.day(card.effective_at)} ({marks.percent(card.elapsed_share)} of the"
        f" time), known at @{position}",
        style="dim",
    )
    yield Text.assemble(
        marks.bar(card.score, card.band),
        " ",
        marks.banded(card.score, card.band),
        f"  original {marks.score(card.original_score)}",
        f"  as judged {marks.score(card.as_judged_score)}  ",
        marks.status(card.status),
    )


def _teams(card: Scorecard) -> Table:
    table = marks.table(
        "team", "", "score", "original", "status", "objectives", right=("objectives",)
    )
    depth: dict[str, int] = {}
    for line in card.teams:
        parent = line.team.definition.parent
        depth[line.team.name] = level = depth.get(parent, -1) + 1
        table.add_row(*_team(line, level))
    return table


def _team(line: TeamScore, level: int) -> Iterator[RenderableType]:
    retired = " (retired)" if line.team.retired else ""
    yield f"{'  ' * level}{line.team.definition.title}{retired}"
    yield marks.bar(line.score, line.band)
    yield marks.banded(line.score, line.band)
    yield marks.score(line.original_score)
    yield marks.status(line.status)
    yield str(line.objective_count)


def _objective(line: ObjectiveScore) -> Iterator[RenderableType]:
    objective = line.objective
    definition = objective.definition
    committed = definition.commitment == Commitment.COMMITMENT_COMMITTED
    said = [names.short(definition.team), "committed" if committed else "aspirational"]
    if objective.state != ObjectiveState.OBJECTIVE_STATE_ACTIVE:
        said.append(marks.word(ObjectiveState.DESCRIPTOR, objective.state))
    if line.met:
        said.append("met")
    if objective.HasField("final_score") and objective.final_score != objective.computed_score:
        said.append(f"graded by hand, computed {marks.score(objective.computed_score)}")
    yield Text.assemble(
        (definition.title, "bold"),
        f"  {names.short(objective.name)}",
        (f"  {', '.join(said)}", "dim"),
    )
    yield Text.assemble(
        marks.bar(line.score, line.band),
        " ",
        marks.banded(line.score, line.band),
        f"  original {marks.score(line.original_score)}",
        f"  as judged {marks.score(line.as_judged_score)}  ",
        marks.status(line.status),
    )
    table = _key_result_table()
    for key_result in line.key_results:
        _add_key_result(table, key_result)
    for child in line.children:
        band = Band.BAND_UNSPECIFIED
        table.add_row(
            f"↳ {names.short(child.name)}",
            "contributes",
            "",
            "",
            marks.bar(child.score, band),
            marks.score(child.score),
            "",
            marks.percent(child.weight_share),
            "",
        )
    yield marks.indented(table)


def _key_result_table() -> Table:
    right = ("value", "expected", "weight")
    return marks.table(
        "key result", "goal", "value", "expected", "", "score", "original", "weight", "status",
        right=right,
    )  # fmt: skip


def _add_key_result(table: Table, line: KeyResultScore) -> None:
    definition = line.key_result.definition
    dropped = line.key_result.state == KeyResultState.KEY_RESULT_STATE_DROPPED
    table.add_row(
        definition.title,
        goal(definition),
        value(line),
        expected(line),
        marks.bar(line.score, line.band),
        marks.banded(line.score, line.band),
        marks.score(line.original_score),
        marks.percent(line.weight_share),
        Text("dropped", style="dim") if dropped else marks.status(line.status),
        style="dim strike" if dropped else None,
    )
