"""A quarter that goes as chance has it: every kind of plan, change, check-in and grade."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from okr.v1.ledger_service_pb2 import (
    AddKeyResultRequest,
    AlignRequest,
    RecordCheckInRequest,
)
from okr.v1.values_pb2 import ScoringPolicy
from tests.support import ask
from tests.support.whole import Caller

FIRST: Final = date(2024, 7, 1)
DAYS: Final = 92
TEAMS: Final = ("company", "marketing", "sales", "field")
KEY_RESULTS: Final[dict[str, dict[str, Any]]] = {
    "up": {"baseline": "1000", "target": "1200", "weight": "2"},
    "down": {"baseline": "90", "target": "30", "weight": "0.5"},
    "sum": {"target": "40", "aggregation": "AGGREGATION_SUM"},
    "done": {"metric": "METRIC_BINARY"},
    "steps": {
        "metric": "METRIC_MILESTONES",
        "milestones": [
            {"id": "a", "title": "A", "weight": "3"},
            {"id": "b", "title": "B"},
            {"id": "c", "title": "C"},
        ],
    },
    "zones": {"metric": "METRIC_ZONES", "baseline": "10", "stretch": "110"},
    "fall": {"metric": "METRIC_ZONES", "baseline": "50", "stretch": "7"},
    "least": {"direction": "DIRECTION_MAINTAIN_AT_LEAST", "lower_bound": "95"},
    "most": {"direction": "DIRECTION_MAINTAIN_AT_MOST", "upper_bound": "4"},
    "within": {
        "direction": "DIRECTION_MAINTAIN_WITHIN",
        "lower_bound": "40",
        "upper_bound": "60",
    },
}
VALUES: Final = {
    "up": (900, 1300),
    "down": (20, 100),
    "sum": (-2, 9),
    "zones": (0, 120),
    "fall": (0, 60),
    "least": (85, 105),
    "most": (0, 8),
    "within": (30, 70),
}
KNOBS: Final = (
    *("clamp", "formula", "maintain", "boundary", "ungraded", "rollup", "weights"),
    *("child_rollup", "cycle_rollup"),
)


def any_policy(chance: Random) -> ScoringPolicy:
    """A policy with each knob of scoring set by chance."""
    policy = ScoringPolicy(name="chance")
    for knob in KNOBS:
        of = ScoringPolicy.DESCRIPTOR.fields_by_name[knob].enum_type
        assert of is not None
        setattr(policy, knob, chance.randrange(1, len(of.values)))
    return policy


@dataclass
class Quarter:
    """A cycle of its own with five objectives, told to the service in random steps.

    Unless it `closes` nothing is graded or abandoned. Chance makes the same of the same seed,
    whatever the policy.
    """

    me: Caller
    chance: Random
    id: str
    policy: ScoringPolicy
    closes: bool = True
    key_results: list[str] = field(default_factory=list)
    check_ins: list[str] = field(default_factory=list)
    aligned: list[tuple[str, str]] = field(default_factory=list)

    @property
    def cycle(self) -> str:
        """Its name."""
        return f"cycles/{self.id}"

    def told(self, length: int) -> None:
        """Tells it all, with so many steps after plan commitment."""
        self.me.all_of(
            ask.cycle(self.id, "2024-07-01", "2024-09-30", policy=self.policy, grace_days=5),
            *(ask.objective(f"{self.id}-{i}", *self._new(i), cycle=self.cycle, team=self._team(i))
              for i in range(5)),
        )  # fmt: skip
        for request in self._drafts():
            self._try(request)
        self.me.ask(ask.commit(self.cycle))
        for _ in range(length):
            self._try(self._step())

    def _try(self, request: Message) -> None:
        """Asks for what may be refused: chance keeps no rules."""
        with suppress(grpc.RpcError):
            answer = self.me.ask(request)
            if isinstance(request, RecordCheckInRequest):
                self.check_ins.append(answer.check_in.name)
            elif isinstance(request, AlignRequest):
                self.aligned.append((request.child, request.parent))
            elif isinstance(request, AddKeyResultRequest):
                self.key_results.append(answer.key_result.name)

    def _new(self, i: int) -> Iterator[Any]:
        kinds = self.chance.sample(sorted(KEY_RESULTS), 3 if i else 4)
        for kind in kinds:
            self.key_results.append(f"objectives/{self.id}-{i}/keyResults/{kind}")
            yield ask.new(kind, **KEY_RESULTS[kind])

    @staticmethod
    def _team(i: int) -> str:
        return f"teams/{TEAMS[i % len(TEAMS)]}"

    def _objective(self) -> str:
        return f"objectives/{self.id}-{self.chance.randrange(5)}"

    def _key_result(self) -> str:
        return self.chance.choice(self.key_results)

    def _day(self) -> str:
        return (FIRST + timedelta(days=self.chance.randrange(DAYS))).isoformat()

    def _drafts(self) -> Iterator[Message]:
        for _ in range(3):
            yield ask.align(*self._pair(), weight=self.chance.choice(["1", "0.5", "3"]))

    def _pair(self) -> tuple[str, str]:
        return self.chance.choice([self._objective, self._key_result])(), self._objective()

    def _step(self) -> Message:
        chance, name, on = self.chance, self._key_result(), self._day()
        why: dict[str, Any] = {"on": on, "because": ask.WHY}
        match chance.randrange(26):
            case 0:
                return ask.drop(name, **why)
            case 1:
                return ask.restore(name, **why)
            case 2:
                kind = chance.choice(sorted(KEY_RESULTS))
                return ask.add(kind, self._objective(), **KEY_RESULTS[kind], **why)
            case 3:
                return ask.align(*self._pair(), weight="2", **why)
            case 4 if self.aligned:
                return ask.unalign(*chance.choice(self.aligned), **why)
            case 5:
                team = f"teams/{chance.choice(TEAMS)}"
                return ask.update_objective(self._objective(), team=team, **why)
            case 6 | 7 | 8 | 9:
                return ask.revise(name, **self._revision(name), **why)
            case 10 | 11 | 12 if self.check_ins:
                name, _, number = chance.choice(self.check_ins).partition("/checkIns/")
                if chance.random() < 0.2:
                    return ask.retract(int(number), name)
                return ask.correct(int(number), self._measurement(name), name)
            case 14 | 15 if self.closes:
                return self._closing()
        return ask.check_in(name, self._measurement(name), on=on)

    def _closing(self) -> Message:
        match self.chance.randrange(6):
            case 0:
                return ask.abandon(self._objective(), because=ask.WHY)
            case 1:
                return ask.grade(self._objective(), override_score="0.65", because=ask.WHY)
            case 2:
                return ask.grade(self._objective(), on="2024-09-30")
        return ask.regrade(self._objective(), on="2024-09-30")

    def _revision(self, name: str) -> dict[str, Any]:
        chance, kind = self.chance, name.rpartition("/")[2]
        if chance.random() < 0.3 or kind in ("done", "steps"):
            return {"weight": chance.choice(["0", "1", "4"])}
        own = {"least": "lower_bound", "most": "upper_bound", "within": "upper_bound"}
        zoned = chance.choice(["stretch", "baseline"]) if kind in ("zones", "fall") else ""
        moved = own.get(kind) or zoned or chance.choice(["target", "baseline"])
        low, high = VALUES[kind]
        return {moved: str(chance.randint(low - 5, high + 5))}

    def _measurement(self, name: str) -> Any:
        kind, chance = name.rpartition("/")[2], self.chance
        if chance.random() < 0.05:
            return ask.not_measured()
        if kind == "done":
            return chance.choice("01")
        if kind == "steps":
            return ask.completed(*chance.sample("abc", chance.randrange(4)))
        return f"{chance.randint(*VALUES[kind])}.{chance.randrange(10)}".removesuffix(".0")


def teams(me: Caller) -> None:
    """The teams that every quarter's objectives belong to: one above, two below, one below that."""
    me.all_of(
        *(ask.team("company"), ask.team("marketing", "teams/company")),
        *(ask.team("sales", "teams/company"), ask.team("field", "teams/sales")),
    )
