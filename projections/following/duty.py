"""Who follows the log for a projection: one process at a time, while others stand by.

On PostgreSQL that is whoever holds an advisory lock, on a session of its own: the lock goes when
the session does, so that a process that dies, or that the network cuts off, is relieved. On SQLite
one server has the ledger, and nobody stands by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from ledger.log.errors import LogUnavailable
from projections.store import postgres
from projections.store.claims import this_process

if TYPE_CHECKING:
    from psycopg import Connection as Session

    from ledger.log.database import Database

FOLLOWER: Final = "okr-ledger follower "
"""What the session that holds a lock is called, before the name of its process."""

log = structlog.get_logger(__name__)


class Duty(Protocol):
    """The right to follow, for one thread of this process."""

    def taken(self) -> bool:
        """Whether this process is to follow; takes the duty where nobody has it."""

    def held(self) -> bool:
        """Whether it still has the duty that it took; asked before each write."""

    def holder(self) -> str:
        """The process that follows, "" where that is not known; from any thread."""

    def leave(self) -> None:
        """Lets another process follow."""


class Undivided:
    """The duty where no other process follows, or where followers find each other's rows."""

    def taken(self) -> bool:
        return True

    def held(self) -> bool:
        return True

    def holder(self) -> str:
        return ""

    def leave(self) -> None:
        return


class Shared:
    """The duty for a projection of a log on PostgreSQL."""

    def __init__(self, database: Database, projection: str) -> None:
        self._database = database
        self._projection = projection
        self._key = postgres.lock_key(postgres.views_schema(database, 0), f"follow {projection}")
        self._session: Session[Any] | None = None
        self._held = False

    def taken(self) -> bool:
        import psycopg

        if self.held():
            return True
        try:
            if self._session is None:
                self._session = self._connected()
            found = self._session.execute("SELECT pg_try_advisory_lock(%s)", (self._key,))
            (self._held,) = found.fetchone() or (False,)
            if self._held:
                log.info("following the log for all servers", projection=self._projection)
        except (psycopg.Error, LogUnavailable) as error:
            log.warning("cannot ask whether to follow", reason=str(error))
            self.leave()
        return self._held

    def held(self) -> bool:
        import psycopg

        if self._session is None or not self._held:
            return False
        try:
            self._session.execute("SELECT 1")
        except psycopg.Error as error:
            log.warning("no longer following: the session is lost", reason=str(error))
            self.leave()
        return self._held

    def holder(self) -> str:
        import psycopg

        try:
            with postgres.connect(self._database) as session:
                found = session.execute(_HOLDER, {"key": self._key, "called": FOLLOWER}).fetchone()
        except psycopg.Error:
            return ""
        return found[0].removeprefix(FOLLOWER) if found else ""

    def leave(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None
        self._held = False

    def _connected(self) -> Session[Any]:
        session = postgres.connect(self._database)
        for name, value in {
            "application_name": FOLLOWER + this_process(),
            # A process that follows asks at least every half second whether it still may.
            "idle_session_timeout": f"{postgres.GONE_SECONDS}s",
            "tcp_keepalives_idle": "3",
            "tcp_keepalives_interval": "2",
            "tcp_keepalives_count": "3",
        }.items():
            session.execute("SELECT set_config(%s, %s, false)", (name, value))
        return session


def duty_beside(database: Database, projection: str) -> Duty:
    """The duty to follow the log of a database."""
    return Shared(database, projection) if database.is_postgres else Undivided()


_HOLDER: Final = """
    SELECT application_name
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32) | objid::bigint = %(key)s
        AND starts_with(application_name, %(called)s)
"""
