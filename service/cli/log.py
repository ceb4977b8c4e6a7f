"""`okr-ledger log`: the events themselves."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import Annotated, Final

import typer

from ledger.log.opening import open_log
from service.cli.options import DatabaseSchema, DatabaseUrl
from service.cli.output import console, failures_told, progress
from service.log_check import faults
from service.settings import Settings

app = typer.Typer(no_args_is_help=True)

FAULTS_TOLD: Final = 20


@app.callback()
def log() -> None:
    """Look after the ledger's events."""


@app.command()
def new_epoch(database_url: DatabaseUrl = None, database_schema: DatabaseSchema = None) -> None:
    """Begin a new epoch, after a restore or a fail-over that has lost events.

    Run it before the servers start. Tokens of the lost future are refused from then on, and read
    models are built anew.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        # First as a reader, who makes none where there is none.
        open_log(settings.database, read_only=True).close()
        with closing(open_log(settings.database)) as ledger:
            identity = ledger.begin_epoch()
            head = ledger.head().position
    console().print(
        f"epoch {identity.epoch} of ledger {identity.log_id} begins after {head} events"
    )


@app.command()
def check(
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    at_most: Annotated[int, typer.Option(help="Faults to print at most.")] = FAULTS_TOLD,
) -> None:
    """Walk the whole log: places without gaps, times in order, every event readable.

    Only reads, so it may run beside the server. Ends with exit code 1 if anything is wrong.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        with closing(open_log(settings.database, read_only=True)) as ledger:
            head = ledger.head().position
            with progress("checking", head) as shown:
                (task,) = shown.task_ids
                told = faults(ledger, lambda at: shown.update(task, completed=at))
                found = list(islice(told, at_most))
    output = console()
    for fault in found:
        output.print(fault)
    output.print(f"{head} events: {f'{len(found)} or more faults' if found else 'all in order'}")
    raise typer.Exit(1 if found else 0)
