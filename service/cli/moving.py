"""`okr-ledger export`, `import`, `backup` and `restore`: a ledger in a file, and back."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.log.opening import open_log
from service.cli.options import DatabaseSchema, DatabaseUrl
from service.cli.output import console, failures_told, progress
from service.moving import backing_up, exporting, importing
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
        with (
            closing(open_log(settings.database, read_only=True)) as ledger,
            progress("exporting", ledger.head().position) as shown,
        ):
            began = time.monotonic()
            made = exporting.export(ledger, settings.database, file, after, moved(shown))
    tally = made.tally
    _say(
        f"{file}: events {after + 1} to {tally.position} of ledger {tally.header.log_id}, epoch"
        f" {tally.header.epochs[-1].epoch}",
        f"root {tally.tree.root().hex()} of {tally.position} events",
        _rate(tally.position - made.resumed_position, time.monotonic() - began),
    )


def import_ledger(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…", help="What export has made, and what it has made --after that."
        ),
    ],
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
) -> None:
    """Take a ledger in from files, with its identity, positions, times and requests.

    Into an empty place of either database, or into a ledger that holds the beginning of what the
    file holds. Every part is checked before it is stored; the same command goes on with an import
    that was ended, and nobody can open the ledger before it has ended.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        name = str(settings.database)
        with progress("importing", 0) as shown:
            began = time.monotonic()
            done = importing.take_in(settings.database, files, tell=moved(shown))
    tally = done.tally
    _say(
        f"{name} holds events 1 to {tally.position} of ledger {done.identity.log_id}, epoch"
        f" {done.identity.epoch}",
        f"root {tally.tree.root().hex()} of {tally.position} events",
        _rate(max(0, tally.position - done.there_before), time.monotonic() - began),
    )


def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The file to make.")],
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
) -> None:
    """Back the ledger up to a file, while servers go on.

    Of a ledger on SQLite the file is a copy of the database, of one on PostgreSQL an export. It
    never overwrites a file, and the file is there when it is whole. Neither the keys of personal
    texts nor the key that signs checkpoints are in it: back them up apart.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        with progress("backing up", 0) as shown:
            safe = backing_up.back_up(settings.database, target, moved(shown))
    _say(
        f"{target}: ledger {safe.identity.log_id}, epoch {safe.identity.epoch}, up to event"
        f" {safe.position}"
    )


def restore(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE…", help="A backup, or an export and what was exported --after it."
        ),
    ],
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
) -> None:
    """Make the ledger of a backup, in an empty place, and begin a new epoch.

    Tokens of what the backup does not have are refused from then on, and read models are built
    anew. Nobody can open the ledger before it is whole; the same command goes on with one that was
    ended.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        with progress("restoring", 0) as shown:
            safe = backing_up.restore(sources, settings.database, moved(shown))
    _say(
        f"{settings.database}: epoch {safe.identity.epoch} of ledger {safe.identity.log_id} begins"
        f" after {safe.position} events"
    )


def moved(shown: Progress) -> Tell:
    """Moves a bar as far as is told."""
    (task,) = shown.task_ids
    return lambda done, total: shown.update(task, completed=done, total=total)


def _say(*lines: str) -> None:
    """Prints lines as they are, whatever their length."""
    for line in lines:
        console().print(line, soft_wrap=True)


def _rate(events: int, seconds: float) -> str:
    return f"{events} events in {seconds:.1f} s, {events / seconds:,.0f} a second"
