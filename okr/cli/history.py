"""`okr revisions`, `compare`, `adjustments`, `events` and `status`: what happened."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from okr import names
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import audit, ledger
from okr.client import OkrClient
from okr.pages import pages
from okr.v1.audit_service_pb2 import (
    CompareKeyResultRevisionsRequest,
    CompareKeyResultRevisionsResponse,
    CompareObjectiveRevisionsRequest,
    CompareObjectiveRevisionsResponse,
    ListAdjustmentsRequest,
    ListEventsRequest,
    ListEventsResponse,
    ListKeyResultRevisionsRequest,
    ListObjectiveRevisionsRequest,
)
from okr.v1.operations_service_pb2 import GetStatusRequest

ANY: Final = "-"
"""Stands for every id of a collection."""

_AsksForRevisions = ListKeyResultRevisionsRequest | ListObjectiveRevisionsRequest


class Kind(StrEnum):
    """What revisions may be of."""

    OBJECTIVES = "objectives"
    KEY_RESULTS = "key-results"


def revisions(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="[OBJECTIVE|KEY-RESULT]",
            help="Whose: brand, or brand/followers. Without one: all of --cycle or --team.",
        ),
    ] = "",
    *,
    cycle: options.CycleOption = "",
    team: options.SomeTeam = "",
    of: Annotated[
        Kind | None,
        typer.Option(help="Of objectives, or of key results: of all of them of an objective too."),
    ] = None,
    after_plan: options.AfterPlan = False,
    only: options.Filter = "",
    order_by: Annotated[
        str,
        typer.Option(
            metavar="FIELD",
            rich_help_panel=options.WHICH,
            help="position or effective_date, with ' desc' for the last first. "
            "Default: position desc.",
        ),
    ] = "",
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show revisions: who, when, why, before, after, effect on the score.

    $ okr revisions brand/followers

    $ okr revisions brand

    $ okr revisions --cycle 2026-q3 --after-plan --filter "field : target"

    $ okr revisions --team marketing --of objectives
    """
    parent = _parent(subject, of, anywhere=bool(cycle or team))
    wide = ANY in parent
    of_key_results = "/keyResults/" in parent
    kind = ListKeyResultRevisionsRequest if of_key_results else ListObjectiveRevisionsRequest
    asked = kind(
        parent=parent,
        cycle=cycle,
        team=team,
        after_plan_commitment=after_plan,
        filter=only,
        order_by=order_by,
        page_size=1000,
        as_of=instants(as_of, known_at, effective_at),
    )
    with session.connected() as okr:
        answer = merged(_revisions(okr, asked))
        shown = audit.revisions(answer.revisions, named=wide)
        session.answer(answer, shown, as_json=as_json)


def compare(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="OBJECTIVE|KEY-RESULT",
            parser=options.parsed(names.subject),
            help="Whose revisions: brand, or brand/followers.",
        ),
    ],
    first: Annotated[int, typer.Argument(min=1, help="Number of the one revision.")],
    second: Annotated[int, typer.Argument(min=1, help="Number of the other.")],
    *,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Compare two revisions of an objective or key result.

    $ okr compare brand/followers 1 3
    """
    at = instants(as_of, known_at, effective_at)
    with session.connected() as okr:
        answer: CompareKeyResultRevisionsResponse | CompareObjectiveRevisionsResponse
        if "/keyResults/" in subject:
            answer = okr.audit.CompareKeyResultRevisions(
                CompareKeyResultRevisionsRequest(name=subject, first=first, second=second, as_of=at)
            )
        else:
            answer = okr.audit.CompareObjectiveRevisions(
                CompareObjectiveRevisionsRequest(name=subject, first=first, second=second, as_of=at)
            )
        session.answer(answer, audit.comparison(answer), as_json=as_json)


def adjustments(
    cycle: options.CycleName,
    *,
    only: options.Filter = "",
    order_by: options.OrderBy = "",
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show the strategy adjustments of a cycle: before, after, and what each did to the scores.

    Proposals are among them, with their states and who decided on them.

    $ okr adjustments 2026-q3

    $ okr adjustments 2026-q3 --filter "state = PROPOSED"
    """
    request = ListAdjustmentsRequest(
        cycle=cycle,
        filter=only,
        order_by=order_by,
        as_of=instants(as_of, known_at, effective_at),
        page_size=1000,
    )
    with session.connected() as okr:
        answer = merged(pages(okr.audit.ListAdjustments, request))
        session.answer(answer, audit.adjustments(answer.adjustments), as_json=as_json)


def events(
    *,
    about: Annotated[
        str,
        typer.Argument(
            metavar="[STREAM]",
            help="Only these: cycles/2026-q3, teams/sales, objectives/brand, adjustments/…, "
            "alignment. Default: all.",
        ),
    ] = "",
    kind: Annotated[
        list[str],
        typer.Option("--type", help="Only events of this type: CheckInRecorded; again for more."),
    ] = [],  # noqa: B006 - Typer copies it
    after: Annotated[
        int, typer.Option(metavar="POSITION", min=0, help="Only events after this position.")
    ] = 0,
    only: options.Filter = "",
    latest: Annotated[bool, typer.Option("--latest", help="The latest first.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0 for all.")] = 50,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the events of the ledger: everything that ever happened, in order.

    $ okr events --latest --limit 20

    $ okr events objectives/brand --type KeyResultRevised

    $ okr events --filter "actor = people/p-1 AND reason : budget"
    """
    request = ListEventsRequest(
        stream=about,
        event_types=[f"okr.v1.{name.removeprefix('okr.v1.')}" for name in kind],
        after_position=after,
        newest_first=latest,
        filter=only,
        as_of=instants(as_of, known_at, effective_at),
        page_size=min(limit, 1000) or 1000,
    )
    with session.connected() as okr:
        answer = _events(okr, request, limit)
        session.answer(answer, ledger.events(answer.events), as_json=as_json)


def status(as_json: options.Json = False) -> None:
    """Show how the service is doing: the ledger's head, its read models, its writes."""
    with session.connected() as okr:
        answer = okr.operations.GetStatus(GetStatusRequest())
        session.answer(answer, ledger.status(answer), as_json=as_json)


def _parent(subject: str, of: Kind | None, *, anywhere: bool) -> str:
    """The parent of the list that the arguments ask for.

    Raises:
        typer.BadParameter: they ask for none.
    """
    if not subject and not anywhere:
        raise typer.BadParameter("name an objective or key result, or a --cycle or --team")
    try:
        parent = names.subject(subject) if subject else f"objectives/{ANY}"
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    wanted = of or (Kind.OBJECTIVES if subject else Kind.KEY_RESULTS)
    if "/keyResults/" not in parent and wanted is Kind.KEY_RESULTS:
        parent += f"/keyResults/{ANY}"
    return parent


def _revisions(okr: OkrClient, asked: _AsksForRevisions) -> Iterator[Any]:
    if isinstance(asked, ListKeyResultRevisionsRequest):
        return pages(okr.audit.ListKeyResultRevisions, asked)
    return pages(okr.audit.ListObjectiveRevisions, asked)


def _events(okr: OkrClient, request: ListEventsRequest, limit: int) -> ListEventsResponse:
    """The pages until the limit as one answer."""
    answers = pages(okr.audit.ListEvents, request)
    if not limit:
        return merged(answers)
    result = next(answers)
    for page in answers if len(result.events) < limit else ():
        result.MergeFrom(page)
        if len(result.events) >= limit:
            break
    del result.events[limit:]
    result.ClearField("next_page_token")
    return result
