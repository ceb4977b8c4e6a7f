from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okr.quarter.json_tree import List, Node, NotJson, Object, Text, Word, parse

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def plain(node: Node) -> Any:
    match node:
        case Text(text):
            return text
        case Word(text):
            return json.loads(text)
        case List(items):
            return [plain(item) for item in items]
        case Object(fields):
            return {name: plain(value) for name, value in fields.items()}


@given(JSONS, st.sampled_from([None, 0, 2]), st.booleans())
def test_it_reads_what_the_standard_library_writes(
    value: Any, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)

    assert plain(parse(text)) == value


@given(st.text(max_size=40))
def test_what_is_no_json_is_refused_and_never_breaks(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        expected = NotJson
    try:
        found: Any = plain(parse(text))
    except NotJson:
        # Stricter than the standard library: no NaN, no Infinity.
        return
    assert found == expected


def test_values_know_their_lines_and_numbers_their_text() -> None:
    tree = parse('{\n "a": 1.50,\n "b": [\n  "x",\n  1e3]\n}')

    assert tree == Object({"a": Word("1.50", 2), "b": List((Text("x", 4), Word("1e3", 5)), 3)}, 1)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "expected a value"),
        ('{\n"a": 1,\n"a": 2}', 3, "'a' stands twice"),
        ('{\n"a" 1}', 2, "expected a colon"),
        ("[1,\n2,\n]", 3, "a comma after the last item"),
        ("[1\n2]", 2, "expected a comma"),
        ('{"a": "x\ny"}', 1, "on one line"),
        ("{\n\n\"a\": 'x'}", 3, "expected a value"),
        ('{"a": "\\q"}', 1, "is no JSON text"),
        ("{} {}", 1, "more text"),
        ("[" * 50, 1, "levels deep"),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, line: int, said: str) -> None:
    with pytest.raises(NotJson, match=said) as caught:
        parse(text)

    assert caught.value.line == line
