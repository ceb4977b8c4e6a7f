"""Rebuilding all read models: beside a plain scan of the same events, and a stock follower."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from rich.progress import Progress

from benchmarks.history import Shape, write_ledger
from benchmarks.rebuild_process import Report, Work
from benchmarks.servers import PROJECT
from ledger.log.database import Database
from tools.postgres import Postgres

LARGE = Shape(quarters=100, events_each=10_000)
LARGE_ON_POSTGRES = Shape(quarters=30, events_each=10_000)
QUICK = Shape(quarters=3, events_each=10_000)
ROUNDS = 3
QUICK_ROUNDS = 1
SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "2GB"}


class MeasurementFailed(RuntimeError):
    """A process that measures ended without a report; the message is what it said."""


def measure_rebuild(place: Path, progress: Progress, *, quick: bool) -> dict[str, float]:
    """On SQLite, and on a PostgreSQL of its own, whose figures have `pg` in their names."""
    place.mkdir()
    rounds = QUICK_ROUNDS if quick else ROUNDS
    file = Database(f"sqlite:///{place.resolve() / 'okr-ledger.db'}")
    figures = _measured(file, "rebuild", QUICK if quick else LARGE, rounds, progress)
    with Postgres.start(**SETTINGS) as server:
        database = Database(server.url())
        shape = QUICK if quick else LARGE_ON_POSTGRES
        figures |= _measured(database, "rebuild_pg", shape, rounds, progress)
    return figures


def _measured(
    database: Database, name: str, shape: Shape, rounds: int, progress: Progress
) -> dict[str, float]:
    """Rounds of scan and rebuild in turn, so that a slow spell of the machine meets both."""
    events = shape.quarters * shape.events_each
    task = progress.add_task(f"history of {events:,} events", total=events)
    write_ledger(database, shape, lambda n: progress.update(task, completed=n))
    scans, rebuilds, stocks = [], [], []
    for number in progress.track(range(rounds), description=name):
        scans.append(_reported(Work.SCAN, database))
        rebuilds.append(_reported(Work.REBUILD, database))
        stocks.append(_reported(Work.STOCK, database, f"{name}{number}"))
    ratios = [r.seconds / s.seconds for r, s in zip(rebuilds, scans, strict=True)]
    over_stock = [r.rate / s.rate for r, s in zip(rebuilds, stocks, strict=True)]
    return {
        f"{name}_events": float(events),
        f"{name}_rate": statistics.median(each.rate for each in rebuilds),
        f"{name}_vs_scan": statistics.median(ratios),
        f"{name}_vs_stock": statistics.median(over_stock),
        f"{name}_rss_mib": max(each.peak_mib for each in rebuilds),
    }


def _reported(work: Work, database: Database, place: str = "") -> Report:
    """One measurement, by a process of its own.

    Raises:
        MeasurementFailed: it ended without a report.
    """
    command = [sys.executable, "-m", "benchmarks.rebuild_process", work, database.url]
    done = subprocess.run(
        [*command, "--place", place] if place else command,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MeasurementFailed(done.stderr)
    return Report(**json.loads(done.stdout.splitlines()[-1]))
