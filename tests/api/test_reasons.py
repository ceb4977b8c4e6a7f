"""Every reason that an error can carry is met at least once over a channel."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import psutil
import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from ledger import decisions
from ledger.call import Caller as Name
from ledger.log.clock import now_us
from ledger.log.contract import Append, EncodedEvent
from ledger.log.database import Database
from ledger.log.sqlite import datastore
from ledger.log.sqlite.recorder import open_log
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import events_pb2 as facts
from okr.v1 import score_service_pb2 as scores
from okr.v1.error_reason_pb2 import ErrorReason
from okr.v1.ledger_service_pb2 import CreateTeamRequest, CreateTeamResponse
from service.exchange import Gate
from service.identity.principal import Metadata, Peer, Principal
from service.lane.desk import Desk
from service.lane.link import Answer
from service.lane.places import InThread
from service.quotas import Quota, Quotas
from tests.api.cases import TABLES
from tests.support.ask import Q3, cycle, new, objective, team
from tests.support.databases import ON_SQLITE_ALONE
from tests.support.serving import LoopThread, Refused, served
from tests.support.whole import Caller, whole_service

ELSEWHERE: Final = {
    "FIELD_UNKNOWN": "test_bad_calls",
    "REQUEST_ID_REUSED": "test_bad_calls",
    "PAGE_TOKEN_INVALID": "test_bad_reads",
    "TOKEN_FOREIGN": "test_bad_reads",
    "TOKEN_LOST": "test_bad_reads",
    "POSITION_AHEAD": "test_bad_reads",
    "INSTANT_OUT_OF_RANGE": "test_bad_reads",
    "DAY_IN_FUTURE": "test_bad_reads",
    "REQUEST_TOO_LARGE": "test_bad_calls",
    "INSTANTS_REVERSED": "test_attribution",
    "REPLAY_TOO_LARGE": "test_replay",
    "NOT_PERMITTED": "test_permissions",
    "OWN_PROPOSAL": "test_approval",
    "PROPOSAL_OUTDATED": "test_approval",
    "PERSON_ERASED": "test_erasure",
    "NOT_ERASABLE": "test_erasure",
    "UNAUTHENTICATED": "test_who_calls",
    "IMPERSONATION": "test_who_calls",
    "KEYS_UNAVAILABLE": "test_who_calls",
}
"""Reasons that need more than a table's line, and the modules of this folder that assert them."""

NOT_SEEN: Final = {
    # A caller ends its call by its own clock before the server's word can come; what a caller
    # does see is in test_bad_calls, what the server decides in the lane's own tests.
    "DEADLINE_PASSED",
    # One server writes to a SQLite file; the lane's own tests play the other writer.
    "CONTENDED",
}


