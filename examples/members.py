"""The servers of the cluster's demonstration: processes that come and go."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from examples.stage import ROOT, STOP_SECONDS, DemoFailed, free_address, wait_until_ready
from okr import OkrClient
from okr.v1.operations_service_pb2 import GetStatusRequest, GetStatusResponse

OWN_SETTINGS: Final = "OKR_"


class Member:
    """A server of the cluster, at the same address each time that it starts; `name` is for people.

    `settings` are its environment variables: the database's password is in none of its arguments.
    """

    def __init__(self, name: str, folder: Path, settings: dict[str, str]) -> None:
        self.name = name
        self.address = free_address()
        self._log = folder / f"{name.replace(' ', '-')}.log"
        self._environment = settings_free() | settings | {"OKR_LISTEN": self.address}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            DemoFailed: it does not in time.
        """
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "server.py"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the demonstration, which then ends its servers in order.
                start_new_session=True,
            )
        wait_until_ready(self.address, self._process, self._log)

    @property
    def pid(self) -> int:
        """The server's process, 0 while there is none."""
        return self._process.pid if self._process else 0

    def kill(self) -> None:
        """End the server and its write lane at once, as a crash of their host would."""
        if self._process is None:
            return
        server = psutil.Process(self._process.pid)
        for process in (*server.children(recursive=True), server):
            process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End the server in order, answering what it has. Nothing happens if it is down."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def status(self) -> GetStatusResponse:
        """What the server says of itself."""
        with OkrClient(self.address) as okr:
            return okr.operations.GetStatus(GetStatusRequest())

    def follows(self) -> bool:
        """Whether this server keeps the read models up for all of them."""
        views, _ = self.status().projections
        return self.pid != 0 and views.leader.endswith(f":{self.pid}")


def settings_free() -> dict[str, str]:
    """This process's environment without settings of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)}


def operate(settings: dict[str, str], *command: str) -> str:
    """What an `okr-ledger` command prints, run to its end.

    Raises:
        DemoFailed: it does not end well.
    """
    ended = subprocess.run(
        [sys.executable, "-c", "from service.cli import main; main()", *command],
        cwd=ROOT,
        env=settings_free() | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise DemoFailed(f"okr-ledger {' '.join(command)} ended with:\n{ended.stderr}")
    return ended.stdout


class Failover:
    """The kill of the server that follows, and what comes of it while callers go on."""

    def __init__(self, members: list[Member]) -> None:
        self.victim, self.other = sorted(members, key=Member.follows, reverse=True)
        self.killed_pid = 0
        self.seconds = 0.0
        """How long it took the other one to follow; 0 as long as it does not."""
        self.written_before = 0
        """Events that the killed server had written."""
        self._killed_at = 0.0

    def go_on(self, share: float) -> str:
        """What is due once callers have a share of their answers, 0 to 1; says who serves.

        After a fifth the server is killed, and after two fifths started again, but not before the
        other one follows.
        """
        if not self.killed_pid:
            if share >= 1 / 5:
                self.killed_pid = self.victim.pid
                self.written_before = self.victim.status().lane.events
                self._killed_at = time.monotonic()
                self.victim.kill()
        elif not self.seconds:
            if self.other.follows():
                self.seconds = time.monotonic() - self._killed_at
        elif not self.victim.pid and share >= 2 / 5:
            self.victim.start()
        return "both servers" if self.victim.pid else f"{self.other.name} alone"

    @property
    def over(self) -> bool:
        """Whether both servers serve again."""
        return bool(self.seconds and self.victim.pid)
