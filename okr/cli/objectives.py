"""`okr objective`: qualitative goals."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from okr import names, texts
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import plan
from okr.cli.typers import group
from okr.cli.writing import circumstances, definition
from okr.pages import pages
from okr.v1 import ledger_service_pb2 as api
from okr.v1.score_service_pb2 import GetObjectiveRequest, ListObjectivesRequest
from okr.v1.values_pb2 import ObjectiveDefinition

app = group("Qualitative goals of a team in a cycle; their key results measure them.")

TeamName = Annotated[
    str,
    typer.Argument(metavar="TEAM", parser=options.parsed(names.team), help="The owner."),
]
Title = Annotated[str, typer.Option(help="What is to be reached, in a sentence.")]
Description = Annotated[str, typer.Option(help="What it is about.")]
CommitmentText = Annotated[
    str, typer.Option(help="committed: met at a score of 1; aspirational: met at 0.7.")
]
Owner = Annotated[str, typer.Option(metavar="PERSON", help="Who answers for it: people/….")]
Private = Annotated[
    bool | None,
    typer.Option(
        "--private/--public",
        help="Whether only its team, those below it and editors above see it.",
        show_default=False,
    ),
]

_VISIBILITY: Final = {None: "", False: "public", True: "team"}


@app.command()
def create(
    cycle: options.CycleName,
    team: TeamName,
    title: str,
    *,
    own_id: options.Id = "",
    description: Description = "",
    commitment: CommitmentText = "",
    owner: Owner = "",
    private: Private = None,
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Create an objective.

    $ okr objective create --id brand 2026-q4 marketing "Grow brand awareness"
    """
    wanted = definition(
        ObjectiveDefinition(title=title, team=team),
        description=description,
        commitment=commitment,
        owner=owner,
        visibility=_VISIBILITY[private],
    )
    request = circumstances(
        api.CreateObjectiveRequest(objective_id=own_id, cycle=cycle, definition=wanted),
        on=on,
        reason=reason,
        category=category,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.CreateObjective(request)
        shown = plan.objective(answer.objective)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def revise(
    objective: options.ObjectiveName,
    *,
    title: Title = "",
    description: Description = "",
    team: Annotated[str, typer.Option(metavar="TEAM", help="The new owner.")] = "",
    commitment: CommitmentText = "",
    owner: Owner = "",
    private: Private = None,
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Change what is given of an objective; the rest stays.

    $ okr objective revise brand --title "Be known in the region" --reason "…" --category learning
    """
    wanted = definition(
        ObjectiveDefinition(),
        title=title,
        description=description,
        team=team,
        commitment=commitment,
        owner=owner,
        visibility=_VISIBILITY[private],
    )
    request = circumstances(
        api.UpdateObjectiveRequest(name=objective, definition=wanted),
        on=on,
        reason=reason,
        category=category,
        etag=etag,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.UpdateObjective(request)
        shown = plan.objective(answer.objective)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def grade(
    objective: options.ObjectiveName,
    *,
    score: Annotated[
        str | None,
        typer.Option(
            metavar="SCORE",
            parser=options.parsed(texts.decimal),
            help="Set this in place of the computed score; needs --reason.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Grade a graded objective once more.")
    ] = False,
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Close an objective with its score, the computed one or another.

    $ okr objective grade brand --on 2026-12-31

    $ okr objective grade brand --score 0.8 --reason "The campaign began a month late"
    """
    with session.connected() as okr:
        kind = api.RegradeObjectiveRequest if again else api.GradeObjectiveRequest
        request = circumstances(
            kind(name=objective, override_score=score),
            on=on,
            reason=reason,
            category=category,
            etag=etag,
            request_id=request_id,
            dry_run=dry_run,
        )
        answer = (
            okr.ledger.RegradeObjective(request)
            if isinstance(request, api.RegradeObjectiveRequest)
            else okr.ledger.GradeObjective(request)
        )
        shown = plan.objective(answer.objective)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def abandon(
    objective: options.ObjectiveName,
    *,
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Give an objective up; it leaves the scores and keeps its history."""
    request = circumstances(
        api.AbandonObjectiveRequest(name=objective),
        on=on,
        reason=reason,
        category=category,
        etag=etag,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.AbandonObjective(request)
        shown = plan.objective(answer.objective)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def show(
    objective: options.ObjectiveName,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show an objective."""
    request = GetObjectiveRequest(name=objective, as_of=instants(as_of, known_at, effective_at))
    with session.connected() as okr:
        answer = okr.scores.GetObjective(request)
        session.answer(answer, plan.objective(answer.objective), as_json=as_json)


@app.command("list")
def list_all(
    cycle: options.CycleName,
    *,
    team: Annotated[str, typer.Option(metavar="TEAM", help="Only this team's own.")] = "",
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the objectives of a cycle."""
    request = ListObjectivesRequest(
        cycle=cycle,
        team=options.parsed(names.team)(team) if team else "",
        as_of=instants(as_of, known_at, effective_at),
        page_size=1000,
    )
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListObjectives, request))
        session.answer(answer, plan.objectives(answer.objectives), as_json=as_json)
