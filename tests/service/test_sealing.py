"""Sealing goes on whatever happens between the fence and the seal, and seals once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

import grpc
import pytest
from grpc import StatusCode

from ledger.event import Record, metadata_of
from ledger.log.clock import now_us
from ledger.log.contract import Append, EncodedEvent
from ledger.log.database import Database
from ledger.log.sqlite.recorder import open_log
from ledger.tokens import Tokens
from ledger.values import recorded_day
from okr.v1 import events_pb2 as facts
from okr.v1 import score_service_pb2 as scores
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import AsOf, CycleState
from projections.following.follower import Follower
from projections.reading import Reader
from projections.store.views import Views
from service.lane.desk import Desk
from service.lane.link import Answer
from service.lane.places import InThread
from service.sealing import Sealing
from tests.support.ask import Q3, check_in, close, commit, cycle, day, objective, reopen, team
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

SEALED: Final = CycleState.CYCLE_STATE_SEALED
PATIENCE_SECONDS: Final = 15.0


def quarter(me: Caller) -> None:
    """A quarter whose score is 0.25: one key result of two is half way."""
    me.all_of(
        *(cycle(first="2024-07-01", last="2024-09-30"), team(), objective(), commit()),
        check_in(on="2024-07-08"),
    )


def fence(folder: Path) -> int:
    """The request of a server that died right after the fence; gives the closing's position."""
    metadata = EventMetadata(effective_date=day("2024-09-30"))
    metadata.actor.plain, metadata.reason.plain = "people/anna", "Vége"
    event = EncodedEvent(
        Q3,
        facts.CycleClosing.DESCRIPTOR.full_name,
        metadata.SerializeToString(),
        facts.CycleClosing(cycle=Q3).SerializeToString(),
    )
    with closing(open_log(folder / "okr-ledger.db")) as log:
        version = log.read_stream(Q3)[-1].stream_version
        log.append_batch([Append([event], {Q3: version})], now_us())
        return log.head().position


