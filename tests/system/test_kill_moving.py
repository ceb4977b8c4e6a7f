"""An export, import, backup or restore that ends at any instant leaves nothing that looks whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from ledger.log.database import Database
from tests.support.appended import append_team_events
from tests.support.places import EITHER, place, server_of
from tests.support.server_process import environment, okr_ledger, run
from tools.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(300)]

SEED: Final = 20_261_124
EVENTS: Final = 12_000
KILLS: Final = 2
FULL: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
from service.cli import main
main()
"""


@pytest.fixture(params=EITHER)
def server(request: pytest.FixtureRequest) -> Postgres | None:
    return server_of(request)


@pytest.fixture
def at(server: Postgres | None, tmp_path: Path) -> Database:
    database = place(server, tmp_path / "ledger")
    append_team_events(database, EVENTS)
    return database


def where(at: Database) -> tuple[str, ...]:
    return ("--database-url", at.url, "--database-schema", at.schema)


def done(folder: Path, *command: str) -> None:
    told = okr_ledger(folder, *command)
    assert told.returncode == 0, told.stderr


def killed(folder: Path, *command: str, once: Callable[[], bool]) -> bool:
    """Starts a command and kills it as soon as something holds; False if it ended before."""
    started = subprocess.Popen(
        [sys.executable, "-c", "from service.cli import main; main()", *command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while started.poll() is None and not once():
            time.sleep(0.001)
    finally:
        ended = started.poll() is not None
        started.kill()
        started.wait()
    return not ended


def grown(file: Path, size: int) -> Callable[[], bool]:
    return lambda: file.exists() and file.stat().st_size >= size


def test_killed_exports_and_imports_go_on(
    server: Postgres | None, at: Database, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.okr"
    done(tmp_path, "export", str(whole), *where(at))
    size = whole.stat().st_size
    chance = random.Random(SEED)
    target = tmp_path / "killed.okr"
    partial = tmp_path / "killed.okr.partial"
    for share in sorted(chance.random() for _ in range(KILLS)):
        if killed(
            tmp_path, "export", str(target), *where(at), once=grown(partial, int(size * share))
        ):
            assert not target.exists()
    if not target.exists():
        done(tmp_path, "export", str(target), *where(at))
    assert target.read_bytes() == whole.read_bytes()
    assert not partial.exists()

    other = place(server, tmp_path / "other")
    for seconds in (1.0, 1.6):
        began = time.monotonic()
        if killed(
            tmp_path,
            *("import", str(whole), *where(other)),
            once=lambda began=began, seconds=seconds: time.monotonic() > began + seconds,  # type: ignore[misc]
        ):
            # Nobody opens it, unless it ended just before: then it is whole.
            told = okr_ledger(tmp_path, "verify", *where(other))
            assert told.returncode == 3 or f"{EVENTS} events: all in order" in told.stdout
    done(tmp_path, "import", str(whole), *where(other))
    done(tmp_path, "export", str(tmp_path / "again.okr"), *where(other))
    assert (tmp_path / "again.okr").read_bytes() == whole.read_bytes()


def test_a_killed_backup_and_restore_leave_nothing_that_looks_whole(tmp_path: Path) -> None:
    at = place(None, tmp_path / "ledger")
    append_team_events(at, EVENTS)
    backup, other = tmp_path / "backup", place(None, tmp_path / "other")
    partial = tmp_path / "backup.partial"
    if killed(tmp_path, "backup", str(backup), *where(at), once=partial.exists):
        assert not backup.exists()
        done(tmp_path, "backup", str(backup), *where(at))
    assert not partial.exists()
    partial = other.file.with_name("okr-ledger.db.partial")
    if killed(tmp_path, "restore", str(backup), *where(other), once=partial.exists):
        assert not other.file.exists()
        done(tmp_path, "restore", str(backup), *where(other))
    assert not partial.exists()
    done(tmp_path, "verify", *where(other))


def test_a_full_disk_is_told_and_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    at = place(None, tmp_path / "ledger")
    append_team_events(at, EVENTS)
    other = place(None, tmp_path / "other")
    whole, backup = tmp_path / "whole.okr", tmp_path / "backup"

    def full(*command: str, size: int) -> str:
        told = run(tmp_path, "-c", FULL, str(size), *command)
        assert told.returncode == 1
        return told.stderr

    assert "cannot write" in full("export", str(whole), *where(at), size=50_000)
    assert not whole.exists()
    done(tmp_path, "export", str(whole), *where(at))
    assert "reading or writing failed" in full("backup", str(backup), *where(at), size=500_000)
    assert not list(tmp_path.glob("backup*"))
    done(tmp_path, "backup", str(backup), *where(at))
    told = full("import", str(whole), *where(other), size=500_000)
    assert "reading or writing failed" in told
    assert okr_ledger(tmp_path, "verify", *where(other)).returncode == 3
    done(tmp_path, "import", str(whole), *where(other))
    done(tmp_path, "verify", *where(other))
