"""A writer that is killed at any instant loses nothing that it said was durable."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ledger.log.contract import Accepted, Repeated, request_key
from ledger.log.sqlite.recorder import open_log
from tests.contract.builders import append

KILLS = 8


@pytest.mark.system
def test_killed_writers_lose_nothing_acknowledged(tmp_path: Path) -> None:
    file = tmp_path / "okr-ledger.db"
    instants = random.Random(7)
    acknowledged: list[str] = []
    for run in range(KILLS):
        acknowledged += killed_after(file, f"run{run}", instants.uniform(0.0, 0.2))
        check(file, acknowledged, f"run{run}")
    assert len(acknowledged) > 8 * KILLS


def killed_after(file: Path, run: str, seconds: float) -> list[str]:
    """The requests that a writer acknowledged before it was killed, so long after its first."""
    command = [sys.executable, "-m", "tests.ledger.log.writer_process", str(file), run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        threading.Timer(seconds, writer.kill).start()
        lines += writer.stdout.readlines()
    # The last line may be cut.
    return [word for line in lines if line.endswith("\n") for word in line.split()]


def check(file: Path, acknowledged: list[str], run: str) -> None:
    log = open_log(file)
    records = log.read(0, 1_000_000, max_bytes=1 << 30)
    assert [record.position for record in records] == list(range(1, len(records) + 1))
    teams = [r.stream.removeprefix("teams/") for r in records if r.stream.startswith("teams/")]
    cycles = [r.stream.removeprefix("cycles/") for r in records if r.stream.startswith("cycles/")]
    # Once each, both halves, and everything that was acknowledged.
    assert teams == cycles
    assert len(set(teams)) == len(teams)
    assert set(acknowledged) <= set(teams)
    keys = [request_key("services/metrics", name, b"") for name in teams]
    assert None not in log.find_requests(keys)

    # A retry of the last one, acknowledged or not, is answered and not applied.
    last = teams[-1]
    (again,) = log.append_batch([append(f"teams/{last}", f"cycles/{last}", request=last)], 0)
    assert again == Repeated(len(records) - 1, len(records), b"content")
    lost = f"{run}-lost"
    (new,) = log.append_batch([append(f"teams/{lost}", f"cycles/{lost}", request=lost)], 0)
    assert isinstance(new, Accepted)
    log.close()
