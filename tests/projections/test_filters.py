"""Filters: their text, their tree, and what they let through."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.refusals import FieldInvalid
from okr.v1.values_pb2 import Category
from projections.filtering.fields import (
    BOOLEAN,
    DAY,
    EVENT_TYPE,
    NAME,
    NAMES,
    NUMBER,
    TEXT,
    TIME,
    Field,
    Kind,
    enum,
    instant_us,
    predicate,
    required,
)
from projections.filtering.text import (
    OPERATORS,
    And,
    Comparison,
    Expression,
    Not,
    Or,
    parsed,
    written,
)

CATEGORY = enum(Category.DESCRIPTOR, "CATEGORY_")
KINDS: dict[str, Kind] = {
    "actor": NAME,
    "team": NAMES,
    "reason": TEXT,
    "category": CATEGORY,
    "position": NUMBER,
    "recorded_time": TIME,
    "effective_date": DAY,
    "after": BOOLEAN,
    "event_type": EVENT_TYPE,
}


def held_by(name: str) -> Field[dict[str, Any]]:
    return Field(KINDS[name], lambda entry: entry.get(name))


FIELDS = {name: held_by(name) for name in KINDS}


def passes(text: str, **entry: Any) -> bool:
    return predicate(text, FIELDS)[1](entry)


def refused(text: str) -> str:
    with pytest.raises(FieldInvalid) as refusal:
        predicate(text, FIELDS)
    (violation,) = refusal.value.violations
    assert violation.field == "filter"
    return f"{violation.rule.removeprefix('filter.')}: {violation.description}"


def truth(name: str) -> Field[dict[str, bool]]:
    return Field(BOOLEAN, lambda entry: entry.get(name, False))


TRUTHS = {name: truth(name) for name in "abcd"}


def expressions_of(names: st.SearchStrategy[str]) -> st.SearchStrategy[Expression]:
    comparisons = st.builds(Comparison, names, st.sampled_from(OPERATORS), st.text(max_size=8))
    return st.recursive(
        comparisons,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, min_size=2, max_size=4).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=2, max_size=4).map(tuple)),
        ),
        max_leaves=8,
    )


@settings(deadline=None)
@given(expressions_of(st.from_regex(r"[a-z][a-z_]{0,5}", fullmatch=True)))
def test_what_is_written_is_read_again(expression: Expression) -> None:
    assert parsed(written(expression)) == expression


@settings(deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(
            st.sampled_from(
                [
                    *OPERATORS, *KINDS, *("AND", "OR", "NOT", "-", "(", ")"),
                    *('"', "'", "\\", ",", "*"),
                    *("x", "3", "true", "LEARNING", "2026-08-10", "0001-01-01T00:00:00+14:00"),
                ]
            ),
            max_size=14,
        ).map(" ".join),
    )
)  # fmt: skip
def test_whatever_is_written_is_a_filter_or_refused_at_a_column(text: str) -> None:
    try:
        predicate(text, FIELDS)
    except FieldInvalid as refusal:
        (violation,) = refusal.violations
        column = int(violation.description.removeprefix("column ").partition(":")[0])
        assert violation.field == "filter"
        assert 1 <= column <= len(text) + 1


@settings(deadline=None)
@given(
    expressions_of(st.sampled_from("abcd")), st.dictionaries(st.sampled_from("abcd"), st.booleans())
)
def test_not_and_or_mean_what_they_say(expression: Expression, entry: dict[str, bool]) -> None:
    """Each comparison of an entry's own truth values against "true"."""

    def meant(part: Expression) -> bool:
        match part:
            case Comparison(name):
                return entry.get(name, False)
            case Not(inner):
                return not meant(inner)
            case And(parts):
                return all(map(meant, parts))
            case Or(parts):
                return any(map(meant, parts))

    def plain(part: Expression) -> Expression:
        match part:
            case Comparison(name):
                return Comparison(name, "=", "true")
            case Not(inner):
                return Not(plain(inner))
            case And(parts):
                return And(tuple(map(plain, parts)))
            case Or(parts):
                return Or(tuple(map(plain, parts)))

    assert predicate(written(plain(expression)), TRUTHS)[1](entry) == meant(expression)


def test_or_binds_tighter_than_and() -> None:
    text = "position = 1 AND position = 2 OR position = 3"
    assert parsed(text) == And(
        (
            Comparison("position", "=", "1"),
            Or((Comparison("position", "=", "2"), Comparison("position", "=", "3"))),
        )
    )
    assert parsed("(position=1 AND position=2) OR position=3") == Or(
        (
            And((Comparison("position", "=", "1"), Comparison("position", "=", "2"))),
            Comparison("position", "=", "3"),
        )
    )
    assert parsed("-position:1") == parsed("NOT (position : '1')")
    assert parsed("  ") is None


