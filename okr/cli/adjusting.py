"""`okr adjust`: one reasoned decision that changes a committed plan, all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from okr import definitions, names, texts
from okr.cli import options, session
from okr.cli.show import audit
from okr.cli.writing import circumstances
from okr.quarter.record import FileRefused
from okr.v1.audit_service_pb2 import GetAdjustmentRequest
from okr.v1.ledger_service_pb2 import AdjustStrategyRequest, StrategyChange
from okr.v1.values_pb2 import KeyResultDefinition

CHANGES = "The changes, applied in this order"


def adjust(
    cycle: options.CycleName,
    *,
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, dir_okay=False, help="The whole adjustment, as JSON."),
    ] = None,
    own_id: options.Id = "",
    title: Annotated[str, typer.Option(help="The decision in a sentence.")] = "",
    target: Annotated[
        list[str],
        typer.Option(
            metavar="KEY-RESULT=VALUE",
            rich_help_panel=CHANGES,
            help="A new target: brand/followers='+15 %'.",
        ),
    ] = [],  # noqa: B006 - Typer copies it
    revise: Annotated[
        list[str],
        typer.Option(
            metavar="KEY-RESULT=FIELDS",
            rich_help_panel=CHANGES,
            help="Other fields: brand/followers='weight=2; unit=fans'.",
        ),
    ] = [],  # noqa: B006
    drop: Annotated[
        list[str],
        typer.Option(metavar="KEY-RESULT", rich_help_panel=CHANGES, help="Drop it."),
    ] = [],  # noqa: B006
    restore: Annotated[
        list[str],
        typer.Option(metavar="KEY-RESULT", rich_help_panel=CHANGES, help="Restore it."),
    ] = [],  # noqa: B006
    add: Annotated[
        list[str],
        typer.Option(
            metavar="KEY-RESULT=FIELDS",
            rich_help_panel=CHANGES,
            help="Add it: brand/newsletter='title=Newsletter readers; target=500'.",
        ),
    ] = [],  # noqa: B006
    abandon: Annotated[
        list[str],
        typer.Option(metavar="OBJECTIVE", rich_help_panel=CHANGES, help="Give it up."),
    ] = [],  # noqa: B006
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
    made = [
        *_each(target, "--target", _targeted),
        *_each(revise, "--revise", _revised),
        *_each(drop, "--drop", _dropped),
        *_each(restore, "--restore", _restored),
        *_each(add, "--add", _added),
        *_each(abandon, "--abandon", _abandoned),
    ]
    request = AdjustStrategyRequest(adjustment_id=own_id, cycle=cycle, title=title, changes=made)
    if file is not None:
        if made or title or own_id:
            raise typer.BadParameter("says it all: give it alone", param_hint="--file")
        request = _from_file(file, cycle)
    elif not made:
        raise typer.BadParameter("name at least one change, or a --file")
    request = circumstances(
        request, on=on, reason=reason, category=category, request_id=request_id, dry_run=dry_run
    )
    with session.connected() as okr:
        answer = okr.ledger.AdjustStrategy(request)
        shown = answer.adjustment
        if not dry_run:
            read_back = GetAdjustmentRequest(name=answer.adjustment.name)
            shown = okr.audit.GetAdjustment(read_back).adjustment
        session.written(okr, answer, audit.adjustments([shown]), as_json=as_json, dry_run=dry_run)


def _from_file(file: Path, cycle: str) -> AdjustStrategyRequest:
    from okr.quarter.adjustment_file import read

    try:
        return read(file, cycle)
    except FileRefused as refused:
        session.tell_problems(refused.file, refused.problems)
        raise typer.Exit(session.REFUSED) from refused


def _each(
    given: list[str], option: str, make: Callable[[str, str], StrategyChange]
) -> list[StrategyChange]:
    made = []
    for text in given:
        name, _, rest = text.partition("=")
        try:
            made.append(make(name.strip(), rest.strip()))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from error
    return made


def _targeted(name: str, rest: str) -> StrategyChange:
    return _revised(name, f"target={rest}")


def _revised(name: str, rest: str) -> StrategyChange:
    change = StrategyChange()
    change.revise_key_result.name = names.key_result(name)
    change.revise_key_result.definition.CopyFrom(_fields(rest))
    return change


def _dropped(name: str, _: str) -> StrategyChange:
    change = StrategyChange()
    change.drop_key_result.name = names.key_result(name)
    return change


def _restored(name: str, _: str) -> StrategyChange:
    change = StrategyChange()
    change.restore_key_result.name = names.key_result(name)
    return change


def _added(name: str, rest: str) -> StrategyChange:
    change = StrategyChange()
    objective, _, own = names.key_result(name).partition("/keyResults/")
    change.add_key_result.parent = objective
    change.add_key_result.key_result_id = own
    change.add_key_result.definition.CopyFrom(_fields(rest))
    return change


def _abandoned(name: str, _: str) -> StrategyChange:
    change = StrategyChange()
    change.abandon_objective.name = names.objective(name)
    return change


def _fields(text: str) -> KeyResultDefinition:
    result = KeyResultDefinition()
    for field, value in texts.pairs(text):
        if field not in definitions.KEY_RESULT:
            known = ", ".join(definitions.KEY_RESULT)
            raise ValueError(f"a key result has no {field!r}; it has {known}")
        definitions.fill(result, field, value)
    return result
