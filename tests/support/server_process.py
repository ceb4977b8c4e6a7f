"""The real server as a process of its own, for tests of what only a process can show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.log.database import Database

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0


@dataclass
class ServerProcess:
    """A started server: `address` is where it listens, `log` what it wrote to standard error."""

    process: subprocess.Popen[bytes]
    log: Path
    address: str = ""

    def entries(self) -> list[dict[str, Any]]:
        """The entries of its log so far; lines that are none are left out."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_until_listening(self) -> None:
        """Returns once the log says so."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            for entry in self.entries():
                if entry["event"] == "listening on":
                    self.address = entry["address"]
                    return
            time.sleep(0.02)
        raise AssertionError(f"the server does not listen:\n{self.log.read_text()}")

    def stop(self) -> int:
        """Sends SIGTERM and gives the exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)


@contextmanager
def server_process(
    folder: Path,
    *arguments: str,
    database: str = "okr-ledger.db",
    name: str = "server",
    at: Database | None = None,
) -> Iterator[ServerProcess]:
    """A server on a free port of 127.0.0.1; killed at the end.

    Its ledger is the file `database` in the folder, unless it is `at` another place.
    """
    log = folder / f"{name}.log"
    at = at or Database(f"sqlite:///{folder / database}")
    place = {"OKR_DATABASE_URL": at.url, "OKR_DATABASE_SCHEMA": at.schema}
    command = ["--listen", "127.0.0.1:0", "--log-format", "json", *arguments]
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, str(ROOT / "server.py"), *command],
            cwd=folder,
            env=environment() | place,
            stdin=subprocess.DEVNULL,
            stderr=output,
        )
    server = ServerProcess(started, log)
    try:
        server.wait_until_listening()
        yield server
    finally:
        started.kill()
        started.wait()


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs `python *command` in the folder to its end."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def okr_ledger(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the operators' command line in the folder."""
    return run(folder, "-c", "from service.cli import main; main()", *arguments)


def environment() -> dict[str, str]:
    """This process's environment without settings, and with the project to import from."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OKR_")}
    return kept | {"PYTHONPATH": str(ROOT)}


@contextmanager
def follower_process(folder: Path, at: Database | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """`okr-ledger follow` on the folder's ledger, or on one elsewhere; killed at the end."""
    place = {"OKR_DATABASE_URL": at.url, "OKR_DATABASE_SCHEMA": at.schema} if at else {}
    started = subprocess.Popen(
        [sys.executable, "-c", "from service.cli import main; main()", "follow"],
        cwd=folder,
        env=environment() | place,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()
