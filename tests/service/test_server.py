import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.type.date_pb2 import Date
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from okr.v1.ledger_service_pb2 import CreateCycleRequest, CreateTeamRequest
from okr.v1.ledger_service_pb2_grpc import LedgerServiceStub
from okr.v1.operations_service_pb2 import GetStatusRequest, GetStatusResponse
from okr.v1.operations_service_pb2_grpc import OperationsServiceStub
from okr.v1.score_service_pb2 import GetTeamRequest
from okr.v1.score_service_pb2_grpc import ScoreServiceStub
from server import PROOFS, READS, WRITES
from tests.support.server_process import (
    ROOT,
    ServerProcess,
    follower_process,
    okr_ledger,
    run,
    server_process,
)
from tests.support.serving import refused

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as opened:
        yield opened


def create_team(channel: grpc.Channel, team_id: str) -> str:
    """Registers a team; gives the token of the write."""
    request = CreateTeamRequest(team_id=team_id)
    request.definition.title = "Értékesítés"
    token: str = LedgerServiceStub(channel).CreateTeam(request, timeout=10).token
    return token


def test_it_answers_with_what_was_written(channel: grpc.Channel) -> None:
    token = create_team(channel, "sales")
    request = GetTeamRequest(name="teams/sales", at_least_as_fresh=token)
    answer = ScoreServiceStub(channel).GetTeam(request, timeout=10)
    assert answer.team.definition.title == "Értékesítés"


def test_it_tells_how_it_is(channel: grpc.Channel, server: ServerProcess) -> None:
    create_team(channel, "told")
    answer = status_of(channel)
    assert answer.head_position == answer.lane.events >= 1
    assert answer.lane.flushes >= 1
    assert answer.lane.waiting == 0
    views, proofs = answer.projections
    assert views.projection.startswith("views/")
    assert proofs.projection == "proofs"
    for projection in answer.projections:
        assert projection.stopped_position == 0
        assert projection.lag_events == answer.head_position - projection.position


@pytest.mark.parametrize("name", ["", *WRITES, *READS, PROOFS])
def test_everything_says_that_it_serves(channel: grpc.Channel, name: str) -> None:
    # The stub's types leave its methods out.
    health: Any = HealthStub(channel)
    # Reads follow when they know what the ledger held at the start.
    for told in health.Watch(HealthCheckRequest(service=name), timeout=10):
        if told.status == HealthCheckResponse.SERVING:
            break


def test_a_token_of_another_ledger_is_refused(channel: grpc.Channel, tmp_path: Path) -> None:
    with server_process(tmp_path) as other, grpc.insecure_channel(other.address) as elsewhere:
        token = create_team(elsewhere, "sales")
    request = GetTeamRequest(name="teams/sales", at_least_as_fresh=token)
    error = refused(lambda: ScoreServiceStub(channel).GetTeam(request, timeout=10))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOKEN_FOREIGN")
    assert error.fields == ["at_least_as_fresh"]


def test_a_refusal_of_the_domain_reaches_the_caller_with_its_reason(
    channel: grpc.Channel,
) -> None:
    create_team(channel, "twice")
    error = refused(lambda: create_team(channel, "twice"))
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "RESOURCE_EXISTS")
    assert error.resource.resource_name == "teams/twice"
    assert error.resource.resource_type == "okr.v1.Team"


def test_a_day_that_no_calendar_has_is_refused(channel: grpc.Channel) -> None:
    request = CreateCycleRequest(cycle_id="q")
    request.definition.title = "Q"
    request.definition.first_day.CopyFrom(Date(year=2026, month=2, day=30))
    request.definition.last_day.CopyFrom(Date(year=2026, month=6, day=30))
    request.definition.time_zone = "Europe/Budapest"
    error = refused(lambda: LedgerServiceStub(channel).CreateCycle(request, timeout=10))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert error.fields == ["definition.first_day"]


def test_a_second_server_on_the_same_file_is_refused(server: ServerProcess) -> None:
    folder = server.log.parent
    second = run(
        folder,
        str(ROOT / "server.py"),
        *("--database-url", f"sqlite:///{folder / 'okr-ledger.db'}", "--listen", "127.0.0.1:0"),
    )
    assert second.returncode == 1
    assert f"process {server.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_second_server_on_the_same_address_is_refused(
    server: ServerProcess, tmp_path: Path
) -> None:
    second = run(tmp_path, str(ROOT / "server.py"), "--listen", server.address)
    assert second.returncode == 1
    assert second.stderr == (
        f"okr-ledger: cannot listen on {server.address}: address already in use\n"
    )
    assert not list(tmp_path.iterdir())


