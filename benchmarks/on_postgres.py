"""Check-ins on a PostgreSQL of one's own: one server, two servers, and the stock stack there."""

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
from benchmarks.servers import start_ledger, start_stock
from tools.postgres import Postgres


def measure_on_postgres(driver: Driver, rounds: Rounds, place: Path) -> dict[str, float]:
    """Rates of durable check-ins, in interleaved rounds; PostgreSQL has its own settings.

    The second server is there all the time and does nothing but follow while one is measured. Where
    cores are few, two servers tell what sharing them costs, not what a second machine gives.
    """
    alone: list[LoadReport] = []
    both: list[LoadReport] = []
    stock: list[LoadReport] = []
    with Postgres.start() as postgres:
        with psycopg.connect(postgres.url(), autocommit=True) as session:
            session.execute("CREATE DATABASE stock")
        with (
            start_ledger(place / "first", postgres.url(), "on postgres") as first,
            start_ledger(place / "second", postgres.url(), "second on postgres") as second,
            start_stock(place, postgres.url("stock")) as taught,
            grpc.insecure_channel(first.address) as channel,
            ThreadPoolExecutor(2) as at_once,
        ):
            commit_quarter(channel, datetime.now(UTC).date())
            events = flushes = 0
            for number in range(1, rounds.count + 1):
                title = f"round {number} of {rounds.count}"
                before = status(channel).lane
                alone.append(driver.drive(first, title, Load(rounds.seconds)))
                after = status(channel).lane
                events += after.events - before.events
                flushes += after.flushes - before.flushes
                settle(channel)
                stock.append(driver.drive(taught, title, Load(rounds.stock_seconds)))
                sent = [
                    at_once.submit(driver.drive, server, f"{title}, both", Load(rounds.seconds))
                    for server in (first, second)
                ]
                both += [each.result() for each in sent]
                settle(channel)
    rate = sum(each.rate for each in alone) / rounds.count
    stock_rate = sum(each.rate for each in stock) / rounds.count
    return {
        "append_pg_rate": rate,
        "append_pg_p50_ms": sum(each.p50_ms for each in alone) / rounds.count,
        "append_pg_p99_ms": sum(each.p99_ms for each in alone) / rounds.count,
        "append_pg_stock_rate": stock_rate,
        "append_pg_vs_stock": rate / stock_rate,
        "events_per_flush_pg": events / flushes,
        "two_servers_pg": sum(each.rate for each in both) / rounds.count / rate,
    }
