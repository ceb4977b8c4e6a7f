"""A server that is killed while it closes a cycle leaves it open, or leaves it to be sealed."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest

from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AsOf, CycleState
from tests.support.ask import Q3 as QUARTER
from tests.support.ask import check_in, close, commit, cycle, new, objective, reopen, team
from tests.support.forked_server import forked_servers
from tests.support.whole import Caller

KILLS = 8
SEED = 20_240_930
LONGEST_SECONDS = 0.06
OBJECTIVES, KEY_RESULTS = 20, 5
PATIENCE_SECONDS = 20.0


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(120)
def test_killed_at_random_instants_of_closing(tmp_path: Path) -> None:
    instants = random.Random(SEED)
    ids = random.Random(SEED + 1)
    fenced = 0
    with forked_servers(tmp_path) as servers:
        pid, address = servers.start()
        with grpc.insecure_channel(address) as channel:
            me = Caller(channel)
            me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"))
            for number in range(OBJECTIVES):
                parts = (new(f"k{i}", target="10") for i in range(KEY_RESULTS))
                me.ask(objective(f"o{number}", *parts))
            me.all_of(commit(), check_in("objectives/o0/keyResults/k0", "5", on="2024-07-08"))
        for kill in range(KILLS):
            request = close(request_id=str(UUID(int=ids.getrandbits(128), version=4)))
            caller = threading.Thread(target=_send, args=(address, request))
            caller.start()
            time.sleep(instants.uniform(0, LONGEST_SECONDS))
            servers.kill(pid)
            caller.join(10)
            assert not caller.is_alive()
            pid, address = servers.start()
            with grpc.insecure_channel(address) as channel:
                me = Caller(channel)
                state, head = _state(me)
                if state != CycleState.CYCLE_STATE_ACTIVE:
                    fenced += 1
                    # Nobody asks again, and it is sealed all the same.
                    _wait_until_sealed(me)
                answer = me.ask(request)
                assert answer.seal.number == kill + 1
                told = _scorecard_of(me, answer.seal)
                assert (told.score, len(told.objectives)) == (answer.seal.score, OBJECTIVES)
                assert _state(me)[0] == CycleState.CYCLE_STATE_SEALED
                assert me.head() <= head + 2
                me.ask(reopen())
        with grpc.insecure_channel(address) as channel:
            listed = Caller(channel).ask(scores.ListSealsRequest(cycle=QUARTER)).seals
        assert [seal.number for seal in listed] == list(range(1, KILLS + 1))
        assert {seal.key_result_digest for seal in listed} == {listed[0].key_result_digest}
    assert fenced > 0


def _send(address: str, request: Any) -> None:
    with grpc.insecure_channel(address) as channel:
        try:
            Caller(channel).ask(request, timeout=5)
        except grpc.RpcError as error:
            # The server is gone; what became of the request is asked of the next one.
            assert error.code() == grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - the only one expected


def _state(me: Caller) -> tuple[CycleState.ValueType, int]:
    """The cycle's state and the position that it was read at, the ledger's head."""
    head = me.head()
    request = scores.GetCycleRequest(name=QUARTER, as_of=AsOf(position=head))
    return me.ask(request).cycle.state, head


def _wait_until_sealed(me: Caller) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while _state(me)[0] != CycleState.CYCLE_STATE_SEALED:
        assert time.monotonic() < until
        time.sleep(0.01)


def _scorecard_of(me: Caller, seal: Any) -> Any:
    """The scorecard that a seal was made from."""
    as_of = AsOf(position=seal.closing_position, effective_at=seal.effective_date)
    return me.ask(scores.GetScorecardRequest(cycle=QUARTER, as_of=as_of)).scorecard
