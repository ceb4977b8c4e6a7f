"""What a caller can prove of a ledger, from the stored bytes alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from sqlalchemy import select, update

from okr.proofs import checkpoint as checkpoints
from okr.proofs import note
from okr.proofs.leaf import Leaves, told
from okr.proofs.note import VerifierKey
from okr.proofs.tree import EMPTY_ROOT, includes, is_consistent
from okr.v1 import audit_service_pb2 as audit
from okr.v1.event_record_pb2 import Event
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.proofs_pb2 import Checkpoint
from projections.proofs.tables import tree, writer
from server import PROOFS
from service.proofs.keys import load_key_file, make_key_file
from tests.support.ask import team
from tests.support.databases import ON_SQLITE_ALONE, ledger
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

SIZES: Final = (1, 2, 3, 5, 8, 13)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key that signs."""
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    make_key_file(path)
    return path


@pytest.fixture(scope="module")
def signed(
    loop: LoopThread, tmp_path_factory: pytest.TempPathFactory, keyed: Path
) -> Iterator[tuple[Caller, dict[int, Checkpoint]]]:
    """A caller of a ledger of 13 events, and its checkpoints of some sizes."""
    found: dict[int, Checkpoint] = {}
    folder = tmp_path_factory.mktemp("signed")
    with whole_service(loop, folder, checkpoint_key_file=str(keyed)) as me:
        for size in range(1, SIZES[-1] + 1):
            me.ask(team(f"team-{size}"))
            if size in SIZES:
                found[size] = latest(me).checkpoint
        yield me, found


def latest(me: Caller) -> audit.GetCheckpointResponse:
    """The latest checkpoint, which covers what the caller has written."""
    answer = me.ask(audit.GetCheckpointRequest())
    assert isinstance(answer, audit.GetCheckpointResponse)
    return answer


def keys(me: Caller) -> list[VerifierKey]:
    return [VerifierKey.parse(key) for key in latest(me).verifier_keys]


def test_every_event_is_proven_by_its_stored_bytes(
    signed: tuple[Caller, dict[int, Checkpoint]],
) -> None:
    me, _ = signed
    for position in range(1, SIZES[-1] + 1):
        name = f"events/{position}"
        event: Event = me.ask(audit.GetEventRequest(name=name)).event
        answer = me.ask(audit.GetInclusionProofRequest(name=name))
        stated, _ = checkpoints.opened(answer.checkpoint.note, keys(me))
        assert stated.log_id == event.header.log_id
        leaf = Leaves(event.header.log_id).hash(told(event))
        assert answer.proof.leaf_hash == leaf
        assert includes(leaf, position - 1, stated.size, answer.proof.hashes, stated.root)
        assert answer.position == stated.size == answer.proof.size


def test_an_event_is_proven_to_be_in_every_ledger_that_had_it(
    signed: tuple[Caller, dict[int, Checkpoint]],
) -> None:
    me, found = signed
    for size, stated in found.items():
        request = audit.GetInclusionProofRequest(name="events/1", size=size)
        answer = me.ask(request)
        proof = answer.proof
        assert answer.checkpoint == stated
        assert includes(proof.leaf_hash, proof.leaf_index, size, proof.hashes, stated.root)


def test_each_ledger_is_the_beginning_of_every_later_one(
    signed: tuple[Caller, dict[int, Checkpoint]],
) -> None:
    me, found = signed
    for first in (0, *SIZES):
        for second in (size for size in SIZES if size >= first):
            request = audit.GetConsistencyProofRequest(first_size=first, second_size=second)
            answer = me.ask(request)
            roots = (found[first].root if first else EMPTY_ROOT, found[second].root)
            assert is_consistent(first, roots[0], second, roots[1], answer.proof.hashes)
            assert answer.checkpoint == found[second]
            assert answer.position == second


def test_a_checkpoint_stays_as_it_was_signed(
    signed: tuple[Caller, dict[int, Checkpoint]],
) -> None:
    me, found = signed
    for size, stated in found.items():
        assert me.ask(audit.GetCheckpointRequest(size=size)).checkpoint == stated
        opened, _ = checkpoints.opened(stated.note, keys(me))
        assert (opened.size, opened.root, opened.epoch) == (size, stated.root, stated.epoch)


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (audit.GetCheckpointRequest(size=4), "NOT_FOUND", "RESOURCE_NOT_FOUND"),
        (audit.GetCheckpointRequest(size=-1), "INVALID_ARGUMENT", "FIELD_INVALID"),
        (audit.GetCheckpointRequest(size=14), "OUT_OF_RANGE", "POSITION_AHEAD"),
        (audit.GetCheckpointRequest(size=2**63 - 1), "OUT_OF_RANGE", "POSITION_AHEAD"),
        (audit.GetCheckpointRequest(at_least_as_fresh="?"), "INVALID_ARGUMENT", "TOKEN_FOREIGN"),
        (audit.GetInclusionProofRequest(name="events/14"), "OUT_OF_RANGE", "POSITION_AHEAD"),
        (
            audit.GetInclusionProofRequest(name=f"events/{10**18 - 1}"),
            "OUT_OF_RANGE",
            "POSITION_AHEAD",
        ),
        (
            audit.GetInclusionProofRequest(name="events/3", size=2),
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
        ),
        (
            audit.GetInclusionProofRequest(name="events/3", size=0),
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
        ),
        (
            audit.GetInclusionProofRequest(name="events/3", size=2**63 - 1),
            "OUT_OF_RANGE",
            "POSITION_AHEAD",
        ),
        (audit.GetInclusionProofRequest(name="events/0"), "INVALID_ARGUMENT", "FIELD_INVALID"),
        (
            audit.GetConsistencyProofRequest(first_size=3, second_size=2),
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
        ),
        (audit.GetConsistencyProofRequest(first_size=-1), "INVALID_ARGUMENT", "FIELD_INVALID"),
        (audit.GetConsistencyProofRequest(first_size=14), "OUT_OF_RANGE", "POSITION_AHEAD"),
        (
            audit.GetConsistencyProofRequest(first_size=2, second_size=14),
            "OUT_OF_RANGE",
            "POSITION_AHEAD",
        ),
    ],
)
def test_sizes_that_make_no_sense_are_refused(
    signed: tuple[Caller, dict[int, Checkpoint]], request_: Message, code: str, reason: str
) -> None:
    me, _ = signed
    error = me.refused(request_)
    assert (error.code.name, error.reason) == (code, reason)


