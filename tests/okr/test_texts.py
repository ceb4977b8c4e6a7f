from __future__ import annotations

from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest

from okr import definitions, names, texts
from okr.v1.values_pb2 import Category, CycleDefinition, KeyResultDefinition, ScoringPolicy


@pytest.mark.parametrize("text", ["0", "12840", "-0.25", "+3", "1" * 18 + "." + "9" * 9])
def test_decimals_keep_their_text(text: str) -> None:
    assert texts.decimal(text) == text


@pytest.mark.parametrize(
    "text", ["", "12,5", "1 000", "1e5", "NaN", "inf", ".5", "1" * 19, "0.1234567891", "１２"]
)
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no decimal number"):
        texts.decimal(text)


@pytest.mark.parametrize(
    ("text", "target", "change"),
    [("14880", "14880", ""), ("+20 %", "", "+20"), ("-12.5%", "", "-12.5")],
)
def test_a_target_may_be_relative(text: str, target: str, change: str) -> None:
    definition = KeyResultDefinition()
    definitions.fill(definition, "target", text)

    assert (definition.target, definition.target_change_percent) == (target, change)


def test_days_are_days_of_the_calendar() -> None:
    assert texts.day("2024-02-29") == date(2024, 2, 29)
    with pytest.raises(ValueError, match="no day of the calendar"):
        texts.day("2026-02-29")
    with pytest.raises(ValueError, match="no day such as"):
        texts.day("29.02.2024")


def test_a_time_without_offset_is_of_the_zone() -> None:
    budapest = ZoneInfo("Europe/Budapest")

    assert texts.instant("2026-07-06T09:30", budapest).astimezone(UTC).hour == 7
    assert texts.instant("2026-12-06T09:30", budapest).astimezone(UTC).hour == 8
    assert texts.instant("2026-07-06T09:30Z", budapest).astimezone(UTC).hour == 9
    assert texts.instant("2026-07-06T09:30", None).tzinfo is not None
    with pytest.raises(ValueError, match="no time such as"):
        texts.instant("2026-07-06", budapest)


@pytest.mark.parametrize("text", ["market change", "market-change", "MARKET_CHANGE"])
def test_choices_are_read_in_any_spelling(text: str) -> None:
    assert texts.choice(Category.DESCRIPTOR, text) == Category.CATEGORY_MARKET_CHANGE


@pytest.mark.parametrize("text", ["weather", "unspecified", ""])
def test_other_choices_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ValueError, match="MARKET_CHANGE, CAPACITY"):
        texts.choice(Category.DESCRIPTOR, text)


def test_trajectories() -> None:
    phased = texts.trajectory("2026-07-31=100; 2026-08-31=220").phased
    assert [(p.day.month, p.value) for p in phased.points] == [(7, "100"), (8, "220")]
    checkpointed = texts.trajectory("100=0.3;220=1").checkpointed
    assert [(p.value, p.share) for p in checkpointed.points] == [("100", "0.3"), ("220", "1")]
    assert texts.trajectory("Linear").HasField("linear")
    for wrong in ("2026-07-31", "2026-07-31=", "a=b"):
        with pytest.raises(ValueError, match="is no"):
            texts.trajectory(wrong)


def test_policies() -> None:
    assert texts.policy("ipfs") == ScoringPolicy(name="ipfs")
    house = texts.policy("house; ungraded=exclude; green_from=0.75; version=2")
    assert house == ScoringPolicy(
        name="house",
        version=2,
        ungraded=ScoringPolicy.UNGRADED_EXCLUDE,
        green_from="0.75",
    )
    with pytest.raises(ValueError, match="no 'colour'"):
        texts.policy("house; colour=red")


@pytest.mark.parametrize(
    ("text", "milestones", "reading"),
    [
        ("12.5", False, "value"),
        ("not measured", False, "not_measured"),
        ("Not measured", True, "not_measured"),
        ("brief; design", True, "completed"),
        ("none", True, "completed"),
    ],
)
def test_measurements(text: str, milestones: bool, reading: str) -> None:
    assert texts.measurement(text, milestones=milestones).WhichOneof("reading") == reading


def test_the_milestones_of_a_measurement() -> None:
    assert list(texts.measurement("brief; design", milestones=True).completed.ids) == [
        "brief",
        "design",
    ]
    assert not texts.measurement("none", milestones=True).completed.ids


@pytest.mark.parametrize(
    ("read", "short", "full"),
    [
        (names.cycle, "2026-q3", "cycles/2026-q3"),
        (names.team, "sales", "teams/sales"),
        (names.objective, "brand", "objectives/brand"),
        (names.key_result, "brand/followers", "objectives/brand/keyResults/followers"),
        (names.check_in, "brand/followers/3", "objectives/brand/keyResults/followers/checkIns/3"),
        (names.subject, "brand", "objectives/brand"),
        (names.subject, "brand/followers", "objectives/brand/keyResults/followers"),
    ],
)
def test_names_have_a_short_form(read: object, short: str, full: str) -> None:
    assert callable(read)
    assert read(short) == full
    assert read(full) == full
    assert names.short(full) == short


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (names.cycle, "Q3"),
        (names.cycle, "teams/sales"),
        (names.objective, "brand/followers"),
        (names.key_result, "brand"),
        (names.key_result, "objectives/brand/followers"),
        (names.check_in, "brand/followers/0"),
        (names.check_in, "brand/followers/x"),
        (names.subject, "brand/followers/3"),
        (names.actor, "p-7f3a"),
        (names.actor, "teams/sales"),
    ],
)
def test_other_names_are_refused(read: object, wrong: str) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match=wrong):
        read(wrong)


def test_a_wrong_field_is_told_and_the_others_are_set() -> None:
    told: list[tuple[str, str]] = []
    definition = definitions.filled(
        CycleDefinition(),
        {"title": "Q3", "first_day": "1 July", "grace_days": "x", "cadence": "weekly"},
        lambda field, message: told.append((field, message)),
    )

    assert definition.title == "Q3"
    assert definition.cadence
    assert [field for field, _ in told] == ["first_day", "grace_days"]
