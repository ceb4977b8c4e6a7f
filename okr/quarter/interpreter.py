"""Reads the cells of records as values, and keeps what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from okr import definitions, names, texts
from okr.definitions import Definition
from okr.quarter.measure import misfits
from okr.quarter.record import Problems, Record, problem
from okr.v1.ledger_service_pb2 import NewKeyResult
from okr.v1.values_pb2 import KeyResultDefinition, Milestone

Value = TypeVar("Value")


class Interpreter:
    """The values of a file's cells; every problem that it meets goes to `problems`.

    `cycle` is its full name; it, its zone, days and grace are set once the cycle has been read.
    """

    def __init__(self, milestones: Iterable[Record], problems: Problems) -> None:
        self.problems = problems
        self.cycle = ""
        self.zone: tzinfo = UTC
        self.first_day = date.min
        self.last_day = date.max
        self.grace = timedelta()
        self._milestones: dict[str, list[Record]] = {}
        for record in milestones:
            self._milestones.setdefault(record.text("of"), []).append(record)

    def value(self, read: Callable[[str], Value], record: Record, column: str) -> Value | None:
        """A cell's value; None for an absent cell, and for one that `read` refuses."""
        text = record.text(column)
        if not text:
            return None
        try:
            return read(text)
        except ValueError as error:
            self.problems.add(problem(record, column, str(error)))
            return None

    def name(self, read: Callable[[str], str], record: Record, column: str = "of") -> str:
        """The full name that a cell stands for; empty if it is absent or wrong."""
        return self.value(read, record, column) or ""

    def own_name(self, collection: str, record: Record) -> str:
        """The full name of what a record makes, from its id."""
        return self.name(lambda text: f"{collection}/{_id(text)}", record, "id")

    def day(self, record: Record, column: str = "on", *, grace: bool = False) -> date | None:
        """A day of the cycle, its grace for check-ins included if asked; not in the future."""
        given = self.value(texts.day, record, column)
        if given is None:
            return None
        last = self.last_day + self.grace if grace else self.last_day
        if not self.first_day <= given <= last:
            days = f"{given} lies outside {self.first_day} to {last}"
            self.problems.add(problem(record, column, days))
        elif given > (today := datetime.now(self.zone).date()):
            self.problems.add(problem(record, column, f"{given} is after today, {today}"))
        return given

    def instant(self, record: Record, column: str) -> Timestamp | None:
        """A time, in the cycle's time zone where it does not say."""
        given = self.value(lambda text: texts.instant(text, self.zone), record, column)
        return texts.timestamp(given) if given else None

    def source(self, record: Record) -> datetime | None:
        """When the system that the file comes from recorded it, if it says."""
        return self.value(lambda text: texts.instant(text, self.zone), record, "source_time")

    def end_of(self, day: date | None) -> datetime:
        """The last instant of a day in the cycle's time zone; of its last day for None."""
        return datetime.combine(day or self.last_day, time.max, self.zone)

    def definition(
        self, definition: Definition, record: Record, columns: Iterable[str]
    ) -> Definition:
        """A definition from those of the columns that a record gives."""
        return definitions.filled(
            definition,
            record.texts(columns),
            lambda column, message: self.problems.add(problem(record, column, message)),
        )

    def key_result_name(self, record: Record) -> str:
        """The full name of the key result that a record makes."""
        of = record.text("of")
        return self.name(lambda own: names.key_result(f"{of}/{own}"), record, "id")

    def new_key_result(self, record: Record) -> tuple[NewKeyResult, list[Record]]:
        """A key result with its milestones, and the records of these in order."""
        definition = self.definition(KeyResultDefinition(), record, definitions.KEY_RESULT)
        milestones = self._milestones.pop(f"{record.text('of')}/{record.text('id')}", [])
        for step in milestones:
            definition.milestones.append(
                Milestone(
                    id=step.text("id"),
                    title=step.text("title"),
                    weight=self.value(texts.decimal, step, "weight") or "",
                )
            )
        self.problems.extend(problem(record, c, message) for c, message in misfits(definition))
        return NewKeyResult(key_result_id=record.text("id"), definition=definition), milestones

    def finish(self) -> None:
        """Report the milestones that no key result has taken."""
        for of, records in self._milestones.items():
            for record in records:
                lost = f"{of} is no key result of this file"
                self.problems.add(problem(record, "of", lost))


def _id(text: str) -> str:
    if not names.valid_id(text):
        raise ValueError(f"{text!r} is no id: lower-case letters, digits and hyphens, at most 63")
    return text
