from __future__ import annotations

import pytest
import typer

from okr.cli.as_of import instants
from okr.cli.show import failure
from okr.v1.error_reason_pb2 import ErrorReason


def test_nothing_said_is_now() -> None:
    assert instants("", "", "") is None


def test_a_day_is_effective_at() -> None:
    as_of = instants("2026-08-10", "", "")

    assert as_of is not None
    assert (as_of.effective_at.year, as_of.effective_at.month, as_of.effective_at.day) == (
        2026,
        8,
        10,
    )
    assert as_of.WhichOneof("known_at") is None


def test_a_position_or_a_time_is_known_at() -> None:
    position = instants("@1742", "", "")
    time = instants("2026-08-10T18:00+02:00", "", "")

    assert position is not None
    assert position.position == 1742
    assert time is not None
    assert time.time.ToDatetime().isoformat() == "2026-08-10T16:00:00"
    assert not time.HasField("effective_at")


def test_both_axes_together() -> None:
    first = instants("2026-08-10", "@97", "")
    second = instants("@97", "", "2026-08-10")
    third = instants("", "@97", "2026-08-10")

    assert first == second == third
    assert first is not None
    assert first.position == 97


@pytest.mark.parametrize(
    ("as_of", "known_at", "effective_at", "said"),
    [
        ("2026-13-01", "", "", "no day of the calendar"),
        ("yesterday", "", "", "no day such as"),
        ("@x", "", "", "no whole number"),
        ("2026-08-10Tnoon", "", "", "no time such as"),
        ("", "2026-08-10", "", "no time such as"),
        ("", "", "@97", "no day such as"),
        ("2026-08-10", "", "2026-08-11", "twice"),
        ("@97", "@98", "", "twice"),
    ],
)
def test_what_is_no_instant(as_of: str, known_at: str, effective_at: str, said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        instants(as_of, known_at, effective_at)


def test_every_reason_says_what_to_do_next() -> None:
    reasons = [name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()[1:]]

    assert sorted(reasons) == sorted(failure.NEXT)
