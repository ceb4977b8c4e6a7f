"""The page of limits says what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from service import limits
from service.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs/limits.md").read_text()
ROW = re.compile(r"^\|[^|]+\| ([0-9.]+) \|.*\| `([A-Za-z_.]+)` \|$", re.MULTILINE)
ROWS = {found[2]: float(found[1]) for found in ROW.finditer(PAGE)}

# What they are for is said of others: how long is waited, and what may be saved up meanwhile.
BESIDE = {"BURST_SECONDS", "QUOTA_SECONDS"}
AS_SETTINGS = {"CONNECTIONS": "OKR_MAX_CONNECTIONS", "AGE_SECONDS": "OKR_CONNECTION_AGE_SECONDS"}


def names() -> Iterator[str]:
    return (name for name in vars(limits) if name.isupper())


@pytest.mark.parametrize("where", ROWS)
def test_a_row_has_the_number_that_the_code_has(where: str) -> None:
    if where.startswith("OKR_"):
        fields = Settings.model_fields
        value = fields[where.removeprefix("OKR_").lower()].default
    else:
        module, _, name = where.rpartition(".")
        value = getattr(import_module(module), name)
    assert ROWS[where] == value


def test_every_limit_has_its_row() -> None:
    told = {AS_SETTINGS.get(name, f"service.limits.{name}") for name in set(names()) - BESIDE}
    assert told <= ROWS.keys()