def test_it_refuses_to_be_reached_from_other_machines(tmp_path: Path) -> None:
    refusal = run(tmp_path, str(ROOT / "server.py"), "--listen", "0.0.0.0:0")
    assert refusal.returncode == 1
    assert "no authentication is configured" in refusal.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "okr-ledger.db"
    file.write_text("minutes of the meeting")
    refusal = run(tmp_path, str(ROOT / "server.py"), "--listen", "127.0.0.1:0")
    assert refusal.returncode == 1
    assert "okr-ledger.db" in refusal.stderr
    assert "Traceback" not in refusal.stderr
    assert file.read_text() == "minutes of the meeting"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    with server_process(tmp_path) as server:
        with grpc.insecure_channel(server.address) as channel:
            create_team(channel, "sales")
        server.process.send_signal(number)
        assert server.process.wait(20) == 0
        entries = sorted(server.entries(), key=lambda entry: entry["time"])
        events = [entry["event"] for entry in entries]
        made, *events = events
        assert made == "made a key that signs checkpoints"
        assert events == ["listening on", "call", "draining", "lane stopped", "stopped"]


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with server_process(tmp_path) as first, grpc.insecure_channel(first.address) as channel:
        token = create_team(channel, "sales")
        log_id = status_of(channel).log_id
        first.process.kill()
    with server_process(tmp_path) as second, grpc.insecure_channel(second.address) as channel:
        request = GetTeamRequest(name="teams/sales", at_least_as_fresh=token)
        assert ScoreServiceStub(channel).GetTeam(request, timeout=10).team.name == "teams/sales"
        assert status_of(channel).log_id == log_id


def test_the_read_models_can_be_kept_up_by_another_process(tmp_path: Path) -> None:
    with (
        server_process(tmp_path, "--follower", "separate") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        token = create_team(channel, "sales")
        request = GetTeamRequest(name="teams/sales", at_least_as_fresh=token)
        scores = ScoreServiceStub(channel)
        error = refused(lambda: scores.GetTeam(request, timeout=0.5))
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
        with follower_process(tmp_path) as following:
            assert scores.GetTeam(request, timeout=20).team.name == "teams/sales"
            following.terminate()
            assert following.wait(10) == 0


# Commands


def test_status_tells_of_a_running_server(server: ServerProcess, tmp_path: Path) -> None:
    told = okr_ledger(tmp_path, "status", "--address", server.address)
    assert told.returncode == 0, told.stderr
    assert "events behind" in told.stdout


def test_status_fails_where_no_server_is(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        told = okr_ledger(tmp_path, "status", "--address", f"127.0.0.1:{nobody.getsockname()[1]}")
    assert told.returncode == 1
    assert "does not answer" in told.stderr


def test_a_log_in_order_passes_the_check_beside_its_server(server: ServerProcess) -> None:
    told = okr_ledger(server.log.parent, "verify")
    assert told.returncode == 0, told.stderr
    assert "all in order" in told.stdout


def test_the_state_of_the_read_models_is_told_without_a_server(tmp_path: Path) -> None:
    with server_process(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        token = create_team(channel, "sales")
        request = GetTeamRequest(name="teams/sales", at_least_as_fresh=token)
        ScoreServiceStub(channel).GetTeam(request, timeout=10)
        server.stop()
    told = okr_ledger(tmp_path, "projections", "status", "--seconds", "0")
    assert told.returncode == 0, told.stderr
    assert "serving" in told.stdout
    assert f":{server.process.pid}," in told.stdout


def test_rebuilt_read_models_answer_the_same(tmp_path: Path) -> None:
    with server_process(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        token = create_team(channel, "sales")
        request = GetTeamRequest(name="teams/sales", at_least_as_fresh=token)
        before = ScoreServiceStub(channel).GetTeam(request, timeout=10)
        server.stop()
    with closing(sqlite3.connect(tmp_path / "okr-ledger.views-1.db")) as views:
        views.execute("DELETE FROM revisions")
        views.commit()
    told = okr_ledger(tmp_path, "projections", "rebuild")
    assert told.returncode == 1
    assert "revisions: 1 rows differ, the first at 1;" in told.stderr
    told = okr_ledger(tmp_path, "projections", "rebuild", "--despite-differences")
    assert told.returncode == 0, told.stderr
    assert "rebuilt from 1 events" in told.stdout
    with server_process(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        assert ScoreServiceStub(channel).GetTeam(request, timeout=10) == before


def status_of(channel: grpc.Channel) -> GetStatusResponse:
    answer: GetStatusResponse = OperationsServiceStub(channel).GetStatus(
        GetStatusRequest(), timeout=10
    )
    return answer
