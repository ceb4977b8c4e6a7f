"""A year as chance has it: every kind of event, told to the service day by day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from google.protobuf.message import Message

from ledger.scoring.policy import PRESETS
from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import ReviewKind, ScoringPolicy
from tests.model.boxes import BEGINS, ENDS, Box, boxes
from tests.model.draws import PEOPLE, Draws
from tests.model.writing import Writer
from tests.support import ask
from tests.support.random_quarter import KEY_RESULTS, VALUES

CADENCES: Final = ("CADENCE_WEEKLY", "CADENCE_BIWEEKLY", "CADENCE_MONTHLY")
TEAMS: Final = {"company": "", "marketing": "company", "sales": "company", "field": "sales"}
"""Each with the one above it."""
ABANDONED: Final = date(2025, 8, 20), date(2025, 5, 20)
"""When an objective of the year, and one of the second quarter, is given up."""
DECIDED: Final = date(2025, 5, 12)
"""When a proposal for the summer is rejected and one is approved."""
RETIRED: Final = date(2025, 9, 1)
"""When a team is."""


@dataclass
class Year(Draws):
    """Chance tells the same of the same seed: requests go batch by batch, at a set clock."""

    writer: Writer
    boxes: list[Box] = field(default_factory=boxes)
    key_results: list[str] = field(default_factory=list)
    check_ins: list[str] = field(default_factory=list)
    revised: list[api.ReviseKeyResultRequest] = field(default_factory=list)
    aligned: list[api.AlignRequest] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    """Objectives graded or abandoned, key results dropped, cycles sealed."""
    proposed: list[str] = field(default_factory=list)
    made: list[tuple[str, str]] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    position: int = 0
    _count: int = 0

    def told(self, events: int) -> None:
        """Tells the year in at least so many events."""
        days = (ENDS - BEGINS).days
        for ago in range(days + 1):
            day = BEGINS + timedelta(ago)
            self.clock.begin(day)
            for request in self._appointed(day):
                self._ask([request])
            while self.position < events * ago // days:
                self._ask([self._step() for _ in range(self.chance.randrange(1, 9))])

    def _ask(self, requests: list[Message | None]) -> None:
        """Asks at once for what may be refused: chance keeps no rules."""
        self.clock.us += self.chance.randrange(1, 12_000_000_000)
        asked = [(request, self._caller()) for request in requests if request is not None]
        for request, answer in self.writer.ask(asked):
            self._learn(request, answer)

    def _learn(self, request: Message, answer: Any) -> None:
        self.position = answer.position
        match request:
            case (
                api.GradeObjectiveRequest()
                | api.AbandonObjectiveRequest()
                | api.DropKeyResultRequest()
                | api.CloseCycleRequest()
            ):
                self.closed.add(request.name)
            case api.RestoreKeyResultRequest() | api.ReopenCycleRequest():
                self.closed.discard(request.name)
            case api.RecordCheckInRequest():
                self.check_ins.append(answer.check_in.name)
            case api.ReviseKeyResultRequest():
                self.revised.append(request)
            case api.AlignRequest():
                self.aligned.append(request)
            case api.AddKeyResultRequest() | api.CarryOverKeyResultRequest():
                self.key_results.append(answer.key_result.name)
            case api.ProposeAdjustmentRequest():
                self.proposed.append(request.adjustment_id)
            case api.AdjustStrategyRequest():
                self.made.append((request.cycle, answer.adjustment.name))
            case api.CreateTeamRequest():
                self.teams.append(answer.team.name)
            case api.CreateObjectiveRequest():
                box = next(box for box in self.boxes if box.name == request.cycle)
                box.objectives.append(answer.objective.name)
                self.key_results += answer.objective.key_results

    # --- what has its day ---

    def _appointed(self, day: date) -> Iterator[Message]:
        if day == BEGINS:
            for team, parent in TEAMS.items():
                yield ask.team(team, f"teams/{parent}" if parent else "")
            yield ask.team("old")
        for box in self.boxes:
            yield from self._of_box(box, day)
        if day in ABANDONED:
            box = self.boxes[ABANDONED.index(day)]
            yield ask.abandon(self._open(box.objectives), because=ask.WHY)
        if day == DECIDED:
            yield from self._decided(self.boxes[2])
        week, rest = divmod((day - BEGINS).days, 7)
        if not rest and week < len(PRESETS):
            # Each preset is the year's for a week.
            policy, why = ScoringPolicy(name=[*PRESETS][week]), self._is_committed(self.boxes[0])
            yield ask.update_cycle("cycles/y25", policy=policy, because=ask.WHY if why else "")
        if day == RETIRED:
            yield ask.retire("teams/old", because=ask.WHY)

    def _of_box(self, box: Box, day: date) -> Iterator[Message]:
        if day == box.drafted:
            yield from self._drafts(box)
        if day == box.committed:
            days = self.chance.randint(0, (day - box.first).days)
            yield ask.commit(box.name, on=(box.first + timedelta(days)).isoformat())
        match (day - box.closes).days if box.closes else -1:
            case 0:
                yield from self._endings(box)
            case 3:
                yield ask.amend("", parent=box.name)
            case 9:
                yield ask.reopen(box.name)
            case 14:
                yield ask.close(box.name, because=ask.WHY)

    def _decided(self, box: Box) -> Iterator[Message]:
        """A proposal that is rejected, and one that somebody approves who did not make it."""
        for name in ("too-late", "in-time"):
            change = ask.update_objective(self._open(box.objectives), title=name)
            yield ask.propose(change, name=name, cycle=box.name)
        yield ask.reject("too-late")
        for _ in PEOPLE:
            yield ask.approve("in-time")

    def _drafts(self, box: Box) -> Iterator[Message]:
        yield ask.cycle(
            box.id,
            box.first.isoformat(),
            box.last.isoformat(),
            time_zone=box.zone,
            cadence=box.cadence,
            grace_days=0 if box.approval else 12,
            adjustments_need_approval=box.approval,
            policy=self._policy(),
        )
        for i in range(4 if box.approval else 6):
            yield self._objective_in(box, f"{box.id}-{i}")
        for _ in range(6):
            yield ask.align(*self._pair(), **self._sometimes(weight="2.5"))

    def _objective_in(self, box: Box, name: str, **why: Any) -> Message:
        kinds = self.chance.sample(sorted(KEY_RESULTS), self.chance.randrange(1, 5))
        return ask.objective(
            name,
            *(ask.new(kind, **self._defined(kind, box)) for kind in kinds),
            bare=True,
            cycle=box.name,
            team=self.chance.choice(self.teams),
            commitment=self._commitment(),
            **self._sometimes(owner={"plain": self._person()}),
            **why,
        )

    def _endings(self, box: Box) -> Iterator[Message]:
        for name in box.objectives:
            if self.chance.random() < 0.5:
                yield ask.grade(name, on=box.last.isoformat(), because=ask.WHY)
        yield ask.close(box.name, because=ask.WHY)

    # --- what chance has ---

    def _step(self) -> Message | None:
        steps: list[tuple[float, Callable[[], Message | None]]] = [
            (60, self._check_in),
            (12, self._correction),
            (24, self._lone_change),
            (5, self._below),
            (5, self._adjustment),
            (3, self._proposal),
            (2, self._decision),
            (2, self._policy_change),
            (0.7, self._grade),
            (1.5, self._saying),
            (1, self._team_change),
            (1, self._carry_over),
        ]
        weights = [weight for weight, _ in steps]
        return self.chance.choices([step for _, step in steps], weights)[0]()

    def _check_in(self) -> Message | None:
        running = tuple(f"objectives/{b.id}-" for b in self.boxes if self._is_committed(b))
        name = self._open([name for name in self.key_results if name.startswith(running)])
        if not name:
            return None
        on = self._day()
        return ask.check_in(name, self._measured(name), on=on, **self._said(on))

    def _correction(self) -> Message | None:
        if not self.check_ins:
            return None
        name, _, number = self.chance.choice(self.check_ins).partition("/checkIns/")
        if self.chance.random() < 0.2:
            return ask.retract(int(number), name)
        moved = {}
        if self.chance.random() < 0.4:
            on = self._day()
            moved = {"on": on, **self._said(on)}
        return ask.correct(int(number), self._measured(name), name, **moved)

    def _lone_change(self) -> Message | None:
        box = self._box()
        if not self._is_committed(box):
            return self._change(box)
        return self._change(box, **self._why())

    def _change(self, box: Box, **why: Any) -> Message | None:
        """A change of a plan, alone or as a part of an adjustment."""
        objective = self._objective(box)
        of_it = [name for name in self.key_results if name.startswith(f"{objective}/")]
        if not of_it:
            return None
        name = self.chance.choice(of_it)
        match self.chance.randrange(20):
            case 0 | 1:
                return ask.drop(name, **why)
            case 2 | 3 | 4:
                return ask.restore(name, **why)
            case 5 | 6:
                kind = self.chance.choice(sorted(KEY_RESULTS))
                return ask.add(kind, objective, **self._defined(kind, box), **why)
            case 7:
                team = self.chance.choice(self.teams)
                return ask.update_objective(objective, team=team, **why)
            case 8:
                owner = {"plain": self._person()}
                return ask.update_objective(objective, owner=owner, description="új", **why)
            case 9 | 10 | 11:
                weight = self.chance.choice(["", "0.5", "3"])
                return ask.align(*self._pair(), self._kind(), weight=weight, **why)
            case 12 if self.aligned:
                edge = self.chance.choice(self.aligned)
                return ask.unalign(edge.child, edge.parent, edge.kind, **why)
            case 13 if self.chance.random() < 0.05:
                return ask.abandon(objective, **why)
            case 14 if self.chance.random() < 0.4:
                return self._objective_in(box, f"{box.id}-{self._id()}", **why)
            case 15:
                return ask.update_objective(objective, commitment=self._commitment(), **why)
        return self._revision(name, box, **why)

    def _revision(self, name: str, box: Box, **why: Any) -> Message:
        kind, chance = self._kind_of(name), self.chance
        if chance.random() < 0.15:
            return ask.revise(name, owner={"plain": self._person()}, title="Új cím", **why)
        if chance.random() < 0.25 or kind == "done":
            return ask.revise(name, weight=chance.choice(["0", "1", "4", "0.3"]), **why)
        if kind == "steps":
            steps = chance.sample("abcd", chance.randrange(1, 5))
            milestones = [{"id": s, "title": s, "weight": str(1 + i)} for i, s in enumerate(steps)]
            return ask.revise(name, milestones=milestones, **why)
        low, high = VALUES[kind]
        number = str(chance.randint(low - 5, high + 5))
        own = {"least": "lower_bound", "most": "upper_bound", "within": "lower_bound"}
        if kind in ("zones", "fall"):
            moved = chance.choice(["stretch", "baseline"])
            why[moved] = number
            return ask.revise(name, mask=(moved, "commit", "target"), **why)
        if kind in own:
            why[own[kind]] = number
            return ask.revise(name, **why)
        if chance.random() < 0.1:
            # What is measured is fixed by the first check-in.
            metric = {"metric": "METRIC_ZONES", "stretch": str(low if kind == "down" else high)}
            why |= chance.choice([metric, {"aggregation": "AGGREGATION_SUM"}])
            return ask.revise(name, **why)
        moved = chance.choice(["target", "target", "baseline", "target_change_percent"])
        why[moved] = chance.choice(["20", "-35", "12.5"]) if "percent" in moved else number
        if chance.random() < 0.3 and moved == "target":
            # The plan's last value is the target, so that a new one needs a new plan.
            return ask.revise(name, trajectory=self._planned(box, number), **why)
        return ask.revise(name, mask=(moved, "trajectory"), **why)

    def _below(self) -> Message | None:
        """A revision like an earlier one, of an earlier day: it slips in below that one."""
        if not self.revised:
            return None
        like = self.chance.choice(self.revised)
        again = api.ReviseKeyResultRequest.FromString(like.SerializeToString())
        again.effective_date.CopyFrom(ask.day(self._day()))
        low, high = VALUES.get(self._kind_of(like.name), (0, 5))
        for moved in ("baseline", "target", "stretch", "lower_bound", "upper_bound", "weight"):
            if again.definition.HasField(moved):
                setattr(again.definition, moved, str(self.chance.randint(max(low, 0), high)))
        return again

    def _adjustment(self) -> Message | None:
        box = self._box()
        changes = self._changes(box)
        if not changes:
            return None
        return ask.adjust(
            *changes, name=self._id(), cycle=box.name, **self._sometimes(on=self._day())
        )

    def _proposal(self) -> Message | None:
        box = next(box for box in self.boxes if box.approval)
        if not self._is_committed(box):
            return None
        when = self._sometimes(on=self._day())
        return ask.propose(*self._changes(box), name=self._id(), cycle=box.name, **when)

    def _changes(self, box: Box) -> list[Message]:
        asked = [self._change(box) for _ in range(self.chance.randrange(1, 4))]
        return [change for change in asked if change is not None]

    def _decision(self) -> Message | None:
        if not self.proposed:
            return None
        name = self.proposed.pop(self.chance.randrange(len(self.proposed)))
        return ask.approve(name) if self.chance.random() < 0.7 else ask.reject(name)

    def _policy_change(self) -> Message:
        box = self.chance.choice([box for box in self.boxes if not box.approval])
        change: dict[str, Any] = self.chance.choice(
            [
                {"policy": self._policy()},
                {"cadence": self.chance.choice(CADENCES)},
                {"grace_days": self.chance.randrange(20)},
                {"last_day": ask.day((box.last + timedelta(1)).isoformat())},
            ]
        )
        why = self._why() if self._is_committed(box) else {}
        return ask.update_cycle(box.name, **why, **change)

    def _grade(self) -> Message:
        box = self._box()
        override = self._sometimes(override_score="0.65")
        graded = [name for name in self.closed if name in box.objectives]
        if graded and self.chance.random() < 0.6:
            return ask.regrade(min(graded), because=ask.WHY, **override)
        return ask.grade(self._objective(box), because=ask.WHY, **override)

    def _saying(self) -> Message:
        box = self._box()
        about = self.chance.choice(["", self._objective(box), self.chance.choice(self.key_results)])
        match self.chance.randrange(4):
            case 0:
                return ask.lesson(about, parent=box.name)
            case 1:
                made = [name for cycle, name in self.made if cycle == box.name]
                return ask.review(
                    self._id(),
                    self.chance.choice(ReviewKind.values()[1:]),
                    box.name,
                    participants=[self._person()],
                    adjustments=made[-1:],
                    on=self._day(),
                    **self._sometimes(team=self.chance.choice(self.teams)),
                )
        sealed = [b for b in self.boxes if b.name in self.closed]
        box = self.chance.choice(sealed or self.boxes)
        about = self.chance.choice(["", "teams/sales", *box.objectives, *self.key_results])
        scored = self._sometimes(amended_score="0.5", amended_value="7")
        return ask.amend(about, parent=box.name, **scored)

    def _team_change(self) -> Message:
        team = self.chance.choice(self.teams)
        because: dict[str, Any] = {"on": self._day(), "because": ask.WHY}
        if self.chance.random() < 0.3:
            return ask.update_team(team, title="Csapat", **because)
        parent = self.chance.choice([*self.teams, ""])
        return ask.update_team(team, mask=("parent",), parent=parent, **because)

    def _carry_over(self) -> Message:
        earlier, later = self.chance.choice(self.key_results), self._objective(self.boxes[-1])
        kind = self._kind_of(earlier)
        moves = kind in ("up", "down", "sum", "zones", "fall")
        chosen: dict[str, Any] = {"baseline": str(VALUES[kind][0])} if moves else {}
        name = f"{kind}-{self._id()}"
        return ask.carry_over(earlier, later, key_result_id=name, because=ask.WHY, **chosen)

    # --- parts of requests ---

    def _is_committed(self, box: Box) -> bool:
        there = box.committed <= self.clock.today and bool(box.objectives)
        return there and box.name not in self.closed

    def _box(self) -> Box:
        """A cycle that is there, most often one that has not ended."""
        there = [box for box in self.boxes if box.objectives]
        runs = [box for box in there if box.name not in self.closed]
        return self.chance.choice(runs if self.chance.random() < 0.95 else there)

    def _objective(self, box: Box) -> str:
        return self._open(box.objectives) or "objectives/none"

    def _open(self, names: list[str]) -> str:
        """One of the names; most often of what is not closed. Empty of none."""
        if self.chance.random() < 0.95:
            names = [
                name
                for name in names
                if self.closed.isdisjoint({name, name.partition("/keyResults/")[0]})
            ]
        return self.chance.choice(names) if names else ""

    def _pair(self) -> tuple[str, str]:
        child = self._objective(self._box())
        if self.chance.random() < 0.3:
            child = self.chance.choice(self.key_results)
        return child, self._objective(self._box())

    def _id(self) -> str:
        self._count += 1
        return f"made-{self._count}"
