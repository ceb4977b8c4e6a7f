"""A server that is killed while it erases somebody leaves them as they were, or to be erased."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.texts.opening import ERASED
from okr.v1 import score_service_pb2 as scores
from okr.v1.ledger_service_pb2 import ErasePersonRequest
from okr.v1.values_pb2 import AsOf
from tests.support import ask
from tests.support.forked_server import forked_servers
from tests.support.whole import Caller

KILLS = 6
SEED = 20_261_124
LONGEST_SECONDS = 0.03


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(120)
def test_killed_at_random_instants_of_erasing(tmp_path: Path) -> None:
    instants = random.Random(SEED)
    with forked_servers(tmp_path) as servers:
        pid, address = servers.start()
        with grpc.insecure_channel(address) as channel:
            me = Caller(channel)
            me.all_of(ask.cycle(first="2024-07-01", last="2024-09-30"), ask.team())
            me.all_of(ask.objective(), ask.commit())
            for kill in range(KILLS):
                me.ask(ask.register(f"p{kill}", f"Person {kill}"))
                said = ask.check_in(on="2024-07-08", note=f"words {kill}")
                me.ask(said, (("okr-actor", f"people/p{kill}"),))
        for kill in range(KILLS):
            request = ask.erase(f"people/p{kill}")
            caller = threading.Thread(target=_send, args=(address, request))
            caller.start()
            time.sleep(instants.uniform(0, LONGEST_SECONDS))
            servers.kill(pid)
            caller.join(10)
            pid, address = servers.start()
            with grpc.insecure_channel(address) as channel:
                me = Caller(channel)
                person, note = _read(me, kill)
                # Whoever is erased by the ledger is erased by the time that the server answers.
                assert (person.erased, note) in ((True, ERASED), (False, f"words {kill}"))
                assert person.display_name == ("" if person.erased else f"Person {kill}")
                if not person.erased:
                    me.ask(request)
                assert _read(me, kill)[1] == ERASED


def _read(me: Caller, number: int) -> tuple[Any, str]:
    # As of all that the log has: the keys follow it at the start, the read models a moment later.
    head = AsOf(position=me.head())
    person = me.ask(scores.GetPersonRequest(name=f"people/p{number}", as_of=head)).person
    name = f"{ask.FOLLOWERS}/checkIns/{number + 1}"
    return person, me.ask(scores.GetCheckInRequest(name=name, as_of=head)).check_in.note


def _send(address: str, request: ErasePersonRequest) -> None:
    with grpc.insecure_channel(address) as channel:
        try:
            Caller(channel).ask(request, timeout=5)
        except grpc.RpcError as error:
            # The server is gone; what became of the request is asked of the next one.
            assert error.code() == grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - the only one expected
