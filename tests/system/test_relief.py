"""The server that follows the log for all is killed or hangs: another one takes over."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from ledger.log.database import Database
from okr.v1 import score_service_pb2 as scores
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.values_pb2 import AsOf
from projections.store.postgres import GONE_SECONDS
from tests.support.ask import team
from tests.support.interrupted import Ledger, Stream, assert_each_is_there_once
from tests.support.server_process import follower_process, okr_ledger, server_process
from tests.support.whole import Caller

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(180)]

SEED = 20_261_125
CALLERS = 4
PATIENCE_SECONDS = 40.0


@contextmanager
def sending(stream: Stream, address: str) -> Iterator[None]:
    """Check-ins arrive at a server until the block ends."""
    ended = threading.Event()
    with ThreadPoolExecutor(CALLERS) as callers:
        sent = [callers.submit(stream.send_until, ended, address) for _ in range(CALLERS)]
        try:
            yield
        finally:
            ended.set()
    for each in sent:
        each.result()


def until(holds: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def leader(me: Caller) -> int:
    """The process that follows, 0 if nobody does."""
    projection, _ = me.ask(GetStatusRequest()).projections
    return int(projection.leader.rpartition(":")[2] or 0)


def read_at(me: Caller, position: int) -> int:
    """Reads what is known at a position, as soon as it is; where that was served."""
    answer = me.ask(scores.ListTeamsRequest(as_of=AsOf(position=position)))
    return int(answer.position)


def rebuilt(folder: Path, database: Database) -> str:
    """What a rebuild says, which compares the tables with those that were followed."""
    place = ("--database-url", database.url, "--database-schema", database.schema)
    done = okr_ledger(folder, "projections", "rebuild", *place)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_whoever_follows_is_relieved_under_load(
    tmp_path: Path, postgres_database: Database, number: signal.Signals
) -> None:
    ledger = Ledger(SEED)
    at = postgres_database
    with (
        server_process(tmp_path, at=at, name="one") as one,
        server_process(tmp_path, at=at, name="two") as two,
        grpc.insecure_channel(two.address) as channel,
    ):
        me = Caller(channel)
        until(lambda: leader(me) == one.process.pid)
        ledger.plan(two.address)
        with sending(ledger.stream, two.address):
            until(lambda: len(ledger.stream.acknowledged) > 100)
            os.kill(one.process.pid, number)
            until(lambda: leader(me) == two.process.pid)
            until(lambda: len(ledger.stream.acknowledged) > 300)
            assert read_at(me, me.head())
            if number is signal.SIGSTOP:
                # It believes to be on duty until it asks.
                one.process.send_signal(signal.SIGCONT)
                before = len(ledger.stream.acknowledged)
                until(lambda: len(ledger.stream.acknowledged) > before + 200)
        assert leader(me) == two.process.pid
        assert not ledger.stream.failures
        read_at(me, me.head())
        assert_each_is_there_once(me, ledger.stream, ledger.planned)
        assert not [e for e in two.entries() if e["event"] == "projection stopped"]
        if number is signal.SIGSTOP:
            assert not [e for e in one.entries() if e["event"] == "projection stopped"]
    assert "the same" in rebuilt(tmp_path, at)
    assert GONE_SECONDS < PATIENCE_SECONDS


def test_followers_of_their_own_relieve_each_other(
    tmp_path: Path, postgres_database: Database
) -> None:
    at = postgres_database
    with (
        server_process(tmp_path, "--follower", "separate", at=at) as server,
        grpc.insecure_channel(server.address) as channel,
        follower_process(tmp_path, at) as one,
    ):
        me = Caller(channel)
        me.ask(team("first"))
        until(lambda: leader(me) == one.pid)
        with follower_process(tmp_path, at) as two:
            assert me.ask(scores.GetTeamRequest(name="teams/first"))
            one.kill()
            until(lambda: leader(me) == two.pid)
            me.ask(team("second"))
            assert me.ask(scores.GetTeamRequest(name="teams/second"))
            two.terminate()
            assert two.wait(20) == 0
