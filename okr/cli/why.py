"""`okr why`: what moved a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from okr import names
from okr.cli import options, session
from okr.cli.as_of import instants, is_day
from okr.cli.show import why as shown
from okr.client import OkrClient
from okr.errors import OkrError
from okr.v1.audit_service_pb2 import AttributeScoreRequest, AttributeScoreResponse
from okr.v1.values_pb2 import AsOf

SHOWN: Final = 30
"""How many events are shown by default."""


def _subjects(given: str) -> Sequence[str]:
    """The full names that a subject may stand for, the likeliest first."""
    if given.startswith("cycles/"):
        return (names.cycle(given),)
    subject = names.subject(given)
    return (subject,) if "/" in given else (subject, names.cycle(given))


def why(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            help="A key result (brand/followers), an objective (brand) or a cycle (2026-q3). Of an "
            "objective and a cycle with one id it is the objective; write cycles/… for the other.",
        ),
    ],
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
    subjects = options.parsed(_subjects)(subject)
    request = AttributeScoreRequest(
        since=_begin(since or ()), as_of=instants(until, known_at, effective_at)
    )
    if team:
        request.cycle = _cycle(subjects)
    with session.connected() as okr:
        answer = _asked(okr, request, [team] if team else subjects)
        session.answer(answer, shown.attribution(answer.attribution, limit), as_json=as_json)


def _cycle(subjects: Sequence[str]) -> str:
    """The cycle among what a subject may stand for.

    Raises:
        typer.BadParameter: it is no cycle.
    """
    if not subjects[-1].startswith("cycles/"):
        raise typer.BadParameter("a team's score is that of a cycle: okr why CYCLE --team TEAM")
    return subjects[-1]


def _begin(given: Sequence[str]) -> AsOf | None:
    """The instants to begin at; None for the committed plan.

    Raises:
        typer.BadParameter: what is neither a day, a time nor a position, or two of one kind.
    """
    days = [each for each in given if is_day(each)]
    known = [each for each in given if not is_day(each)]
    if len(days) > 1 or len(known) > 1:
        raise typer.BadParameter("one day, and one time or position, at most", param_hint="--from")
    try:
        return instants("", "".join(known), "".join(days))
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint="--from") from error


def _asked(
    okr: OkrClient, request: AttributeScoreRequest, subjects: Sequence[str]
) -> AttributeScoreResponse:
    """The answer for the first of the subjects that there is.

    Raises:
        OkrError: there is none of them, or the request is refused.
    """
    for subject in subjects[:-1]:
        request.subject = subject
        try:
            return okr.audit.AttributeScore(request)
        except OkrError as error:
            if error.metadata.get("resource") != subject:
                raise
    request.subject = subjects[-1]
    return okr.audit.AttributeScore(request)