def seals(me: Caller, at_least: int = 0) -> list[Any]:
    """The quarter's seals, once there are so many."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        request = scores.ListSealsRequest(cycle=Q3, as_of=AsOf(position=me.head()))
        found = list(me.ask(request).seals)
        if len(found) >= at_least:
            return found
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_next_server_seals_what_one_that_died_has_fenced(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        quarter(me)
    closed_at = fence(tmp_path)
    with whole_service(loop, tmp_path) as me:
        (seal,) = seals(me, 1)
        assert (seal.closing_position, seal.position) == (closed_at, closed_at + 1)
        assert (seal.actor, seal.reason, seal.score) == ("people/anna", "Vége", "0.25")
        assert recorded_day(seal.effective_date).isoformat() == "2024-09-30"
        assert me.ask(scores.GetCycleRequest(name=Q3)).cycle.state == SEALED
    for _ in range(2):
        with whole_service(loop, tmp_path) as me:
            assert seals(me) == [seal]
            assert me.head() == seal.position


def test_a_closing_before_the_last_one_was_sealed_is_left_alone(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        quarter(me)
        me.all_of(close(), reopen(), check_in(value="1200", on="2024-07-15"))
    fence(tmp_path)
    with whole_service(loop, tmp_path) as me:
        assert [seal.score for seal in seals(me, 2)] == ["0.25", "0.5"]
        assert me.head() == seals(me)[-1].position


def test_whoever_stops_waiting_delays_nothing(loop: LoopThread, tmp_path: Path) -> None:
    with whole_service(loop, tmp_path) as me:
        quarter(me)
    request = close(request_id=str(uuid5(NAMESPACE_OID, "close")))
    # Nobody keeps the read models up, so the seal cannot come yet.
    with whole_service(loop, tmp_path, follower="separate") as me:
        with pytest.raises(grpc.RpcError) as gone:
            me.ask(request, timeout=0.5)
        assert gone.value.code() == StatusCode.DEADLINE_EXCEEDED
        late = me.refused(check_in(on="2024-07-15"))
        assert (late.reason, late.info.metadata["state"]) == ("CYCLE_STATE", "CLOSING")
        fenced_at = me.head()
        log = open_log(log_of(tmp_path), read_only=True)
        with closing(log), closing(open_views(tmp_path, log)) as views:
            Follower(log, views).catch_up()
            until = time.monotonic() + PATIENCE_SECONDS
            while me.head() == fenced_at:
                assert time.monotonic() < until
                time.sleep(0.01)
            Follower(log, views).catch_up()
        answer = me.ask(request)
        assert (answer.cycle.state, answer.seal.closing_position) == (SEALED, fenced_at)
        assert answer.position == answer.seal.position == fenced_at + 1
        assert me.head() == fenced_at + 1
        assert me.ask(request) == answer


def test_a_stopped_read_model_is_told_and_the_cycle_stays_fenced(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        quarter(me)
    with closing(open_log(log_of(tmp_path))) as log:
        unheard = EncodedEvent("teams/odd", "okr.v1.TeamVanished", b"", b"")
        log.append_batch([Append([unheard], {"teams/odd": 0})], now_us())
    with whole_service(loop, tmp_path) as me:
        began = time.monotonic()
        error = me.refused(close())
        assert (error.code, error.reason) == (StatusCode.UNAVAILABLE, "PROJECTION_STOPPED")
        assert time.monotonic() - began < 5
        assert me.refused(check_in(on="2024-07-15")).info.metadata["state"] == "CLOSING"


def log_of(folder: Path) -> Path:
    return folder / "okr-ledger.db"


def open_views(folder: Path, log: Any) -> Views:
    views = Views(Database(f"sqlite:///{log_of(folder)}"), log.identity())
    views.open(log)
    return views


@dataclass
class Workshop:
    """A fenced quarter, and what seals it, without a server around it."""

    log: Any
    views: Views
    desk: Desk
    closing: Record

    def sealing(self, ask: Any = None) -> Sealing:
        """A sealer that asks the lane, or else what is given."""
        tokens = Tokens(self.log.identity().log_id, 1)
        reader = Reader(self.log, self.views, tokens, now_us)
        return Sealing(self.log, tokens, ask or self.desk.ask, reader, retry_seconds=0.01)

    def kinds(self) -> list[str]:
        records = self.log.read_stream(Q3)
        return [record.event_type.removeprefix("okr.v1.") for record in records]


@contextmanager
def workshop(loop: LoopThread, folder: Path) -> Iterator[Workshop]:
    with whole_service(loop, folder) as me:
        quarter(me)
    fence(folder)

    async def opened() -> Desk:
        database = Database(f"sqlite:///{log_of(folder)}")
        desk = Desk(InThread(database), database)
        await desk.open()
        return desk

    desk = loop.run(opened())
    log = open_log(log_of(folder), read_only=True)
    try:
        with closing(log), closing(open_views(folder, log)) as views:
            Follower(log, views).catch_up()
            yield Workshop(log, views, desk, log.read_stream(Q3)[-1])
    finally:
        loop.run(desk.close())


def test_two_servers_that_seal_at_once_make_one_seal(loop: LoopThread, tmp_path: Path) -> None:
    with workshop(loop, tmp_path) as shop:

        async def both() -> list[Record]:
            one, other = shop.sealing(), shop.sealing()
            return await asyncio.gather(
                *(each.sealed(shop.closing) for each in (one, other, one, other))
            )

        first, *others = loop.run(both())
        assert others == [first] * 3
        assert shop.kinds() == ["CycleDrafted", "PlanCommitted", "CycleClosing", "CycleSealed"]


def test_what_fails_is_tried_again(loop: LoopThread, tmp_path: Path) -> None:
    with workshop(loop, tmp_path) as shop:
        tries, done = [0], asyncio.Event()

        async def failing(*asked: Any) -> Answer:
            tries[0] += 1
            if tries[0] < 3:
                raise OSError("the disk is full")
            answer = await shop.desk.ask(*asked)
            done.set()
            return answer

        sealing = shop.sealing(failing)

        async def seal() -> Record:
            with pytest.raises(OSError, match="full"):
                await sealing.sealed(shop.closing)
            await done.wait()
            return await sealing.sealed(shop.closing)

        record = loop.run(seal())
        assert tries == [3]
        assert record == shop.log.read_stream(Q3)[-1]


def test_a_sealer_that_has_stopped_starts_nothing_more(loop: LoopThread, tmp_path: Path) -> None:
    with workshop(loop, tmp_path) as shop:
        tries = [0]

        async def failing(*_: Any) -> Answer:
            tries[0] += 1
            raise OSError("the disk is full")

        sealing = shop.sealing(failing)

        async def stop() -> None:
            with pytest.raises(OSError, match="full"):
                await sealing.sealed(shop.closing)
            sealing.stop()
            await asyncio.sleep(0.05)

        loop.run(stop())
        assert tries == [1]
        assert shop.kinds()[-1] == "CycleClosing"


def test_the_seal_follows_from_the_closing_alone(loop: LoopThread, tmp_path: Path) -> None:
    """However late it comes, and whatever has been recorded elsewhere meanwhile."""
    with workshop(loop, tmp_path) as shop:

        async def seal() -> tuple[Record, Record]:
            foreseen = await shop.sealing().foreseen(shop.closing)
            return foreseen, await shop.sealing().sealed(shop.closing)

        foreseen, sealed = loop.run(seal())
        assert foreseen.payload == sealed.payload
        said = [metadata_of(record) for record in (foreseen, sealed, shop.closing)]
        assert len({(each.actor.plain, each.reason.plain) for each in said}) == 1
        assert len({str(each.effective_date) for each in said}) == 1
        fact = facts.CycleSealed.FromString(sealed.payload)
        lines = (
            "objectives/awareness/keyResults/followers\t0.5\t0.5\t0.5\n"
            "objectives/awareness/keyResults/traffic\t\t\t\n"
        )
        assert fact.key_result_digest == sha256(lines.encode()).digest()
        assert fact.key_result_count == 2
