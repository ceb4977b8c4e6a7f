"""Connections to a log on PostgreSQL: a pool of those that read, and one that writes."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from eventsourcing import postgres
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from ledger.log.errors import LogMismatch, LogUnavailable
from ledger.log.postgres.failures import is_lost, reason_of, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg import Connection

    from ledger.log.database import Database

SERVER_VERSION: Final = 15
"""The oldest major version that still gets corrections from its makers; older ones are refused."""

LIVENESS: Final = {
    # A peer that is gone without a word is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

SESSION: Final = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)
"""An answer says that its events are durable, whatever the server's default is."""

ABOUT_SERVER: Final = (
    "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')"
)


def connection_arguments(database: Database, schema: str = "") -> dict[str, Any]:
    """What a connection is made with, beside the URL, as far as that does not say otherwise.

    It sees the log's schema alone, or another one where that is given.

    Raises:
        LogUnavailable: libpq does not understand the URL.
    """
    try:
        given = conninfo_to_dict(database.url)
    except psycopg.Error as error:
        raise LogUnavailable(str(database), "connect to", reason_of(error)) from None
    options = (
        f"{given.get('options') or ''} -c search_path={schema or database.schema}"
        f" -c statement_timeout={round(database.statement_seconds * 1000)}"
        r" -c default_transaction_isolation=read\ committed"
    )
    defaults = LIVENESS | {"connect_timeout": ceil(database.connect_seconds)}
    return {name: value for name, value in defaults.items() if name not in given} | {
        "options": options.strip(),
        "client_encoding": "UTF8",
        "fallback_application_name": "okr-ledger",
    }


class LedgerDatastore(postgres.PostgresDatastore):
    """One schema of one database.

    Nothing is connected before it is first asked for. A read whose connection was lost is done
    once more on a new one; a write never is, because nobody can tell what became of it.
    """

    def __init__(self, database: Database, *, read_only: bool = False) -> None:
        # The library would put a connection's parts together; ours come from the URL.
        super().__init__("", "", "", "", "", schema=database.schema, originator_id_type="text")
        self.database = database
        # Errors are told by it, and each statement may fail.
        self.name = str(database)
        self._read_only = read_only
        self._arguments = connection_arguments(database)
        self.pool = postgres.ConnectionPool["Connection[Any]"](
            database.url,
            kwargs={"autocommit": True} | self._arguments,
            configure=_set_up,
            min_size=1,
            max_size=database.readers,
            open=False,
            timeout=database.connect_seconds,
            reconnect_timeout=database.connect_seconds,
            max_idle=60.0,
            name=f"reads of {self.name}",
        )
        self._writer: Connection[Any] | None = None
        self._writing = threading.Lock()

    def register_type_adapters(self) -> None:
        """The library's composite types are not used."""

    @contextmanager
    def get_connection(self) -> Iterator[Connection[Any]]:
        """A reading connection that fails with the library's errors."""
        with super().get_connection() as connection:
            yield connection

    def connect(self) -> Connection[Any]:
        """A connection of one's own, in autocommit; the caller closes it.

        Raises:
            LogUnavailable: it cannot be made.
        """
        with translated(self.name, "connect to"):
            connection = psycopg.connect(self.database.url, autocommit=True, **self._arguments)
            try:
                _set_up(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def rows(
        self, action: str, query: LiteralString, parameters: Sequence[Any] | dict[str, Any] = ()
    ) -> list[Any]:
        """The rows of a query, on any free connection.

        Raises:
            LogUnavailable: whatever the database refused.
        """
        with translated(self.name, action):
            try:
                return self._rows(query, parameters)
            except PoolTimeout:
                # Either all are in use, or none can be made: then this one tells why.
                self.connect().close()
                raise
            except psycopg.OperationalError as error:
                if not is_lost(error):
                    raise
            # A restart ends all connections at once; none of them is tried again.
            self.pool.check()
            return self._rows(query, parameters)

    def rows_before_writing(
        self, action: str, query: LiteralString, parameters: Sequence[Any] = ()
    ) -> list[Any]:
        """The rows of a query, on the connection that a write will take next.

        So one that was lost while nobody wrote is made anew before anything depends on it.

        Raises:
            LogUnavailable: whatever the database refused.
        """
        if self._read_only:
            return self.rows(action, query, parameters)
        connected = self._writer is not None and not self._writer.closed
        try:
            with self.writing(action) as connection:
                return _fetched(connection, query, parameters)
        except LogUnavailable as error:
            if not (connected and is_lost(error.__cause__)):
                raise
        with self.writing(action) as connection:
            return _fetched(connection, query, parameters)

    def _rows(self, query: LiteralString, parameters: Any) -> list[Any]:
        self.pool.open()
        with self.pool.connection() as connection:
            return _fetched(connection, query, parameters)

    @contextmanager
    def writing(self, action: str) -> Iterator[Connection[Any]]:
        """The writing connection, for one thread at a time; made anew after any failure.

        Raises:
            LogUnavailable: whatever the database refused.
        """
        if self._read_only:
            raise LogUnavailable(self.name, action, "it was opened for reading only")
        with self._writing, translated(self.name, action):
            if self._writer is None or self._writer.closed:
                self._writer = self.connect()
            try:
                yield self._writer
            except BaseException:
                self._writer.close()
                raise

    def check_server(self) -> None:
        """Refuse a server that the log cannot stand on.

        Raises:
            LogMismatch: it is too old, or the database is not in UTF-8.
            LogUnavailable: it cannot be asked.
        """
        ((version, encoding),) = self.rows("open", ABOUT_SERVER)
        if version < SERVER_VERSION:
            reason = f"the server is PostgreSQL {version}, and at least {SERVER_VERSION} is needed"
            raise LogMismatch(self.name, reason)
        if encoding != "UTF8":
            reason = f"the database is in {encoding}; make one with ENCODING 'UTF8'"
            raise LogMismatch(self.name, reason)

    def close(self) -> None:
        """Closes the connections. May be called again."""
        super().close()
        if (writer := getattr(self, "_writer", None)) is not None:
            writer.close()

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """For the library's own pool, which is never opened."""
        return _set_up


def _fetched(connection: Connection[Any], query: LiteralString, parameters: Any) -> list[Any]:
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(query, parameters, prepare=True).fetchall()


def _set_up(connection: Connection[Any]) -> None:
    connection.execute(SESSION)
