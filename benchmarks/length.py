"""What the length of a ledger costs: a server's start, and appending."""

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
from rich.progress import Progress

from benchmarks.driver import Driver
from benchmarks.history import Shape, write_history
from benchmarks.load_process import Load
from benchmarks.quarter import commit_quarter, settle
from benchmarks.servers import START_SECONDS, Server, start_ledger
from okr.v1.score_service_pb2 import GetScorecardRequest
from okr.v1.score_service_pb2_grpc import ScoreServiceStub

SHORT = Shape(quarters=1, events_each=1_000)
LONG = Shape(quarters=100, events_each=10_000, requests=True)
QUICK_LONG = Shape(quarters=3, events_each=10_000, requests=True)
STARTS = 5
QUICK_STARTS = 1
ROUNDS = 4
QUICK_ROUNDS = 1
ROUND = Load(seconds=5.0)
QUICK_ROUND = Load(seconds=1.0)
RETRY_SECONDS = 0.005


def measure_length(
    driver: Driver, place: Path, progress: Progress, *, quick: bool
) -> dict[str, float]:
    """A ledger of 1 000 000 events beside one of 1 000, and then beside an empty one.

    What is compared is measured in turn, so that a slow spell of the machine meets both.
    """
    place.mkdir()
    shape = QUICK_LONG if quick else LONG
    events = shape.quarters * shape.events_each
    task = progress.add_task(f"history of {events:,} events", total=events)
    _, quarters = write_history(
        place / "long", shape, lambda count: progress.update(task, completed=count)
    )
    write_history(place / "short", SHORT, lambda _: None)
    starts = QUICK_STARTS if quick else STARTS
    figures = {"length_events": float(quarters[-1].last_position)}
    figures |= _starts(place, [quarter.cycle for quarter in quarters], starts)
    return figures | _appends(driver, place, quick=quick)


def _starts(place: Path, cycles: Sequence[str], count: int) -> dict[str, float]:
    """From the start of the process to the first answered read of all that the ledger holds."""
    seconds: dict[str, list[float]] = {"short": [], "long": []}
    for _ in range(count):
        for name, cycle in (("short", cycles[0]), ("long", cycles[-1])):
            began = time.monotonic()
            with start_ledger(place / name) as server:
                _first_read(server, cycle)
                seconds[name].append(time.monotonic() - began)
    short, long = (statistics.median(each) for each in seconds.values())
    return {"startup_seconds": long, "startup_ratio": long / short}


def _first_read(server: Server, cycle: str) -> None:
    """Returns when a scorecard of the cycle is answered.

    Raises:
        grpc.RpcError: it is not in time.
    """
    deadline = time.monotonic() + START_SECONDS
    with grpc.insecure_channel(server.address) as channel:
        scores = ScoreServiceStub(channel)
        while True:
            try:
                scores.GetScorecard(
                    GetScorecardRequest(cycle=cycle), timeout=START_SECONDS, wait_for_ready=True
                )
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                return


def _appends(driver: Driver, place: Path, *, quick: bool) -> dict[str, float]:
    """Check-ins on the long ledger and on an empty one, with ids in order of time and random."""
    load = QUICK_ROUND if quick else ROUND
    rates: dict[tuple[str, bool], list[float]] = {}
    with ExitStack() as stack:
        servers = []
        for name in ("long", "empty"):
            server = stack.enter_context(start_ledger(place / name, name=name))
            channel = stack.enter_context(grpc.insecure_channel(server.address))
            commit_quarter(channel, datetime.now(UTC).date())
            servers.append((name, server, channel))
        rounds = QUICK_ROUNDS if quick else ROUNDS
        for number in range(1, rounds + 1):
            for ordered in (True, False):
                kind = "ordered" if ordered else "random"
                for name, server, channel in servers:
                    report = driver.drive(
                        server, f"{kind} ids, round {number}", replace(load, ordered=ordered)
                    )
                    rates.setdefault((name, ordered), []).append(report.rate)
                    settle(channel)
                servers.reverse()
    return {
        key: statistics.median(rates["long", ordered]) / statistics.median(rates["empty", ordered])
        for key, ordered in (("append_flat", True), ("append_flat_random_ids", False))
    }
