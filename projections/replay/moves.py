"""What moved between two scorecards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledger.scoring.exact import ZERO, subtract, text
from okr.v1.replay_service_pb2 import ScoreMove
from okr.v1.resources_pb2 import STATUS_UNSPECIFIED
from projections import answers
from projections.scorecard import Line, Tree, by_level, lines

Lines = Mapping[str, Line]
"""The lines of a scorecard by name."""


def lines_of(of: Tree) -> Lines:
    """The lines of a tree."""
    return {line.name: line for line in lines(of)}


def moves(before: Lines, after: Lines) -> Iterator[ScoreMove]:
    """Each score or status that is another than it was: key results first, the cycle last."""
    for name in by_level([*after, *before]):
        was, now = before.get(name), after.get(name)
        earlier, later = (each.score if each else None for each in (was, now))
        if (earlier, was and was.status) != (later, now and now.status):
            yield ScoreMove(
                name=name,
                score_before=answers.number(earlier),
                score_after=answers.number(later),
                difference=text(subtract(later or ZERO, earlier or ZERO)),
                status_before=answers.status(was.status) if was else STATUS_UNSPECIFIED,
                status_after=answers.status(now.status) if now else STATUS_UNSPECIFIED,
            )
