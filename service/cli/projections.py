"""`okr-ledger projections`: the read models, which can be made anew at any time."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing

import typer

from ledger.log.lock import WriterLock
from ledger.log.opening import open_log
from projections.follower import Follower
from projections.views import Views
from service.cli.options import DatabaseSchema, DatabaseUrl
from service.cli.output import console, failures_told, progress
from service.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def projections() -> None:
    """Look after the read models."""


@app.command()
def rebuild(database_url: DatabaseUrl = None, database_schema: DatabaseSchema = None) -> None:
    """Throw all read models away and make them anew from the ledger.

    The ledger itself is only read. No server may run on it meanwhile: its callers would see
    tables that are still empty.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        with (
            closing(open_log(settings.database, read_only=True)) as ledger,
            closing(Views(settings.database, ledger.identity())) as views,
            ExitStack() as stack,
        ):
            if not settings.database.is_postgres:
                stack.callback(WriterLock(settings.database.file).release)
            head = ledger.head().position
            began = time.monotonic()
            views.prepare(lambda: ledger.head().position)
            views.rebuild()
            with progress("rebuilding", head) as shown:
                (task,) = shown.task_ids
                follower = Follower(
                    ledger, views, on_progress=lambda at: shown.update(task, completed=at)
                )
                position = follower.catch_up()
    seconds = time.monotonic() - began
    console().print(f"read models rebuilt from {position} events in {seconds:.1f} s")
