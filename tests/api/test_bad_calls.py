"""Calls that go wrong before their content counts: bytes, callers, request ids, deadlines."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from okr.v1 import score_service_pb2 as scores
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.values_pb2 import Category
from tests.api.case import EXISTS, INVALID
from tests.support.ask import (
    FOLLOWERS,
    WHY,
    adjust,
    check_in,
    commit,
    cycle,
    new,
    objective,
    revise,
    team,
)
from tests.support.databases import ON_SQLITE_ALONE
from tests.support.serving import Refused, refused
from tests.support.whole import SERVICES, Caller, path_of, request_types

MIB = 1024 * 1024
REQUEST_ID = "0b6ad7ba-8ac4-4a9b-9b3a-4f7ff0d6a001"
SPACIOUS = (
    "okr.v1.ScoreService/ListCycles",
    "okr.v1.ScoreService/ListTeams",
    "okr.v1.ScoreService/ListPeople",
    "okr.v1.ScoreService/ListPolicies",
    "okr.v1.ScoreService/ListDueCheckIns",
    "okr.v1.ScoreService/ListDeviations",
    "okr.v1.AuditService/ListEvents",
    "okr.v1.AuditService/GetCheckpoint",
    "okr.v1.AuditService/GetConsistencyProof",
    "okr.v1.OperationsService/GetStatus",
)
"""The methods that answer an empty request: they ask for everything."""


def posted(me: Caller, request: Message, more: bytes = b"") -> Refused:
    """What is said to a request with bytes at its end that no message class would write."""
    return refused(lambda: me.post(path_of(request), request.SerializeToString() + more))


# Bytes


@pytest.mark.parametrize("service", SERVICES)
def test_an_empty_request_is_answered_or_told_what_it_lacks(
    furnished: Caller, service: str
) -> None:
    before = furnished.head()
    for method, kind in request_types(service).items():
        if f"{service}/{method}" in SPACIOUS:
            furnished.ask(kind())
            continue
        error = furnished.refused(kind())
        assert (error.code, error.reason) == (INVALID, "FIELD_INVALID"), method
        assert error.fields
    assert furnished.head() == before


@pytest.mark.parametrize(
    ("request_", "more", "field"),
    [
        (team("x"), b"\xfa\x01\x01x", "31"),
        (team("x"), b"\x12\x04\xfa\x01\x01x", "definition.31"),
        (check_in(on="2024-07-08"), b"\x12\x03\xa0\x06\x01", "measurement.100"),
        (GetStatusRequest(), b"\x08\x01", "1"),
    ],
)
def test_a_field_that_is_not_known_is_named(
    furnished: Caller, request_: Message, more: bytes, field: str
) -> None:
    before = furnished.head()
    error = posted(furnished, request_, more)
    assert (error.code, error.reason) == (INVALID, "FIELD_UNKNOWN")
    assert error.fields == [field]
    assert furnished.head() == before


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b"\x12\x04\x0a\x02\xc3\x28", id="not UTF-8"),
        pytest.param(b"\x12\x05\x0a\x03\xed\xa0\x80", id="half a surrogate pair"),
        pytest.param(b"\x12\x7fabc", id="cut short"),
        pytest.param(b"\x07", id="a wire type that does not exist"),
        pytest.param(b"\xff" * 11, id="an endless number"),
    ],
)
def test_bytes_that_are_no_request_are_refused(furnished: Caller, more: bytes) -> None:
    before = furnished.head()
    error = posted(furnished, team("x"), more)
    assert (error.code, error.reason) == (INVALID, "FIELD_INVALID")
    assert "okr.v1.CreateTeamRequest" in error.message
    assert furnished.head() == before


@pytest.mark.parametrize("mib", [4, 7])
def test_more_than_4_mib_is_refused_with_the_limit(furnished: Caller, mib: int) -> None:
    before = furnished.head()
    error = furnished.refused(check_in(on="2024-07-08", note="x" * mib * MIB))
    assert (error.code, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
    assert str(4 * MIB) in error.message
    assert furnished.head() == before


def test_far_too_much_is_not_even_read(furnished: Caller) -> None:
    error = furnished.refused(check_in(on="2024-07-08", note="x" * 9 * MIB))
    assert error.code is StatusCode.RESOURCE_EXHAUSTED
    assert furnished.ask(check_in(on="2024-07-08")).position == furnished.head()


def test_a_method_that_is_not_there_is_unimplemented(furnished: Caller) -> None:
    error = refused(lambda: furnished.post("/okr.v1.LedgerService/EraseLedger", b""))
    assert error.code is StatusCode.UNIMPLEMENTED


# Callers


@pytest.mark.parametrize(
    "metadata",
    [
        [("okr-actor", "anna")],
        [("okr-actor", "people/Anna")],
        [("okr-actor", "teams/sales")],
        [("okr-actor", "people/" + "x" * 64)],
        [("okr-actor", "people/anna"), ("okr-actor", "people/bea")],
        [("okr-actor", "")],
        [("okr-on-behalf-of", "people/anna ; drop")],
    ],
)
def test_a_caller_who_is_nobody_is_refused(
    furnished: Caller, metadata: list[tuple[str, str]]
) -> None:
    before = furnished.head()
    error = furnished.refused(check_in(on="2024-07-08"), metadata)
    assert (error.code, error.reason) == (INVALID, "FIELD_INVALID")
    assert error.fields == [metadata[0][0]]
    assert furnished.head() == before


def test_the_caller_and_whom_it_acts_for_are_recorded(furnished: Caller) -> None:
    who = [("okr-actor", "services/crm"), ("okr-on-behalf-of", "people/anna")]
    assert furnished.ask(check_in(on="2024-07-08"), who).check_in.actor == "services/crm"


# Request ids and etags


def test_a_request_id_serves_one_content_only(furnished: Caller) -> None:
    request = check_in(on="2024-07-08", request_id=REQUEST_ID, note="first")
    first = furnished.send(request)
    head = furnished.head()
    for other in (
        check_in(on="2024-07-08", request_id=REQUEST_ID, note="second"),
        check_in(on="2024-07-09", request_id=REQUEST_ID, note="first"),
        check_in(on="2024-07-08", request_id=REQUEST_ID, note="first", validate_only=True),
        team("x", title="x"),
    ):
        other.request_id = REQUEST_ID
        error = furnished.refused(other)
        assert (error.code, error.reason) == (EXISTS, "REQUEST_ID_REUSED")
        assert error.info.metadata["requestId"] == REQUEST_ID
    assert furnished.send(request) == first
    assert furnished.head() == head


def test_another_caller_may_use_the_same_request_id(furnished: Caller) -> None:
    request = check_in(on="2024-07-08", request_id=str(uuid4()))
    first = furnished.ask(request, [("okr-actor", "people/anna")])
    second = furnished.ask(request, [("okr-actor", "people/bea")])
    assert second.position == first.position + 1


def test_a_refusal_does_not_use_a_request_id_up(furnished: Caller) -> None:
    request = check_in(on="2024-06-01", request_id=str(uuid4()))
    assert furnished.refused(request).reason == "DAY_OUTSIDE_CYCLE"
    request.effective_date.month = 7
    assert furnished.ask(request).position == furnished.head()


def test_the_etag_that_a_refusal_carries_is_good_for_a_retry(furnished: Caller) -> None:
    request = revise(target="1500", etag='"0"', mask=("target", "target_change_percent"))
    request.reason, request.category = WHY, Category.CATEGORY_OTHER
    error = furnished.refused(request)
    assert (error.code, error.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    request.etag = error.info.metadata["etag"]
    answer = furnished.ask(request)
    assert answer.key_result.etag != request.etag
    assert furnished.refused(request).info.metadata["etag"] == answer.key_result.etag


# Deadlines


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Another program holds the ledger's write lock, so that the lane has to wait."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@ON_SQLITE_ALONE
def test_what_was_still_waiting_at_its_deadline_is_not_written(me: Caller, tmp_path: Path) -> None:
    me.ask(team("first"))
    with held(tmp_path / "okr-ledger.db"):
        in_the_lane = threading.Thread(target=me.ask, args=(team("second"),))
        in_the_lane.start()
        time.sleep(0.2)
        error = me.refused(team("late"), timeout=0.2)
        assert error.code is StatusCode.DEADLINE_EXCEEDED
    in_the_lane.join()
    me.ask(team("third"))
    names = [each.name for each in me.ask(scores.ListTeamsRequest()).teams]
    assert names == ["teams/first", "teams/second", "teams/third"]
    assert me.head() == 3


def test_a_caller_that_goes_away_does_not_disturb_the_others(furnished: Caller) -> None:
    request = check_in(FOLLOWERS)
    method: Any = furnished.channel.unary_unary(path_of(request))
    call = method.future(request.SerializeToString())
    call.cancel()
    with suppress(grpc.FutureCancelledError, grpc.RpcError):
        call.result()
    assert furnished.ask(check_in(on="2024-07-08")).position == furnished.head()


def test_an_adjustment_too_large_to_be_told_is_not_made(me: Caller) -> None:
    def owned(first: str) -> dict[str, str]:
        return {"plain": first + "🚀" * 3999}

    key_results = (new(f"k{i}", target="1", owner=owned("a")) for i in range(100))
    me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"))
    me.all_of(objective("o", *key_results), commit())
    before = me.head()
    changes = [revise(f"objectives/o/keyResults/k{i}", owner=owned("b")) for i in range(100)]
    error = me.refused(adjust(*changes))
    assert (error.code, error.reason, error.fields) == (INVALID, "FIELD_INVALID", ["changes"])
    assert error.rules == ["adjustment.size"]
    assert me.head() == before
    assert me.ask(adjust(*changes[:90])).adjustment.last_position == before + 91
