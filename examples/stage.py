"""What the demo stands on: a server of its own, `okr` commands shown and run, and a narrator."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import RenderableType
from rich.rule import Rule
from rich.text import Text

from okr import OkrClient, OkrError
from okr.cli import app
from okr.cli.session import console
from okr.v1.operations_service_pb2 import GetStatusRequest

ROOT = Path(__file__).parents[1]
READY_SECONDS = 20.0
STOP_SECONDS = 20.0


class DemoFailed(Exception):
    """A step did not do what it is there to show."""


class Narrator:
    """Tells the demo: numbered sections, a sentence each, and commands that can be repeated."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._console = console()
        self._section = 0

    def section(self, title: str, sentence: str) -> None:
        """Begin a section."""
        self._section += 1
        self._console.print()
        self._console.print(Rule(f" {self._section}  {title} ", align="left", style="cyan"))
        self.say(sentence)

    def say(self, sentence: str) -> None:
        """Tell something between the commands."""
        self._console.print(Text(sentence, style="italic"))
        self._console.print()

    def show(self, shown: RenderableType) -> None:
        """Show a table."""
        self._console.print(shown)
        self._console.print()

    def okr(self, *arguments: str, at: str = "") -> None:
        """Show an `okr` command and run it, `at` another address where one is named.

        Raises:
            DemoFailed: it did not end well.
        """
        self._console.print(Text(f"$ okr {shlex.join(arguments)}", style="bold cyan"))
        code = app(
            ["--address", at or self._address, *arguments], prog_name="okr", standalone_mode=False
        )
        if code:
            raise DemoFailed(f"okr {shlex.join(arguments)} ended with {code}")
        self._console.print()

    def shell(self, *command: str, code: int = 0) -> None:
        """Show a command of the operators and run it.

        Raises:
            DemoFailed: it did not end with this exit code.
        """
        self._console.print(Text(f"$ okr-ledger {shlex.join(command)}", style="bold cyan"))
        run = "from service.cli import main; main()"
        ended = subprocess.run([sys.executable, "-c", run, *command], cwd=ROOT, check=False)
        if ended.returncode != code:
            raise DemoFailed(f"okr-ledger {shlex.join(command)} ended with {ended.returncode}")
        self._console.print()

    def check(self, claim: str, *, holds: bool) -> None:
        """Tell a claim and whether it holds.

        Raises:
            DemoFailed: it does not.
        """
        self._console.print(Text(f"{'✔' if holds else '✘'} {claim}", "green" if holds else "red"))
        if not holds:
            raise DemoFailed(claim)


def free_address() -> str:
    """A loopback address on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def serving(address: str, database_url: str, log_file: Path) -> Iterator[None]:
    """Run the server as a process of its own until the block ends; its log goes to a file.

    Raises:
        DemoFailed: it does not answer in time, or does not end well.
    """
    command = [sys.executable, "server.py", "--listen", address, "--database-url", database_url]
    with log_file.open("a") as log:
        server = subprocess.Popen(command, cwd=ROOT, stderr=log, stdout=log)
        try:
            wait_until_ready(address, server, log_file)
            yield
        finally:
            server.terminate()
            ended = server.wait(STOP_SECONDS)
    if ended:
        raise DemoFailed(f"the server ended with {ended}; its log is {log_file}")


def wait_until_ready(address: str, server: subprocess.Popen[bytes], log_file: Path) -> None:
    """Return as soon as a server answers.

    Raises:
        DemoFailed: it does not in time.
    """
    deadline = time.monotonic() + READY_SECONDS
    with OkrClient(address) as okr:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                okr.operations.GetStatus(GetStatusRequest(), timeout=1, wait_for_ready=True)
            except OkrError:
                continue
            return
    raise DemoFailed(f"the server does not answer at {address}; its log is {log_file}")
