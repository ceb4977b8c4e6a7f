"""Makes steps of records: one for each decision and each check-in that a file tells of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from okr import definitions, names, texts
from okr.quarter.changes import adjustment, alignment, alignment_needs, new_objective
from okr.quarter.check_ins import CheckIns
from okr.quarter.interpreter import Interpreter
from okr.quarter.record import Problem, Problems, Record, problem
from okr.quarter.rules import violations
from okr.quarter.step import Need, Step, request_id
from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import CycleDefinition, TeamDefinition

_AT_THE_START = datetime.min.replace(tzinfo=UTC)


class Assembly:
    """The steps that records make, not yet in order."""

    def __init__(self, records: list[Record], problems: Problems) -> None:
        """Make the steps; `problems` holds what is known to be wrong, and takes the rest."""
        self._records = records
        self._kinds: dict[str, list[Record]] = defaultdict(list)
        self._key_results: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            self._kinds[record.kind].append(record)
            if record.kind == "key_result" and not record.text("adjustment"):
                self._key_results[record.text("of")].append(record)
        self._interpreter = Interpreter(self._kinds["milestone"], problems)
        self._check_ins = CheckIns(self._interpreter, self._kinds["key_result"])
        self.problems = problems
        self.steps: list[Step] = []
        cycles = self._kinds["cycle"]
        if len(cycles) != 1:
            line = cycles[1].line if cycles else 1
            self.problems.add(Problem(line, "", f"needs one cycle, and has {len(cycles)}"))
            return
        self._keep(self._cycle(cycles[0]))
        self._check_belonging()
        for kind, make in (
            ("team", self._team),
            ("objective", self._objective),
            ("alignment", self._alignment),
            ("plan", self._plan),
            ("check_in", self._check_ins.recorded),
            ("correction", self._check_ins.corrected),
            ("retraction", self._check_ins.retracted),
            ("adjustment", self._adjustment),
            ("grade", self._grade),
        ):
            for record in self._kinds[kind]:
                if not record.text("adjustment"):
                    self._keep(make(record))
        self._interpreter.finish()

    def _keep(self, step: Step) -> None:
        """Complete a step's request and check it by the API's own rules."""
        step.request.request_id = request_id(step.key)
        if source := self._interpreter.instant(step.record, "source_time"):
            step.request.source_time.CopyFrom(source)
        actor = self._interpreter.value(names.actor, step.record, "actor")
        self.steps.append(replace(step, actor=actor or ""))
        self.problems.extend(step.problem(path, rule) for path, rule in violations(step.request))

    def _check_belonging(self) -> None:
        planned = {r.text("id") for r in self._kinds["objective"] if not r.text("adjustment")}
        for of, key_results in self._key_results.items():
            if of not in planned:
                lost = f"{of} is no objective of this file's plan"
                self.problems.extend(problem(record, "of", lost) for record in key_results)
        adjustments = {record.text("id") for record in self._kinds["adjustment"]}
        for record in self._records:
            part_of = record.text("adjustment")
            if part_of and part_of not in adjustments:
                lost = f"{part_of} is no adjustment of this file"
                self.problems.add(problem(record, "adjustment", lost))

    def _cycle(self, record: Record) -> Step:
        name = self._interpreter.own_name("cycles", record)
        columns = definitions.CYCLE
        definition = self._interpreter.definition(CycleDefinition(), record, columns)
        # A file whose cycle has no proper name is refused for that, not for all that belongs to it.
        self._interpreter.cycle = name or "cycles/nameless"
        self._interpreter.zone = self._interpreter.value(_zone, record, "time_zone") or UTC
        first = self._interpreter.value(texts.day, record, "first_day")
        last = self._interpreter.value(texts.day, record, "last_day")
        if first and last:
            self._interpreter.first_day = first
            self._interpreter.last_day = max(first, last)
            if last < first:
                self.problems.add(problem(record, "last_day", f"is before {first}"))
        self._interpreter.grace = timedelta(days=definition.grace_days)
        request = api.CreateCycleRequest(cycle_id=record.text("id"), definition=definition)
        return Step(name, request, (("", record),), _AT_THE_START, 0, provides=(name,))

    def _team(self, record: Record) -> Step:
        name = self._interpreter.own_name("teams", record)
        definition = self._interpreter.definition(TeamDefinition(), record, definitions.TEAM)
        needs = (Need(definition.parent, record, "parent"),) if definition.parent else ()
        request = api.CreateTeamRequest(team_id=record.text("id"), definition=definition)
        return Step(name, request, (("", record),), _AT_THE_START, 1, provides=(name,), needs=needs)

    def _objective(self, record: Record) -> Step:
        key_results = self._key_results[record.text("id")]
        made = new_objective(self._interpreter, record, key_results)
        return Step(
            key=made.provides[0],
            request=made.request,
            places=tuple(made.places),
            when=_AT_THE_START,
            rank=2,
            provides=tuple(made.provides),
            needs=tuple(made.needs),
        )

    def _alignment(self, record: Record) -> Step:
        request = alignment(self._interpreter, record)
        return Step(
            key=f"alignments/{request.child}/{request.kind}/{request.parent}",
            request=request,
            places=(("", record),),
            when=_AT_THE_START,
            rank=3,
            needs=tuple(alignment_needs(request, record)),
        )

    def _plan(self, record: Record) -> Step:
        day = self._interpreter.day(record)
        request = api.CommitPlanRequest(
            name=self._interpreter.cycle,
            effective_date=texts.date_message(day) if day else None,
        )
        key = f"{self._interpreter.cycle}/plan"
        return Step(key, request, (("", record),), _AT_THE_START, 4, provides=(key,))

    def _adjustment(self, record: Record) -> Step:
        name = self._interpreter.own_name("adjustments", record)
        request, changes = adjustment(self._interpreter, record, self._records)
        day = self._interpreter.value(texts.day, record, "on")
        return Step(
            key=name,
            request=request,
            places=(("", record), *changes.places),
            when=self._interpreter.source(record) or self._interpreter.end_of(day),
            rank=4,
            provides=(name, *changes.provides),
            needs=tuple(changes.needs),
        )

    def _grade(self, record: Record) -> Step:
        name = self._interpreter.name(names.objective, record)
        day = self._interpreter.day(record)
        request = api.GradeObjectiveRequest(
            name=name,
            override_score=self._interpreter.value(texts.decimal, record, "score"),
            reason=record.text("reason"),
            effective_date=texts.date_message(day) if day else None,
        )
        return Step(
            key=f"{name}/grade",
            request=request,
            places=(("", record),),
            when=self._interpreter.source(record) or self._interpreter.end_of(day),
            rank=5,
            provides=(f"the grade of {name}",),
            needs=(Need(name, record, "of"),),
        )


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is no time zone such as Europe/Budapest") from error
