"""`okr-ledger follow`: the read models kept up by a process of its own."""

from __future__ import annotations

import signal
from contextlib import closing
from threading import Event
from typing import Final

import structlog
import typer

from ledger.log.opening import open_log
from projections.duty import duty_beside
from projections.follower import Follower
from projections.standby import Standby
from projections.views import Views
from projections.watcher import Watcher
from service.cli.options import DatabaseSchema, DatabaseUrl, LogFormatOption, LogLevelOption
from service.cli.output import failures_told
from service.logging import logs
from service.settings import Settings

LOOK_SECONDS: Final = 0.02
"""How often the log is looked at."""


def follow(
    *,
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """Keep the read models up with the ledger until SIGTERM or SIGINT.

    For a server that runs with --follower separate. On PostgreSQL several may run: one follows, the
    others stand by. Ends with exit code 1 at an event that the
    read models cannot take in.
    """
    with failures_told():
        settings = Settings.read(
            database_url=database_url,
            database_schema=database_schema,
            log_format=log_format,
            log_level=log_level,
        )
        with (
            logs(settings.log_format, settings.log_level),
            closing(open_log(settings.database, read_only=True)) as ledger,
            closing(Views(settings.database, ledger.identity())) as views,
        ):
            duty = duty_beside(settings.database, views.progress.projection)
            # Nobody wakes this process, so it looks often: readers wait for what they wrote.
            follower = Follower(
                ledger,
                views,
                poll_seconds=LOOK_SECONDS,
                gather_seconds=LOOK_SECONDS,
                held=duty.held,
            )
            _follow(Standby(follower, Watcher(views), duty), settings)
    raise typer.Exit(0 if follower.failure is None else 1)


def _follow(standby: Standby, settings: Settings) -> None:
    stop = Event()

    def end(_number: int, _frame: object) -> None:
        stop.set()
        standby.wake()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    log = structlog.get_logger()
    log.info("following", database=str(settings.database))
    standby.run(stop)
    log.info("stopped")
