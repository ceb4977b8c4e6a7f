"""Is the load generator itself the bottleneck? Its rate on the no-op server beside h2load's."""

from benchmarks.driver import Driver
from benchmarks.load_process import Load, h2load_rate
from benchmarks.servers import Server

ROUNDS = 4


def measure_ceiling(driver: Driver, noop: Server, seconds: int) -> dict[str, float]:
    """The mean rates of both generators; without h2load only our own."""
    own, others, cpu_shares = [], [], []
    for number in range(1, ROUNDS + 1):
        report = driver.drive(noop, f"load ceiling {number} of {ROUNDS}", Load(seconds))
        own.append(report.rate)
        cpu_shares.append(report.cpu_share)
        rate = h2load_rate(noop, driver.requests, seconds)
        if rate is not None:
            others.append(rate)
    figures = {
        "load_ceiling_rate": sum(own) / ROUNDS,
        "load_cpu_share": sum(cpu_shares) / ROUNDS,
    }
    if others:
        figures["h2load_rate"] = sum(others) / ROUNDS
        figures["load_vs_h2load"] = sum(own) / sum(others)
    return figures
