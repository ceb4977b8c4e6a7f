"""A server that is told to end finishes what it has begun."""

from __future__ import annotations

import threading
from pathlib import Path

import grpc
import pytest

from okr import OkrClient, OkrError
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AsOf
from tests.support.ask import team
from tests.support.server_process import server_process
from tests.support.whole import Caller

CALLERS = 8


class Stream:
    """Teams that callers register until the server refuses to go on."""

    def __init__(self) -> None:
        self.registered: dict[str, int] = {}
        self.failures: list[grpc.StatusCode] = []
        self.under_way = threading.Event()

    def run(self, address: str, caller: int) -> None:
        with grpc.insecure_channel(address) as channel:
            me = Caller(channel)
            for number in range(100_000):
                name = f"t-{caller}-{number}"
                try:
                    self.registered[f"teams/{name}"] = me.ask(team(name)).position
                except grpc.RpcError as error:
                    self.failures.append(error.code())
                    return
                if number == 10:
                    self.under_way.set()


@pytest.mark.slow
@pytest.mark.system
def test_every_answered_write_outlives_a_graceful_end(tmp_path: Path) -> None:
    stream = Stream()
    with server_process(tmp_path) as server:
        callers = [
            threading.Thread(target=stream.run, args=(server.address, number))
            for number in range(CALLERS)
        ]
        for each in callers:
            each.start()
        assert stream.under_way.wait(10)
        assert server.stop() == 0
        for each in callers:
            each.join(10)
            assert not each.is_alive()
        log = server.log.read_text()
    assert "Traceback" not in log
    # CANCELLED is gRPC's own word for calls that the server has not begun.
    assert set(stream.failures) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    with server_process(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        me = Caller(channel)
        head = me.head()
        # Nothing was recorded of which nobody was told: what had begun was answered.
        assert sorted(stream.registered.values()) == list(range(1, head + 1))
        for name in list(stream.registered)[-3:]:
            assert me.ask(scores.GetTeamRequest(name=name, as_of=AsOf(position=head))).team


@pytest.mark.slow
@pytest.mark.system
def test_the_client_sees_nothing_of_a_servers_end_but_that_it_is_gone(tmp_path: Path) -> None:
    codes: list[grpc.StatusCode] = []
    under_way = threading.Event()

    def run(address: str) -> None:
        with OkrClient(address) as okr:
            try:
                for number in range(100_000):
                    okr.ledger.CreateTeam(team(f"t-{threading.get_ident()}-{number}"))
                    if number == 10:
                        under_way.set()
            except OkrError as error:
                codes.append(error.code)

    with server_process(tmp_path) as server:
        callers = [threading.Thread(target=run, args=(server.address,)) for _ in range(CALLERS)]
        for each in callers:
            each.start()
        assert under_way.wait(10)
        assert server.stop() == 0
        for each in callers:
            each.join(20)
            assert not each.is_alive()
    assert codes == [grpc.StatusCode.UNAVAILABLE] * CALLERS
