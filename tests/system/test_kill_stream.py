"""A stream of check-ins goes on across servers and lanes that are killed, and doubles nothing."""

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

from okr import OkrClient
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from tests.support.ask import check_in, commit, cycle, new, objective, team
from tests.support.interrupted import positions_by_request, told
from tests.support.server_process import ServerProcess, server_process
from tests.support.whole import Caller
from tests.system.test_kill import kill_all, wait_until_it_writes

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
        with grpc.insecure_channel(listen) as channel:
            me = Caller(channel)
            me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"))
            for number in range(4):
                me.ask(objective(f"o{number}", *(new(f"k{i}", target="10") for i in range(3))))
            me.ask(commit())
            planned = me.head()

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
        stream.enough.set()
        stream.join(60)
        assert not stream.is_alive()

        assert stream.order == list(range(len(stream.order)))
        with grpc.insecure_channel(listen) as channel:
            me = Caller(channel)
            assert positions_by_request(me, planned) == stream.acknowledged
            assert me.head() == planned + len(stream.order)
    told(f"{len(stream.order)} check-ins, {3 * ROUNDS} kills")
