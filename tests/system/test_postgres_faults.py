"""PostgreSQL, or the way to it, fails under a server: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from grpc import StatusCode

from ledger.log.contract import Append, EncodedEvent
from ledger.log.database import Database
from ledger.log.opening import open_log
from service.verification.walk import faults
from tests.support.cutting import Cutting, cutting
from tests.support.interrupted import (
    PATIENCE_SECONDS,
    Ledger,
    sending,
    wait_for_more,
    wait_until_read,
)
from tests.support.server_process import ROOT, environment, server_process
from tools.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(180)]

SEED = 20_261_124
KILLS = 5
CUTS = 12
STARTS = 5
WRITERS = 8
EACH = 20


def assert_in_order(database: Database) -> None:
    with closing(open_log(database, read_only=True)) as log:
        assert list(faults(log)) == []


def test_postgresql_is_killed_and_started_again_under_load(tmp_path: Path) -> None:
    ledger = Ledger(SEED)
    with Postgres.start() as postgres:
        database = Database(postgres.url())
        with server_process(tmp_path, at=database) as server:
            ledger.plan(server.address)
            with sending(ledger.stream, server.address):
                for _ in range(KILLS):
                    wait_for_more(ledger.stream, 20)
                    time.sleep(ledger.instants.uniform(0, 0.2))
                    postgres.kill()
                    time.sleep(ledger.instants.uniform(0, 1))
                    postgres.run()
                wait_for_more(ledger.stream, 20)
            wait_until_read(server.address)
            assert ledger.stream.retried > 0
            ledger.verify(server.address)
            ledger.finish(server.address)
        assert_in_order(database)


def test_answers_are_lost_between_commit_and_caller(tmp_path: Path, postgres: Postgres) -> None:
    """The database has the batch, its writer never hears of it: the request id settles it."""
    ledger = Ledger(SEED + 1)
    direct = Database(postgres.url(), schema="okr_cut")
    with (
        cutting(postgres.port) as proxy,
        server_process(tmp_path, at=proxy.before(direct)) as server,
    ):
        ledger.plan(server.address)
        with sending(ledger.stream, server.address):
            for cut in range(1, CUTS + 1):
                wait_for_more(ledger.stream, 5)
                lose_answers(proxy, cut)
            for _ in range(3):
                wait_for_more(ledger.stream, 5)
                proxy.cut()
            wait_for_more(ledger.stream, 5)
        wait_until_read(server.address)
        ledger.verify(server.address)
        ledger.finish(server.address)
    assert ledger.lost_answers == 0, "each was sent again and is acknowledged by now"
    assert_in_order(direct)


def lose_answers(proxy: Cutting, number: int) -> None:
    proxy.answers_to_lose = number
    deadline = time.monotonic() + PATIENCE_SECONDS
    while proxy.answers_lost < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_servers_write_to_one_ledger(tmp_path: Path, postgres: Postgres) -> None:
    """Eight callers strive for the same few objectives, half of them through each server."""
    ledger = Ledger(SEED + 2)
    database = Database(postgres.url(), schema="okr_two")
    with ExitStack() as servers:
        first, second = (
            servers.enter_context(server_process(tmp_path, at=database, name=name))
            for name in ("first", "second")
        )
        ledger.plan(first.address)
        with sending(ledger.stream, first.address, second.address):
            wait_for_more(ledger.stream, 400)
        assert ledger.stream.failures.keys() <= {StatusCode.ABORTED, StatusCode.UNAVAILABLE}
        ledger.stream.failures.clear()
        ledger.stream.failures[StatusCode.UNAVAILABLE] += 0
        ledger.finish(second.address)
    assert_in_order(database)


def test_servers_with_wrong_clocks_record_the_databases_time(postgres: Postgres) -> None:
    database = Database(postgres.url(), schema="okr_skewed")
    began_us = time.time_ns() // 1000
    at_once(database, ("write_ahead", "slow", "-7200"), ("write_ahead", "fast", "7200"))
    with closing(open_log(database, read_only=True)) as log:
        records = log.read(0, 1_000)
    times = [record.recorded_us for record in records]
    assert len(records) == 2 * 201
    assert times == sorted(times)
    assert began_us <= times[0] <= times[-1] <= time.time_ns() // 1000
    assert_in_order(database)


def test_eight_processes_write_to_one_stream(postgres: Postgres) -> None:
    database = Database(postgres.url(), schema="okr_eight")
    with closing(open_log(database)) as log:
        registered = EncodedEvent("teams/all", "okr.v1.TeamRegistered", b"", b"")
        log.append_batch([Append([registered], {"teams/all": 0})], 0)
        at_once(database, *(("strive", str(number), str(EACH)) for number in range(WRITERS)))
        records = log.read_stream("teams/all")
    numbers = list(range(1, WRITERS * EACH + 2))
    assert [record.position for record in records] == numbers
    assert [record.stream_version for record in records] == numbers


def test_servers_that_start_at_once_make_one_schema(postgres: Postgres) -> None:
    for run in range(3):
        database = Database(postgres.url(), schema=f"okr_at_once_{run}")
        assert len(set(at_once(database, *[("open",)] * STARTS))) == 1
        with psycopg.connect(postgres.url()) as connection:
            steps = connection.execute(f"SELECT version FROM {database.schema}.schema_steps")
            assert steps.fetchall() == [(1,)]


def at_once(database: Database, *tasks: tuple[str, ...]) -> list[str]:
    """Has a process of `lane_process` do each task, all beginning at once; gives what they said."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.log.lane_process", *task],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for task in tasks
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    place = json.dumps({"url": database.url, "schema": database.schema})
    with ThreadPoolExecutor(len(processes)) as threads:
        said = list(threads.map(lambda process: process.communicate(place, 100)[0], processes))
    assert {process.returncode for process in processes} == {0}
    return said
