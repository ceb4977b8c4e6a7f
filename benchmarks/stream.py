"""Check-ins on a stream beside the no-op server's unary calls, in interleaved rounds."""

import json
import subprocess
import sys

import grpc

from benchmarks.append import Rounds
from benchmarks.driver import Driver
from benchmarks.load_process import Load, LoadFailed
from benchmarks.quarter import settle, status
from benchmarks.servers import PROJECT, Server
from benchmarks.stream_load import StreamReport


def measure_stream(
    driver: Driver, rounds: Rounds, *, noop: Server, ledger: Server, channel: grpc.Channel
) -> dict[str, float]:
    """Rates of durable check-ins on one stream; `channel` leads to `ledger`.

    Waits for the real server's projections after each round, so that no server works while the
    other is measured.
    """
    noop_rates: list[float] = []
    streams: list[StreamReport] = []
    before = status(channel).lane
    for number in range(1, rounds.count + 1):
        title = f"round {number} of {rounds.count}"
        noop_rates.append(driver.drive(noop, title, Load(rounds.seconds)).rate)
        streams.append(_streamed(driver, ledger, title, rounds.seconds))
        settle(channel)
    after = status(channel).lane
    events, flushes = after.events - before.events, after.flushes - before.flushes
    rates = [each.rate for each in streams]
    ratios = [rate / noop_rate for rate, noop_rate in zip(rates, noop_rates, strict=True)]
    return {
        "stream_rate": sum(rates) / len(rates),
        "stream_noop_rate": sum(noop_rates) / len(noop_rates),
        "stream_vs_noop": sum(rates) / sum(noop_rates),
        "stream_vs_noop_lowest_round": min(ratios),
        "stream_vs_noop_highest_round": max(ratios),
        "stream_generator_cpu_share": sum(each.cpu_share for each in streams) / len(streams),
        "stream_events_per_flush": events / flushes,
    }


def _streamed(driver: Driver, server: Server, title: str, seconds: float) -> StreamReport:
    """One run of the generator of streams, as a process of its own.

    Raises:
        LoadFailed: it ended without a report.
    """
    command = [sys.executable, "-m", "benchmarks.stream_load", "--port", str(server.port)]
    command += ["--requests", str(driver.requests), "--seconds", str(seconds)]
    with driver.shown(f"{title}: {server.name}, stream") as finished:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LoadFailed(f"the generator of streams failed:\n{done.stderr}")
        report = StreamReport(**json.loads(done.stdout))
        finished(report.recorded)
    for message, count in report.refused.items():
        driver.failed(f"{server.name}, stream: refused", count, message)
    return report
