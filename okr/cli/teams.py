"""`okr team`: who owns objectives."""

from __future__ import annotations

from typing import Annotated

import typer

from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import plan
from okr.cli.typers import group
from okr.cli.writing import circumstances, definition
from okr.pages import pages
from okr.v1.ledger_service_pb2 import CreateTeamRequest
from okr.v1.score_service_pb2 import ListTeamsRequest
from okr.v1.values_pb2 import TeamDefinition

app = group("Teams own objectives and form a tree: a team's score includes its sub-teams'.")


@app.command()
def create(
    title: str,
    *,
    own_id: options.Id = "",
    parent: Annotated[str, typer.Option(metavar="TEAM", help="The team above it.")] = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Register a team.

    $ okr team create --id sales --parent company "Sales"
    """
    request = circumstances(
        CreateTeamRequest(
            team_id=own_id, definition=definition(TeamDefinition(title=title), parent=parent)
        ),
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.CreateTeam(request)
        shown = plan.teams([answer.team])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command("list")
def list_all(
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the teams."""
    request = ListTeamsRequest(as_of=instants(as_of, known_at, effective_at), page_size=1000)
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListTeams, request))
        session.answer(answer, plan.teams(answer.teams), as_json=as_json)
