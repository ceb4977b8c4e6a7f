"""Look up what the lock files install among the published advisories.

    python tools/audit.py             exit 1 if a locked version has a known vulnerability
    python tools/audit.py --strict    also where a version could not be looked up

An advisory that does not concern us is named in `ACCEPTED`, with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
# Holds everything that requirements.lock does, at the same versions.
LOCK = ROOT / "requirements-dev.lock"
PATIENCE_SECONDS = 300.0

ACCEPTED: Final[dict[str, str]] = {}
"""Advisories by their id, each with why it does not concern us."""


@dataclass(frozen=True)
class Audit:
    """What was found: "name version: advisory, fixed in …", and the names not looked up."""

    looked_up: int
    vulnerable: list[str]
    missing: list[str]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--strict", action="store_true", help="fail where nothing could be told")
    strict = parser.parse_args(arguments).strict
    try:
        audit = read(asked(LOCK))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        audit = Audit(0, [], [])
    return told(audit, strict=strict)


def asked(lock: Path) -> str:
    """What pip-audit answers, as JSON; empty where it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    command += ["--require-hashes", "--disable-pip", "--requirement", str(lock)]
    for advisory in ACCEPTED:
        command += ["--ignore-vuln", advisory]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    return done.stdout


def read(answer: str) -> Audit:
    """What the answer says.

    Raises:
        ValueError: it is none.
    """
    given: dict[str, Any] = json.loads(answer)
    found: list[str] = []
    missing: list[str] = []
    for each in given["dependencies"]:
        if "skip_reason" in each:
            missing.append(each["name"])
            continue
        for advisory in each["vulns"]:
            fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
            found.append(f"{each['name']} {each['version']}: {advisory['id']}, fixed in {fixed}")
    return Audit(len(given["dependencies"]) - len(missing), found, missing)


def told(audit: Audit, *, strict: bool) -> int:
    """Prints what was found; gives the exit status."""
    if not audit.looked_up:
        print("Skipped: the audit of what is locked. Its advisories cannot be reached from here.")
        return 1 if strict else 0
    for line in audit.vulnerable:
        print(line)
    if audit.missing:
        names = ", ".join(audit.missing[:5]) + (", …" if len(audit.missing) > 5 else "")
        print(f"Not looked up, since the index knows no advisories of them: {names}")
        print(f"{len(audit.missing)} of {audit.looked_up + len(audit.missing)} packages.")
    if audit.vulnerable:
        print("`make lock ARGS=--upgrade` takes the newest versions.")
        return 1
    print(f"No known vulnerability in the {audit.looked_up} packages that were looked up.")
    return 1 if strict and audit.missing else 0


if __name__ == "__main__":
    sys.exit(main())
