"""`okr align` and `okr unalign`: what depends on what."""

from __future__ import annotations

from typing import Annotated

import typer

from okr import names, texts
from okr.cli import options, session
from okr.cli.show import plan
from okr.cli.writing import circumstances
from okr.v1.ledger_service_pb2 import AlignRequest, UnalignRequest
from okr.v1.values_pb2 import AlignmentKind

Child = Annotated[
    str,
    typer.Argument(
        metavar="CHILD", parser=options.parsed(names.subject), help="What helps: new-customers."
    ),
]
Parent = Annotated[
    str,
    typer.Argument(
        metavar="PARENT", parser=options.parsed(names.subject), help="What it helps: growth."
    ),
]
Contributes = Annotated[
    bool,
    typer.Option(
        "--contributes/--supports",
        help="Whether the child's score counts in the parent's, or it only helps.",
    ),
]


def align(
    child: Child,
    parent: Parent,
    *,
    contributes: Contributes,
    weight: Annotated[
        str | None,
        typer.Option(
            parser=options.parsed(texts.decimal), help="Weight in the parent's score. Default: 1."
        ),
    ] = None,
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Align an objective or key result to another.

    $ okr align --contributes new-customers growth

    $ okr align --supports pipeline leads/qualified
    """
    request = circumstances(
        AlignRequest(child=child, parent=parent, kind=_kind(contributes), weight=weight or ""),
        on=on,
        reason=reason,
        category=category,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.Align(request)
        shown = plan.alignments([answer.alignment])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


def unalign(
    child: Child,
    parent: Parent,
    *,
    contributes: Contributes,
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Take an alignment back."""
    request = circumstances(
        UnalignRequest(child=child, parent=parent, kind=_kind(contributes)),
        on=on,
        reason=reason,
        category=category,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.Unalign(request)
        shown = plan.alignments([answer.alignment])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


def _kind(contributes: bool) -> AlignmentKind.ValueType:
    return (
        AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES
        if contributes
        else AlignmentKind.ALIGNMENT_KIND_SUPPORTS
    )
