"""`okr scorecard` and `okr alignments`: how a cycle stands."""

from __future__ import annotations

from typing import Annotated

import typer

from okr import names
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import plan
from okr.cli.show import scorecard as card
from okr.cli.watching import watch_scores
from okr.pages import pages
from okr.v1.score_service_pb2 import GetScorecardRequest, ListAlignmentsRequest


def scorecard(
    cycle: options.CycleName,
    *,
    team: Annotated[
        str, typer.Option(metavar="TEAM", help="Only this team with its sub-teams.")
    ] = "",
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Go on showing it as scores move, until Ctrl-C; into a pipe a line for each move.",
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show a cycle's scores: teams, objectives, key results, and who keeps up with the plan.

    **score** counts against the definitions in force, **original** against the committed plan,
    **as judged** against what was in force on each check-in's own day.

    $ okr scorecard 2026-q3

    $ okr scorecard 2026-q3 --team marketing --as-of 2026-08-09

    $ okr scorecard 2026-q3 --as-of @118
    """
    request = GetScorecardRequest(
        cycle=cycle,
        team=options.parsed(names.team)(team) if team else "",
        as_of=instants(as_of, known_at, effective_at),
    )
    if watch and request.HasField("as_of"):
        raise typer.BadParameter("what was known then does not move", param_hint="--watch")
    with session.connected() as okr:
        if watch:
            watch_scores(okr, request, as_json=as_json)
            return
        answer = okr.scores.GetScorecard(request)
        session.answer(answer, card.renderable(answer), as_json=as_json)


def alignments(
    cycle: options.CycleName,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List what objectives and key results of a cycle are aligned to."""
    request = ListAlignmentsRequest(
        cycle=cycle, as_of=instants(as_of, known_at, effective_at), page_size=1000
    )
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListAlignments, request))
        session.answer(answer, plan.alignments(answer.alignments), as_json=as_json)
