"""An export that is not what it was is refused, and what is wrong is named."""

from __future__ import annotations

import gzip
import random
from io import BytesIO

import pytest

from okr.exports import links
from okr.exports.errors import ExportCut, ExportRefused, Misfit
from okr.exports.reading import CONTENT_BYTES, Reading
from okr.exports.tally import Tally
from okr.exports.writing import BYTES_AT_MOST, EVENTS, EVENTS_AT_MOST, Writing, cut
from okr.proofs.leaf import Leaves
from okr.proofs.tree import Frontier
from okr.v1.export_pb2 import ExportChunk, ExportedEvent, ExportedEvents, ExportPart
from tests.okr.exports.made import LOG, NAME, chunk, event, events, header, parts, read

CHUNKS = [chunk(1, 3), chunk(4, 6), chunk(7, 9)]
SEED = 20_261_124


def whole() -> list[bytes]:
    return parts(header(9), CHUNKS)


def refused(file: bytes) -> ExportRefused:
    with pytest.raises(ExportRefused) as caught:
        read(file)
    return caught.value


def test_what_was_written_is_read() -> None:
    reading = Reading(BytesIO(b"".join(whole())), NAME)
    assert reading.header == header(9)
    assert list(reading.chunks()) == CHUNKS
    tree = Frontier()
    for each in events(1, 9):
        tree.append(Leaves(LOG).hash(each))
    assert reading.tally.tree.root() == tree.root()
    assert reading.tally.requests == 3


def test_an_empty_ledger_has_an_export_too() -> None:
    assert read(b"".join(parts(header(0), []))).events == 0


def test_a_file_that_is_cut_anywhere_is_not_whole() -> None:
    made = whole()
    file = b"".join(made)
    ends = [sum(map(len, made[:count])) for count in range(1, len(made))]
    for length in {0, 5, *ends, *(end - 1 for end in ends), *range(len(file) - 40, len(file))}:
        error = refused(file[:length])
        assert isinstance(error, ExportCut), length
    assert str(refused(file[: ends[2]])) == f"{NAME}: chunk 2: the file ends before it"
    assert str(refused(file[: ends[2] + 9])) == f"{NAME}: chunk 2: the file ends within it"


def test_what_is_in_order_before_a_cut_is_told() -> None:
    made = whole()
    ends = [sum(map(len, made[:count])) for count in range(1, len(made))]
    reading = Reading(BytesIO(b"".join(made)[: ends[3] - 1]), NAME)
    with pytest.raises(ExportCut):
        list(reading.chunks())
    assert (reading.end, reading.tally.position) == (ends[2], 3)


