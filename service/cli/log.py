"""`okr-ledger log`: the events themselves."""

from __future__ import annotations

from contextlib import closing

import typer

from ledger.log.opening import open_log
from service.cli.options import DatabaseSchema, DatabaseUrl
from service.cli.output import console, failures_told
from service.moving.notes import tell_proofs
from service.settings import Settings

app = typer.Typer(no_args_is_help=True)


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
            tell_proofs(settings.database, ledger)
    console().print(
        f"epoch {identity.epoch} of ledger {identity.log_id} begins after {head} events"
    )
