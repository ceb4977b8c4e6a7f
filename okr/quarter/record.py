"""One thing that a file says, whatever its format: a kind and named cells, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as text; `line` counts from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a CSV, or an object of a JSON, that says one thing.

    `path` leads to the object in a JSON, such as `objectives[2].key_results[0]`; empty in a CSV.
    `names` holds what the file calls a field where that is not the column's name; empty where the
    field follows from the record's place.
    """

    kind: str
    line: int
    path: str
    cells: Mapping[str, Cell]
    names: Mapping[str, str] = field(default_factory=dict)

    def text(self, column: str, default: str = "") -> str:
        """A cell's text, or the default for an absent one."""
        cell = self.cells.get(column)
        return cell.text if cell else default

    def texts(self, columns: Iterable[str]) -> dict[str, str]:
        """The texts of those of the columns that are given."""
        return {column: self.cells[column].text for column in columns if column in self.cells}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong with a file, and where; `field` is a column, or a path in a JSON."""

    line: int
    field: str
    message: str

    def line_in(self, file: str) -> str:
        """The problem on one line: file, line, field and what is wrong."""
        return ": ".join(filter(None, (f"{file}:{self.line}", self.field, self.message)))


class Problems:
    """What is wrong with a file; of each place only what was found first.

    A cell that cannot be read often breaks a further rule for its emptiness.
    """

    def __init__(self, found: Iterable[Problem] = ()) -> None:
        self._found: dict[tuple[int, str], Problem] = {}
        self.extend(found)

    def add(self, found: Problem) -> None:
        """Take a problem."""
        self._found.setdefault((found.line, found.field), found)

    def extend(self, found: Iterable[Problem]) -> None:
        """Take several problems."""
        for each in found:
            self.add(each)

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._found.values()))

    def __bool__(self) -> bool:
        return bool(self._found)


class FileRefused(Exception):
    """A file that cannot be imported, with everything that is wrong with it."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(each.line_in(file) for each in self.problems))


def problem(record: Record, column: str, message: str) -> Problem:
    """A problem with a column of a record; of the whole record if the column is empty."""
    name = record.names.get(column, column)
    cell = record.cells.get(column) if name else None
    path = ".".join(filter(None, (record.path, name)))
    return Problem(cell.line if cell else record.line, path, message)