def test_any_bit_that_was_flipped_is_noticed() -> None:
    file = b"".join(whole())
    chance = random.Random(SEED)
    for place in chance.sample(range(len(file) * 8), 400):
        flipped = bytearray(file)
        flipped[place // 8] ^= 1 << place % 8
        assert str(refused(bytes(flipped))).startswith(f"{NAME}: ")


def test_a_flipped_bit_is_told_with_its_chunk() -> None:
    made = whole()
    made[3] = made[3][:60] + bytes((made[3][60] ^ 1,)) + made[3][61:]
    assert "chunk 2: it was altered" in str(refused(b"".join(made)))


def test_chunks_that_change_places_or_are_left_out_are_noticed() -> None:
    made = whole()
    for order in ((0, 1, 3, 2, 4, 5), (0, 1, 2, 4, 5), (0, 1, 2, 3, 3, 4, 5)):
        error = refused(b"".join(made[place] for place in order))
        assert error.place in {"chunk 1", "chunk 2", "chunk 3"}
        assert "does not follow" in error.reason


def test_chunks_of_another_ledger_are_noticed() -> None:
    made, foreign = whole(), parts(header(9, log_id="another"), CHUNKS)
    assert "chunk 2: " in str(refused(b"".join([*made[:3], *foreign[3:]])))


def test_what_is_no_export_is_told() -> None:
    assert str(refused(b"SQLite format 3\0" * 9)) == f"{NAME}: it is no export of a ledger"
    assert refused(b"".join(whole()) + b"x").reason == "something follows on its trailer"


def test_a_length_or_content_that_would_fill_the_memory_is_not_taken() -> None:
    made = whole()
    assert "length" in refused(made[0] + b"\xff\xff\xff\xff\x7f").reason
    assert "length" in refused(made[0] + b"\xff\xff\xff\xff\xff\x7f").reason
    bomb = ExportPart(
        chunk=ExportChunk(number=1, content=gzip.compress(bytes(CONTENT_BYTES + 1), 1))
    )
    link = links.sealed(bomb, Reading(BytesIO(b"".join(made)), NAME).digest)
    assert refused(b"".join([*made[:2], links.delimited(link)])).reason == (
        "its content is not readable"
    )


@pytest.mark.parametrize(
    ("altered", "told"),
    [
        ({"position": 6}, "event 6: the one before it is event 4"),
        ({"recorded_us": 1}, "event 5: it was recorded before the one that it follows"),
        ({"stream_version": 2}, "event 5: it is version 2 of teams/t5, not 1"),
        ({"stream": "teams/t4"}, "event 5: it is version 1 of teams/t4, not 2"),
    ],
)
def test_nobody_writes_an_export_of_events_that_do_not_follow(
    altered: dict[str, int | str], told: str
) -> None:
    wrong = ExportedEvents(events=[event(4), event(5)])
    wrong.events[1].MergeFrom(ExportedEvent(**altered))  # type: ignore[arg-type]
    writing = Writing(Tally(header(9)))
    writing.chunk(CHUNKS[0])
    with pytest.raises(Misfit, match=told):
        writing.chunk(wrong)


@pytest.mark.parametrize(
    ("altered", "told"),
    [
        ({"event_type": "okr.v1.Unheard"}, "okr.v1.Unheard is not an event that this version"),
        ({"payload": b"\xff"}, "it is not a readable okr.v1.TeamRegistered"),
        ({"metadata": b"\xff"}, "it is not a readable okr.v1.TeamRegistered"),
    ],
)
def test_an_event_that_nobody_can_read_is_named(altered: dict[str, str | bytes], told: str) -> None:
    wrong = chunk(4, 6)
    wrong.events[1].MergeFrom(ExportedEvent(**altered))  # type: ignore[arg-type]
    file = b"".join(parts(header(9), [CHUNKS[0], wrong, CHUNKS[2]]))
    assert f"chunk 2, event 5: {told}" in str(refused(file))
    assert read(file, readable=False).position == 9


def test_a_request_of_events_that_are_not_there_is_noticed() -> None:
    wrong = chunk(1, 3)
    wrong.requests[0].last_position = 10
    with pytest.raises(Misfit, match="event 1: a request"):
        Writing(Tally(header(9))).chunk(wrong)


def test_a_later_export_goes_on_with_the_tree_of_the_one_before() -> None:
    first = read(b"".join(parts(header(6), CHUNKS[:2])))
    later = read(b"".join(parts(header(9, after=first), CHUNKS[2:])))
    assert later.tree.root() == read(b"".join(whole())).tree.root()


@pytest.mark.parametrize("size", [0, 1, 5, 6, 9])
def test_the_roots_that_are_known_are_held_against_it(size: int) -> None:
    tree = Frontier()
    for each in events(1, size):
        tree.append(Leaves(LOG).hash(each))
    file = b"".join(whole())
    read(file, roots={size: tree.root()})
    with pytest.raises(ExportRefused, match="the checkpoint was made of"):
        read(file, roots={size: bytes(32)})


def test_a_chunk_ends_where_a_decision_does() -> None:
    many = events(1, EVENTS + 500)
    for each in many[EVENTS - 5 : EVENTS + 7]:
        each.recorded_us, each.metadata = 7, b""
    chunks = list(cut(many))
    assert [len(each.events) for each in chunks] == [EVENTS + 7, 493]
    assert [each for made in chunks for each in made.events] == many


def test_a_decision_that_is_too_large_is_cut_all_the_same() -> None:
    one = [ExportedEvent(position=n) for n in range(EVENTS_AT_MOST + 1)]
    assert [len(each.events) for each in cut(one)] == [EVENTS_AT_MOST, 1]
    large = [ExportedEvent(payload=bytes(BYTES_AT_MOST - 9)) for _ in range(3)]
    assert [len(each.events) for each in cut(large)] == [1, 1, 1]
