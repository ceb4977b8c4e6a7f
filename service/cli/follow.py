"""`okr-ledger follow`: the read models kept up by a process of its own."""

from __future__ import annotations

import signal
from contextlib import ExitStack, closing
from threading import Event
from typing import TYPE_CHECKING, Final

import structlog
import typer

from ledger.log.clock import now_us
from ledger.log.opening import open_log
from projections.following.duty import duty_beside
from projections.following.follower import POLL_SECONDS, Follower
from projections.following.notices import Notices, log_channel
from projections.following.standby import Standby
from projections.following.watcher import Watcher
from projections.store.views import Views
from service.cli.options import (
    CheckpointFileOption,
    CheckpointKeyFile,
    DatabaseSchema,
    DatabaseUrl,
    LogFormatOption,
    LogLevelOption,
    ProofsOption,
)
from service.cli.output import failures_told
from service.following import running_beside
from service.logging import logs
from service.proofs.keeping import Proving
from service.settings import Settings

if TYPE_CHECKING:
    from ledger.log.contract import LogReader

LOOK_SECONDS: Final = 0.02
"""How often a log on SQLite is looked at, and how long events gather: readers may wait for them."""


def follow(
    *,
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    proofs: ProofsOption = None,
    checkpoint_key_file: CheckpointKeyFile = None,
    checkpoint_file: CheckpointFileOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """Keep the read models and the proofs up with the ledger until SIGTERM or SIGINT.

    For a server that runs with --follower separate. On PostgreSQL several may run: one follows, the
    others stand by. Ends with exit code 1 at an event that the read models cannot take in.
    """
    with failures_told():
        settings = Settings.read(
            database_url=database_url,
            database_schema=database_schema,
            proofs=proofs,
            checkpoint_key_file=checkpoint_key_file,
            checkpoint_file=checkpoint_file,
            log_format=log_format,
            log_level=log_level,
        )
        with (
            logs(settings.log_format, settings.log_level),
            closing(open_log(settings.database, read_only=True)) as ledger,
            closing(Views(settings.database, ledger.identity())) as views,
        ):
            follower = _follow(settings, ledger, views)
    raise typer.Exit(0 if follower.failure is None else 1)


def _follow(settings: Settings, ledger: LogReader, views: Views) -> Follower:
    database = settings.database
    duty = duty_beside(database, views.progress.projection)
    follower = Follower(
        ledger,
        views,
        poll_seconds=POLL_SECONDS if database.is_postgres else LOOK_SECONDS,
        gather_seconds=LOOK_SECONDS,
        held=duty.held,
    )
    standby = Standby(follower, Watcher(views), duty)
    stop = Event()

    def end(_number: int, _frame: object) -> None:
        stop.set()
        standby.wake()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    log = structlog.get_logger()
    log.info("following", database=str(database))
    with ExitStack() as stack:
        if database.is_postgres:
            notices = Notices(database, {log_channel(database): lambda _: standby.wake()})
            stack.enter_context(running_beside("notices", notices.run))
        if settings.proofs == "on":
            proving = Proving(settings, ledger, now_us, keeps=True)
            stack.enter_context(proving.running())
        standby.run(stop)
    log.info("stopped")
    return follower
