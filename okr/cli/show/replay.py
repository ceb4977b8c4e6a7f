"""A cycle played again: a frame as a screen that is drawn over, or as lines that stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import ledger, marks
from okr.cli.show.measures import value
from okr.v1.replay_service_pb2 import ReplayFrame, ScoreMove
from okr.v1.resources_pb2 import Band, KeyResultScore, ObjectiveScore, Scorecard, Status
from okr.v1.values_pb2 import KeyResultState

EVENTS_SHOWN = 8
"""The most events that a screen has room for."""


def screen(frame: ReplayFrame) -> RenderableType:
    """A frame with its scores as bars; what moved is marked beside each."""
    card = frame.scorecard
    moved = {move.name: move for move in frame.moves}
    return Group(
        _title(frame),
        _time(card),
        "",
        _bars(card, moved),
        "",
        *_happened(frame, EVENTS_SHOWN),
    )


def lines(frame: ReplayFrame) -> Iterator[Text]:
    """A frame in lines: where the cycle stands, what had happened, which scores moved."""
    card = frame.scorecard
    moved = next((m for m in frame.moves if m.name == card.cycle.name), ScoreMove())
    yield Text.assemble(
        (marks.day(frame.day), "bold"),
        f"  {marks.score(card.score)} ",
        marks.movement(moved.score_before, moved.score_after),
        (f"  known at @{frame.known_position}", "dim"),
    )
    yield from _happened(frame, len(frame.events))
    for move in frame.moves:
        if move.name != card.cycle.name and move.difference != "0":
            yield Text.assemble("  ", score_move(move))


def score_move(move: ScoreMove) -> Text:
    """What moved, from where to where."""
    return Text.assemble(
        f"{names.short(move.name)}  {marks.score(move.score_before)} → "
        f"{marks.score(move.score_after)}  ",
        marks.movement(move.score_before, move.score_after),
        *_new_status(move),
    )


def _new_status(move: ScoreMove) -> Iterator[Text | str]:
    if move.status_after not in (move.status_before, Status.STATUS_UNSPECIFIED):
        yield "  "
        yield marks.status(move.status_after)


def _title(frame: ReplayFrame) -> Text:
    cycle = frame.scorecard.cycle
    return Text.assemble(
        (cycle.definition.title, "bold"),
        f"  {marks.day(frame.day)}",
        (f"  known at @{frame.known_position}  frame {frame.number}", "dim"),
    )


def _time(card: Scorecard) -> Text:
    """How much of the cycle's time has passed."""
    return Text.assemble(
        marks.bar(card.elapsed_share, Band.BAND_UNSPECIFIED),
        f" {marks.percent(card.elapsed_share)} of the time",
    )


def _bars(card: Scorecard, moved: dict[str, ScoreMove]) -> Table:
    table = marks.table("", "", "score", "", "", right=("score",))
    root = card.team or card.cycle.name
    _bar(table, Text(names.short(root), "bold"), card, moved.get(root))
    for objective in card.objectives:
        _objective(table, objective, moved)
    return table


def _objective(table: Table, line: ObjectiveScore, moved: dict[str, ScoreMove]) -> None:
    title = Text(f"  {line.objective.definition.title}")
    _bar(table, title, line, moved.get(line.objective.name))
    for each in line.key_results:
        if each.key_result.state != KeyResultState.KEY_RESULT_STATE_DROPPED:
            name = each.key_result.name
            title = Text(f"    {each.key_result.definition.title}", "dim")
            _bar(table, title, each, moved.get(name), value(each))


def _bar(
    table: Table,
    title: Text,
    line: Scorecard | ObjectiveScore | KeyResultScore,
    move: ScoreMove | None,
    told: str = "",
) -> None:
    movement = marks.movement(move.score_before, move.score_after) if move else Text("")
    table.add_row(
        title, marks.bar(line.score, line.band), marks.banded(line.score, line.band), movement, told
    )


def _happened(frame: ReplayFrame, most: int) -> Iterable[Text]:
    shown = frame.events[:most]
    for event in shown:
        yield Text.assemble("  ", ledger.line(event))
    if frame.event_count > len(shown):
        yield Text(f"  … and {frame.event_count - len(shown)} more", style="dim")
