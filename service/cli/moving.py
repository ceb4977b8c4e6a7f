"""`okr-ledger export` and `import`: a ledger in a file of its own form."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.log.opening import open_log
from service.cli.options import DatabaseSchema, DatabaseUrl
from service.cli.output import console, failures_told, progress
from service.moving import exporting, importing
from service.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from service.moving.telling import Tell


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make.")],
    after: Annotated[
        int,
        typer.Option(
            metavar="POSITION",
            min=0,
            help="Only the events after this one, which an earlier export ended with.",
        ),
    ] = 0,
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
) -> None:
    """Write the ledger's events to a file that any okr-ledger takes in and `okr verify` checks.

    Servers may go on meanwhile: the file holds what the ledger held when the command began. It
    never overwrites a file, and the file is there when it is whole; the same command goes on with
    one that was ended. Keys of personal texts and of checkpoints are not in it.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        name = str(settings.database)
        with (
            closing(open_log(settings.database, read_only=True)) as ledger,
            progress("exporting", ledger.head().position) as shown,
        ):
            began = time.monotonic()
            made = exporting.export(ledger, name, file, after, moved(shown))
    tally, output = made.tally, console()
    events = tally.position - made.resumed_position
    output.print(
        f"{file}: events {after + 1} to {tally.position} of ledger {tally.header.log_id}, epoch"
        f" {tally.header.epochs[-1].epoch}"
    )
    output.print(f"root {tally.tree.root().hex()} of {tally.position} events")
    output.print(_rate(events, time.monotonic() - began))


def import_ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that export has made.")],
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
) -> None:
    """Take a ledger in from a file, with its identity, positions, times and requests.

    Into an empty place of either database, or into a ledger that holds the beginning of what the
    file holds. Every part is checked before it is stored; the same command goes on with an import
    that was ended, and nobody can open the ledger before it has ended.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        name = str(settings.database)
        with progress("importing", 0) as shown:
            began = time.monotonic()
            done = importing.take_in(settings.database, file, tell=moved(shown))
    tally, output = done.tally, console()
    output.print(
        f"{name} holds events 1 to {tally.position} of ledger {tally.header.log_id}, epoch"
        f" {tally.header.epochs[-1].epoch}"
    )
    output.print(f"root {tally.tree.root().hex()} of {tally.position} events")
    output.print(_rate(max(0, tally.position - done.there_before), time.monotonic() - began))


def moved(shown: Progress) -> Tell:
    """Moves a bar as far as is told."""
    (task,) = shown.task_ids
    return lambda done, total: shown.update(task, completed=done, total=total)


def _rate(events: int, seconds: float) -> str:
    return f"{events} events in {seconds:.1f} s, {events / seconds:,.0f} a second"
