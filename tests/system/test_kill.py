"""A server that is killed at any instant keeps what it has acknowledged, once."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from server import LEDGER
from service.rpc.health import SERVING
from tests.support.forked_server import forked_servers
from tests.support.interrupted import Ledger
from tests.support.server_process import ServerProcess, server_process

KILLS = 50
KILLS_IN_PART = 9
SEED = 20_240_701


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(180)
def test_killed_at_random_instants(tmp_path: Path) -> None:
    ledger = Ledger(SEED)
    with forked_servers(tmp_path) as servers:
        pid, address = servers.start()
        ledger.plan(address)
        for _ in range(KILLS):
            ledger.interrupted(address, partial(servers.kill, pid))
            pid, address = servers.start()
            ledger.verify(address)
        servers.kill(pid)
    with server_process(tmp_path) as server:
        ledger.finish(server.address)


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(180)
def test_killed_in_part(tmp_path: Path) -> None:
    """The server alone, its lane alone, or both: a lane is started again by its server."""
    ledger = Ledger(SEED)
    with ExitStack() as servers:

        def start() -> ServerProcess:
            return servers.enter_context(server_process(tmp_path))

        server = start()
        ledger.plan(server.address)
        for kill in range(KILLS_IN_PART):
            process = psutil.Process(server.process.pid)
            (lane,) = process.children()
            victims = ([process], [lane], [process, lane])[kill % 3]
            ledger.interrupted(server.address, partial(kill_all, victims))
            if process in victims:
                server.process.wait()
                server = start()
            else:
                wait_until_it_writes(server)
            ledger.verify(server.address)
        ledger.finish(server.address)


def kill_all(victims: Iterable[psutil.Process]) -> None:
    """Ends processes as a power cut would."""
    for victim in victims:
        victim.kill()


def wait_until_it_writes(server: ServerProcess) -> None:
    """Returns when the server says that it takes calls that change the ledger."""
    deadline = time.monotonic() + 30
    with grpc.insecure_channel(server.address) as channel:
        health: Any = HealthStub(channel)
        while health.Check(HealthCheckRequest(service=LEDGER)).status != SERVING:
            assert time.monotonic() < deadline
            time.sleep(0.02)
