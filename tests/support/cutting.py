"""A proxy before PostgreSQL that loses answers: what was committed, and nobody was told of."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from ledger.log.database import Database

CHUNK: Final = 64 * 1024
HOST: Final = "127.0.0.1"


@dataclass
class Cutting:
    """What the proxy shall do, and what it has done.

    Each of the next `answers_to_lose` answers to an append is read from the server and dropped, and
    its connection with it. `cut` ends all connections at once.
    """

    target: int
    port: int = 0
    answers_to_lose: int = 0
    answers_lost: int = 0
    pairs: list[_Pair] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def before(self, database: Database) -> Database:
        """The same database, reached through the proxy."""
        return replace(database, url=database.url.replace(f":{self.target}/", f":{self.port}/"))

    def cut(self) -> None:
        for pair in list(self.pairs):
            pair.end()

    def loses(self, pair: _Pair) -> bool:
        """Whether what the server says on this connection is to be lost."""
        with self.lock:
            if not pair.appends or self.answers_lost >= self.answers_to_lose:
                return False
            self.answers_lost += 1
            return True


class _Pair:
    """One connection through the proxy; `appends` once an append was sent over it."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self.far = far
        self.appends = False

    def end(self) -> None:
        for each in (self.near, self.far):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def sent(self, data: bytes) -> bytes:
        # The text goes over each connection once, when it is prepared.
        self.appends = self.appends or b"FROM append_batch(" in data
        return data


def _carry(
    source: socket.socket, sink: socket.socket, through: Callable[[bytes], bytes], pair: _Pair
) -> None:
    """Carries bytes until either side ends, or `through` gives none."""
    with suppress(OSError):
        while data := through(source.recv(CHUNK)):
            sink.sendall(data)
    pair.end()


def _take(listening: socket.socket, proxy: Cutting) -> None:
    """Takes connections until it is closed."""
    while True:
        try:
            near, _ = listening.accept()
        except OSError:
            return
        try:
            far = socket.create_connection((HOST, proxy.target))
        except OSError:
            near.close()
            continue
        pair = _Pair(near, far)
        proxy.pairs.append(pair)

        def told(data: bytes, pair: _Pair = pair) -> bytes:
            return b"" if data and proxy.loses(pair) else data

        for arguments in ((near, far, pair.sent, pair), (far, near, told, pair)):
            threading.Thread(target=_carry, args=arguments, daemon=True).start()


@contextmanager
def cutting(target: int) -> Iterator[Cutting]:
    """Listens on a free port of 127.0.0.1, before a PostgreSQL on another, while the block runs."""
    with socket.create_server((HOST, 0)) as listening:
        proxy = Cutting(target, listening.getsockname()[1])
        taking = threading.Thread(target=_take, args=(listening, proxy), daemon=True)
        taking.start()
        try:
            yield proxy
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            proxy.cut()
            taking.join()
            for pair in proxy.pairs:
                pair.near.close()
                pair.far.close()
