"""One measurement of a rebuild, in a process of its own: `python -m benchmarks.rebuild_process`."""

import json
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum

import psutil
import psycopg
import typer

from benchmarks.stock.follower import PostgresViews, SQLiteViews, follow
from ledger.event import EVENT_TYPES
from ledger.log.contract import LogReader
from ledger.log.database import Database
from ledger.log.opening import open_log
from okr.v1.event_record_pb2 import EventMetadata
from projections.store.rebuilding import rebuild
from projections.store.views import Views
from server import tune

STOCK_SECONDS = 5.0
PAGE = 5_000
ROWS = "SELECT event_type, metadata, payload FROM events ORDER BY position"


class Work(StrEnum):
    """What is measured."""

    SCAN = "scan"
    REBUILD = "rebuild"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Report:
    """Seconds that the work took, events a second, and the memory that it took above idle."""

    seconds: float = 0.0
    rate: float = 0.0
    peak_mib: float = 0.0


def scan(log: LogReader, database: Database) -> Report:
    """Reads the rows of all events as they are stored, and parses both byte strings of each."""
    began = time.perf_counter()
    for event_type, metadata, payload in _rows(database):
        EVENT_TYPES[event_type].FromString(payload)
        EventMetadata.FromString(metadata)
    seconds = time.perf_counter() - began
    return Report(seconds, log.head().position / seconds)


def rebuilt(log: LogReader, database: Database) -> Report:
    """Builds all read models anew, indexes them, compares them with those that serve, switches."""
    with closing(Views(database, log.identity())) as views:
        idle = psutil.Process().memory_info().rss / 2**20
        began = time.perf_counter()
        made = rebuild(views, log, afresh=True)
        seconds = time.perf_counter() - began
    assert made.comparison.generation
    return Report(seconds, made.position / seconds, _peak_mib() - idle)


def stock(log: LogReader, database: Database, place: str) -> Report:
    """Follows the first events as a stock follower does, into a file or schema of that name."""
    with closing(
        PostgresViews(database.url, place)
        if database.is_postgres
        else SQLiteViews(database.file.with_name(f"{place}.db"))
    ) as views:
        return Report(STOCK_SECONDS, follow(log, database, views, STOCK_SECONDS))


def main(work: Work, url: str, place: str = "stock") -> None:
    """Prints a report of the work on a ledger as a line of JSON; stock tables go to a new place."""
    tune()
    database = Database(url)
    with closing(open_log(database, read_only=True)) as log:
        if work is Work.SCAN:
            report = scan(log, database)
        elif work is Work.REBUILD:
            report = rebuilt(log, database)
        else:
            report = stock(log, database, place)
    print(json.dumps(asdict(report)))


def _rows(database: Database) -> Iterator[tuple[str, bytes, bytes]]:
    if not database.is_postgres:
        with closing(sqlite3.connect(database.file)) as connection:
            yield from connection.execute(ROWS)
        return
    with (
        psycopg.connect(database.url, options=f"-c search_path={database.schema}") as session,
        session.cursor("rows", binary=True) as cursor,
    ):
        cursor.itersize = PAGE
        cursor.execute(ROWS.encode())
        yield from cursor


def _peak_mib() -> float:
    """The most resident memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
