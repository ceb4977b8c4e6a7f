"""The real server beside the no-op server and the stock stack, in interleaved rounds."""

from dataclasses import dataclass

import grpc

from benchmarks.driver import Driver
from benchmarks.load_process import Load
from benchmarks.outcomes import LoadReport
from benchmarks.quarter import settle
from benchmarks.servers import Server


@dataclass(frozen=True, slots=True)
class Rounds:
    """How many rounds, and the measured seconds of each server in one of them."""

    count: int = 5
    seconds: float = 6.0
    stock_seconds: float = 3.0


def measure_append(
    driver: Driver,
    rounds: Rounds,
    *,
    noop: Server,
    ledger: Server,
    stock: Server,
    channel: grpc.Channel,
) -> dict[str, float]:
    """Rates of durable check-ins; `channel` leads to `ledger`, whose quarter is committed.

    A round loads the servers one after the other and waits for the real server's projections,
    so that no server works while another is measured and a slow spell of the machine meets all.
    """
    reports: dict[str, list[LoadReport]] = {"noop": [], "append": [], "stock": []}
    for number in range(1, rounds.count + 1):
        title = f"round {number} of {rounds.count}"
        reports["noop"].append(driver.drive(noop, title, Load(rounds.seconds)))
        reports["append"].append(driver.drive(ledger, title, Load(rounds.seconds)))
        settle(channel)
        reports["stock"].append(driver.drive(stock, title, Load(rounds.stock_seconds)))

    figures = {
        key: value for name, each in reports.items() for key, value in _summary(name, each).items()
    }
    ratios = [
        real.rate / bare.rate for real, bare in zip(reports["append"], reports["noop"], strict=True)
    ]
    return figures | {
        "append_vs_noop": figures["append_rate"] / figures["noop_rate"],
        "append_vs_noop_lowest_round": min(ratios),
        "append_vs_noop_highest_round": max(ratios),
        "append_vs_stock": figures["append_rate"] / figures["stock_rate"],
    }


def _summary(name: str, reports: list[LoadReport]) -> dict[str, float]:
    """One server's figures over all rounds: rates by time, the rest as means of the rounds'."""
    seconds = sum(report.seconds for report in reports)
    count = len(reports)
    return {
        f"{name}_rate": sum(report.rate * report.seconds for report in reports) / seconds,
        f"{name}_seconds": seconds,
        f"{name}_p50_ms": sum(report.p50_ms for report in reports) / count,
        f"{name}_p99_ms": sum(report.p99_ms for report in reports) / count,
        f"{name}_request_bytes": sum(report.request_bytes for report in reports) / count,
        f"{name}_response_bytes": sum(report.response_bytes for report in reports) / count,
    }
