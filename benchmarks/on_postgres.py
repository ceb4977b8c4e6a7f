"""Check-ins on a PostgreSQL of one's own: beside the stock stack there, and on two servers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import grpc
import psycopg

from benchmarks.append import Rounds
from benchmarks.driver import Driver
from benchmarks.load_process import Load
from benchmarks.outcomes import LoadReport
from benchmarks.quarter import commit_quarter, settle, status
from benchmarks.requests import read_requests, write_requests
from benchmarks.servers import Server, start_ledger, start_stock
from benchmarks.workload import KEY_RESULTS_PER_OBJECTIVE, OBJECTIVES
from tools.postgres import Postgres


def measure_on_postgres(driver: Driver, rounds: Rounds, place: Path) -> dict[str, float]:
    """Rates of durable check-ins; PostgreSQL is from the wheel, with its own settings."""
    with Postgres.start() as postgres:
        with psycopg.connect(postgres.url(), autocommit=True) as session:
            session.execute("CREATE DATABASE stock")
        with (
            start_ledger(place / "first", postgres.url(), "on postgres") as first,
            grpc.insecure_channel(first.address) as channel,
        ):
            commit_quarter(channel, datetime.now(UTC).date())
            with start_stock(place, postgres.url("stock")) as stock:
                figures = _beside_stock(driver, rounds, first, stock, channel)
            with (
                start_ledger(place / "second", postgres.url(), "second") as second,
                grpc.insecure_channel(second.address) as its_channel,
            ):
                # It listens before it has started its lane, which would share the cores.
                settle(its_channel)
                elsewhere = _turned(driver.requests, place / "turned.requests")
                figures |= _two_servers(driver, rounds, first, (second, elsewhere), channel)
    return figures


def _beside_stock(
    driver: Driver, rounds: Rounds, first: Server, stock: Server, channel: grpc.Channel
) -> dict[str, float]:
    """One server and the stock stack, in interleaved rounds."""
    ours: list[LoadReport] = []
    theirs: list[LoadReport] = []
    before = status(channel).lane
    for number in range(1, rounds.count + 1):
        title = f"round {number} of {rounds.count}"
        ours.append(driver.drive(first, title, Load(rounds.seconds)))
        settle(channel)
        theirs.append(driver.drive(stock, title, Load(rounds.stock_seconds)))
    after = status(channel).lane
    ratios = [our.rate / their.rate for our, their in zip(ours, theirs, strict=True)]
    return {
        "append_pg_rate": _rate(ours),
        "append_pg_p50_ms": sum(each.p50_ms for each in ours) / len(ours),
        "append_pg_p99_ms": sum(each.p99_ms for each in ours) / len(ours),
        "stock_pg_rate": _rate(theirs),
        "append_pg_vs_stock": _rate(ours) / _rate(theirs),
        "append_pg_vs_stock_lowest_round": min(ratios),
        "append_pg_vs_stock_highest_round": max(ratios),
        "events_per_flush_pg": (after.events - before.events) / (after.flushes - before.flushes),
    }


def _turned(requests: Path, turned: Path) -> Path:
    """The same requests, half a turn later: at any time they are for other objectives."""
    messages = read_requests(requests)
    half = OBJECTIVES * KEY_RESULTS_PER_OBJECTIVE // 2
    write_requests(turned, [*messages[half:], *messages[:half]])
    return turned


def _two_servers(
    driver: Driver,
    rounds: Rounds,
    first: Server,
    second: tuple[Server, Path],
    channel: grpc.Channel,
) -> dict[str, float]:
    """Both servers at once, and one of them while the other stands by, in interleaved rounds.

    The second comes with requests of its own. Where cores are few, this tells what two servers
    cost, not what a second machine would give.
    """
    alone: list[LoadReport] = []
    together: list[float] = []
    load = Load(rounds.seconds)
    with ThreadPoolExecutor(2) as at_once:
        for number in range(1, rounds.count + 1):
            title = f"round {number} of {rounds.count}"
            alone.append(driver.drive(first, f"{title}, one of two", load))
            settle(channel)
            sent = [
                at_once.submit(driver.drive, server, f"{title}, both", load, requests=requests)
                for server, requests in ((first, driver.requests), second)
            ]
            together.append(sum(each.result().rate for each in sent))
            settle(channel)
    both = sum(together) / len(together)
    return {
        "one_of_two_pg_rate": _rate(alone),
        "both_of_two_pg_rate": both,
        "two_servers_pg": both / _rate(alone),
    }


def _rate(reports: list[LoadReport]) -> float:
    """Calls per second over all rounds."""
    return sum(each.rate for each in reports) / len(reports)
