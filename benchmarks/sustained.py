"""One long load of the real server: events for each flush, and how the projections keep up."""

import grpc

from benchmarks.driver import Driver
from benchmarks.load_process import Load
from benchmarks.quarter import lag_events, settle, status
from benchmarks.servers import Server


def measure_sustained(
    driver: Driver, ledger: Server, channel: grpc.Channel, seconds: float
) -> dict[str, float]:
    """Figures of one unbroken load.

    The final lag is the last one seen while the load still ran, at most a quarter of a second
    before its end; in seconds of traffic it is divided by the rate.
    """
    lags: list[int] = []
    before = status(channel).lane
    report = driver.drive(
        ledger, "sustained", Load(seconds), lambda: lags.append(lag_events(status(channel)))
    )
    after = status(channel).lane
    catch_up_seconds = settle(channel)
    return {
        "sustained_rate": report.rate,
        "sustained_seconds": report.seconds,
        "sustained_p50_ms": report.p50_ms,
        "sustained_p99_ms": report.p99_ms,
        "events_per_flush": (after.events - before.events) / (after.flushes - before.flushes),
        "lag_events_greatest": max(lags),
        "lag_events_final": lags[-1],
        "lag_seconds_final": lags[-1] / report.rate,
        "catch_up_seconds": catch_up_seconds,
    }
