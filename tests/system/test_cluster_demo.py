"""The cluster's demonstration runs to its end, and leaves nothing when it is ended early."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from tests.support.server_process import ROOT, environment

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(180)]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files; PostgreSQL is nobody where we are root, and has to reach it."""
    with TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


@contextmanager
def demonstration(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A small one; killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "examples.cluster", "--check-ins", "300"],
        cwd=ROOT,
        env=environment() | {"TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def test_it_holds_what_it_claims(temporary: Path) -> None:
    with demonstration(temporary) as started:
        told, failed = started.communicate(timeout=150)
    assert started.returncode == 0, told + failed
    assert failed == ""
    assert list(temporary.iterdir()) == []
    assert told.count("✔") == 11
    assert "✘" not in told
    for shown in (
        "✔ every check-in was acknowledged",
        "✔ 20 of 20 were known to the other server",
        "known without its token at",
        "✔ 321 check-ins were acknowledged, and each is there once",
        "✔ the same scorecard from both servers, byte for byte",
        "$ okr scorecard load",
    ):
        assert shown in told


def test_it_leaves_nothing_when_it_is_ended_early(temporary: Path) -> None:
    with demonstration(temporary) as started:
        assert started.stdout is not None
        for line in started.stdout:
            if "server 2" in line:
                break
        children = psutil.Process(started.pid).children(recursive=True)
        assert len(children) > 4
        started.send_signal(signal.SIGINT)
        _, failed = started.communicate(timeout=60)
    assert started.returncode == 130, failed
    assert failed == "ended early; nothing is left running\n"
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert list(temporary.iterdir()) == []
