"""Reads the JSON form of a quarter: the same records as in a CSV, nested where they belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from okr.quarter.json_tree import List, Node, NotJson, Object, Text, Word, parse
from okr.quarter.record import Cell, FileRefused, Problem, Record

ABOUT: Final = "about"
"""A field of the whole file for its readers; it is not imported."""

CHANGE: Final = "change"
"""Stands for the kinds of `CHANGES`."""

TOP: Final = {
    "cycle": "cycle",
    "teams": "team",
    "objectives": "objective",
    "alignments": "alignment",
    "plan": "plan",
    "adjustments": "adjustment",
}
"""The kind of record that each field of the whole file holds; a plural holds a list."""

NESTED: Final = {
    "objective": {"key_results": "key_result", "grade": "grade"},
    "key_result": {"milestones": "milestone", "check_ins": "check_in"},
    "check_in": {"corrections": "correction", "retraction": "retraction"},
    "adjustment": {"changes": CHANGE},
}
"""The kind of record that a field of another record holds; `of` is then the outer one."""

CHANGES: Final = {
    "revise": "revision",
    "drop": "drop",
    "restore": "restoration",
    "abandon": "abandonment",
    "align": "alignment",
    "unalign": "unalignment",
    "add": "key_result",
    "create": "objective",
}
"""The kind of each change of an adjustment, by the field that names what it changes."""


def records(text: str, file: str) -> list[Record]:
    """The records of a JSON text.

    Raises:
        FileRefused: it is no JSON, or not of this shape.
    """
    return _read(text, file, lambda reader, tree: reader.whole(tree))


def adjustment_records(text: str, file: str) -> list[Record]:
    """The records of a JSON text that holds one adjustment.

    Raises:
        FileRefused: it is no JSON, or not of this shape.
    """
    return _read(text, file, lambda reader, tree: reader.adjustment(tree))


def _read(text: str, file: str, take: Callable[[_Reader, Node], None]) -> list[Record]:
    try:
        tree = parse(text)
    except NotJson as error:
        raise FileRefused(file, [Problem(error.line, "", str(error))]) from error
    reader = _Reader()
    take(reader, tree)
    if reader.problems:
        raise FileRefused(file, reader.problems)
    return reader.records


class _Reader:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.problems: list[Problem] = []

    def whole(self, tree: Node) -> None:
        for name, node in self._fields(tree, ""):
            kind = TOP.get(name)
            if name == ABOUT:
                continue
            if kind is None:
                self._problem(node, name, f"is no part of a quarter; there are {', '.join(TOP)}")
            elif name == kind:
                self._take(kind, node, name, {}, {})
            else:
                for i, item in self._items(node, name):
                    self._take(kind, item, f"{name}[{i}]", {}, {})

    def adjustment(self, tree: Node) -> None:
        self._take("adjustment", tree, "", {}, {})

    def _take(
        self, kind: str, node: Node, path: str, told: dict[str, Cell], names: dict[str, str]
    ) -> None:
        """Take a record and those nested in it.

        `told` are cells that its place tells, `names` what the file calls these.
        """
        cells = dict(told)
        nested: list[tuple[str, Node]] = []
        for name, value in self._fields(node, path):
            if name in names.values():
                continue
            if name in NESTED.get(kind, {}):
                nested.append((name, value))
            elif (cell := self._cell(value, _join(path, name))) is not None:
                cells[name] = cell
        record = Record(kind, node.line, path, cells, names)
        self.records.append(record)
        for name, value in nested:
            self._take_nested(record, name, value)

    def _take_nested(self, outer: Record, name: str, node: Node) -> None:
        path = _join(outer.path, name)
        inner = NESTED[outer.kind][name]
        if inner == CHANGE:
            for i, item in self._items(node, path):
                self._change(item, f"{path}[{i}]", Cell(outer.text("id"), outer.line))
            return
        own = outer.text("id") or outer.text("on")
        told = {"of": Cell("/".join(filter(None, (outer.text("of"), own))), outer.line)}
        if inner == name:
            self._take(inner, node, path, told, {"of": ""})
            return
        if inner == "key_result" and "adjustment" in outer.cells:
            told["adjustment"] = outer.cells["adjustment"]
        for i, item in self._items(node, path):
            self._take(inner, item, f"{path}[{i}]", told, {"of": ""})

    def _change(self, node: Node, path: str, adjustment: Cell) -> None:
        fields = dict(self._fields(node, path))
        said = [name for name in CHANGES if name in fields]
        if len(said) != 1:
            wanted = f"a change says exactly one of {', '.join(CHANGES)}"
            self._problem(node, path, wanted)
            return
        verb = said[0]
        subject = self._cell(fields[verb], _join(path, verb)) or Cell("", node.line)
        told = {"adjustment": adjustment}
        names = {"of": verb}
        kind = CHANGES[verb]
        if verb == "create":
            told["id"], names = subject, {"id": verb}
        elif verb == "add":
            objective, _, own = subject.text.rpartition("/")
            told["of"], told["id"] = Cell(objective, subject.line), Cell(own, subject.line)
            names = {"of": verb, "id": verb}
        else:
            told["of"] = subject
        self._take(kind, node, path, told, names)

    def _fields(self, node: Node, path: str) -> Iterator[tuple[str, Node]]:
        if isinstance(node, Object):
            yield from node.fields.items()
        else:
            self._problem(node, path, "must be an object in braces")

    def _items(self, node: Node, path: str) -> Iterator[tuple[int, Node]]:
        if isinstance(node, List):
            yield from enumerate(node.items)
        else:
            self._problem(node, path, "must be a list in brackets")

    def _cell(self, node: Node, path: str) -> Cell | None:
        """A value as the text that a CSV has for it; None for null."""
        match node:
            case Word(text="null"):
                return None
            case Text(text, line) | Word(text, line):
                return Cell(text, line)
            case List(items, line):
                parts = [self._part(item, path) for item in items]
                return Cell("; ".join(parts) or "none", line)
            case Object(fields, line):
                pairs = [f"{name}={self._part(value, path)}" for name, value in fields.items()]
                return Cell("; ".join(pairs).removeprefix("name="), line)

    def _part(self, node: Node, path: str) -> str:
        if isinstance(node, (Text, Word)):
            return node.text
        self._problem(node, path, "must hold plain values")
        return ""

    def _problem(self, node: Node, path: str, message: str) -> None:
        self.problems.append(Problem(node.line, path, message))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
