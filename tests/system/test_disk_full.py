"""The disk is full: callers are told so, nothing is half written, and room is all that it takes."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import psutil
import pytest
from grpc import StatusCode

from ledger.log.database import Database
from okr.v1.audit_service_pb2 import ListEventsRequest
from okr.v1.score_service_pb2 import GetKeyResultRequest
from okr.v1.values_pb2 import AsOf
from tests.support.ask import check_in
from tests.support.interrupted import (
    CALLERS,
    PATIENCE_SECONDS,
    Ledger,
    Stream,
    sending,
    wait_for_more,
    wait_until_read,
)
from tests.support.server_process import ServerProcess, run, server_process
from tests.support.whole import Caller

SEED: Final = 20_261_125
TIMES: Final = 3
KEY_RESULT: Final = "objectives/o1/keyResults/k1"

# A disk of a few MiB that the process alone sees, and all that it starts: it needs no rights where
# the system lets people have namespaces of their own.
ON_A_SMALL_DISK: Final = """
import ctypes, os, sys
uid, gid = os.geteuid(), os.getegid()
libc = ctypes.CDLL(None, use_errno=True)
USER, MOUNTS = 0x10000000, 0x00020000
if libc.unshare(USER | MOUNTS):
    sys.exit(77)
for name, line in ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1"):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(line)
if libc.mount(b"tmpfs", sys.argv[1].encode(), b"tmpfs", 0, b"size=64m"):
    sys.exit(77)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@dataclass
class Filling:
    """A server whose disk can be filled up and given room again.

    `reason` is what its log then says.
    """

    server: ServerProcess
    reason: str
    fill: Callable[[], object]
    give_room: Callable[[], object]


@pytest.fixture(params=["limit", "disk"])
def filling(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Filling]:
    """By a limit to the size of files, which needs nothing, and by a small disk that is full."""
    where = limited if request.param == "limit" else on_small_disk
    yield from where(tmp_path)


def limited(folder: Path) -> Iterator[Filling]:
    at = ledger_in(folder)
    with server_process(folder, at=at) as server:
        (lane,) = psutil.Process(server.process.pid).children()
        writers = {lane.pid: at.file, server.process.pid: at.file.with_suffix(".views.db")}

        def fill() -> None:
            for pid, file in writers.items():
                limit(pid, file.with_name(f"{file.name}-wal").stat().st_size)

        def give_room() -> None:
            for pid in writers:
                limit(pid, resource.RLIM_INFINITY)

        yield Filling(server, "reading or writing failed", fill, give_room)


def limit(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def on_small_disk(folder: Path) -> Iterator[Filling]:
    at = ledger_in(folder)
    disk = at.file.parent
    if run(folder, "-c", ON_A_SMALL_DISK, str(disk), "-c", "").returncode == 77:
        pytest.skip("the system lets nobody have a disk of their own")
    script = folder / "python"
    script.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c '{ON_A_SMALL_DISK}' '{disk}' \"$@\"\n"
    )
    script.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(script))
        with server_process(folder, at=at) as server:
            ballast = Path(f"/proc/{server.process.pid}/root{disk}/ballast")

            def fill() -> None:
                with ballast.open("wb", buffering=0) as file:
                    try:
                        while file.write(bytes(4096)):
                            pass
                    except OSError:
                        return

            yield Filling(server, "the disk is full", fill, ballast.unlink)


def ledger_in(folder: Path) -> Database:
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    return Database(f"sqlite:///{disk / 'okr-ledger.db'}")


def wait_for_failures(stream: Stream, more: int) -> None:
    """Returns when so many further calls have failed."""
    wanted = stream.failures.total() + more
    deadline = time.monotonic() + PATIENCE_SECONDS
    while stream.failures.total() < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.system
def test_a_full_disk_is_told_and_passes(filling: Filling) -> None:
    ledger = Ledger(SEED)
    address = filling.server.address
    ledger.plan(address)
    with grpc.insecure_channel(address) as channel, sending(ledger.stream, address):
        me = Caller(channel)
        me.ask(ListEventsRequest(as_of=AsOf(position=me.head())))
        for _ in range(TIMES):
            wait_for_more(ledger.stream, 20)
            filling.fill()
            wait_for_failures(ledger.stream, 4 * CALLERS)
            head = me.head()
            told = me.refused(check_in(KEY_RESULT, "1", on="2024-07-08"))
            assert told.code is StatusCode.UNAVAILABLE
            assert told.message.endswith("nothing was written")
            assert told.retry.HasField("retry_delay")
            # Nothing was written meanwhile, and what is there is read.
            assert me.head() == head
            assert me.ask(GetKeyResultRequest(name=KEY_RESULT)).key_result.check_in.name
            filling.give_room()
        wait_for_more(ledger.stream, 20)
    wait_until_read(address)
    ledger.verify(address)
    ledger.finish(address)
    assert '"level":"warning","event":"call"' in filling.server.log.read_text()
    assert filling.reason in filling.server.log.read_text()
