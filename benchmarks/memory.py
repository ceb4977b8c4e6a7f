"""Resident memory of the real server over 200 000 check-ins on a new ledger."""

import grpc

from benchmarks.driver import Driver
from benchmarks.load_process import Load
from benchmarks.quarter import settle
from benchmarks.servers import Server

MARKS = (20_000, 100_000, 200_000)
"""Check-ins after which memory is read; between the last two it should stay flat."""
QUICK_MARKS = (5_000, 10_000, 20_000)


def measure_memory(
    driver: Driver, ledger: Server, channel: grpc.Channel, marks: tuple[int, ...]
) -> dict[str, float]:
    """Memory in MiB before the first check-in and after each mark, projections settled."""
    settle(channel)
    sizes = {0: ledger.resident_mib()}
    seconds = 0.0
    for mark in marks:
        load = Load(calls=mark - max(sizes))
        seconds += driver.drive(ledger, f"memory up to {mark} check-ins", load).seconds
        settle(channel)
        sizes[mark] = ledger.resident_mib()
    first, before_last, last = marks[0], marks[-2], marks[-1]
    return {
        "rss_start_mib": sizes[0],
        **{f"rss_after_{mark}_mib": sizes[mark] for mark in marks},
        "rss_growth_mib": sizes[last] - sizes[0],
        "rss_growth_after_warm_up_mib": sizes[last] - sizes[first],
        "rss_growth_flat_mib": sizes[last] - sizes[before_last],
        "memory_run_rate": last / seconds,
        "memory_run_seconds": seconds,
    }
