"""The small parts of the load generator, against the examples of their specifications."""

from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.hpack import HpackError, RequestBlocks, encode_integer, literal_fields
from benchmarks.outcomes import Outcomes, percentile_ms
from benchmarks.requests import PLACEHOLDER, RequestSource, read_requests, write_requests


@pytest.mark.parametrize(
    ("value", "prefix_bits", "octets"),
    [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a"), (127, 7, "7f00")],
)
def test_integers_as_in_rfc_7541_appendix_c_1(value: int, prefix_bits: int, octets: str) -> None:
    assert encode_integer(value, prefix_bits, 0).hex() == octets


def test_literal_fields_as_in_rfc_7541_appendix_c_2() -> None:
    with_indexing = bytes.fromhex("400a637573746f6d2d6b65790d637573746f6d2d686561646572")
    indexed_name = bytes.fromhex("040c2f73616d706c652f70617468")
    never_indexed = bytes.fromhex("100870617373776f726406736563726574")
    assert literal_fields(with_indexing + indexed_name + never_indexed) == {
        b"custom-key": b"custom-header",
        b"password": b"secret",
    }


def test_table_size_updates_and_static_fields_are_passed_over() -> None:
    assert literal_fields(b"\x20\x88" + b"\x00\x0bgrpc-status\x010") == {b"grpc-status": b"0"}


def test_huffman_coded_values_are_named_not_read() -> None:
    assert literal_fields(b"\x00\x01d\x82\xff\xff") == {b"d": b"<huffman, 2 bytes>"}


@pytest.mark.parametrize("block", ["be", "400a6375", "40", "7f", "4001610561"])
def test_blocks_that_cannot_be_read_are_refused(block: str) -> None:
    with pytest.raises(HpackError):
        literal_fields(bytes.fromhex(block))


def test_later_requests_name_the_fields_of_the_first_by_index() -> None:
    blocks = RequestBlocks.for_fields([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])
    assert blocks.first == b"\x83\x86\x40\x01a\x011\x40\x01b\x012\x40\x01c\x013"
    assert blocks.following == bytes((0x83, 0x86, 0x80 | 64, 0x80 | 63, 0x80 | 62))


def test_a_request_file_gives_back_its_messages(tmp_path: Path) -> None:
    messages = [b"one " + PLACEHOLDER, PLACEHOLDER + b" two"]
    write_requests(tmp_path / "requests", messages)
    assert read_requests(tmp_path / "requests") == messages


@pytest.mark.parametrize("message", [b"no id", PLACEHOLDER * 2, PLACEHOLDER + bytes(17_000)])
def test_a_message_that_cannot_be_sent_is_refused(tmp_path: Path, message: bytes) -> None:
    with pytest.raises(ValueError, match="request"):
        write_requests(tmp_path / "requests", [message])


def test_a_source_goes_round_and_two_sources_share_no_id() -> None:
    first, second = (
        RequestSource([b"a" + PLACEHOLDER, b"b" + PLACEHOLDER]),
        RequestSource([PLACEHOLDER]),
    )
    taken = [first() for _ in range(4)]
    assert [message[:1] for message in taken] == [b"a", b"b", b"a", b"b"]
    assert {len(message) for message in taken} == {len(PLACEHOLDER) + 1}
    ids = {message[1:] for message in taken} | {second() for _ in range(4)}
    assert len(ids) == 8


def test_a_source_makes_ids_of_the_version_asked_for() -> None:
    ordered = RequestSource([PLACEHOLDER])
    random = RequestSource([PLACEHOLDER], ordered=False)
    ids = [UUID(ordered().decode()) for _ in range(3)]
    assert [each.version for each in ids] == [7, 7, 7]
    assert ids == sorted(ids)
    assert UUID(random().decode()).version == 4


def test_percentiles_are_latencies_that_occurred() -> None:
    latencies = [us * 1000 for us in range(1, 101)]
    assert [percentile_ms(latencies, percent) for percent in (0, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile_ms([7_000], 99) == 7
    assert percentile_ms([], 50) == 0


def test_trailers_without_a_status_are_a_failure() -> None:
    outcomes = Outcomes()
    outcomes.answered(0.1, b"\x88")
    outcomes.answered(0.1, b"\x00\x0bgrpc-status\x0299")
    assert (outcomes.ok, dict(outcomes.failures)) == (0, {"NO_STATUS": 2})
