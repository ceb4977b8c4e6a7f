"""`okr-ledger verify`: the whole ledger, from its stored rows."""

from __future__ import annotations

from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer

from ledger.log.opening import open_log
from projections.proofs.store import ProofStore
from service.cli.options import DatabaseSchema, DatabaseUrl
from service.cli.output import console, failures_told, progress
from service.settings import Settings
from service.verification.published import published_in
from service.verification.walk import faults

FAULTS_TOLD: Final = 20

UNVERIFIED: Final = 3
"""Exit code: the ledger, or what it is to be held against, cannot be read."""


def verify(
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A file of checkpoints that was kept elsewhere; may be repeated."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="A verifier key; every checkpoint of these files has to carry a signature of one."
            " May be repeated."
        ),
    ] = None,
    at_most: Annotated[int, typer.Option(min=1, help="Faults to print at most.")] = FAULTS_TOLD,
) -> None:
    """Prove the whole ledger from its stored rows: every event, the tree, every checkpoint.

    Only reads, so it may run beside the server. Give it what was published of the ledger with
    --checkpoint: whoever can write to the database can make all that is in it fit.

    Exit codes: 0 all in order, 1 something is wrong, 3 it cannot be read.
    """
    with failures_told(UNVERIFIED), ExitStack() as stack:
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        ledger = stack.enter_context(closing(open_log(settings.database, read_only=True)))
        log_id = ledger.identity().log_id
        published = published_in(checkpoint or [], key or [], log_id)
        store = stack.enter_context(closing(ProofStore(settings.database, log_id)))
        kept = store if store.is_laid_out() else None
        head = ledger.head().position
        shown = stack.enter_context(progress("verifying", head))
        (task,) = shown.task_ids
        told = faults(
            ledger,
            lambda at: shown.update(task, completed=at),
            store=kept,
            published=published,
        )
        found = list(islice(told, at_most))
        against = _against(kept, len(published))
    output = console()
    for fault in found:
        output.print(fault, markup=False)
    summary = f"{len(found)} or more faults" if found else "all in order"
    output.print(f"{head} events: {summary}; {against}", markup=False)
    raise typer.Exit(1 if found else 0)


def _against(store: ProofStore | None, published: int) -> str:
    """What the events were held against, for people."""
    told = f"{published} published checkpoints"
    if store is None:
        return f"held against {told} and no tree: none is kept beside the ledger"
    with store.reading() as reading:
        latest, lost = reading.latest(), reading.lost()
    covered = latest.checkpoint.size if latest else 0
    gone = f", {lost} checkpoints are of events that a restore has lost" if lost else ""
    return f"held against the tree, the checkpoints up to event {covered}, and {told}{gone}"
