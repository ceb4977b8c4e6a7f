"""Requests that are refused for what they say: the code, the reason, and nothing written."""

import pytest

from tests.api.case import Case
from tests.api.cases import TABLES
from tests.support.whole import Caller


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{what}: {case.name}".encode("unicode_escape").decode())
        for what, cases in TABLES.items()
        for case in cases
    ],
)
def test_bad_input_is_told_why_and_leaves_nothing(furnished: Caller, case: Case) -> None:
    before = furnished.head()
    error = furnished.refused(case.request)
    assert (error.code, error.reason) == (case.code, case.reason), error.message
    assert error.info.domain == "okr.v1"
    assert {name: error.info.metadata.get(name) for name in case.facts} == case.facts
    if case.fields:
        assert tuple(error.fields) == case.fields
        assert all(error.rules)
    assert error.message
    assert furnished.head() == before
