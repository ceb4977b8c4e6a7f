"""The bytes of a leaf, byte by byte."""

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from ledger.event import Record
from okr.proofs.leaf import Leaves, told
from okr.v1.event_record_pb2 import Event, EventHeader

LOG_ID = "6a4b0f6e-6e0b-4c39-9d0a-0d7c3e0b8a11"

RECORD = Record(
    position=1742,
    stream="teams/sales",
    stream_version=3,
    event_type="okr.v1.TeamRetired",
    recorded_us=1_785_499_200_000_001,
    metadata=b"\x1a\x01r",
    payload=b"\x0a\x00",
)

# The worked example that `okr.v1.GetInclusionProofRequest` is documented with.
LEAF = bytes.fromhex(
    "01"
    "00000024 36613462306636652d366530622d346333392d396430612d306437633365306238613131"
    "00000000000006ce"
    "0000000b 7465616d732f73616c6573"
    "0000000000000003"
    "00000012 6f6b722e76312e5465616d52657469726564"
    "000657e6ed901001"
    "00000003 1a0172"
    "00000002 0a00"
)
HASH = bytes.fromhex("7b02bb662e08ed6992121ab5a86c1622a2c38fd6b298761d1225ac52cd5896c0")


def test_the_leaf_of_the_worked_example_is_the_documented_one() -> None:
    leaves = Leaves(LOG_ID)
    assert leaves.encoded(RECORD).hex() == LEAF.hex()
    assert leaves.hash(RECORD).hex() == HASH.hex()


def test_an_event_as_the_api_tells_it_has_the_leaf_of_its_record() -> None:
    recorded = Timestamp()
    recorded.FromMicroseconds(RECORD.recorded_us)
    event = Event(
        name="events/1742",
        header=EventHeader(
            log_id=LOG_ID,
            epoch=1,
            position=RECORD.position,
            stream=RECORD.stream,
            stream_version=RECORD.stream_version,
            event_type=RECORD.event_type,
            recorded_time=recorded,
        ),
        metadata=RECORD.metadata,
        payload=RECORD.payload,
    )
    assert Leaves(LOG_ID).encoded(told(event)) == LEAF


texts = st.text(st.characters(codec="utf-8"), max_size=5)
numbers = st.integers(0, 2**63 - 1)
records = st.builds(
    Record, numbers, texts, numbers, texts, numbers, st.binary(max_size=5), st.binary(max_size=5)
)


@given(texts, records, texts, records)
def test_different_events_have_different_leaves(
    log_id: str, record: Record, other_id: str, other: Record
) -> None:
    same = Leaves(log_id).encoded(record) == Leaves(other_id).encoded(other)
    assert same == ((log_id, record) == (other_id, other))


@given(texts, texts, texts)
def test_text_that_moves_from_one_field_to_the_next_makes_another_leaf(
    first: str, between: str, last: str
) -> None:
    leaves = Leaves(LOG_ID)
    early = RECORD._replace(metadata=(first + between).encode(), payload=last.encode())
    late = RECORD._replace(metadata=first.encode(), payload=(between + last).encode())
    assert (leaves.encoded(early) == leaves.encoded(late)) == (not between)
