"""Server processes that listen within a tenth of a second.

Most of a server's start is importing its libraries. A parent process imports them once and forks
a child for each start; what runs in the child is the whole server, its write lane on a thread, so
that one kill ends everything at the same instant.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.server_process import ROOT, environment

PATIENCE_SECONDS: Final = 20.0


class ForkedServers:
    """Starts servers on one ledger, one after the other."""

    def __init__(self, parent: subprocess.Popen[str]) -> None:
        self._parent = parent

    def start(self) -> tuple[int, str]:
        """A new server's process id, and its address once it listens."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        print("start", file=self._parent.stdin, flush=True)
        pid, _, address = self._parent.stdout.readline().strip().partition(" ")
        assert address, "the server does not listen"
        return int(pid), address

    @staticmethod
    def kill(pid: int) -> None:
        """Ends a server as a power cut would, and returns once it is gone."""
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline, f"process {pid} is still there"
            time.sleep(0.001)


@contextmanager
def forked_servers(folder: Path) -> Iterator[ForkedServers]:
    """Servers on the folder's ledger; whatever still runs at the end is ended."""
    command = [sys.executable, "-m", "tests.support.forked_server", str(folder)]
    with (
        (folder / "forked.log").open("wb") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        ) as parent,
    ):
        try:
            yield ForkedServers(parent)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def _fork_on_demand(folder: Path) -> None:
    """The parent: a child for each line that it reads."""
    import server  # noqa: F401 - the children find it imported

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        if os.fork() == 0:
            _serve(folder)


def _serve(folder: Path) -> None:
    """The child: serves until it is killed."""
    import uvloop

    from server import running
    from service.logging import logs
    from service.settings import Settings

    async def serve() -> None:
        url = f"sqlite:///{folder / 'okr-ledger.db'}"
        async with running(
            Settings(database_url=url, listen="127.0.0.1:0", lane="thread")
        ) as address:
            print(os.getpid(), address, flush=True)  # noqa: T201 - the parent's reader waits for it
            await asyncio.Event().wait()

    with logs("json", "warning"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    _fork_on_demand(Path(sys.argv[1]))