@dataclass
class Place:
    """Where a reason is provoked."""

    loop: LoopThread
    folder: Path
    patch: pytest.MonkeyPatch

    @property
    def file(self) -> Path:
        return self.folder / "okr-ledger.db"

    @contextmanager
    def service(self, **settings: Any) -> Iterator[Caller]:
        with whole_service(self.loop, self.folder, **settings) as caller:
            yield caller

    @contextmanager
    def held(self) -> Iterator[None]:
        """Another program holds the ledger's write lock."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    def append(self, event_type: str, payload: bytes, recorded_us: int) -> None:
        """An event that no request would make, at the beginning of the ledger."""
        event = EncodedEvent("teams/odd", event_type, b"", payload)
        with closing(open_log(self.file)) as log:
            log.append_batch([Append([event], {"teams/odd": 0})], recorded_us)


def overloaded(at: Place) -> Refused:
    """One write is in the lane, one waits, and the third is sent away."""
    with at.service(max_waiting=2) as me, ThreadPoolExecutor(8) as callers:
        me.ask(team("first"))
        with at.held():
            in_the_lane = callers.submit(me.ask, team("in-the-lane"))
            time.sleep(0.2)
            waiting = callers.submit(me.ask, team("waiting"))
            time.sleep(0.2)
            error = me.refused(team("third"))
        in_the_lane.result()
        waiting.result()
        assert me.head() == 3
        assert error.retry.HasField("retry_delay")
    return error


def answer_too_large(at: Place) -> Refused:
    """A scorecard with 300 owners whose names fill 16 kB each."""
    with at.service() as me:
        me.all_of(team(), cycle())
        for name in ("a", "b", "c"):
            owner = {"plain": "🚀" * 4000}
            many = (new(f"k{i}", target="1", owner=owner) for i in range(100))
            me.ask(objective(name, *many))
        return me.refused(scores.GetScorecardRequest(cycle=Q3))


def clock_behind(at: Place) -> Refused:
    """The last record is an hour ahead of the clock."""
    an_hour_ahead = now_us() + 3_600_000_000
    fact = facts.TeamRegistered(team="teams/odd")
    at.append(fact.DESCRIPTOR.full_name, fact.SerializeToString(), an_hour_ahead)
    with at.service() as me:
        error = me.refused(team("x"))
        assert 3500 < int(error.info.metadata["behindSeconds"]) <= 3600
    return error


def log_unavailable(at: Place) -> Refused:
    """Another program keeps the file locked."""
    at.patch.setattr(datastore, "LOCK_TIMEOUT_SECONDS", 0.2)
    with at.service() as me:
        with at.held():
            error = me.refused(team("x"))
        assert str(at.file) not in error.message
        assert me.ask(team("x")).position == 1
    return error


def answered(me: Caller, request: Message) -> bool:
    """Whether the service answers now."""
    try:
        me.ask(request)
    except grpc.RpcError:
        time.sleep(0.05)
        return False
    return True


def outcome_unknown(at: Place) -> Refused:
    """The write lane is killed while it waits to write."""
    asked = team("x")
    asked.request_id = "0b9a4a1e-6f5e-4c69-9a3b-3f0f7a3d2c11"
    with at.service(lane="process") as me, ThreadPoolExecutor(1) as callers:
        with at.held():
            waiting = callers.submit(me.refused, asked)
            time.sleep(0.2)
            for child in psutil.Process().children():
                if "service.lane" in child.cmdline():
                    child.kill()
            error = waiting.result()
        deadline = time.monotonic() + 20
        while not answered(me, asked):
            assert time.monotonic() < deadline
        assert me.head() == 1
    return error


def projection_stopped(at: Place) -> Refused:
    """The ledger holds an event that this version does not know."""
    at.append("okr.v1.TeamVanished", b"", now_us())
    with at.service() as me:
        token = me.ask(team("x")).token
        began = time.monotonic()
        error = me.refused(scores.GetTeamRequest(name="teams/x", at_least_as_fresh=token))
        assert time.monotonic() - began < 5
    return error


def read_models_unavailable(at: Place) -> Refused:
    """Another program has moved a table of the read models away."""
    with at.service() as me:
        me.ask(team("x"))
        me.ask(scores.GetTeamRequest(name="teams/x"))
        with closing(sqlite3.connect(at.folder / "okr-ledger.views-1.db")) as other:
            other.execute("ALTER TABLE tracking RENAME TO elsewhere")
        return me.refused(scores.GetTeamRequest(name="teams/x"))


def proofs_off(at: Place) -> Refused:
    """The server keeps no tree."""
    with at.service(proofs="off") as me:
        me.ask(team("x"))
        return me.refused(audit.GetCheckpointRequest())


def proof_not_ready(at: Place) -> Refused:
    """Another program holds the write lock of the tree's file."""
    with at.service() as me:
        me.ask(team("x"))
        me.ask(audit.GetInclusionProofRequest(name="events/1"))
        with closing(sqlite3.connect(at.folder / "okr-ledger.proofs.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            me.ask(team("y"))
            error = me.refused(audit.GetInclusionProofRequest(name="events/2"), timeout=1)
    assert error.info.metadata == {"position": "2", "covered": "1"}
    return error


def shutting_down(at: Place) -> Refused:
    """The lane has stopped while the server still listens."""

    async def stopped() -> Desk:
        database = Database(f"sqlite:///{at.file}")
        desk = Desk(InThread(database), database)
        await desk.open()
        await desk.close()
        return desk

    desk = at.loop.run(stopped())
    with (
        served(at.loop, writes=desk.ask) as address,
        grpc.insecure_channel(address) as channel,
    ):
        return Caller(channel).refused(team("x"))


def quota_exceeded(at: Place) -> Refused:
    """A caller whom somebody vouches for may have no call a year, but for the first one."""

    async def vouched(_metadata: Metadata, _peer: Peer) -> Principal:
        return Principal(Name("people/anna"), (), "token")

    async def write(*_: object) -> Answer:
        return Answer(1, CreateTeamResponse(position=1).SerializeToString(), "", 1)

    gate = Gate(identify=vouched, quotas=Quotas(Quota(calls_per_second=1e-8)))
    with (
        served(at.loop, writes=write, gate=gate) as address,
        grpc.insecure_channel(address) as channel,
    ):
        me = Caller(channel)
        me.ask(team("x"))
        return me.refused(team("x"))


def internal(at: Place) -> Refused:
    """A defect: a decision fails in a way that nobody foresaw."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret of the house")

    at.patch.setitem(decisions.DECISIONS, CreateTeamRequest, broken)
    with at.service() as me:
        error = me.refused(team("x"))
        assert "secret" not in str(error.__dict__)
        assert error.info.metadata["incident"] in error.message
        assert me.ask(cycle()).position == 1
    return error


PROVOKED: Final[dict[str, tuple[StatusCode, Callable[[Place], Refused]]]] = {
    "OVERLOADED": (StatusCode.RESOURCE_EXHAUSTED, overloaded),
    "ANSWER_TOO_LARGE": (StatusCode.RESOURCE_EXHAUSTED, answer_too_large),
    "CLOCK_BEHIND": (StatusCode.UNAVAILABLE, clock_behind),
    "LOG_UNAVAILABLE": (StatusCode.UNAVAILABLE, log_unavailable),
    "OUTCOME_UNKNOWN": (StatusCode.UNAVAILABLE, outcome_unknown),
    "PROJECTION_STOPPED": (StatusCode.UNAVAILABLE, projection_stopped),
    "READ_MODELS_UNAVAILABLE": (StatusCode.UNAVAILABLE, read_models_unavailable),
    "PROOFS_OFF": (StatusCode.FAILED_PRECONDITION, proofs_off),
    "PROOF_NOT_READY": (StatusCode.UNAVAILABLE, proof_not_ready),
    "QUOTA_EXCEEDED": (StatusCode.RESOURCE_EXHAUSTED, quota_exceeded),
    "SHUTTING_DOWN": (StatusCode.UNAVAILABLE, shutting_down),
    "INTERNAL": (StatusCode.INTERNAL, internal),
}


@ON_SQLITE_ALONE
@pytest.mark.parametrize("reason", PROVOKED)
def test_a_failure_of_the_service_is_told_by_its_reason(
    reason: str, loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, provoke = PROVOKED[reason]
    error = provoke(Place(loop, tmp_path, monkeypatch))
    assert (error.code, error.reason) == (code, reason)


def test_every_reason_is_met() -> None:
    met = {case.reason for cases in TABLES.values() for case in cases}
    met |= {*ELSEWHERE, *PROVOKED, *NOT_SEEN}
    declared = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118 - an enum, not a dict
    assert met == declared - {"UNSPECIFIED"}
    for reason, module in ELSEWHERE.items():
        assert f'"{reason}"' in Path(__file__).with_name(f"{module}.py").read_text()
