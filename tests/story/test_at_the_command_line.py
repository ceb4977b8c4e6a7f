"""The same questions to `okr`: the lines that a person looks for."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from okr.cli import app
from tests.story.quarter import Told


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (
            "deviations q3 --as-of 2024-08-06T09:59+02:00",
            (
                "1 at risk 1 stale 1 behind 1 falling behind known at @31",
                "0 → 400: 60, expected 158.24, 15 % of the way, 25 % behind",
                "depend on it: revenue (sales), revenue/customers (sales)",
            ),
        ),
        # All of the day in Budapest, wherever this is asked.
        ("as-of 2024-08-06 q3", ("as known at @32", "effective 2024-08-06 (40 % of the time)")),
        ("as-of 2024-08-06 awareness", ("leads 0 → 400 60", "as known at @32")),
        ("as-of 2024-08-07 awareness/leads", ("as known at @38",)),
        ("as-of @31 revenue/customers --about 2024-07-31", ("as known at @31",)),
        (
            "revisions awareness/leads",
            (
                "@35 effective 2024-08-07 by people/bea recorded 2024-08-07 14:00:00Z",
                "target 400 → 240",
                "score 0.15 → 0.25 ▲ +0.100 original 0.15 as judged 0.15",
            ),
        ),
        ("why awareness", ("+87.5: 86.25 progress, −1.25 correction, 5 target, −2.5 scope",)),
        ("replay q3", ("2024-08-11 0.34 ▲ +0.156 known at @43",)),
        ("retro q3", ("together █████████▊ 98 % 50 of 51 1", "1 of 2 objectives met")),
        ("cycle seals q3 1 --check", ("computed again it is the same",)),
        ("scorecard q3", ("sealed 0.83 seal 1 of 2024-09-30", "Két ügyfél visszalépett")),
        ("status", ("head @80 2024-10-10 07:00:00Z", "@80 0 following")),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_shown(story: Told, command: str, lines: tuple[str, ...]) -> None:
    environment = {"OKR_ADDRESS": story.address, "COLUMNS": "130"}
    result = CliRunner().invoke(app, command.split(), env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    shown = re.sub(r"\s+", " ", result.output)
    assert [line for line in lines if line not in shown] == []
