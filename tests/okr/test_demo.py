"""The demo runs to its end, and what it claims holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.system
def test_the_demo_holds_what_it_claims(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("✔") == 3
    for shown in (
        "$ okr scorecard 2026-q3",
        "450 minősített lead",
        "+92.53: 96.15 progress, 4.39 target, −8.01 scope",
        "SHA-256 of 13 key results",
        "published was 0.3",
        "published was 0.4",
        "is one of the",
        "all in order",
        "is not the one that was hashed",
        "the same 10 answers, byte for byte",
        "make serve",
    ):
        assert shown in ended.stdout
    assert ended.stderr == ""
