"""`python -m benchmarks`: runs the parts, prints the table, writes benchmarks/results.json."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.append import Rounds, measure_append
from benchmarks.ceiling import measure_ceiling
from benchmarks.driver import Driver
from benchmarks.instants import measure_instants, measure_replay, measure_watch
from benchmarks.length import measure_length
from benchmarks.memory import MARKS, QUICK_MARKS, measure_memory
from benchmarks.on_postgres import measure_on_postgres
from benchmarks.proofs import measure_proofs
from benchmarks.quarter import commit_quarter, sample_response
from benchmarks.rebuild import measure_rebuild
from benchmarks.requests import read_requests, write_requests
from benchmarks.results import flush_milliseconds, results_table, write_results
from benchmarks.servers import Server, start_ledger, start_noop, start_stock
from benchmarks.stream import measure_stream
from benchmarks.sustained import measure_sustained
from benchmarks.trust import measure_trust
from benchmarks.workload import check_ins

RESULTS = Path(__file__).with_name("results.json")
QUICK_ROUNDS = Rounds(count=1, seconds=3.0, stock_seconds=2.0)
SUSTAINED_SECONDS = 30.0
QUICK_SUSTAINED_SECONDS = 3.0
CEILING_SECONDS = 3
QUICK_CEILING_SECONDS = 1


class Part(StrEnum):
    """A part of the benchmarks that can be run alone."""

    CEILING = "ceiling"
    APPEND = "append"
    STREAM = "stream"
    POSTGRES = "postgres"
    MEMORY = "memory"
    INSTANTS = "instants"
    LENGTH = "length"
    REBUILD = "rebuild"
    TRUST = "trust"
    PROOFS = "proofs"


def main(
    only: Annotated[Part | None, typer.Option(help="Run one part alone.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Short runs: is everything in order? Not for figures.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where the databases go; a temporary folder if not given.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Where the figures go.")] = RESULTS,
) -> None:
    """Measures okr-ledger against a no-op server and a stock event-sourcing stack.

    Ends with exit code 1 if any call was not answered OK.
    """
    console = Console()
    parts = {only} if only else set(Part)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory(prefix="okr-ledger-bench-", dir=folder) as temporary,
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
    ):
        place = Path(temporary)
        driver = Driver(place / "check-ins.requests", progress)
        write_requests(driver.requests, check_ins(datetime.now(UTC).date()))
        figures = {"flush_ms": flush_milliseconds(place)}
        if parts & {Part.CEILING, Part.APPEND, Part.STREAM}:
            figures |= _against_others(driver, place, parts, quick=quick)
        if Part.POSTGRES in parts:
            rounds = QUICK_ROUNDS if quick else Rounds()
            figures |= measure_on_postgres(driver, rounds, place)
        if Part.TRUST in parts:
            figures |= measure_trust(driver, QUICK_ROUNDS if quick else Rounds(), place / "trust")
        if Part.PROOFS in parts:
            figures |= measure_proofs(place / "proofs", progress, quick=quick)
        if Part.INSTANTS in parts:
            figures |= measure_instants(place, progress, quick=quick)
            figures |= measure_watch(place, quick=quick)
            figures |= measure_replay(place, progress)
        if Part.LENGTH in parts:
            figures |= measure_length(driver, place / "length", progress, quick=quick)
        if Part.REBUILD in parts:
            figures |= measure_rebuild(place / "rebuild", progress, quick=quick)
        if Part.MEMORY in parts:
            with _ledger(place / "memory") as (ledger, channel):
                marks = QUICK_MARKS if quick else MARKS
                figures |= measure_memory(driver, ledger, channel, marks)
    figures["failed_calls"] = driver.failures.total()
    write_results(results, figures)
    console.print(results_table(figures))
    if Part.CEILING in parts and "h2load_rate" not in figures:
        console.print("No comparison with h2load: it is in Debian's package nghttp2-client.")
    for name, count in driver.failures.items():
        console.print(f"[red]{count} calls failed, {name}: {driver.examples[name]}")
    console.print(f"Written to {results}")
    raise typer.Exit(1 if driver.failures else 0)


def _against_others(
    driver: Driver, place: Path, parts: set[Part], *, quick: bool
) -> dict[str, float]:
    """The parts that need the no-op server, which answers as the real one does."""
    figures: dict[str, float] = {}
    with _ledger(place / "append") as (ledger, channel):
        answer = sample_response(channel, read_requests(driver.requests)[0])
        recorded = place / "response"
        recorded.write_bytes(answer.SerializeToString())
        with start_noop(place, recorded) as noop:
            if Part.CEILING in parts:
                seconds = QUICK_CEILING_SECONDS if quick else CEILING_SECONDS
                figures |= measure_ceiling(driver, noop, seconds)
            if Part.APPEND in parts:
                sustained = QUICK_SUSTAINED_SECONDS if quick else SUSTAINED_SECONDS
                figures |= measure_sustained(driver, ledger, channel, sustained)
                with start_stock(place) as stock:
                    rounds = QUICK_ROUNDS if quick else Rounds()
                    figures |= measure_append(
                        driver, rounds, noop=noop, ledger=ledger, stock=stock, channel=channel
                    )
            if Part.STREAM in parts:
                rounds = QUICK_ROUNDS if quick else Rounds()
                figures |= measure_stream(driver, rounds, noop=noop, ledger=ledger, channel=channel)
    return figures


@contextmanager
def _ledger(folder: Path) -> Iterator[tuple[Server, grpc.Channel]]:
    """A real server on a new database, with the workload's plan committed."""
    with start_ledger(folder) as ledger, grpc.insecure_channel(ledger.address) as channel:
        commit_quarter(channel, datetime.now(UTC).date())
        yield ledger, channel


if __name__ == "__main__":
    typer.run(main)
