"""What PostgreSQL tells of by itself: that the log has grown, or the read models have.

A notice is a hint. Whoever is told reads what is new; who is told nothing looks from time to time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from ledger.log.errors import LogUnavailable
from projections.store import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from psycopg import Connection as Session

    from ledger.log.database import Database


CALLED: Final = "okr-ledger notices"
"""What the session is called."""

LISTENS_SECONDS: Final = 0.5
"""How long one wait for notices takes: a thread that is to end does so within it."""

SILENCE_SECONDS: Final = 5.0
"""After how long without a notice the session is asked whether it still lives."""

PAUSE_SECONDS: Final = 1.0
"""The pause before another session is tried."""

POSITION_DIGITS: Final = 19
"""The most digits of a position, which is a bigint; a notice may carry thousands."""

log = structlog.get_logger(__name__)


def log_channel(database: Database) -> str:
    """Where a log tells of its newest position."""
    from ledger.log.postgres.notices import channel

    return channel(database.schema)


def position_of(payload: str) -> int:
    """The position that a notice carries, 0 where it is none of ours: anybody may send one."""
    ours = payload.isascii() and payload.isdigit() and len(payload) <= POSITION_DIGITS
    return int(payload) if ours else 0


class Notices:
    """Listens on a thread and a session of its own, and gets another session when it is lost.

    `told` is called on that thread with the position of each notice, by channel; with 0 whenever
    listening begins, since nobody knows what was missed before.
    """

    def __init__(self, database: Database, told: Mapping[str, Callable[[int], None]]) -> None:
        self._database = database
        self._told = told

    def run(self, stop: Event) -> None:
        """Listens until `stop` is set; ends within half a second of that."""
        import psycopg

        while not stop.is_set():
            try:
                with postgres.connect(self._database) as session:
                    session.execute(f"SET application_name = '{CALLED}'".encode())
                    self._listen(session, stop)
            except (psycopg.Error, LogUnavailable) as error:
                log.warning("notices are not heard", seconds=PAUSE_SECONDS, reason=str(error))
                stop.wait(PAUSE_SECONDS)

    def _listen(self, session: Session[Any], stop: Event) -> None:
        for channel in self._told:
            session.execute(f'LISTEN "{channel}"'.encode())
        # Only now: what is committed from here on is told of, what was before is there to be read.
        for told in self._told.values():
            told(0)
        silent = 0.0
        while not stop.is_set():
            silent += LISTENS_SECONDS
            for notice in session.notifies(timeout=LISTENS_SECONDS, stop_after=1):
                self._told[notice.channel](position_of(notice.payload))
                silent = 0.0
            if silent >= SILENCE_SECONDS:
                session.execute("SELECT 1")
                silent = 0.0
