"""PostgreSQL, or the way to it, fails under a server: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from grpc import StatusCode

from ledger.log.contract import Append, EncodedEvent
from ledger.log.database import Database
from ledger.log.opening import open_log
from service.log_check import faults
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


SKEWED = """
import json, sys, time
ahead = float(sys.argv[1])
wall, wall_ns = time.time, time.time_ns
time.time = lambda: wall() + ahead
time.time_ns = lambda: wall_ns() + int(ahead * 1e9)
from tests.system.test_postgres_faults import write_on
write_on(json.load(sys.stdin), sys.argv[2])
"""


def write_on(database: dict[str, object], name: str) -> None:
    """What a process with a wrong clock does: registers a team, and retires it again and again."""
    from ledger.log.database import Database
    from ledger.log.lane import WriteLane
    from tests.ledger.log.teams import Teams, register, retire

    teams = Teams()
    with closing(open_log(Database(**database))) as log:  # type: ignore[arg-type] # its own fields
        lane = WriteLane(log, teams, teams, clock=log.clock)
        lane.add(register(f"teams/{name}"))
        for _ in range(200):
            lane.add(retire(f"teams/{name}"))
            for _, outcome in lane.run():
                if isinstance(outcome, Exception):
                    raise outcome


def test_servers_with_wrong_clocks_record_the_databases_time(postgres: Postgres) -> None:
    database = Database(postgres.url(), schema="okr_skewed")
    began_us = time.time_ns() // 1000
    with closing(open_log(database)) as log:
        writers = [
            started(SKEWED, database, str(ahead), name)
            for name, ahead in (("slow", -7200), ("fast", 7200))
        ]
        for writer in writers:
            writer.communicate(timeout=60)
            assert writer.returncode == 0
        records = log.read(0, 1_000)
    times = [record.recorded_us for record in records]
    assert len(records) == 2 * 201
    assert times == sorted(times)
    assert began_us <= times[0] <= times[-1] <= time.time_ns() // 1000
    assert_in_order(database)


STRIVING = """
import json, sys
from tests.system.test_postgres_faults import strive
strive(json.load(sys.stdin), sys.argv[1])
"""


def strive(database: dict[str, object], name: str) -> None:
    """What one of several processes does that all write to one stream."""
    from ledger.log.database import Database
    from ledger.log.errors import Contended
    from ledger.log.lane import WriteLane
    from tests.ledger.log.teams import Teams, retire

    teams = Teams()
    with closing(open_log(Database(**database))) as log:  # type: ignore[arg-type] # its own fields
        lane = WriteLane(log, teams, teams, clock=log.clock)
        for number in range(EACH):
            outcome: object = Contended((), 0)
            while isinstance(outcome, Contended):
                lane.add(retire("teams/all", f"{name}-{number}"))
                while lane.waiting:
                    for _, outcome in lane.run():
                        if isinstance(outcome, Exception) and not isinstance(outcome, Contended):
                            raise outcome


def test_eight_processes_write_to_one_stream(postgres: Postgres) -> None:
    database = Database(postgres.url(), schema="okr_eight")
    with closing(open_log(database)) as log:
        registered = EncodedEvent("teams/all", "okr.v1.TeamRegistered", b"", b"")
        log.append_batch([Append([registered], {"teams/all": 0})], 0)
        writers = [started(STRIVING, database, str(number)) for number in range(WRITERS)]
        for writer in writers:
            writer.communicate(timeout=100)
            assert writer.returncode == 0
        records = log.read_stream("teams/all")
    numbers = list(range(1, WRITERS * EACH + 2))
    assert [record.position for record in records] == numbers
    assert [record.stream_version for record in records] == numbers


MIGRATING = """
import json, sys, time
from contextlib import closing
from ledger.log.contract import Append, EncodedEvent
from ledger.log.database import Database
from ledger.log.opening import open_log
database = Database(**json.load(sys.stdin))
print("ready", flush=True)
time.sleep(max(0, float(sys.argv[1]) - time.time()))
with closing(open_log(database)) as log:
    print(log.identity().log_id)
"""


def test_servers_that_start_at_once_make_one_schema(postgres: Postgres) -> None:
    for run in range(3):
        database = Database(postgres.url(), schema=f"okr_at_once_{run}")
        at = str(time.time() + 1.5)
        started_at_once = [started(MIGRATING, database, at) for _ in range(STARTS)]
        told = [process.communicate(timeout=60)[0].split() for process in started_at_once]
        assert {process.returncode for process in started_at_once} == {0}
        assert len({log_id for _, log_id in told}) == 1
        with psycopg.connect(postgres.url()) as connection:
            steps = connection.execute(f"SELECT version FROM {database.schema}.schema_steps")
            assert steps.fetchall() == [(1,)]


def started(code: str, database: Database, *arguments: str) -> subprocess.Popen[str]:
    """A Python process that is told the database on its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"url": database.url, "schema": database.schema}))
    process.stdin.flush()
    process.stdin.close()
    process.stdin = None
    return process
