"""`okr adjust`, `propose`, `approve`, `reject`: reasoned decisions that change a committed plan."""

from __future__ import annotations

from typing import Annotated, Protocol

import typer

from okr import names
from okr.cli import changes, options, session
from okr.cli.show import audit
from okr.cli.writing import circumstances
from okr.client import OkrClient
from okr.v1.audit_service_pb2 import GetAdjustmentRequest
from okr.v1.ledger_service_pb2 import (
    ApproveAdjustmentRequest,
    ProposeAdjustmentRequest,
    RejectAdjustmentRequest,
)
from okr.v1.resources_pb2 import Adjustment

AdjustmentName = Annotated[
    str,
    typer.Argument(
        metavar="ADJUSTMENT",
        parser=options.parsed(names.adjustment),
        help="The proposal: its id, as okr adjustments lists it.",
    ),
]


class _Answer(session.Written, Protocol):
    @property
    def adjustment(self) -> Adjustment: ...


def adjust(
    cycle: options.CycleName,
    *,
    file: changes.File = None,
    own_id: options.Id = "",
    title: changes.Title = "",
    target: changes.Target = [],  # noqa: B006 - Typer copies it
    revise: changes.Revise = [],  # noqa: B006
    drop: changes.Drop = [],  # noqa: B006
    restore: changes.Restore = [],  # noqa: B006
    add: changes.Add = [],  # noqa: B006
    abandon: changes.Abandon = [],  # noqa: B006
    revise_cycle: changes.ReviseCycle = "",
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Change the committed plan by one decision: all of its changes, or none.

    $ okr adjust 2026-q3 --title "Less paid reach" --reason "Budget cut" --category capacity
    --target brand/followers="+15 %" --drop brand/billboards
    --add brand/newsletter="title=Newsletter readers; target=500"

    $ okr adjust 2026-q3 --file adjustment.json
    """
    request = changes.asked(
        cycle,
        file=file,
        own_id=own_id,
        title=title,
        target=target,
        revise=revise,
        drop=drop,
        restore=restore,
        add=add,
        abandon=abandon,
        revise_cycle=revise_cycle,
    )
    request = circumstances(
        request, on=on, reason=reason, category=category, request_id=request_id, dry_run=dry_run
    )
    with session.connected() as okr:
        _tell(okr, okr.ledger.AdjustStrategy(request), as_json=as_json, dry_run=dry_run)


def propose(
    cycle: options.CycleName,
    *,
    file: changes.File = None,
    own_id: options.Id = "",
    title: changes.Title = "",
    target: changes.Target = [],  # noqa: B006 - Typer copies it
    revise: changes.Revise = [],  # noqa: B006
    drop: changes.Drop = [],  # noqa: B006
    restore: changes.Restore = [],  # noqa: B006
    add: changes.Add = [],  # noqa: B006
    abandon: changes.Abandon = [],  # noqa: B006
    revise_cycle: changes.ReviseCycle = "",
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Propose such a decision: it is checked, and changes nothing until another person approves it.

    Where the cycle asks for approval, no other change of its plan is taken.

    $ okr propose 2026-q3 --id less-paid --title "Less paid reach" --reason "Budget cut"
    --category capacity --drop brand/billboards

    $ okr propose 2026-q3 --title "No more approvals" --reason "Too slow" --category learning
    --revise-cycle "adjustments_need_approval=no"
    """
    request = changes.asked(
        cycle,
        file=file,
        own_id=own_id,
        title=title,
        target=target,
        revise=revise,
        drop=drop,
        restore=restore,
        add=add,
        abandon=abandon,
        revise_cycle=revise_cycle,
    )
    request = circumstances(
        request, on=on, reason=reason, category=category, request_id=request_id, dry_run=dry_run
    )
    proposal = ProposeAdjustmentRequest()
    for field, value in request.ListFields():
        if field.is_repeated:
            getattr(proposal, field.name).extend(value)
        elif field.message_type:
            getattr(proposal, field.name).CopyFrom(value)
        else:
            setattr(proposal, field.name, value)
    with session.connected() as okr:
        _tell(okr, okr.ledger.ProposeAdjustment(proposal), as_json=as_json, dry_run=dry_run)


def approve(
    adjustment: AdjustmentName,
    *,
    reason: Annotated[
        str,
        typer.Option(
            rich_help_panel=options.WRITE,
            help="Why, in your words; the changes keep the proposal's reason.",
        ),
    ] = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Approve another person's proposal: all of its changes are made now.

    It is refused where what it changes has been changed since; --dry-run tells.

    $ okr --actor people/bea approve less-paid
    """
    request = ApproveAdjustmentRequest(
        name=adjustment, reason=reason, request_id=request_id, validate_only=dry_run
    )
    with session.connected() as okr:
        _tell(okr, okr.ledger.ApproveAdjustment(request), as_json=as_json, dry_run=dry_run)


def reject(
    adjustment: AdjustmentName,
    *,
    reason: Annotated[str, typer.Option(rich_help_panel=options.WRITE, help="Why. Needed.")] = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Reject a proposal, or withdraw your own; it stays in the ledger.

    $ okr reject less-paid --reason "Too late in the quarter"
    """
    request = RejectAdjustmentRequest(
        name=adjustment, reason=reason, request_id=request_id, validate_only=dry_run
    )
    with session.connected() as okr:
        _tell(okr, okr.ledger.RejectAdjustment(request), as_json=as_json, dry_run=dry_run)


def _tell(okr: OkrClient, answer: _Answer, *, as_json: bool, dry_run: bool) -> None:
    """Shows the adjustment as the answer has it, once it is written with its effects."""
    shown = answer.adjustment
    if not dry_run:
        shown = okr.audit.GetAdjustment(GetAdjustmentRequest(name=shown.name)).adjustment
    session.written(okr, answer, audit.adjustments([shown]), as_json=as_json, dry_run=dry_run)
