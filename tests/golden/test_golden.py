"""Ledgers that earlier versions stored are read by this one as they were by those."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from ledger.event import EVENT_TYPES
from ledger.fold import State, applied, initial
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import AsOf
from tests.golden.stored import answered, answers, events, names, restore
from tests.support.serving import shared_loop
from tests.support.whole import whole_service

LATER = {
    *("PersonRegistered", "PersonErased"),
}
"""Events that no request makes yet."""


def test_there_is_a_stored_event_of_every_type_that_is_made() -> None:
    stored = {record.event_type for name in names() for record in events(name)}
    assert stored == EVENT_TYPES.keys() - {f"okr.v1.{kind}" for kind in LATER}


@pytest.mark.parametrize("name", names())
def test_stored_bytes_are_read_in_full(name: str) -> None:
    for record in events(name):
        fact = EVENT_TYPES[record.event_type].FromString(record.payload)
        assert fact.SerializeToString() == record.payload
        metadata = EventMetadata.FromString(record.metadata)
        assert metadata.SerializeToString() == record.metadata
        for message in (fact, metadata):
            size = message.ByteSize()
            message.DiscardUnknownFields()
            assert message.ByteSize() == size


@pytest.mark.parametrize("name", names())
def test_a_stored_ledger_is_answered_for_as_ever(name: str, tmp_path: Path) -> None:
    records = events(name)
    restore(records, tmp_path)
    with whole_service(shared_loop(), tmp_path) as me:
        everything = AsOf(position=len(records))
        listed = me.ask(audit.ListEventsRequest(as_of=everything, page_size=1000))
        assert [(e.metadata, e.payload) for e in listed.events] == [
            (record.metadata, record.payload) for record in records
        ]
        for request, answer in answers(name):
            assert tells(answered(me, request), answer), request
    with closing(sqlite3.connect(tmp_path / "okr-ledger.db")) as log:
        assert log.execute("SELECT count(*) FROM events").fetchone() == (len(records),)


@pytest.mark.parametrize("name", names())
def test_the_write_side_folds_it_to_the_same_states(name: str) -> None:
    states: dict[str, State | None] = {}
    for record in events(name):
        fact = EVENT_TYPES[record.event_type].FromString(record.payload)
        metadata = EventMetadata.FromString(record.metadata)
        before = states.get(record.stream, initial(record.stream))
        states[record.stream] = applied(before, record.stream, fact, metadata, record.position)
    # The last answer about each is of the head and of the cycle's last day.
    asked = (scores.GetCycleRequest, scores.GetObjectiveRequest)
    latest = {
        request.name: answer
        for request, answer in answers(name)
        if isinstance(request, asked) and isinstance(answer, dict)
    }
    assert latest
    for resource, answer in latest.items():
        state: Any = states[resource]
        of_cycle = [states[state.cycle]] if resource.startswith("objectives/") else []
        (told,) = (value for value in answer.values() if isinstance(value, dict))
        assert tells(MessageToDict(state.resource(*of_cycle)), told)


def tells(now: Any, then: Any) -> bool:
    """Whether an answer still says all that it said; it may say more."""
    if isinstance(now, dict) and isinstance(then, dict):
        return all(key in now and tells(now[key], value) for key, value in then.items())
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(tells, now, then))
    return bool(now == then)
