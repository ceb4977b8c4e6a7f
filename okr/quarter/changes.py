"""The changes of a strategy adjustment, from the records that belong to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from okr import definitions, names, texts
from okr.quarter.interpreter import Interpreter
from okr.quarter.record import Problem, Record, problem
from okr.quarter.step import Need
from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import AlignmentKind, Category, KeyResultDefinition, ObjectiveDefinition


@dataclass(slots=True)
class Changes:
    """The changes of one adjustment in the order of the file, with what they make and need."""

    interpreter: Interpreter
    made: list[api.StrategyChange] = field(default_factory=list)
    places: list[tuple[str, Record]] = field(default_factory=list)
    provides: list[str] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)

    def take(self, record: Record, key_results: list[Record]) -> None:
        """Take a record in; `key_results` are those of an objective that it creates."""
        change = api.StrategyChange()
        place = f"changes[{len(self.made)}]."
        match record.kind:
            case "revision":
                self._revise(change, record)
            case "drop":
                change.drop_key_result.name = self._key_result(record)
            case "restoration":
                change.restore_key_result.name = self._key_result(record)
            case "abandonment":
                change.abandon_objective.name = self._objective(record)
            case "alignment":
                change.align.CopyFrom(alignment(self.interpreter, record))
                self.needs += alignment_needs(change.align, record)
            case "unalignment":
                given = alignment(self.interpreter, record)
                change.unalign.CopyFrom(
                    api.UnalignRequest(child=given.child, parent=given.parent, kind=given.kind)
                )
                self.needs += alignment_needs(given, record)
            case "key_result":
                self._add(change, record)
            case _:
                self._create(change, record, key_results, place)
        self.made.append(change)
        self.places.append((place, record))

    def _revise(self, change: api.StrategyChange, record: Record) -> None:
        of = self.interpreter.name(names.subject, record)
        self.needs.append(Need(of, record, "of"))
        if "/keyResults/" in of:
            columns: tuple[str, ...] = definitions.KEY_RESULT
            change.revise_key_result.name = of
            change.revise_key_result.definition.CopyFrom(
                self.interpreter.definition(KeyResultDefinition(), record, columns)
            )
        else:
            columns = definitions.OBJECTIVE
            change.update_objective.name = of
            change.update_objective.definition.CopyFrom(
                self.interpreter.definition(ObjectiveDefinition(), record, columns)
            )
        foreign = [c for c in record.cells if c not in (*columns, "of", "adjustment")]
        self.interpreter.problems.extend(_foreign(record, column, of) for column in foreign)

    def _key_result(self, record: Record) -> str:
        name = self.interpreter.name(names.key_result, record)
        self.needs.append(Need(name, record, "of"))
        return name

    def _objective(self, record: Record) -> str:
        name = self.interpreter.name(names.objective, record)
        self.needs.append(Need(name, record, "of"))
        return name

    def _add(self, change: api.StrategyChange, record: Record) -> None:
        parent = self._objective(record)
        new, milestones = self.interpreter.new_key_result(record)
        change.add_key_result.parent = parent
        change.add_key_result.key_result_id = new.key_result_id
        change.add_key_result.definition.CopyFrom(new.definition)
        self.provides.append(self.interpreter.key_result_name(record))
        path = f"changes[{len(self.made)}].add_key_result.definition.milestones"
        self.places += [(f"{path}[{i}].", step) for i, step in enumerate(milestones)]

    def _create(
        self, change: api.StrategyChange, record: Record, key_results: list[Record], place: str
    ) -> None:
        created = new_objective(self.interpreter, record, key_results)
        change.create_objective.CopyFrom(created.request)
        self.places += [(f"{place}create_objective.{path}", r) for path, r in created.places]
        self.provides += created.provides
        self.needs += created.needs


def adjustment(
    interpreter: Interpreter, record: Record, records: Iterable[Record]
) -> tuple[api.AdjustStrategyRequest, Changes]:
    """An adjustment with those of the records that name it, in the order of the file."""
    own = record.text("id")
    parts = [part for part in records if part.text("adjustment") == own]
    key_results = [part for part in parts if part.kind == "key_result"]
    created = {part.text("id") for part in parts if part.kind == "objective"}
    changes = Changes(interpreter)
    for part in parts:
        of = part.text("id")
        if part.kind != "key_result" or part.text("of") not in created:
            changes.take(part, [each for each in key_results if each.text("of") == of])
    day = interpreter.day(record)
    request = api.AdjustStrategyRequest(
        adjustment_id=own,
        cycle=interpreter.cycle,
        title=record.text("title"),
        changes=changes.made,
        reason=record.text("reason"),
        category=interpreter.value(_category, record, "category") or Category.CATEGORY_UNSPECIFIED,
        effective_date=texts.date_message(day) if day else None,
    )
    return request, changes


@dataclass(slots=True)
class NewObjective:
    """An objective with its key results: one request, with what it makes and needs."""

    request: api.CreateObjectiveRequest
    places: list[tuple[str, Record]]
    provides: list[str]
    needs: list[Need]


def new_objective(
    interpreter: Interpreter, record: Record, key_results: list[Record]
) -> NewObjective:
    """An objective and the key results that are created with it, in the order of the file."""
    name = interpreter.own_name("objectives", record)
    definition = interpreter.definition(ObjectiveDefinition(), record, definitions.OBJECTIVE)
    request = api.CreateObjectiveRequest(
        objective_id=record.text("id"), definition=definition, cycle=interpreter.cycle
    )
    result = NewObjective(request, [("", record)], [name], [])
    if definition.team:
        result.needs.append(Need(definition.team, record, "team"))
    for i, key_result in enumerate(key_results):
        new, milestones = interpreter.new_key_result(key_result)
        request.key_results.append(new)
        place = f"key_results[{i}]."
        result.places.append((place, key_result))
        result.places += [
            (f"{place}definition.milestones[{j}].", step) for j, step in enumerate(milestones)
        ]
        result.provides.append(interpreter.key_result_name(key_result))
    return result


def alignment(interpreter: Interpreter, record: Record) -> api.AlignRequest:
    """The alignment that a record tells of, made or taken back."""
    return api.AlignRequest(
        child=interpreter.name(names.subject, record),
        parent=interpreter.name(names.subject, record, "parent"),
        kind=interpreter.value(_kind, record, "alignment")
        or AlignmentKind.ALIGNMENT_KIND_UNSPECIFIED,
        weight=interpreter.value(texts.decimal, record, "weight") or "",
    )


def alignment_needs(given: api.AlignRequest, record: Record) -> list[Need]:
    """Both ends of an alignment."""
    return [Need(given.child, record, "of"), Need(given.parent, record, "parent")]


def _kind(text: str) -> AlignmentKind.ValueType:
    return AlignmentKind.ValueType(texts.choice(AlignmentKind.DESCRIPTOR, text))


def _category(text: str) -> Category.ValueType:
    return Category.ValueType(texts.choice(Category.DESCRIPTOR, text))


def _foreign(record: Record, column: str, of: str) -> Problem:
    return problem(record, column, f"is no field of {of}")
