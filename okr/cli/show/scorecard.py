"""A scorecard: the cycle, its teams, and each objective with its key results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    JustifyMethod,
    RenderableType,
    RenderResult,
)
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import ends, marks
from okr.cli.show.measures import expected, goal, value
from okr.v1.resources_pb2 import (
    Band,
    ChildScore,
    KeyResultScore,
    ObjectiveScore,
    Scorecard,
    TeamScore,
)
from okr.v1.score_service_pb2 import GetScorecardResponse
from okr.v1.values_pb2 import (
    Commitment,
    CycleState,
    FinalScore,
    KeyResultState,
    ObjectiveState,
    Visibility,
)

Sealed = Mapping[str, FinalScore]
"""What a seal holds, by the names of teams and objectives."""


def renderable(answer: GetScorecardResponse) -> RenderableType:
    """The whole scorecard."""
    card = answer.scorecard
    sealed = {line.name: line for line in (*card.seal.team_scores, *card.seal.objective_scores)}
    blocks: list[RenderableType] = [
        *_head(card, answer.position, sealed),
        "",
        _teams(card, sealed),
        "",
    ]
    for objective in card.objectives:
        blocks += [*_objective(objective, sealed.get(objective.objective.name)), ""]
    if card.amendments:
        blocks += [Text("amended after it was sealed", style="yellow")]
        blocks += [marks.indented(ends.amendments(card.amendments)), ""]
    return Group(*blocks[:-1])


def key_results(given: Iterable[KeyResultScore]) -> RenderableType:
    """Several key results' lines, as a table."""
    lines = Lines()
    for line in given:
        lines.add(_cells(line), dropped=_is_dropped(line))
    return lines


def _head(card: Scorecard, position: int, sealed: Sealed) -> Iterator[RenderableType]:
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
    if card.HasField("seal"):
        score = sealed[card.team].score if card.team in sealed else card.seal.score
        yield Text.assemble((f"sealed {marks.score(score)}", "bold"), ends.place(card.seal))


def _teams(card: Scorecard, sealed: Sealed) -> Table:
    more = ("sealed",) if sealed else ()
    table = marks.table(
        *("team", "", "score", *more, "original", "as judged", "status", "objectives"),
        right=("objectives",),
    )
    depth: dict[str, int] = {}
    for line in card.teams:
        parent = line.team.definition.parent
        depth[line.team.name] = level = depth.get(parent, -1) + 1
        table.add_row(*_team(line, level, sealed))
    return table


def _team(line: TeamScore, level: int, sealed: Sealed) -> Iterator[RenderableType]:
    retired = " (retired)" if line.team.retired else ""
    yield f"{'  ' * level}{line.team.definition.title}{retired}"
    yield marks.bar(line.score, line.band)
    yield marks.banded(line.score, line.band)
    if sealed:
        yield marks.score(sealed[line.team.name].score) if line.team.name in sealed else ""
    yield marks.score(line.original_score)
    yield marks.score(line.as_judged_score)
    yield marks.status(line.status)
    yield str(line.objective_count)


def _objective(line: ObjectiveScore, sealed: FinalScore | None) -> Iterator[RenderableType]:
    objective = line.objective
    definition = objective.definition
    committed = definition.commitment == Commitment.COMMITMENT_COMMITTED
    said = [names.short(definition.team), "committed" if committed else "aspirational"]
    if definition.visibility == Visibility.VISIBILITY_TEAM:
        said.append("private")
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
        f"  sealed {marks.score(sealed.score)}" if sealed else "",
        f"  original {marks.score(line.original_score)}",
        f"  as judged {marks.score(line.as_judged_score)}  ",
        marks.status(line.status),
    )
    lines = Lines()
    for key_result in line.key_results:
        lines.add(_cells(key_result), dropped=_is_dropped(key_result))
    for child in line.children:
        lines.add(_child_cells(child))
    yield marks.indented(lines)


class Lines:
    """Key results' lines as a table that leaves columns out where the terminal is narrow."""

    _COLUMNS = (
        *("goal", "value", "expected", "", "score", "original", "as judged"),
        *("weight", "status"),
    )
    _RIGHT = ("value", "expected", "weight")
    # The columns to leave out below a width, in the order of what is missed least.
    _NARROW = (
        (138, "as judged"),
        (118, "weight"),
        (108, "original"),
        (98, "expected"),
        (88, "goal"),
    )

    def __init__(self) -> None:
        self._rows: list[tuple[dict[str, RenderableType], bool]] = []

    def add(self, cells: dict[str, RenderableType], *, dropped: bool = False) -> None:
        """Add a line; `cells` by column, the title under "key result"."""
        self._rows.append((cells, dropped))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        too_much = {name for width, name in self._NARROW if options.max_width < width}
        columns = [name for name in self._COLUMNS if name not in too_much]
        table = marks.table("key result")
        for name in columns:
            justify: JustifyMethod = "right" if name in self._RIGHT else "left"
            table.add_column(name, justify=justify, no_wrap=name != "goal")
        for cells, dropped in self._rows:
            shown = [cells.get(name, "") for name in ("key result", *columns)]
            table.add_row(*shown, style="dim strike" if dropped else None)
        yield table


def _cells(line: KeyResultScore) -> dict[str, RenderableType]:
    definition = line.key_result.definition
    dropped = Text("dropped", style="dim")
    return {
        "key result": definition.title,
        "goal": goal(definition),
        "value": value(line),
        "expected": expected(line),
        "": marks.bar(line.score, line.band),
        "score": marks.banded(line.score, line.band),
        "original": marks.score(line.original_score),
        "as judged": marks.score(line.as_judged_score),
        "weight": marks.percent(line.weight_share),
        "status": dropped if _is_dropped(line) else marks.status(line.status),
    }


def _child_cells(child: ChildScore) -> dict[str, RenderableType]:
    return {
        "key result": f"↳ {names.short(child.name)}",
        "goal": "contributes",
        "": marks.bar(child.score, Band.BAND_UNSPECIFIED),
        "score": marks.score(child.score),
        "weight": marks.percent(child.weight_share),
    }


def _is_dropped(line: KeyResultScore) -> bool:
    return line.key_result.state == KeyResultState.KEY_RESULT_STATE_DROPPED
