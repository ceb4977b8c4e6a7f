"""A directory that follows a log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from google.protobuf.message import DecodeError

from ledger.event import Record
from ledger.log.contract import Head
from ledger.log.errors import LogUnavailable
from service.access import upkeep as module
from service.access.directory import Directory
from service.access.resources import subject_of
from service.access.upkeep import Upkeep
from tests.support.ask import AWARENESS, FOLLOWERS, WHY, revise, team
from tests.support.deciding import company


class FakeLog:
    """A log in memory, which may fail and counts how often it was read."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self.looks = 0
        self.is_away = False

    def head(self) -> Head:
        self.looks += 1
        if self.is_away:
            raise LogUnavailable("ledger", "read", "it is away")
        return Head(len(self.records), 0)

    def list_events(
        self, *, event_types: Sequence[str], after: int, up_to_position: int, limit: int
    ) -> list[Record]:
        found = [
            record
            for record in self.records
            if after < record.position <= up_to_position and record.event_type in event_types
        ]
        return found[:limit]


def followed(log: FakeLog) -> tuple[Upkeep, Directory]:
    directory = Directory()
    return Upkeep(log, directory), directory  # type: ignore[arg-type]  # what it asks of a log


def test_it_reads_page_by_page_up_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    log = FakeLog(company().records)

    async def run() -> Directory:
        upkeep, directory = followed(log)
        await upkeep.catch_up()
        return directory

    directory = asyncio.run(run())
    assert directory.position == len(log.records)
    assert directory.find(subject_of(FOLLOWERS)) is not None


def test_what_is_known_already_costs_no_look_and_many_share_one() -> None:
    log = FakeLog(company().records)

    async def run() -> None:
        upkeep, _ = followed(log)
        await upkeep.catch_up()
        looks = log.looks
        await upkeep.reach(len(log.records))
        assert log.looks == looks
        await asyncio.gather(*(upkeep.catch_up() for _ in range(50)))
        # One that was under way may have begun too early for the others.
        assert log.looks - looks <= 2

    asyncio.run(run())


def test_it_looks_when_it_is_told_and_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    told = company()
    log = FakeLog(told.records)

    async def run() -> None:
        upkeep, directory = followed(log)
        await upkeep.catch_up()
        following = asyncio.create_task(upkeep.run())
        for name in ("asia", "africa"):
            log.records = list(told.given(team(name)).records)
            if name == "asia":
                upkeep.wake()
            while directory.find(subject_of(f"teams/{name}")) is None:  # noqa: ASYNC110 - it is what is looked at
                await asyncio.sleep(0.005)
        following.cancel()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_log_that_is_away_leaves_what_is_known_and_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    told = company()
    log = FakeLog(told.records)

    async def run() -> None:
        upkeep, directory = followed(log)
        await upkeep.catch_up()
        log.records = list(told.given(revise(title="fans", because=WHY)).records)
        log.is_away = True
        with pytest.raises(LogUnavailable):
            await upkeep.reach(len(log.records))
        following = asyncio.create_task(upkeep.run())
        await asyncio.sleep(0.05)
        assert directory.find(subject_of(AWARENESS)) is not None
        log.is_away = False
        while directory.position < len(log.records):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        following.cancel()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_an_event_that_cannot_be_read_leaves_nothing_to_decide_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who asks about anything then fails, and is not answered by what was true once."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    log = FakeLog(company().records)

    async def run() -> None:
        upkeep, directory = followed(log)
        await upkeep.catch_up()
        last = log.records[-1]
        damaged = last._replace(
            position=last.position + 1, event_type="okr.v1.TeamRevised", payload=b"\xff"
        )
        log.records.append(damaged)
        await upkeep.run()
        assert directory.find(subject_of(AWARENESS)) is None
        with pytest.raises(DecodeError):
            await upkeep.catch_up()

    asyncio.run(asyncio.wait_for(run(), 20))
