"""What `okr adjust` and `okr propose` share: the changes of a strategy adjustment from options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from okr import definitions, names, texts
from okr.cli import session
from okr.definitions import Definition
from okr.quarter.record import FileRefused
from okr.v1.ledger_service_pb2 import AdjustStrategyRequest, StrategyChange

CHANGES: Final = "The changes, applied in this order"

File = Annotated[
    Path | None,
    typer.Option("--file", exists=True, dir_okay=False, help="The whole adjustment, as JSON."),
]
Title = Annotated[str, typer.Option(help="The decision in a sentence.")]
Target = Annotated[
    list[str],
    typer.Option(
        metavar="KEY-RESULT=VALUE",
        rich_help_panel=CHANGES,
        help="A new target: brand/followers='+15 %'.",
    ),
]
Revise = Annotated[
    list[str],
    typer.Option(
        metavar="KEY-RESULT=FIELDS",
        rich_help_panel=CHANGES,
        help="Other fields: brand/followers='weight=2; unit=fans'.",
    ),
]
Drop = Annotated[
    list[str], typer.Option(metavar="KEY-RESULT", rich_help_panel=CHANGES, help="Drop it.")
]
Restore = Annotated[
    list[str], typer.Option(metavar="KEY-RESULT", rich_help_panel=CHANGES, help="Restore it.")
]
Add = Annotated[
    list[str],
    typer.Option(
        metavar="KEY-RESULT=FIELDS",
        rich_help_panel=CHANGES,
        help="Add it: brand/newsletter='title=Newsletter readers; target=500'.",
    ),
]
Abandon = Annotated[
    list[str], typer.Option(metavar="OBJECTIVE", rich_help_panel=CHANGES, help="Give it up.")
]
ReviseCycle = Annotated[
    str,
    typer.Option(
        metavar="FIELDS",
        rich_help_panel=CHANGES,
        help="Fields of the cycle itself: 'adjustments_need_approval=no; cadence=monthly'.",
    ),
]


def asked(
    cycle: str,
    *,
    file: Path | None,
    own_id: str,
    title: str,
    target: list[str],
    revise: list[str],
    drop: list[str],
    restore: list[str],
    add: list[str],
    abandon: list[str],
    revise_cycle: str,
) -> AdjustStrategyRequest:
    """The adjustment that the options, or the file, ask for; without its circumstances.

    Raises:
        typer.BadParameter: an option is wrong, or there is no change.
        typer.Exit: the file cannot be sent; what is wrong with it is told.
    """
    made = [
        *_each(target, "--target", _targeted),
        *_each(revise, "--revise", _revised),
        *_each(drop, "--drop", _dropped),
        *_each(restore, "--restore", _restored),
        *_each(add, "--add", _added),
        *_each(abandon, "--abandon", _abandoned),
    ]
    if revise_cycle:
        made += _each([f"{cycle}={revise_cycle}"], "--revise-cycle", _revised_cycle)
    if file is not None:
        if made or title or own_id:
            raise typer.BadParameter("says it all: give it alone", param_hint="--file")
        return _from_file(file, cycle)
    if not made:
        raise typer.BadParameter("name at least one change, or a --file")
    return AdjustStrategyRequest(adjustment_id=own_id, cycle=cycle, title=title, changes=made)


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
    _fill(change.revise_key_result.definition, definitions.KEY_RESULT, "a key result", rest)
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
    _fill(change.add_key_result.definition, definitions.KEY_RESULT, "a key result", rest)
    return change


def _abandoned(name: str, _: str) -> StrategyChange:
    change = StrategyChange()
    change.abandon_objective.name = names.objective(name)
    return change


def _revised_cycle(name: str, rest: str) -> StrategyChange:
    change = StrategyChange()
    change.update_cycle.name = name
    fields = _fill(change.update_cycle.definition, definitions.CYCLE, "a cycle", rest)
    # A field set to "no" is not filled, and has to be named to be set.
    change.update_cycle.update_mask.paths.extend(fields)
    return change


def _fill(definition: Definition, known: tuple[str, ...], what: str, text: str) -> list[str]:
    """Sets the fields that a text names; gives their names."""
    named = []
    for field, value in texts.pairs(text):
        if field not in known:
            raise ValueError(f"{what} has no {field!r}; it has {', '.join(known)}")
        definitions.fill(definition, field, value)
        named.append(field)
    return named
