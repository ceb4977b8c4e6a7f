"""`okr why`: what moved a score."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from okr import names
from okr.cli import options, session, subjects
from okr.cli.as_of import instants, pair
from okr.cli.show import why as shown
from okr.v1.audit_service_pb2 import AttributeScoreRequest, AttributeScoreResponse

SHOWN: Final = 30
"""How many events are shown by default."""


def why(
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
    since: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="DAY|TIME|@POSITION",
            rich_help_panel=options.READ,
            help="Where to begin: a day, by all that is known at the end; or a time or position, "
            "with what was known then. Give one of each for both. Default: the committed plan.",
        ),
    ] = None,
    until: Annotated[
        str,
        typer.Option(
            "--to",
            "--as-of",
            metavar="DAY|TIME|@POSITION",
            rich_help_panel=options.READ,
            help="Where to end, as --as-of of every read. Default: now.",
        ),
    ] = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    limit: Annotated[
        int, typer.Option(min=0, help="Events to show: those that moved it furthest; 0 for all.")
    ] = SHOWN,
    as_json: options.Json = False,
) -> None:
    """Show what moved a score: how much was progress, how much the plan, and who did what.

    The way leads first through the days, by what was known at the beginning, then through what
    became known since. The parts add up exactly, at every level.

    $ okr why brand/followers

    $ okr why 2026-q3 --team marketing --from 2026-08-01 --to 2026-08-31

    $ okr why brand --from @118
    """
    found = options.parsed(subjects.meant)(subject)
    request = AttributeScoreRequest(
        since=pair(since or (), "--from"), as_of=instants(until, known_at, effective_at)
    )
    if team:
        request.cycle = subjects.cycle_among(found, "okr why CYCLE --team TEAM")
    with session.connected() as okr:

        def ask(name: str) -> AttributeScoreResponse:
            request.subject = name
            return okr.audit.AttributeScore(request)

        answer = subjects.first([team] if team else found, ask)
        session.answer(answer, shown.attribution(answer.attribution, limit), as_json=as_json)
