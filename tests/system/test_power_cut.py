"""No answer leaves before the flush that covers it: the power may go at any instant."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from ledger.event import metadata_of
from ledger.log.contract import Accepted, RequestKey, request_key
from ledger.log.database import Database
from ledger.log.errors import LogError
from ledger.log.opening import open_log
from ledger.texts.finding import keys_at_hand
from service.lane.link import Frames, Turn
from tests.contract.builders import append
from tests.support.disk import Disk
from tests.support.interrupted import CALLERS, Ledger, told
from tests.support.serving import shared_loop
from tests.support.tracing import Sent, Step, permitted, steps
from tests.support.whole import whole_service

SEED: Final = 20_261_124
CHECK_INS: Final = 400
RANDOM_CUTS: Final = 160
FILE: Final = "okr-ledger.db"

# The lane's own program, which checkpoints every few batches here, so that cuts fall into one.
LANE: Final = """
import runpy, sys
from ledger.log.sqlite import datastore
datastore.CHECKPOINT_PAGES = 400
del sys.argv[:2]
runpy.run_module("service.lane", run_name="__main__", alter_sys=True)
"""


@dataclass
class Traced:
    """What a lane did to its files, and what it had answered before each step."""

    steps: list[Step]
    answered: list[dict[str, int]]
    """Positions by request id; an answer counts from the step that sends it."""
    ends: set[int]
    """The positions at which a batch ended."""


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """A plan and some hundred check-ins, sent over a real channel to a lane that is traced."""
    if not permitted():
        pytest.skip("the system lets no process be traced")
    folder = tmp_path_factory.mktemp("traced")
    trace = tmp_path_factory.mktemp("trace") / "trace"
    ledger = Ledger(SEED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(under_trace(trace, folder)))
        with whole_service(shared_loop(), folder, lane="process") as me:
            ledger.plan(me.address)
            ended = threading.Event()
            callers = [
                threading.Thread(target=ledger.stream.send_until, args=(ended, me.address))
                for _ in range(CALLERS)
            ]
            for each in callers:
                each.start()
            while len(ledger.stream.acknowledged) < CHECK_INS:
                ended.wait(0.05)
            ended.set()
            for each in callers:
                each.join()
    found = read(trace)
    # What callers learnt is what the lane had sent.
    assert ledger.stream.acknowledged.items() <= found.answered[-1].items()
    return found


def under_trace(trace: Path, folder: Path) -> Path:
    """A program in place of Python's that runs a lane and keeps a trace of it."""
    script = trace.with_name("python")
    tracing = f"'{sys.executable}' -m tests.support.tracing '{trace}' '{folder}'"
    script.write_text(f"#!/bin/sh\nexec {tracing} '{sys.executable}' -c '{LANE}' \"$@\"\n")
    script.chmod(0o755)
    return script


def read(trace: Path) -> Traced:
    found = Traced(list(steps(trace)), [], {0})
    frames = Frames()
    answered: dict[str, int] = {}
    for step in found.steps:
        for message in frames.feed(step.data) if isinstance(step, Sent) else ():
            if isinstance(message, Turn):
                assert not any(answer.refusal for answer in message.answers)
                answered |= {a.request_id: a.position for a in message.answers if a.request_id}
                found.ends.add(message.last_position)
        found.answered.append(dict(answered))
    return found


def cuts(traced: Traced, chance: random.Random) -> Iterator[tuple[int, float]]:
    """The steps before which the power goes, and how likely a part is kept that nobody flushed.

    At each answer all of that is lost; at each step of a checkpoint, and at others by chance, more
    or less of it.
    """
    numbers = range(len(traced.steps))
    chosen = set(chance.sample(numbers, RANDOM_CUTS))
    for number in numbers:
        step = traced.steps[number]
        if isinstance(step, Sent):
            yield number, 0.0
        elif number in chosen or step.path.endswith(FILE):
            yield number, chance.choice([0.0, 0.1, 0.5, 0.9, 1.0])


def after_each_cut(traced: Traced, folder: Path, *, flushes: bool = True) -> int:
    """Opens what each cut leaves, as a server does that starts again; how many there were."""
    chance = random.Random(SEED)
    disk = Disk()
    taken = number = 0
    for number, (cut, kept) in enumerate(cuts(traced, chance), start=1):
        for step in traced.steps[taken:cut]:
            disk.take(step, flushes=flushes)
        taken = cut
        there = folder / str(number)
        there.mkdir()
        for path, content in disk.after_cut(chance, kept).items():
            (there / Path(path).name).write_bytes(content)
        assert_whole(there, traced.answered[cut], traced.ends)
        for file in there.iterdir():
            file.unlink()
    return number


def assert_whole(folder: Path, answered: dict[str, int], ends: set[int]) -> None:
    """All that was answered is there, in whole batches, and the next append follows it.

    So are the keys of its texts: none would be made for a log that has sealed ones.
    """
    database = Database(f"sqlite:///{folder / FILE}")
    with (
        closing(open_log(database)) as log,
        keys_at_hand(database, log, make=True) as keyring,
    ):
        assert keyring is not None
        records = log.read(0, 100_000, max_bytes=1 << 30)
        assert [record.position for record in records] == list(range(1, len(records) + 1))
        assert len(records) in ends
        positions: dict[str, int] = {}
        keys: dict[str, RequestKey] = {}
        for record in records:
            metadata = metadata_of(record)
            assert "erased" not in str(metadata)
            request_id = metadata.request_id
            if request_id:
                assert request_id not in positions
                positions[request_id] = record.position
                principal = keyring.pseudonym(metadata.actor.plain).hex()
                keys[request_id] = request_key(principal, request_id, b"")
        assert answered.items() <= positions.items()
        found = log.find_requests(list(keys.values()))
        assert [each and each.last_position for each in found] == list(positions.values())
        (accepted,) = log.append_batch([append("teams/after")], 0)
        assert isinstance(accepted, Accepted)
        assert accepted.first_position == len(records) + 1


@pytest.mark.slow
@pytest.mark.system
def test_a_power_cut_at_any_instant_loses_nothing_answered(traced: Traced, tmp_path: Path) -> None:
    number = after_each_cut(traced, tmp_path)
    told(f"{number} cuts, {len(traced.steps)} steps, {len(traced.answered[-1])} answers")
    assert number >= 200


@pytest.mark.slow
@pytest.mark.system
def test_a_disk_that_only_says_that_it_flushes_is_found_out(traced: Traced, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, LogError)):
        after_each_cut(traced, tmp_path, flushes=False)
