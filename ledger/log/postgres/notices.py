"""Tells listeners on any host that the log has grown.

A notice is a hint: whoever listens also looks by itself from time to time, and reads the log to
learn what is new.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import psycopg

from ledger.log.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

PAUSE_SECONDS: Final = 0.005
"""The least time between two notices: each takes a lock that the whole server shares."""

RETRY_SECONDS: Final = 1.0


def channel(schema: str) -> str:
    """The channel of the log in a schema; a notice on it carries the newest position."""
    return f"{schema}_log"


class Notifier:
    """Sends notices on a thread and a connection of its own, so that no append waits for one.

    Several appends are told of by one notice, the newest.
    """

    def __init__(self, schema: str, connect: Callable[[], Connection[Any]]) -> None:
        self._channel = channel(schema)
        self._connect = connect
        self._newest = 0
        self._grown = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, position: int) -> None:
        """Has a notice sent soon."""
        self._newest = position
        self._grown.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Sends what is left to be told, and ends. May be called again."""
        self._ended.set()
        self._grown.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection: Connection[Any] | None = None
        told = 0
        while not self._ended.is_set() or self._grown.is_set():
            self._grown.wait()
            self._grown.clear()
            pause = PAUSE_SECONDS
            try:
                if connection is None:
                    connection = self._connect()
                if (newest := self._newest) > told:
                    connection.execute("SELECT pg_notify(%s, %s)", [self._channel, str(newest)])
                    told = newest
            except (LogUnavailable, psycopg.Error):
                # The next append tells of this one too.
                if connection is not None:
                    connection.close()
                connection, pause = None, RETRY_SECONDS
            self._ended.wait(pause)
        if connection is not None:
            connection.close()
