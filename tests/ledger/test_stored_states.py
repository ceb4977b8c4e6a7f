"""States go into bytes and come back as they were; what is not such bytes is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from ledger.event import EVENT_TYPES, Record
from ledger.fold import State, applied, initial
from ledger.stored_states import KINDS, Unreadable, code, decoded, encoded
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import PersonErased, PersonRegistered
from okr.v1.values_pb2 import PersonalText
from tests.golden.stored import events, names


def histories() -> Iterator[list[Record]]:
    """Every stream of the stored ledgers, and that of a person, whom they do not have."""
    yield list(_person())
    for name in names():
        streams: dict[str, list[Record]] = {}
        for record in events(name):
            streams.setdefault(record.stream, []).append(record)
        yield from streams.values()


def _person() -> Iterator[Record]:
    facts: list[Message] = [
        PersonRegistered(person="people/4f2a", display_name=PersonalText(plain="Kovács Éva")),
        PersonErased(person="people/4f2a", successor="people/9c1d"),
    ]
    for version, fact in enumerate(facts, start=1):
        kind = fact.DESCRIPTOR.full_name
        yield Record(version, "people/4f2a", version, kind, 0, b"", fact.SerializeToString())


def after(state: State | None, record: Record) -> State:
    fact = EVENT_TYPES[record.event_type].FromString(record.payload)
    metadata = EventMetadata.FromString(record.metadata)
    return applied(state, record.stream, fact, metadata, record.position)


def test_a_stored_state_goes_on_like_the_one_it_was_made_of() -> None:
    kinds = set()
    for records in histories():
        folded = restored = initial(records[0].stream)
        for record in records:
            folded, restored = after(folded, record), after(restored, record)
            assert restored == folded
            restored = decoded(encoded(folded))
            assert restored == folded
            kinds.add(type(folded).__name__)
    assert kinds == KINDS.keys()


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decoded(data)


@given(st.data())
def test_damaged_bytes_are_refused_or_make_a_state(data: st.DataObject) -> None:
    # A digest beside the bytes tells damage; here nothing but a refusal may come of it.
    whole = bytearray(encoded(LONGEST))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with suppress(Unreadable):
        decoded(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


def test_the_code_is_told_by_a_digest() -> None:
    assert len(code()) == 16


def _longest() -> State:
    records = max(histories(), key=len)
    state = initial(records[0].stream)
    for record in records:
        state = after(state, record)
    assert state is not None
    return state


LONGEST = _longest()
