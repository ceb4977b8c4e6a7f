"""Where a write lane runs: in a thread of the server, or in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Final, Protocol, cast

from ledger.log.database import Database
from service.lane.host import host

STOP_SECONDS: Final = 60.0
"""How long a lane gets to answer what it has and end."""

PROJECT: Final = Path(__file__).resolve().parents[2]


class Place(Protocol):
    """Where a lane runs."""

    def start(self, link: socket.socket) -> Callable[[], object]:
        """Starts a lane at the end of a link that is its own from then on.

        Gives a function that waits until the lane has ended, for `STOP_SECONDS` at most.
        """


class InThread:
    """In a thread of this process; `clock` gives µs since 1970 UTC in place of the log's own."""

    def __init__(self, database: Database, clock: Callable[[], int] | None = None) -> None:
        self._database = database
        self._clock = clock

    def start(self, link: socket.socket) -> Callable[[], object]:
        thread = threading.Thread(
            target=host,
            args=(link, self._database, os.getpid(), self._clock),
            name="write-lane",
            daemon=True,
        )
        thread.start()
        return lambda: thread.join(STOP_SECONDS)


class InProcess:
    """In a process of its own, which ends when this one does, however it ends."""

    def __init__(self, database: Database, log_format: str, log_level: str) -> None:
        self._database = database
        self._arguments = (log_format, log_level)

    def start(self, link: socket.socket) -> Callable[[], object]:
        number = link.fileno()
        with link:
            process = subprocess.Popen(
                [sys.executable, "-m", "service.lane", str(number), *self._arguments],
                # It imports this very program, from wherever this process did.
                env=os.environ | {"PYTHONPATH": os.pathsep.join(_paths())},
                stdin=subprocess.PIPE,
                pass_fds=(number,),
            )
            # A lane that has ended already does not listen; the desk hears of its end.
            with suppress(BrokenPipeError), cast("IO[bytes]", process.stdin) as told:
                told.write(json.dumps(asdict(self._database)).encode())

        def wait() -> None:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        return wait


def _paths() -> list[str]:
    given = os.environ.get("PYTHONPATH")
    return [str(PROJECT), given] if given else [str(PROJECT)]
