"""Read models that are thrown away and made anew give the same answers, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import grpc
import pytest
from google.protobuf.message import Message

from okr import OkrClient
from okr.quarter.reader import read
from okr.quarter.sending import send
from okr.v1 import audit_service_pb2 as audit
from okr.v1.values_pb2 import AsOf
from tests.support.ask import (
    amend,
    approve,
    close,
    erase,
    lesson,
    objective,
    propose,
    register,
    reject,
    review,
)
from tests.support.questions import questions, spread
from tests.support.server_process import ROOT, okr_ledger, server_process
from tests.support.whole import Caller, methods

QUARTERS: Final = ("marketing-sales-2026q3.json", "ipfs-cluster-2019q2.csv")
QUARTER: Final = "cycles/2026-q3"
INSTANTS: Final = 3
"""Positions, and days of each cycle, that every read is asked about."""

OF_THE_PROOFS = {
    f"okr.v1.Get{name}Request" for name in ("Checkpoint", "InclusionProof", "ConsistencyProof")
}
"""What is read of the tree of proofs, which is no read model."""


def imported(address: str) -> None:
    """Both quarters, as `okr import` sends them."""
    with OkrClient(address) as okr:
        for name in QUARTERS:
            summary = send(read(ROOT / "examples" / name), okr, lambda _: None)
            assert not summary.changed


def proposed(address: str) -> None:
    """Proposals of one person that another approves, rejects, and leaves as they are."""
    with OkrClient(address, actor="people/anna") as anna, OkrClient(address) as another:
        for name in ("approved", "rejected", "waiting"):
            more = objective(name, cycle=QUARTER)
            anna.ledger.ProposeAdjustment(propose(more, name=name, cycle=QUARTER))
        another.ledger.ApproveAdjustment(approve("approved"))
        another.ledger.RejectAdjustment(reject("rejected"))


def ended(me: Caller) -> None:
    """The newer quarter is looked back on and closed; one who was there is erased, one is not."""
    me.all_of(
        *(register("anna"), register("bea"), erase("people/bea", successor="people/anna")),
        review("retro", cycle=QUARTER, participants=["Évi"]),
        lesson(parent=QUARTER, review="reviews/retro"),
        close(QUARTER),
        amend(parent=QUARTER),
    )


def answers(address: str, asked: list[Message]) -> list[bytes | str]:
    """What the service says to each: the answer's bytes, or the refusal."""
    with grpc.insecure_channel(address) as channel:
        me = Caller(channel)
        me.ask(audit.ListEventsRequest(as_of=AsOf(position=me.head())))
        told: list[bytes | str] = []
        for request in asked:
            try:
                told.append(me.send(request))
            except grpc.RpcError as error:
                told.append(str(error.details()))
        return told


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(300)
def test_rebuilt_read_models_answer_byte_for_byte(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        imported(server.address)
        proposed(server.address)
        with grpc.insecure_channel(server.address) as channel:
            me = Caller(channel)
            ended(me)
            asked = questions(me, spread(1, me.head(), INSTANTS), INSTANTS)
        before = answers(server.address, asked)
        assert server.stop() == 0
    kinds = {type(request).DESCRIPTOR.full_name for request in asked}
    reads = ("okr.v1.ScoreService", "okr.v1.AuditService", "okr.v1.ReplayService")
    assert kinds | OF_THE_PROOFS == {
        request
        for service in reads
        for request, method in methods(service).items()
        if not method.server_streaming
    }
    assert sum(isinstance(told, bytes) for told in before) > 500

    for file in tmp_path.glob("okr-ledger.views*"):
        file.unlink()
    with server_process(tmp_path) as server:
        assert answers(server.address, asked) == before
        assert server.stop() == 0

    told = okr_ledger(tmp_path, "projections", "rebuild")
    assert told.returncode == 0, told.stderr
    with server_process(tmp_path) as server:
        assert answers(server.address, asked) == before
        told = okr_ledger(tmp_path, "projections", "rebuild")
        assert told.returncode == 0, told.stderr
        assert answers(server.address, asked) == before
