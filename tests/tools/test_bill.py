from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from tools.bill import PROJECT, needs, without_others


def component(name: str) -> dict[str, str]:
    return {"bom-ref": f"{name}==1", "name": name}


BILL: dict[str, Any] = {
    "metadata": {"component": {"bom-ref": "root", "name": "okr-ledger"}},
    "components": [component("Needed"), component("beneath"), component("linter")],
    "dependencies": [
        {"ref": "root", "dependsOn": ["Needed==1", "linter==1"]},
        {"ref": "Needed==1", "dependsOn": ["beneath==1"]},
        {"ref": "beneath==1"},
        {"ref": "linter==1", "dependsOn": ["beneath==1"]},
    ],
}


def test_the_service_needs_its_libraries_and_theirs_and_no_tool_of_the_tests() -> None:
    needed = needs(PROJECT)
    assert {"grpcio", "protobuf", "eventsourcing", "psycopg-binary", "cffi"} <= needed
    assert not needed & {"pytest", "hypothesis", "trustme", "okr-ledger"}


def test_the_bill_lists_what_is_needed_and_who_needs_it() -> None:
    bill = without_others(BILL, {"needed", "beneath"})
    assert [each["name"] for each in bill["components"]] == ["Needed", "beneath"]
    assert bill["dependencies"] == [
        {"ref": "root", "dependsOn": ["Needed==1"]},
        {"ref": "Needed==1", "dependsOn": ["beneath==1"]},
        {"ref": "beneath==1", "dependsOn": []},
    ]


def test_a_bill_without_something_needed_is_none() -> None:
    with pytest.raises(PackageNotFoundError, match="absent"):
        without_others(BILL, {"needed", "absent"})
