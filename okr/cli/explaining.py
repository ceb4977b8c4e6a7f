"""`okr explain`: how a score comes about."""

from __future__ import annotations

from typing import Annotated

import typer

from okr import names, texts
from okr.cli import options, session, subjects
from okr.cli.as_of import instants
from okr.cli.show import explanation
from okr.v1.explanation_pb2 import ScoreKind
from okr.v1.score_service_pb2 import ExplainScoreRequest, ExplainScoreResponse


def _kind(text: str) -> int:
    return texts.choice(ScoreKind.DESCRIPTOR, text)


def explain(
    subject: subjects.Subject,
    *,
    team: Annotated[
        str,
        typer.Option(
            metavar="TEAM",
            parser=options.parsed(options.or_none(names.team)),
            help="The score of this team, with its sub-teams, in the cycle.",
        ),
    ] = "",
    kind: Annotated[
        int | None,
        typer.Option(
            metavar="KIND",
            parser=options.parsed(_kind),
            help="Which of the three scores: current (the default), original or as-judged.",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="All the way down; else to the scores it is made of."),
    ] = False,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show how a score comes about: its arithmetic, down to the events that its numbers come from.

    $ okr explain brand/followers

    $ okr explain 2026-q3 --team marketing --kind original --full

    $ okr explain brand --as-of 2026-08-09
    """
    found = options.parsed(subjects.meant)(subject)
    request = ExplainScoreRequest(
        kind=ScoreKind.ValueType(kind or 0), as_of=instants(as_of, known_at, effective_at)
    )
    if team:
        request.cycle = subjects.cycle_among(found, "okr explain CYCLE --team TEAM")
    with session.connected() as okr:

        def ask(name: str) -> ExplainScoreResponse:
            request.name = name
            return okr.scores.ExplainScore(request)

        answer = subjects.first([team] if team else found, ask)
        shown = explanation.tree(answer.explanation, answer.position, full=full)
        session.answer(answer, shown, as_json=as_json)