@pytest.mark.parametrize(
    ("text", "entry", "expected"),
    [
        ("actor = people/anna", {"actor": "people/anna"}, True),
        ("actor = people/*", {"actor": "people/anna"}, True),
        ("actor != people/*", {"actor": "services/crm"}, True),
        ("actor : people", {"actor": "people/anna"}, True),
        ("actor : peop", {"actor": "people/anna"}, False),
        ("actor:*", {"actor": ""}, False),
        ("actor:*", {"actor": "x"}, True),
        ("team = teams/b", {"team": {"teams/a", "teams/b"}}, True),
        ("team != teams/b", {"team": {"teams/a", "teams/b"}}, False),
        ("team != teams/b", {"team": set()}, True),
        ("reason : 'ÜGY'", {"reason": "Az ügyfelek elmentek"}, True),
        ("reason = '*mentek'", {"reason": "Az ügyfelek elmentek"}, True),
        ("category = LEARNING", {"category": Category.CATEGORY_LEARNING}, True),
        ("category != CATEGORY_LEARNING", {"category": Category.CATEGORY_OTHER}, True),
        ("category = LEARNING", {}, False),
        ("category != LEARNING", {}, True),
        ("position >= 10", {"position": 10}, True),
        ("position < 10", {"position": 9}, True),
        ("recorded_time > 2026-08-10T18:00:00+02:00", {"recorded_time": 1786377600000001}, True),
        ("recorded_time > 2026-08-10T18:00:00+02:00", {"recorded_time": 1786377600000000}, False),
        ("after = true", {"after": True}, True),
        ("after != true", {"after": True}, False),
        ("event_type = KeyResultDropped", {"event_type": "okr.v1.KeyResultDropped"}, True),
        ("event_type = okr.v1.KeyResult*", {"event_type": "okr.v1.KeyResultDropped"}, True),
        ('reason = "a \\"b\\" \\\\"', {"reason": 'a "b" \\'}, True),
        ("reason = AND*", {"reason": "ANDor"}, True),
    ],
)
def test_a_comparison_is_of_its_fields_type(
    text: str, entry: dict[str, Any], expected: bool
) -> None:
    assert passes(text, **entry) == expected


def test_a_day_is_compared_as_one() -> None:
    assert passes("effective_date <= 2026-08-10", effective_date=date(2026, 8, 10))
    assert not passes("effective_date > 2026-08-10", effective_date=date(2026, 8, 10))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("actor", "syntax: column 6: expected one of <= >= != = < > :, found the end"),
        ("actor = ", "syntax: column 9: expected a value, found the end"),
        ("actor = x y = z", "syntax: column 11: expected AND, OR or the end, found 'y'"),
        ("actor = x and actor = y", "syntax: column 11: expected AND, OR or the end, found 'and'"),
        ("(actor = x", 'syntax: column 11: expected AND, OR or ")", found the end'),
        ("actor = x)", "syntax: column 10: expected AND, OR or the end, found ')'"),
        ("AND actor = x", "syntax: column 1: expected the name of a field, found 'AND'"),
        ("NOT NOT actor = x", "syntax: column 5: expected the name of a field, found 'NOT'"),
        ("actor = AND", "syntax: column 9: expected a value; such a word is written in quotes"),
        ("reason = 'ő", "syntax: column 10: expected a value that ends with ', found \"'\""),
        ("ő = 1", "syntax: column 1: expected the name of a field, found 'ő'"),
        ("(" * 21, "syntax: column 21: expected no more than 20 parentheses within each other"),
        ("colour = red", "field: column 1: expected one of the fields actor, after,"),
        ("actor = x AND colour = red", "field: column 15: expected one of the fields"),
        ("actor < x", "operator: column 7: expected one of = != : after actor, found '<'"),
        ("position : 3", "operator: column 10: expected one of = != < <= > >= after position"),
        ("position = 3.5", "value: column 12: expected a whole number, found '3.5'"),
        ("category = WEATHER", "value: column 12: expected one of MARKET_CHANGE, CAPACITY,"),
        ("category = UNSPECIFIED", "value: column 12: expected one of MARKET_CHANGE"),
        ("recorded_time > 2026-08-10", "value: column 17: expected a time with its offset"),
        ("recorded_time > 2026-08-10T18:00", "value: column 17: expected a time with its offset"),
        ("effective_date > 2026-W33-1", "value: column 18: expected a day, such as 2026-08-10"),
        ("effective_date > 2026-02-30", "value: column 18: expected a day"),
        ("after = yes", "value: column 9: expected true or false, found 'yes'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_column(text: str, said: str) -> None:
    assert refused(text).startswith(said), refused(text)


def test_what_every_entry_fulfils_is_joined_by_and() -> None:
    def names(text: str) -> list[str]:
        return [each.name for each in required(parsed(text))]

    assert names("actor = x AND (position > 3 AND after = true)") == ["actor", "position", "after"]
    assert names("actor = x OR position > 3") == []
    assert names("actor = x AND NOT position > 3") == ["actor"]
    assert names("") == []


def test_a_time_is_told_to_the_microsecond() -> None:
    assert instant_us("1970-01-01T00:00:00.000001Z") == 1
    assert instant_us("0001-01-01T00:00:00+14:00") < 0