def test_an_empty_ledger_has_a_checkpoint(me: Caller) -> None:
    answer = latest(me)
    assert (answer.checkpoint.size, answer.checkpoint.root) == (0, EMPTY_ROOT)
    assert answer.position == 0


def test_without_a_key_a_ledger_has_checkpoints_that_nobody_signed(
    loop: LoopThread, tmp_path: Path, each_database: str
) -> None:
    with whole_service(loop, tmp_path) as me:
        me.ask(team())
        answer = latest(me)
    _, found = answer.checkpoint.note.split("\n\n")
    assert bool(found) == bool(answer.verifier_keys) == (each_database == "sqlite")


@ON_SQLITE_ALONE
def test_a_ledger_on_sqlite_has_a_key_that_its_owner_alone_may_read(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        first = keys(me)
    file = tmp_path / "okr-ledger.checkpoint-key.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_key_file(file).public_key().public_bytes_raw() == first[0].public
    with whole_service(loop, tmp_path) as me:
        me.ask(team())
        assert keys(me) == first


def test_a_new_key_takes_over_from_an_old_one_beside_which_it_signed(
    loop: LoopThread, tmp_path: Path, keyed: Path
) -> None:
    new = tmp_path / "new.pem"
    make_key_file(new)
    notes: list[str] = []
    told_keys: list[str] = []
    for files in ([keyed], [new, keyed], [new]):
        with whole_service(
            loop, tmp_path, checkpoint_key_file=os.pathsep.join(map(str, files))
        ) as me:
            me.ask(team(f"team-{len(notes)}"))
            answer = latest(me)
            notes.append(answer.checkpoint.note)
            told_keys = list(answer.verifier_keys)
    public = [load_key_file(file).public_key().public_bytes_raw() for file in (keyed, new)]
    old, newer = (
        next(key for key in map(VerifierKey.parse, told_keys) if key.public == each)
        for each in public
    )
    signers = [[key for key in (old, newer) if key.has_signed(note.parsed(each))] for each in notes]
    assert signers == [[old], [old, newer], [newer]]


def test_every_checkpoint_is_appended_to_a_file(
    loop: LoopThread, tmp_path: Path, keyed: Path
) -> None:
    file = tmp_path / "checkpoints"
    written = []
    for number in range(2):
        with whole_service(
            loop, tmp_path, checkpoint_key_file=str(keyed), checkpoint_file=str(file)
        ) as me:
            for each in range(2):
                me.ask(team(f"team-{number}-{each}"))
                written.append(latest(me).checkpoint.note)
        if number == 0:
            # A write that was cut off.
            with file.open("a") as half:
                half.write("okr-ledger/half\n17")
    found = checkpoints.notes_in(file.read_text())
    # After the half one the latest is there once more.
    assert list(dict.fromkeys(each for each in found if each in written)) == written
    assert len([each for each in found if each.startswith("okr-ledger/half")]) == 1


def test_a_ledger_that_does_not_fit_is_told_of_and_signed_no_more(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        me.all_of(team("a"), team("b"))
        before = latest(me)
        assert health(me) == HealthCheckResponse.SERVING
    database = ledger(tmp_path)
    engine = writer(database)
    with engine.begin() as connection:
        tail = connection.execute(select(tree.c.tail)).scalar_one()
        connection.execute(update(tree).values(tail=tail[32:64] + tail[:32]))
    engine.dispose()
    with whole_service(loop, tmp_path) as me:
        me.ask(team("c"))
        error = me.refused(audit.GetInclusionProofRequest(name="events/3"))
        assert (error.code.name, error.reason) == ("UNAVAILABLE", "PROJECTION_STOPPED")
        assert error.info.metadata["projection"] == "proofs"
        stopped = {
            each.projection: each.stopped_position
            for each in me.ask(GetStatusRequest()).projections
        }
        assert stopped["proofs"] == 2
        assert health(me) == HealthCheckResponse.NOT_SERVING
        assert me.ask(team("d")).position == 4
        asked = audit.GetCheckpointRequest(at_least_as_fresh=before.token)
        assert me.ask(asked).checkpoint == before.checkpoint


def health(me: Caller) -> int:
    # The stub's types leave its methods out.
    stub: Any = HealthStub(me.channel)
    status: int = stub.Check(HealthCheckRequest(service=PROOFS), timeout=10).status
    return status
