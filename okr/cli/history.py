"""`okr revisions`, `okr adjustments`, `okr events` and `okr status`: what happened."""

from __future__ import annotations

from typing import Annotated

import typer

from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import audit, ledger
from okr.client import OkrClient
from okr.pages import pages
from okr.v1.audit_service_pb2 import (
    ListAdjustmentsRequest,
    ListEventsRequest,
    ListEventsResponse,
    ListKeyResultRevisionsRequest,
)
from okr.v1.operations_service_pb2 import GetStatusRequest


def revisions(
    key_result: options.KeyResultName,
    *,
    after_plan: Annotated[
        bool, typer.Option("--after-plan", help="Only those after plan commitment.")
    ] = False,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show every revision of a key result: who, when, why, before, after, effect on its score.

    $ okr revisions brand/followers
    """
    request = ListKeyResultRevisionsRequest(
        parent=key_result,
        after_plan_commitment=after_plan,
        as_of=instants(as_of, known_at, effective_at),
        page_size=1000,
    )
    with session.connected() as okr:
        answer = merged(pages(okr.audit.ListKeyResultRevisions, request))
        session.answer(answer, audit.revisions(answer.revisions), as_json=as_json)


def adjustments(
    cycle: options.CycleName,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show the strategy adjustments of a cycle: before, after, and what each did to the scores.

    Proposals are among them, with their states and who decided on them.

    $ okr adjustments 2026-q3
    """
    request = ListAdjustmentsRequest(
        cycle=cycle, as_of=instants(as_of, known_at, effective_at), page_size=1000
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
    """
    request = ListEventsRequest(
        stream=about,
        event_types=[f"okr.v1.{name.removeprefix('okr.v1.')}" for name in kind],
        after_position=after,
        newest_first=latest,
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
