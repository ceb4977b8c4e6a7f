"""`okr deviations` and `okr due`: what needs somebody's attention."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from okr import texts
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import attention
from okr.pages import pages
from okr.v1.resources_pb2 import DeviationKind
from okr.v1.score_service_pb2 import ListDeviationsRequest, ListDueCheckInsRequest

SOON_DAYS: Final = 2
MOST_DAYS: Final = 31


def _kind(text: str) -> int:
    return texts.choice(DeviationKind.DESCRIPTOR, text)


def deviations(
    cycle: options.SomeCycle = "",
    *,
    team: options.SomeTeam = "",
    owner: options.SomeOwner = "",
    kind: Annotated[
        list[int] | None,
        typer.Option(
            metavar="KIND",
            parser=options.parsed(_kind),
            help="Only at-risk, stale, not-started, behind, falling-behind, dependency-changed or "
            "no-owner. Give it again for more.",
        ),
    ] = None,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show what deviates from plan, worst first: why, how far, where it ends, who depends on it.

    First what is at risk, then what is silent, what never started, what is behind, what loses
    ground, what depends on something that was changed, and what nobody owns.

    $ okr deviations 2026-q3 --team marketing

    $ okr deviations --owner people/p-7f3a

    $ okr deviations 2026-q3 --kind stale --kind no-owner --as-of 2026-08-10
    """
    request = ListDeviationsRequest(
        cycle=cycle,
        team=team,
        owner=owner,
        kinds=[DeviationKind.ValueType(each) for each in kind or ()],
        as_of=instants(as_of, known_at, effective_at),
        page_size=1000,
    )
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListDeviations, request))
        session.answer(answer, attention.deviations(answer), as_json=as_json)


def due(
    cycle: options.SomeCycle = "",
    *,
    team: options.SomeTeam = "",
    owner: options.SomeOwner = "",
    within: Annotated[
        int,
        typer.Option(metavar="DAYS", help="How far ahead to look.", min=0, max=MOST_DAYS),
    ] = SOON_DAYS,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the check-ins that are due, the longest overdue first.

    $ okr due --owner people/p-19c2

    $ okr due 2026-q3 --team marketing --within 7
    """
    request = ListDueCheckInsRequest(
        cycle=cycle,
        team=team,
        owner=owner,
        within_days=within,
        as_of=instants(as_of, known_at, effective_at),
        page_size=1000,
    )
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListDueCheckIns, request))
        session.answer(answer, attention.due(answer.due_check_ins), as_json=as_json)
