"""Whatever fails, in any order: two servers on one PostgreSQL go on by themselves."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import grpc
import psutil
import psycopg
import pytest
from grpc import StatusCode

from examples.stage import free_address
from ledger.log.database import Database
from okr.v1.audit_service_pb2 import ListEventsRequest
from okr.v1.values_pb2 import AsOf
from tests.support.interrupted import (
    Ledger,
    assert_each_is_there_once,
    sending,
    told,
    wait_for_more,
    wait_until_read,
)
from tests.support.server_process import ServerProcess, okr_ledger, server_process
from tests.support.whole import Caller
from tools.postgres import Postgres

SEED: Final = 20_261_126
ROUNDS: Final = 3
"""How often each fault happens."""

FAULTS: Final = (
    "a server is killed, and started again",
    "a lane is killed",
    "a lane hangs for a moment",
    "a server hangs for a moment",
    "PostgreSQL is killed, and started again",
    "sessions are ended",
)


class Cluster:
    """Two servers at two addresses, and the faults that happen to them."""

    def __init__(self, folder: Path, postgres: Postgres, chance: random.Random) -> None:
        self.database = Database(postgres.url())
        self.addresses = [free_address(), free_address()]
        self._folder = folder
        self._postgres = postgres
        self._chance = chance
        self._places = [ExitStack(), ExitStack()]
        self._starts = 0
        self._servers = [self._started(0), self._started(1)]

    def suffer(self, fault: str) -> None:
        """Has a fault happen; what has to be started again by an operator is."""
        which = self._chance.randrange(2)
        if fault == "a server is killed, and started again":
            server = psutil.Process(self._servers[which].process.pid)
            for process in (server, *server.children()):
                process.kill()
            self._pause(1)
            self._servers[which] = self._started(which)
        elif fault == "a lane is killed":
            self._lane(which).kill()
        elif fault == "a lane hangs for a moment":
            self._hang(self._lane(which))
        elif fault == "a server hangs for a moment":
            self._hang(psutil.Process(self._servers[which].process.pid))
        elif fault == "PostgreSQL is killed, and started again":
            self._postgres.kill()
            self._pause(1)
            self._postgres.run()
        else:
            with psycopg.connect(self.database.url, autocommit=True) as session:
                session.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                    " AND hashtext(pid::text) % 2 = 0"
                )

    def close(self) -> None:
        for place in self._places:
            place.close()

    def entries(self, event: str) -> list[object]:
        """What any of the servers has logged under a name."""
        return [e for server in self._servers for e in server.entries() if e["event"] == event]

    def _started(self, which: int) -> ServerProcess:
        self._starts += 1
        self._places[which].close()
        return self._places[which].enter_context(
            server_process(
                self._folder,
                *("--listen", self.addresses[which]),
                at=self.database,
                name=f"start-{self._starts}",
            )
        )

    def _lane(self, which: int) -> psutil.Process:
        """The lane of a server, which may be about to start it again."""
        while not (found := psutil.Process(self._servers[which].process.pid).children()):
            time.sleep(0.01)
        return found[0]

    def _hang(self, process: psutil.Process) -> None:
        process.send_signal(signal.SIGSTOP)
        self._pause(2)
        process.send_signal(signal.SIGCONT)

    def _pause(self, seconds: float) -> None:
        time.sleep(self._chance.uniform(0, seconds))


@contextmanager
def cluster(folder: Path, chance: random.Random) -> Iterator[Cluster]:
    with Postgres.start() as postgres:
        made = Cluster(folder, postgres, chance)
        try:
            yield made
        finally:
            made.close()


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(300)
def test_two_servers_survive_any_order_of_faults(tmp_path: Path) -> None:
    ledger = Ledger(SEED)
    faults = list(FAULTS * ROUNDS)
    ledger.instants.shuffle(faults)
    with cluster(tmp_path, ledger.instants) as servers:
        ledger.plan(servers.addresses[0])
        with sending(ledger.stream, *servers.addresses):
            for fault in faults:
                wait_for_more(ledger.stream, 15)
                told(fault)
                servers.suffer(fault)
            wait_for_more(ledger.stream, 50)
        for address in servers.addresses:
            wait_until_read(address)
        first, second = servers.addresses
        ledger.finish(first, StatusCode.ABORTED, StatusCode.DEADLINE_EXCEEDED)
        with grpc.insecure_channel(second) as channel:
            me = Caller(channel)
            me.ask(ListEventsRequest(as_of=AsOf(position=me.head())))
            assert_each_is_there_once(me, ledger.stream, ledger.planned)
        assert servers.entries("projection stopped") == []
        rebuilt = okr_ledger(
            tmp_path, "projections", "rebuild", "--database-url", servers.database.url
        )
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert "the same" in rebuilt.stdout
