"""The figures of a run: flat names to numbers, as a table and as a JSON file."""

import json
import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

WANTED = {
    "append_vs_noop": 0.5,
    "append_vs_stock": 5.0,
    "append_pg_vs_stock": 6.0,
    "append_flat": 0.9,
    "events_per_flush": 16.0,
    "events_per_flush_pg": 16.0,
    "rebuild_vs_stock": 20.0,
    "rebuild_pg_vs_stock": 20.0,
    "stream_vs_noop": 2.0,
    "auth_cost": 0.7,
    "proof_cost": 0.95,
}
"""Figures to reach, at least."""
LIMITS = {
    "lag_seconds_final": 1.0,
    "as_of_flat": 1.25,
    "as_of_vs_now": 1.5,
    "watch_vs_append": 2.0,
    "replay_frames_linear": 4.4,
    "startup_ratio": 1.5,
    "rebuild_vs_scan": 20.0,
    "rebuild_pg_vs_scan": 20.0,
    "rebuild_rss_mib": 200.0,
    "rebuild_pg_rss_mib": 200.0,
}
"""Figures not to exceed, in the unit of the name."""
FLUSH_PROBES = 100
FLUSH_PROBE_BYTES = 4096


def write_results(path: Path, figures: Mapping[str, float]) -> None:
    """Writes the figures as one JSON object, sorted by name."""
    rounded = {name: round(value, 4) for name, value in sorted(figures.items())}
    path.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


def results_table(figures: Mapping[str, float]) -> Table:
    """The figures in the order measured, with what is wanted where something is."""
    table = Table("figure", title="okr-ledger benchmarks")
    table.add_column("value", justify="right")
    table.add_column("wanted", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.2f}", _verdict(name, value))
    return table


def flush_milliseconds(folder: Path) -> float:
    """The median time of a 4 KiB write with fsync in a folder: what one flush costs there."""
    probe = folder / "flush-probe"
    times = []
    with probe.open("wb", buffering=0) as file:
        for _ in range(FLUSH_PROBES):
            began = time.perf_counter()
            file.write(bytes(FLUSH_PROBE_BYTES))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    probe.unlink()
    return statistics.median(times) * 1000


def _verdict(name: str, value: float) -> str:
    if name in WANTED:
        wanted, sign, met = WANTED[name], "≥", value >= WANTED[name]
    elif name in LIMITS:
        wanted, sign, met = LIMITS[name], "<", value < LIMITS[name]
    else:
        return ""
    return f"{sign} {wanted:g} {'[green]yes' if met else '[red]no'}"
