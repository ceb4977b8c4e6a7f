"""The threads that keep the read models up beside the event loop, until they are told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from projections.following.duty import duty_beside
from projections.following.follower import GATHER_SECONDS, Follower
from projections.following.notices import Notices, log_channel
from projections.following.standby import Standby
from projections.following.watcher import Watcher
from projections.store.postgres import views_channel

if TYPE_CHECKING:
    from ledger.log.contract import LogReader
    from ledger.log.database import Database
    from projections.store.views import Views

AMONG_SERVERS_SECONDS: Final = 0.02
"""How long events gather on PostgreSQL: a reader who waits for them may be at another server."""

log = structlog.get_logger()


@contextmanager
def running_beside(
    name: str,
    work: Callable[[threading.Event], None],
    *,
    wake: Callable[[], None] = lambda: None,
    on_defect: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Runs `work(stop)` in a thread while the block runs, then sets `stop`, wakes it and waits.

    Work that fails is logged, and `on_defect` told: the thread ends, the process goes on.
    """
    stop = threading.Event()

    def supervised() -> None:
        try:
            work(stop)
        except Exception:
            # Whatever it was: without this nobody would learn that the thread has ended.
            log.exception("thread ended by a defect", thread=name)
            on_defect()

    thread = threading.Thread(target=supervised, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        wake()
        thread.join()


class Following:
    """How a server's read models are kept up, by itself or by another process, and who does it.

    `follows` says whether this process may follow the log. `on_grown` is told, from any thread, of
    the position that another process has made the log grow to, 0 where it may have grown.
    """

    def __init__(
        self,
        database: Database,
        ledger: LogReader,
        views: Views,
        *,
        follows: bool,
        on_grown: Callable[[int], None],
    ) -> None:
        self._database = database
        self._views = views
        self._on_grown = on_grown
        self._duty = duty_beside(database, views.progress.projection)
        gather = AMONG_SERVERS_SECONDS if database.is_postgres else GATHER_SECONDS
        self._follower = Follower(ledger, views, gather_seconds=gather, held=self._duty.held)
        self._watcher = Watcher(views, hears=database.is_postgres)
        self._standby = Standby(self._follower, self._watcher, self._duty)
        self._work = self._standby.run if follows else self._watcher.run

    def wake(self) -> None:
        """The log has grown; from any thread."""
        self._follower.wake()

    def leader(self) -> str:
        """The process that follows the log, "" where that is not known. Asks the database."""
        return self._duty.holder()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keeps the read models up while the block runs."""
        progress = self._views.progress
        with ExitStack() as stack:
            stack.enter_context(
                running_beside(
                    "follower",
                    self._work,
                    wake=self._standby.wake,
                    on_defect=lambda: progress.stop(progress.position + 1),
                )
            )
            if self._database.is_postgres:
                told = {
                    log_channel(self._database): self._grown,
                    views_channel(self._database): lambda _: self._watcher.wake(),
                }
                notices = Notices(self._database, told)
                stack.enter_context(running_beside("notices", notices.run))
            yield

    def _grown(self, position: int) -> None:
        self._follower.wake()
        self._on_grown(position)
