"""`okr import`: a whole quarter from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from okr.cli import session
from okr.cli.show import failure, marks
from okr.client import OkrClient
from okr.quarter.record import FileRefused

if TYPE_CHECKING:
    from okr.quarter.sending import Refused, Summary
    from okr.quarter.step import Quarter, Step

_NAMES = {
    "cycle": "cycle",
    "team": "teams",
    "objective": "objectives",
    "alignment": "alignments",
    "plan": "plan commitment",
    "check_in": "check-ins",
    "correction": "corrections",
    "retraction": "retractions",
    "adjustment": "adjustments",
    "grade": "grades",
}


def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A .csv or .json.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Only read and check the file; send nothing.")
    ] = False,
) -> None:
    """Import a quarter: cycle, teams, objectives, key results, check-ins, adjustments, grades.

    The whole file is checked first, and every problem is named with its line and field. Then it
    is sent in the order in which the quarter was lived. An objective comes with its key results
    or not at all. To import the same file again adds nothing: what is there already is counted,
    and a line that has changed since is reported.

    The formats are documented in docs/how-to/import-a-quarter.md.

    $ okr import examples/marketing-sales-2026q3.json
    """
    from okr.quarter.reader import read
    from okr.quarter.sending import Refused

    try:
        quarter = read(file)
    except FileRefused as refused:
        session.tell_problems(refused.file, refused.problems)
        raise typer.Exit(session.REFUSED) from refused
    if check:
        session.show(f"{file}: fine, {len(quarter.steps)} steps to send")
        return
    with session.connected() as okr:
        try:
            summary = _send(quarter, okr)
        except FileRefused as refused:
            session.tell_problems(refused.file, refused.problems)
            raise typer.Exit(session.REFUSED) from refused
        except Refused as refused:
            _tell(refused, len(quarter.steps))
            if refused.sent:
                session.wait_for_reads(okr)
            raise typer.Exit(session.exit_code(refused.error)) from refused
        session.wait_for_reads(okr)
    session.show(_table(summary))
    if summary.changed:
        session.tell_problems(quarter.file, summary.changed)
        raise typer.Exit(session.REFUSED)


def _send(quarter: Quarter, okr: OkrClient) -> Summary:
    from okr.quarter.sending import send

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[day]}", style="dim"),
    )
    console = session.console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(Path(quarter.file).name, total=len(quarter.steps), day="")

        def done(step: Step) -> None:
            day = f"{step.when:%Y-%m-%d}" if step.when.year > 1 else ""
            progress.update(task, advance=1, day=day)

        return send(quarter, okr, done)


def _tell(refused: Refused, steps: int) -> None:
    session.tell_problems(refused.file, refused.problems())
    address = session.settings.get().address
    session.show(failure.renderable(refused.error, address), stderr=True)
    if refused.error.reason == "RESOURCE_EXISTS":
        other = "Is it there from an earlier import by another --actor? Import as the same one."
        session.note(other, "yellow", stderr=True)
    rest = f"{refused.sent} of {steps} steps are in the ledger; import the file again to go on."
    session.note(rest, "yellow", stderr=True)


def _table(summary: Summary) -> Table:
    table = marks.table("", "new", "already there", right=("new", "already there"))
    for kind, name in _NAMES.items():
        new, there = summary.new[kind], summary.already_there[kind]
        if new or there:
            table.add_row(name, str(new), str(there))
    table.add_row("together", str(summary.new.total()), str(summary.already_there.total()))
    return table
