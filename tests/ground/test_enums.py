"""Enums can grow, and an unset one is told from every meaning."""

import re

import pytest
from google.protobuf.descriptor import EnumDescriptor

from tests.ground import surface

ENUMS = [pytest.param(enum, id=enum.full_name) for enum in surface.enums()]


@pytest.mark.parametrize("enum", ENUMS)
def test_zero_is_unspecified_and_every_value_carries_the_enums_name(enum: EnumDescriptor) -> None:
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper()
    assert enum.values_by_number[0].name == f"{prefix}_UNSPECIFIED"
    assert all(value.name.startswith(f"{prefix}_") for value in enum.values)


@pytest.mark.parametrize("enum", ENUMS)
def test_values_are_numbered_without_gaps(enum: EnumDescriptor) -> None:
    assert sorted(enum.values_by_number) == list(range(len(enum.values)))
