"""`okr-ledger projections`: the read models, which can be made anew while they serve."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table
from sqlalchemy.exc import DatabaseError

from ledger.log.opening import open_log
from ledger.values import timestamp
from projections.errors import ReadModelsUnavailable
from projections.following.duty import duty_beside
from projections.store.generations import State
from projections.store.rebuilding import Rebuilt, Tell
from projections.store.rebuilding import rebuild as rebuild_views
from projections.store.views import Views
from server import tune
from service.cli.options import DatabaseSchema, DatabaseUrl
from service.cli.output import console, failures_told, progress
from service.logging import logs
from service.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from projections.store.generations import Entry
    from projections.store.tracking import Tracked

app = typer.Typer(no_args_is_help=True)

LOOK_SECONDS: Final = 1.0


@app.callback()
def projections() -> None:
    """Look after the read models."""


@app.command()
def rebuild(
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Do not go on with a rebuild that was left unfinished.")
    ] = False,
    despite_differences: Annotated[
        bool,
        typer.Option(
            "--despite-differences", help="Have the new tables serve even if they are not the same."
        ),
    ] = False,
) -> None:
    """Make all read models anew from the ledger, and have them serve in place of the old ones.

    Servers may go on meanwhile: the new tables are built beside the old ones, compared with them,
    and taken over in one step. One that is ended goes on where it was. Ends with exit code 1, and
    leaves everything as it was, if the new tables are not the same.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        with (
            logs(settings.log_format, "warning"),
            closing(open_log(settings.database, read_only=True)) as ledger,
            closing(Views(settings.database, ledger.identity())) as views,
            progress("building", ledger.head().position) as shown,
        ):
            tune()
            began = time.monotonic()
            rebuilt = rebuild_views(
                views,
                ledger,
                afresh=afresh,
                despite_differences=despite_differences,
                tell=_shown_on(shown),
            )
    _tell_of(rebuilt, time.monotonic() - began)


def _shown_on(progress: Progress) -> Tell:
    """Moves a bar; its estimate is of what is built from the first position on that is told."""
    (task,) = progress.tasks

    def tell(doing: str, position: int) -> None:
        total = max(position, task.total or 0)
        if not task.completed and position:
            progress.reset(task.id, completed=position, total=total)
        progress.update(task.id, description=doing, completed=position, total=total)

    return tell


def _tell_of(rebuilt: Rebuilt, seconds: float) -> None:
    output = console()
    taken = rebuilt.position - rebuilt.resumed_position
    output.print(
        f"read models rebuilt from {rebuilt.position} events in {seconds:.1f} s,"
        f" {taken / seconds:,.0f} a second; generation {rebuilt.generation} serves"
    )
    if rebuilt.resumed_position:
        output.print(f"the first {rebuilt.resumed_position} were there from an earlier rebuild")
    found = rebuilt.comparison
    if not found.generation:
        output.print("nothing served this version before, so nothing was compared")
        return
    output.print(
        f"{found.rows} rows compared with those of generation {found.generation} at position"
        f" {found.position}: {'different' if found.differences else 'the same'}"
    )
    for difference in found.differences:
        output.print(difference)


@app.command()
def status(
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    seconds: Annotated[
        float, typer.Option(min=0.0, max=60.0, help="How long to look, to tell the rate.")
    ] = LOOK_SECONDS,
) -> None:
    """Tell how far each generation of the read models is.

    Reads the databases, so no server need run. Ends with exit code 1 if one has stopped at an event
    that it cannot take in.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        with (
            closing(open_log(settings.database, read_only=True)) as ledger,
            closing(Views(settings.database, ledger.identity())) as views,
        ):
            before = {entry.number: _tracked(views, entry) for entry in views.generations.all()}
            time.sleep(seconds)
            entries = views.generations.all()
            now = {entry.number: _tracked(views, entry) for entry in entries}
            head = ledger.head().position
            leader = duty_beside(settings.database, views.progress.projection).holder()
    table = Table("read models", "generation", "state", "position", "lag", "events/s", "built by")
    for entry in entries:
        there, earlier = now[entry.number], before.get(entry.number)
        rate = (there.position - earlier.position) / seconds if there and earlier and seconds else 0
        table.add_row(
            entry.version if entry.version == views.version else f"{entry.version}, another",
            str(entry.number),
            _state(entry, there),
            str(there.position) if there else "",
            str(max(0, head - there.position)) if there else "",
            f"{rate:,.0f}",
            f"{entry.builder}, {timestamp(entry.begun_us).ToJsonString()}",
        )
    output = console()
    output.print(table)
    if leader:
        output.print(f"{leader} follows the log")
    if not any(e.version == views.version and e.state is State.SERVING for e in entries):
        output.print(
            f"none serves this version, {views.version}: the server builds it as it starts"
        )
    raise typer.Exit(1 if any(each and each.stopped_position for each in now.values()) else 0)


def _state(entry: Entry, tracked: Tracked | None) -> str:
    if tracked is None or not tracked.stopped_position:
        return entry.state
    return f"{entry.state}, stopped: {tracked.stopped_reason}"


def _tracked(views: Views, entry: Entry) -> Tracked | None:
    """Where a generation is, None where that cannot be read: it is not laid out, or otherwise."""
    with closing(views.generations.open(entry)) as generation:
        try:
            return generation.tracked_by_any()
        except (DatabaseError, ReadModelsUnavailable):
            return None
