"""`python -m tests.support.tracing TRACE FOLDER COMMAND…`: what a process does to files, in order.

The process runs as it is, under ptrace, and no tool is needed: each of its threads is stopped at
each system call, and those that change or flush files of the folder, or send something to another
process, are noted. Linux on x86-64 and ARM64. What is written through mapped memory is not seen,
and SQLite maps nothing but its index (`-shm`), which is made anew after a crash.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple


class Wrote(NamedTuple):
    """Bytes given to a file; until it is flushed, a crash keeps any part of them."""

    path: str
    offset: int
    data: bytes


class Truncated(NamedTuple):
    """A file cut off at a size."""

    path: str
    size: int


class Removed(NamedTuple):
    """A file taken out of its folder."""

    path: str


class Flushed(NamedTuple):
    """A flush that has succeeded: of a file, or of a folder's names."""

    path: str


class Sent(NamedTuple):
    """Bytes on their way to another process."""

    data: bytes


Step = Wrote | Truncated | Removed | Flushed | Sent

CALLS: Final = {
    "x86_64": {
        18: "pwrite64",
        44: "sendto",
        74: "fsync",
        75: "fdatasync",
        77: "ftruncate",
        87: "unlink",
        263: "unlinkat",
        1: "write",
        20: "writev",
        76: "truncate",
        82: "rename",
        264: "renameat",
        285: "fallocate",
        296: "pwritev",
        316: "renameat2",
        328: "pwritev2",
    },
    "aarch64": {
        68: "pwrite64",
        206: "sendto",
        82: "fsync",
        83: "fdatasync",
        46: "ftruncate",
        35: "unlinkat",
        64: "write",
        66: "writev",
        45: "truncate",
        38: "renameat",
        47: "fallocate",
        70: "pwritev",
        276: "renameat2",
        287: "pwritev2",
    },
}
WITH_PATH: Final = {"unlink": 0, "rename": 0, "truncate": 0, "unlinkat": 1, "renameat": 1}
"""Which argument is the path; the other calls begin with a descriptor."""

AT_ENTRY: Final = {"pwrite64", "sendto", "ftruncate"}
"""Noted as they begin, for a crash may come in their middle; the others once they succeeded."""

NOT_KEPT: Final = ("-shm", ".lock")

TRACEME, SYSCALL, SETOPTIONS, GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
OPTIONS: Final = 0x1 | 0x8 | 0x10 | 0x100000
"""Calls are told from signals, threads and exec are followed, and none outlives the tracer."""
ALL_THREADS: Final = 0x40000000
ENTRY: Final = Struct("<B23x7Q")
EXIT: Final = Struct("<B23xq")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request: int, thread: int, address: int = 0, data: int = 0) -> None:
    if _libc.ptrace(request, thread, address, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace failed")


def permitted() -> bool:
    """Whether a process can be traced here: not on every machine, and not in every container."""
    if sys.platform != "linux" or platform.machine() not in CALLS:
        return False
    asks = f"import ctypes; raise SystemExit(ctypes.CDLL(None).ptrace({TRACEME}, 0, 0, 0) != 0)"
    return subprocess.run([sys.executable, "-c", asks], check=False).returncode == 0


class Tracer:
    """Lets a stopped child run on, and tells its steps."""

    def __init__(self, child: int, folder: str, note: Callable[[Step], None]) -> None:
        self._child = child
        self._folder = folder
        self._note = note
        self._calls = CALLS[platform.machine()]
        self._info = ctypes.create_string_buffer(ENTRY.size)
        self._begun: dict[int, tuple[str, list[int], str]] = {}

    def run(self) -> int:
        """Follows the child and its threads to their end; its exit code, negative for a signal."""
        _ptrace(SETOPTIONS, self._child, 0, OPTIONS)
        _ptrace(SYSCALL, self._child)
        while True:
            thread, status = os.waitpid(-1, ALL_THREADS)
            if not os.WIFSTOPPED(status):
                if thread == self._child:
                    return os.waitstatus_to_exitcode(status)
                continue
            reason = os.WSTOPSIG(status)
            if reason == signal.SIGTRAP | 0x80:
                self._called(thread)
                reason = 0
            elif reason in {signal.SIGTRAP, signal.SIGSTOP}:
                # Its program was replaced, or it has made a thread or is one that begins.
                reason = 0
            _ptrace(SYSCALL, thread, 0, reason)

    def _called(self, thread: int) -> None:
        """A call of a thread begins or ends."""
        _ptrace(GET_SYSCALL_INFO, thread, len(self._info), ctypes.addressof(self._info))
        kind, number, *arguments = ENTRY.unpack(self._info)
        if kind == 1:
            name = self._calls.get(number)
            path = self._path(name, arguments) if name else ""
            if name and path:
                self._begun[thread] = (name, arguments, path)
                if name in AT_ENTRY:
                    self._note(self._step(name, arguments, path))
        elif begun := self._begun.pop(thread, None):
            name, arguments, path = begun
            _, result = EXIT.unpack_from(self._info)
            if name == "pwrite64" and result != arguments[2]:
                raise RuntimeError(f"a write to {path} gave {result}")
            if name not in AT_ENTRY and result == 0:
                self._note(self._step(name, arguments, path))

    def _path(self, name: str, arguments: list[int]) -> str:
        """What the call concerns, empty where it is nothing that is noted."""
        if name in WITH_PATH:
            with Path(f"/proc/{self._child}/mem").open("rb") as memory:
                memory.seek(arguments[WITH_PATH[name]])
                path = memory.read(4096).partition(b"\0")[0].decode()
        else:
            path = str(Path(f"/proc/{self._child}/fd/{arguments[0]}").readlink())
        if name == "sendto":
            return path
        ours = path.startswith(self._folder) and not path.endswith(NOT_KEPT)
        return path if ours else ""

    def _step(self, name: str, arguments: list[int], path: str) -> Step:
        if name == "pwrite64":
            return Wrote(path, arguments[3], self._data(arguments))
        if name == "sendto":
            return Sent(self._data(arguments))
        if name == "ftruncate":
            return Truncated(path, arguments[1])
        if name in {"fsync", "fdatasync"}:
            return Flushed(path)
        if name in {"unlink", "unlinkat"}:
            return Removed(path)
        raise RuntimeError(f"{name} of {path} was not foreseen")

    def _data(self, arguments: list[int]) -> bytes:
        with Path(f"/proc/{self._child}/mem").open("rb", buffering=0) as memory:
            memory.seek(arguments[1])
            return memory.read(arguments[2])


def steps(trace: Path) -> Iterator[Step]:
    """What was noted, in order."""
    with trace.open("rb") as file:
        while file.peek(1):
            yield pickle.load(file)


def main(trace: str, folder: str, *command: str) -> int:
    """Runs the command and adds its steps to the trace; its exit code."""
    child = os.fork()
    if child == 0:
        _ptrace(TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.execv(command[0], command)
    # What the child was given is its own: its other ends learn when it closes it.
    os.closerange(3, 1024)
    os.waitpid(child, 0)
    with Path(trace).open("ab") as file:
        return Tracer(child, folder, lambda step: pickle.dump(step, file)).run()


if __name__ == "__main__":
    # Under its own name, for what is pickled carries the name of its module.
    from tests.support.tracing import main as trace

    sys.exit(trace(*sys.argv[1:]))
