"""One check-in is found among many, without reading the many."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from ledger import places
from ledger.event import Record
from ledger.fold import State, applied
from ledger.objectives import Objective
from ledger.recorded_check_ins import check_ins_of, find
from ledger.values import date_message
from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata

STREAM = "objectives/o"
NAMES = [f"{STREAM}/keyResults/{letter}" for letter in "abc"]
ELSEWHERE = 7
"""How far positions are ahead of versions: the ledger has other streams."""


@dataclass
class Stream:
    """An objective's stream in memory, which counts what is read of it."""

    state: State | None = None
    records: list[Record] = field(default_factory=list)
    read_records: int = 0

    def add(self, fact: Message) -> None:
        version = len(self.records) + 1
        metadata = EventMetadata(effective_date=date_message(date(2026, 7, 1 + version % 28)))
        position = version + ELSEWHERE
        self.state = applied(self.state, STREAM, fact, metadata, position)
        payload = (fact.DESCRIPTOR.full_name, 0, metadata.SerializeToString())
        self.records.append(Record(position, STREAM, version, *payload, fact.SerializeToString()))

    def read(self, stream: str, after_version: int, up_to_version: int) -> list[Record]:
        assert stream == STREAM
        found = self.records[after_version:up_to_version]
        self.read_records += len(found)
        return found

    @property
    def objective(self) -> Objective:
        assert isinstance(self.state, Objective)
        return self.state

    def record(self, name: str) -> None:
        number = self.objective.key_results[name].check_in_count + 1
        fact = facts.CheckInRecorded(key_result=name, number=number)
        fact.measurement.value = str(len(self.records))
        self.add(fact)


def planned() -> Stream:
    stream = Stream()
    stream.add(facts.ObjectiveCreated(objective=STREAM, cycle="cycles/q3"))
    for name in NAMES:
        stream.add(facts.KeyResultAdded(key_result=name))
    return stream


STEPS = st.lists(
    st.tuples(st.sampled_from("rrrrrrct"), st.sampled_from(NAMES), st.integers(0, 1000)),
    max_size=80,
)


@given(STEPS, st.integers(1, 9))
def test_each_check_in_is_found_as_the_whole_stream_tells_it(
    steps: list[tuple[str, str, int]], stride: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "STRIDE", stride)
        stream = planned()
        for kind, name, chosen in steps:
            key_result = stream.objective.key_results[name]
            number = 1 + chosen % max(key_result.check_in_count, 1)
            if kind == "r" or not key_result.check_in_count:
                stream.record(name)
            elif kind == "c":
                fact = facts.CheckInCorrected(key_result=name, number=number)
                fact.measurement.value = f"-{len(stream.records)}"
                stream.add(fact)
            elif number not in key_result.places.retracted:
                stream.add(facts.CheckInRetracted(key_result=name, number=number))
        for name in NAMES:
            key_result = stream.objective.key_results[name]
            for number, expected in check_ins_of(stream.records, name).items():
                stream.read_records = 0
                found = find(stream.read, key_result, number)
                assert found is not None
                assert found.check_in == expected
                positions = {expected.position, expected.content_position}
                assert {record.position for record in found.records} == positions
                assert stream.read_records <= stride + 1
            assert find(stream.read, key_result, 0) is None
            assert find(stream.read, key_result, key_result.check_in_count + 1) is None
            marks = key_result.places.marks
            assert len(marks) <= 1 + len(stream.records) // stride


def test_an_old_check_in_of_a_key_result_among_thousands_of_others_costs_one_stride() -> None:
    stream = planned()
    weekly, hourly, _ = NAMES
    for hour in range(3000):
        stream.record(hourly)
        if hour % 168 == 0:
            stream.record(weekly)
    found = find(stream.read, stream.objective.key_results[weekly], 9)
    assert found is not None
    assert found.check_in.content.measurement.value == str(found.check_in.position - ELSEWHERE - 1)
    assert stream.read_records <= places.STRIDE
