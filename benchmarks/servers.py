"""Servers under test: processes on 127.0.0.1 with a free port and a log file each."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import grpc
import psutil

from benchmarks.credentials import Credentials

PROJECT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 20


class ServerFailed(RuntimeError):
    """A server did not start; the message ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; leaving the `with` block ends the process."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    credentials: Credentials | None = None
    """By what it and its callers know each other, unless they do not."""

    @property
    def address(self) -> str:
        """`host:port`, as a gRPC channel takes it."""
        return f"127.0.0.1:{self.port}"

    def channel(self) -> grpc.Channel:
        """A channel to it, to be closed."""
        if self.credentials is None:
            return grpc.insecure_channel(self.address)
        return self.credentials.channel(self.address)

    def resident_mib(self) -> float:
        """Resident memory of the process, and of those that it has started, in MiB."""
        process = psutil.Process(self.process.pid)
        family = [process, *process.children(recursive=True)]
        return sum(float(each.memory_info().rss) for each in family) / 2**20

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_noop(folder: Path, response: Path) -> Server:
    """The no-op server, answering with the serialised response in a file."""
    return _start(
        "noop", folder, ["-m", "benchmarks.noop_server", "--response", str(response), "--port"]
    )


def start_stock(folder: Path, database: str = "") -> Server:
    """The stock stack on a new database: a file in the folder, or `postgresql://…`."""
    return _start(
        "stock",
        folder,
        ["-m", "benchmarks.stock.server", "--port"],
        settings={"STOCK_DATABASE": database or str(folder / "stock.db")},
    )


def start_ledger(
    folder: Path,
    database_url: str = "",
    name: str = "ledger",
    settings: Mapping[str, str] = MappingProxyType({}),
    credentials: Credentials | None = None,
) -> Server:
    """The real server with its defaults: on a new file in the folder, or on a database named.

    With `credentials` it speaks TLS and asks each caller for a token.
    """
    folder.mkdir(exist_ok=True)
    url = database_url or f"sqlite:///{folder.resolve()}/okr-ledger.db"
    known = credentials.settings if credentials else {}
    server = _start(
        name,
        folder,
        ["server.py", "--listen"],
        "127.0.0.1:",
        # Not among the arguments, where everybody would see its password.
        settings={"OKR_DATABASE_URL": url, **known, **settings},
    )
    return replace(server, credentials=credentials)


def _start(
    name: str,
    folder: Path,
    arguments: Sequence[str],
    host: str = "",
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Server:
    """Starts `python *arguments {host}{port}` and waits until it accepts connections."""
    port = _free_port()
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments, f"{host}{port}"],
            cwd=PROJECT,
            env=os.environ | {"GRPC_VERBOSITY": "ERROR"} | dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(name, port, process)
    deadline = time.monotonic() + START_SECONDS
    while not _accepts(port):
        if process.poll() is not None or time.monotonic() > deadline:
            server.__exit__(None, None, None)
            tail = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            raise ServerFailed("\n".join([f"the {name} server did not start:", *tail]))
        time.sleep(POLL_SECONDS)
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
