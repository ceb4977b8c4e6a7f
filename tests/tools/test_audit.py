from __future__ import annotations

import json

import pytest

from tools.audit import Audit, read, told

CLEAN = {"name": "clean", "version": "1.0", "vulns": []}
SKIPPED = {"name": "unknown", "skip_reason": "not found"}
FAULTY = {
    "name": "faulty",
    "version": "2.0",
    "vulns": [
        {"id": "GHSA-1", "fix_versions": ["2.1", "3.0"]},
        {"id": "GHSA-2", "fix_versions": []},
    ],
}


def answer(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_a_known_vulnerability_fails_and_names_the_version_that_mends_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    audit = read(answer(CLEAN, FAULTY))
    assert told(audit, strict=False) == 1
    printed = capsys.readouterr().out
    assert "faulty 2.0: GHSA-1, fixed in 2.1, 3.0" in printed
    assert "faulty 2.0: GHSA-2, fixed in no version yet" in printed
    assert "clean" not in printed


def test_what_could_not_be_looked_up_is_named_and_fails_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    audit = read(answer(CLEAN, SKIPPED))
    assert audit == Audit(1, [], ["unknown"])
    assert told(audit, strict=False) == 0
    assert "unknown" in capsys.readouterr().out
    assert told(audit, strict=True) == 1


@pytest.mark.parametrize("audit", [Audit(0, [], []), read(answer(SKIPPED))])
def test_an_audit_that_told_nothing_is_not_called_clean(
    audit: Audit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(audit, strict=False) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Skipped")
    assert "No known vulnerability" not in printed
    assert told(audit, strict=True) == 1


def test_no_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        read("")
