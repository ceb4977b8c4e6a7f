"""A stream of check-ins goes on whatever is killed under it, and doubles nothing."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import psutil
import pytest

from ledger.log.database import Database
from okr import OkrClient
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from tests.support.ask import check_in, commit, cycle, new, objective, team
from tests.support.interrupted import positions_by_request, told, wait_until_read
from tests.support.server_process import ServerProcess, server_process
from tests.support.whole import Caller
from tests.system.test_kill import kill_all, wait_until_it_writes
from tools.postgres import Postgres

ROUNDS = 4
SEED = 20_240_708
LONGEST_SECONDS = 0.4


class Streaming(threading.Thread):
    """One caller who streams without an end and keeps what was acknowledged, by request id."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.acknowledged: dict[str, int] = {}
        self.order: list[int] = []
        self.enough = threading.Event()
        self._address = address

    def run(self) -> None:
        with OkrClient(self._address) as okr:
            for each in okr.stream_check_ins(self._measured()):
                assert each.error is None
                assert each.request.request_id not in self.acknowledged
                self.acknowledged[each.request.request_id] = each.position
                self.order.append(int(each.request.measurement.value))

    def _measured(self) -> Iterator[RecordCheckInRequest]:
        for number in itertools.count():
            if self.enough.is_set():
                return
            # Not faster than can be verified in a reasonable time.
            time.sleep(0.0003)
            parent = f"objectives/o{number % 4}/keyResults/k{number % 3}"
            yield check_in(parent, str(number), on="2024-07-08")

    def reached(self, count: int) -> None:
        """Returns when so many are acknowledged."""
        deadline = time.monotonic() + 30
        while len(self.acknowledged) < count:
            assert self.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def finish(self) -> None:
        """Ends the stream; returns when everything is acknowledged."""
        self.enough.set()
        self.join(60)
        assert not self.is_alive()


def plan(address: str) -> int:
    """Makes the key results that are checked in on; gives the head's position."""
    with grpc.insecure_channel(address) as channel:
        me = Caller(channel)
        me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"))
        for number in range(4):
            me.ask(objective(f"o{number}", *(new(f"k{i}", target="10") for i in range(3))))
        me.ask(commit())
        return me.head()


def verify(stream: Streaming, address: str, planned: int) -> None:
    """Each was acknowledged once and in order, and is in the ledger once, where that was told."""
    assert stream.order == list(range(len(stream.order)))
    with grpc.insecure_channel(address) as channel:
        me = Caller(channel)
        wait_until_read(address)
        assert positions_by_request(me, planned) == stream.acknowledged
        assert me.head() == planned + len(stream.order)


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(180)
def test_killed_while_it_streams(tmp_path: Path) -> None:
    """The server alone, its lane alone, and both, at random instants."""
    instants = random.Random(SEED)
    listen = f"unix:{tmp_path / 'socket'}"
    numbers = itertools.count()
    with ExitStack() as servers:

        def start() -> ServerProcess:
            name = f"server-{next(numbers)}"
            return servers.enter_context(server_process(tmp_path, "--listen", listen, name=name))

        server = start()
        planned = plan(listen)
        stream = Streaming(listen)
        stream.start()
        for _ in range(ROUNDS):
            for part in ("server", "lane", "both"):
                stream.reached(len(stream.acknowledged) + 1)
                time.sleep(instants.uniform(0, LONGEST_SECONDS))
                family = psutil.Process(server.process.pid)
                (lane,) = family.children()
                kill_all({"server": [family], "lane": [lane], "both": [family, lane]}[part])
                if part == "lane":
                    wait_until_it_writes(server)
                else:
                    server.process.wait()
                    server = start()
        stream.reached(len(stream.acknowledged) + 1)
        stream.finish()
        verify(stream, listen, planned)
    told(f"{len(stream.order)} check-ins, {3 * ROUNDS} kills")


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(180)
def test_postgresql_is_killed_while_it_streams(tmp_path: Path) -> None:
    instants = random.Random(SEED + 1)
    with (
        Postgres.start() as postgres,
        server_process(tmp_path, at=Database(postgres.url())) as server,
    ):
        planned = plan(server.address)
        stream = Streaming(server.address)
        stream.start()
        for _ in range(ROUNDS):
            stream.reached(len(stream.acknowledged) + 1)
            time.sleep(instants.uniform(0, LONGEST_SECONDS))
            postgres.kill()
            time.sleep(instants.uniform(0, LONGEST_SECONDS))
            postgres.run()
        stream.reached(len(stream.acknowledged) + 1)
        stream.finish()
        verify(stream, server.address, planned)
    told(f"{len(stream.order)} check-ins, {ROUNDS} kills")
