"""Write a software bill of materials: what the service needs to run, in CycloneDX as JSON.

    python tools/bill.py FILE

Each component is as it is installed here, with its licence; what only tests and developers need is
left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = Requirement("okr-ledger[postgres]")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    needed = needs(PROJECT)
    bill = without_others(installed(), needed)
    file = Path(arguments[0])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{file}: {len(bill['components'])} components.")
    return 0


def needs(project: Requirement) -> set[str]:
    """The names of what a project needs here, directly or not, itself left out."""
    found: set[tuple[str, str]] = set()
    left = [project]
    while left:
        requirement = left.pop()
        for extra in ("", *requirement.extras):
            key = (canonicalize_name(requirement.name), extra)
            if key in found:
                continue
            found.add(key)
            left += [each for each in required(requirement.name) if applies(each, extra)]
    return {name for name, _ in found} - {canonicalize_name(project.name)}


def required(name: str) -> list[Requirement]:
    """What an installed package says it needs, all its extras included.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    return [Requirement(line) for line in distribution(name).requires or ()]


def applies(requirement: Requirement, extra: str) -> bool:
    """Whether it is needed on this platform, for an extra or, if that is empty, anyway."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def installed() -> dict[str, Any]:
    """The bill of everything installed here."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cyclonedx_py", "environment", sys.executable),
            *("--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


def without_others(bill: dict[str, Any], needed: set[str]) -> dict[str, Any]:
    """The bill with the needed components alone.

    Raises:
        PackageNotFoundError: the bill lacks one that is needed.
    """
    components = [each for each in bill["components"] if canonicalize_name(each["name"]) in needed]
    if missing := needed - {canonicalize_name(each["name"]) for each in components}:
        raise PackageNotFoundError(", ".join(sorted(missing)))
    kept = {each["bom-ref"] for each in components} | {bill["metadata"]["component"]["bom-ref"]}
    dependencies = [
        {**each, "dependsOn": sorted(kept.intersection(each.get("dependsOn", ())))}
        for each in bill["dependencies"]
        if each["ref"] in kept
    ]
    return {**bill, "components": components, "dependencies": dependencies}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
