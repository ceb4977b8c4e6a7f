"""`okr cycle`: quarters and other time boxes."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from okr import texts
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import plan
from okr.cli.typers import group
from okr.cli.writing import circumstances, definition
from okr.pages import pages
from okr.v1.ledger_service_pb2 import CommitPlanRequest, CreateCycleRequest
from okr.v1.score_service_pb2 import GetCycleRequest, ListCyclesRequest
from okr.v1.values_pb2 import CycleDefinition

app = group(
    """Time boxes, usually quarters: draft one, fill it with objectives, commit its plan, and close
    it at its end with a seal of its final scores."""
)


@app.command()
def create(
    title: str,
    first_day: Annotated[
        date, typer.Argument(metavar="FIRST-DAY", parser=options.parsed(texts.day))
    ],
    last_day: Annotated[date, typer.Argument(metavar="LAST-DAY", parser=options.parsed(texts.day))],
    *,
    own_id: options.Id = "",
    time_zone: Annotated[str, typer.Option(help="Where its days begin: Europe/Budapest.")] = "",
    cadence: Annotated[
        str, typer.Option(help="How often check-ins are due: weekly, biweekly, monthly.")
    ] = "",
    grace_days: Annotated[
        str, typer.Option(metavar="DAYS", help="Days after the last one for late check-ins.")
    ] = "",
    approval: Annotated[
        bool,
        typer.Option("--approval", help="Changes of the committed plan need another's approval."),
    ] = False,
    policy: Annotated[
        str,
        typer.Option(
            help="How values become scores: standard, ipfs, … or 'house; ungraded=EXCLUDE'."
        ),
    ] = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Draft a cycle.

    $ okr cycle create --id 2026-q4 "Q4" 2026-10-01 2026-12-31 --time-zone Europe/Budapest
    """
    wanted = definition(
        CycleDefinition(
            title=title,
            first_day=texts.date_message(first_day),
            last_day=texts.date_message(last_day),
            adjustments_need_approval=approval,
        ),
        time_zone=time_zone,
        cadence=cadence,
        grace_days=grace_days,
        policy=policy,
    )
    request = circumstances(
        CreateCycleRequest(cycle_id=own_id, definition=wanted),
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.CreateCycle(request)
        shown = plan.cycle(answer.cycle)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def commit(
    cycle: options.CycleName,
    *,
    on: options.On = None,
    reason: options.Reason = "",
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Commit the plan: what stands now is the original plan, and changes need a reason from here.

    $ okr cycle commit 2026-q4
    """
    request = circumstances(
        CommitPlanRequest(name=cycle),
        on=on,
        reason=reason,
        etag=etag,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.CommitPlan(request)
        shown = plan.cycle(answer.cycle)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def show(
    cycle: options.CycleName,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show a cycle."""
    request = GetCycleRequest(name=cycle, as_of=instants(as_of, known_at, effective_at))
    with session.connected() as okr:
        answer = okr.scores.GetCycle(request)
        session.answer(answer, plan.cycle(answer.cycle), as_json=as_json)


@app.command("list")
def list_all(
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the cycles, the latest first."""
    request = ListCyclesRequest(as_of=instants(as_of, known_at, effective_at), page_size=1000)
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListCycles, request))
        session.answer(answer, plan.cycles(answer.cycles), as_json=as_json)
