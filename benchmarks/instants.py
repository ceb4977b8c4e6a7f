"""Reads of instants past, watching and replaying: what they cost as the ledger grows."""

import random
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc
from rich.progress import Progress

from benchmarks.history import Quarter, Shape, write_history
from benchmarks.quarter import commit_quarter, settle
from benchmarks.requests import PLACEHOLDER
from benchmarks.servers import Server, start_ledger
from benchmarks.workload import check_ins
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from okr.v1.ledger_service_pb2_grpc import LedgerServiceStub
from okr.v1.replay_service_pb2 import REPLAY_STEP_EVENT, ReplayCycleRequest, WatchEventsRequest
from okr.v1.replay_service_pb2_grpc import ReplayServiceStub
from okr.v1.score_service_pb2 import GetScorecardRequest
from okr.v1.score_service_pb2_grpc import ScoreServiceStub

SMALL = Shape(quarters=1, events_each=10_000)
LARGE = Shape(quarters=100, events_each=10_000)
QUICK_LARGE = Shape(quarters=5, events_each=10_000)
READS = 300
QUICK_READS = 40
WATCHED = 1_000
QUICK_WATCHED = 100
REPLAYED = Shape(quarters=1, events_each=500, objectives=3, key_results=3)
REPLAYED_LONG = Shape(quarters=1, events_each=2_000, objectives=3, key_results=3)
REPLAYS = 5
CALL_SECONDS = 60.0
SEED = 1


def measure_instants(place: Path, progress: Progress, *, quick: bool) -> dict[str, float]:
    """Scorecards of equal size read at random instants of a small and of a large ledger."""
    reads = QUICK_READS if quick else READS
    with (
        _history(place / "small", SMALL, progress) as (small, small_quarters),
        _history(place / "large", QUICK_LARGE if quick else LARGE, progress) as (large, quarters),
        grpc.insecure_channel(small.address) as small_channel,
        grpc.insecure_channel(large.address) as large_channel,
    ):
        small_past, large_past, large_now = [], [], []
        chance = random.Random(SEED)
        few, many = ScoreServiceStub(small_channel), ScoreServiceStub(large_channel)
        # In turn, so that a slow spell of the machine meets all; the first ones warm up.
        for _ in progress.track(range(reads), description="scorecards"):
            small_past.append(_seconds(few, _past(chance, small_quarters)))
            request = _past(chance, quarters)
            large_past.append(_seconds(many, request))
            large_now.append(_seconds(many, GetScorecardRequest(cycle=request.cycle)))
    past, now = statistics.median(large_past), statistics.median(large_now)
    return {
        "as_of_events": float(quarters[-1].last_position),
        "as_of_p50_ms": past * 1e3,
        "as_of_now_p50_ms": now * 1e3,
        "as_of_flat": past / statistics.median(small_past),
        "as_of_vs_now": past / now,
    }


def measure_watch(place: Path, *, quick: bool) -> dict[str, float]:
    """How long a check-in takes to its sender, and to somebody who watches."""
    today = datetime.now(UTC).date()
    requests = list(check_ins(today))[: QUICK_WATCHED if quick else WATCHED]
    delivered: dict[int, float] = {}
    with start_ledger(place / "watch") as server, grpc.insecure_channel(server.address) as channel:
        commit_quarter(channel, today)
        settle(channel)
        watching = ReplayServiceStub(channel).WatchEvents(WatchEventsRequest(from_now=True))
        seen = threading.Semaphore(0)

        def watch() -> None:
            for answer in watching:
                instant = time.perf_counter()
                for event in answer.events:
                    delivered[event.header.position] = instant
                    seen.release()

        thread = threading.Thread(target=_until_cancelled, args=(watch,), daemon=True)
        thread.start()
        ledger = LedgerServiceStub(channel)
        answered, sent = {}, {}
        for raw in requests:
            own = raw.replace(PLACEHOLDER, str(uuid.uuid4()).encode())
            request = RecordCheckInRequest.FromString(own)
            began = time.perf_counter()
            position = ledger.RecordCheckIn(request, timeout=CALL_SECONDS).position
            sent[position], answered[position] = began, time.perf_counter()
            if not seen.acquire(timeout=CALL_SECONDS):
                raise TimeoutError(f"the event at {position} was not delivered")
        watching.cancel()
        thread.join(CALL_SECONDS)
    round_trip = statistics.median(answered[p] - sent[p] for p in sent)
    delivery = statistics.median(delivered[p] - sent[p] for p in sent)
    return {
        "watch_p50_ms": delivery * 1e3,
        "watch_append_p50_ms": round_trip * 1e3,
        "watch_vs_append": delivery / round_trip,
    }


def measure_replay(place: Path, progress: Progress) -> dict[str, float]:
    """A cycle played event by event, and one with four times the events."""
    with (
        _history(place / "short", REPLAYED, progress) as (short, short_quarters),
        _history(place / "long", REPLAYED_LONG, progress) as (long, long_quarters),
    ):
        times: dict[str, list[float]] = {"short": [], "long": []}
        for _ in progress.track(range(REPLAYS), description="replays"):
            times["short"].append(_replayed(short, short_quarters[0]))
            times["long"].append(_replayed(long, long_quarters[0]))
    shorter, longer = (min(each) for each in times.values())
    return {
        "replay_frame_ms": longer * 1e3 / REPLAYED_LONG.events_each,
        "replay_frames_linear": longer / shorter,
    }


@contextmanager
def _history(
    folder: Path, shape: Shape, progress: Progress
) -> Iterator[tuple[Server, list[Quarter]]]:
    """A server on a ledger with a history."""
    total = shape.quarters * shape.events_each
    task = progress.add_task(f"history of {total:,} events", total=total)
    _, quarters = write_history(folder, shape, lambda n: progress.update(task, completed=n))
    with start_ledger(folder) as server:
        with grpc.insecure_channel(server.address) as channel:
            settle(channel)
        yield server, quarters


def _past(chance: random.Random, quarters: list[Quarter]) -> GetScorecardRequest:
    """The scorecard of a random quarter at a random instant of its second half."""
    quarter = chance.choice(quarters)
    middle = (quarter.first_position + quarter.last_position) // 2
    request = GetScorecardRequest(cycle=quarter.cycle)
    request.as_of.position = chance.randint(middle, quarter.last_position)
    return request


def _seconds(scores: ScoreServiceStub, request: GetScorecardRequest) -> float:
    began = time.perf_counter()
    scores.GetScorecard(request, timeout=CALL_SECONDS)
    return time.perf_counter() - began


def _replayed(server: Server, quarter: Quarter) -> float:
    request = ReplayCycleRequest(cycle=quarter.cycle, step=REPLAY_STEP_EVENT)
    with grpc.insecure_channel(server.address) as channel:
        began = time.perf_counter()
        frames = sum(1 for _ in ReplayServiceStub(channel).ReplayCycle(request))
        seconds = time.perf_counter() - began
    events = quarter.last_position - quarter.first_position
    if frames < events:
        raise AssertionError(f"{frames} frames of {events} events")
    return seconds


def _until_cancelled(work: Callable[[], None]) -> None:
    try:
        work()
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.CANCELLED:
            raise
