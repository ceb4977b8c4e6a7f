"""Read models are rebuilt beside a server under load, and no caller notices, whatever happens."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import grpc
import psycopg
import pytest

from benchmarks.history import Shape, write_history, write_ledger
from ledger.log.database import Database
from ledger.log.opening import open_log
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.score_service_pb2 import GetScorecardRequest, GetTeamRequest
from projections.store.claims import this_process
from projections.store.views import Views
from tests.support.ask import team
from tests.support.databases import ledger
from tests.support.server_process import ServerProcess, environment, okr_ledger, run, server_process
from tests.support.whole import Caller
from tools.postgres import Postgres

HISTORY: Final = Shape(quarters=2, events_each=6_000, objectives=3, key_results=3)
KILLS: Final = 4
BREATH_SECONDS: Final = 0.005
"""Between two calls of a caller, so that a small machine has something left for the rebuild."""
FILE_BYTES: Final = 1 << 20
"""What a file may grow to on a disk that is full: less than the read models take."""

COMMAND: Final = "from service.cli import main; main()"
ON_A_FULL_DISK: Final = (
    f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({FILE_BYTES}, {FILE_BYTES}));"
    f" {COMMAND}"
)

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(180)]


class Load:
    """Somebody who writes and reads all the time, and notes whatever is not as it should be.

    Each write is read back by its token, and reads without one never go back in time.
    """

    def __init__(self, address: str, cycle: str) -> None:
        self.wrong: list[str] = []
        self.reads = 0
        self._address = address
        self._cycle = cycle
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._write, self._read)]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join()

    def _write(self) -> None:
        with grpc.insecure_channel(self._address) as channel:
            me = Caller(channel)
            for number in count():
                if self._ended.wait(BREATH_SECONDS):
                    return
                name = f"team-{number}-{random.getrandbits(32)}"
                try:
                    me.ask(team(name))
                    me.ask(GetTeamRequest(name=f"teams/{name}"))
                except grpc.RpcError as error:
                    self.wrong.append(f"{name}: {error}")

    def _read(self) -> None:
        newest = 0
        with grpc.insecure_channel(self._address) as channel:
            me = Caller(channel)
            while not self._ended.wait(BREATH_SECONDS):
                try:
                    position = me.ask(GetScorecardRequest(cycle=self._cycle)).position
                except grpc.RpcError as error:
                    self.wrong.append(f"scorecard: {error}")
                    continue
                if position < newest:
                    self.wrong.append(f"position {position} after {newest}")
                newest = position
                self.reads += 1


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a ledger of 20 000 events, and one of its cycles."""
    folder = tmp_path_factory.mktemp("history")
    _, quarters = write_history(folder, HISTORY, lambda _: None)
    return folder, quarters[-1].cycle


@pytest.fixture
def loaded(history: tuple[Path, str]) -> Iterator[tuple[Path, ServerProcess, Load]]:
    """A server on that ledger with its load running; nothing may have gone wrong at the end."""
    folder, cycle = history
    with server_process(folder) as server:
        load = Load(server.address, cycle)
        with load.running():
            yield folder, server, load
        assert load.reads > 0
        assert load.wrong == []
        assert server.stop() == 0


def generations(folder: Path) -> list[str]:
    """The files of the generations that there are."""
    return sorted(file.name for file in folder.glob("okr-ledger.views-*.db"))


def opened_by(server: ServerProcess) -> list[int]:
    """The generations that the server says it went over to, 0 before the first."""
    entries = server.entries()
    return [0] + [e["generation"] for e in entries if e["event"] == "read models opened"]


def test_nobody_notices(loaded: tuple[Path, ServerProcess, Load]) -> None:
    folder, server, _ = loaded
    before = generations(folder)
    for _ in range(3):
        told = okr_ledger(folder, "projections", "rebuild")
        assert told.returncode == 0, told.stderr
        assert "the same" in told.stdout
    # The server has gone over to the newest, and removes what nobody uses.
    deadline = time.monotonic() + 20
    while len(generations(folder)) > 1:
        assert time.monotonic() < deadline, generations(folder)
        time.sleep(0.05)
    (left,) = generations(folder)
    assert left not in before
    # Its log is written a moment after it has gone over.
    while f"okr-ledger.views-{(opened := opened_by(server))[-1]}.db" != left:
        assert time.monotonic() < deadline, opened
        time.sleep(0.05)
    assert opened == sorted(opened)


@pytest.mark.contract
def test_two_servers_go_over_together(tmp_path: Path, postgres: Postgres) -> None:
    database = Database(postgres.url(), schema="okr_beside")
    cycle = write_ledger(database, HISTORY, lambda _: None)[-1].cycle
    place = ("--database-url", database.url, "--database-schema", database.schema)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(server_process(tmp_path, at=database, name=name))
            for name in ("one", "two")
        ]
        loads = [Load(server.address, cycle) for server in servers]
        with ExitStack() as running:
            for load in loads:
                running.enter_context(load.running())
            for _ in range(2):
                told = okr_ledger(tmp_path, "projections", "rebuild", *place)
                assert told.returncode == 0, told.stderr
                assert "the same" in told.stdout
            deadline = time.monotonic() + 30
            while len(schemas(database)) > 1:
                assert time.monotonic() < deadline, schemas(database)
                time.sleep(0.1)
        for load in loads:
            assert load.reads > 0
            assert load.wrong == []
        for server in servers:
            assert server.stop() == 0


def schemas(database: Database) -> list[str]:
    """The schemas of the generations that there are."""
    with psycopg.connect(database.url) as session:
        found = session.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ %s", (f"^{database.schema}_views_",)
        )
        return [name for (name,) in found]


def test_a_rebuild_that_is_killed_is_gone_on_with(loaded: tuple[Path, ServerProcess, Load]) -> None:
    folder, _, _ = loaded
    instants = random.Random(3)
    for _ in range(KILLS):
        before = generations(folder)
        with subprocess.Popen(
            [sys.executable, "-c", COMMAND, "projections", "rebuild", "--afresh"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while generations(folder) == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(instants.uniform(0, 0.5))
            process.kill()
    told = okr_ledger(folder, "projections", "rebuild")
    assert told.returncode == 0, told.stderr
    assert "the same" in told.stdout


def test_a_second_one_is_refused_and_told_of_the_first(
    loaded: tuple[Path, ServerProcess, Load],
) -> None:
    folder, server, _ = loaded
    database = ledger(folder)
    with (
        closing(open_log(database, read_only=True)) as log,
        closing(Views(database, log.identity())) as views,
        closing(views.build(log, afresh=True)) as building,
    ):
        building.step()
        told = okr_ledger(folder, "projections", "rebuild")
        with grpc.insecure_channel(server.address) as channel:
            projection, _ = Caller(channel).ask(GetStatusRequest()).projections
    built = projection.rebuild
    assert (built.generation, built.position) == (building.generation.number, building.position)
    assert built.builder == this_process()
    assert 0 < projection.generation < built.generation
    assert told.returncode == 1
    assert f"{this_process()} already" in told.stderr


def test_a_full_disk_leaves_what_serves_alone(loaded: tuple[Path, ServerProcess, Load]) -> None:
    folder, _, load = loaded
    told = run(folder, "-c", ON_A_FULL_DISK, "projections", "rebuild", "--afresh")
    assert told.returncode == 1
    assert "cannot be built now" in told.stderr
    assert "Traceback" not in told.stderr
    before = load.reads
    told = okr_ledger(folder, "projections", "rebuild")
    assert told.returncode == 0, told.stderr
    assert "from an earlier rebuild" in told.stdout
    assert load.reads > before
