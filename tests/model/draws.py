"""The parts of random requests: who asks, when something holds, what is defined and measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.call import Caller
from ledger.scoring.policy import PRESETS
from okr.v1.values_pb2 import Commitment, Measurement, ScoringPolicy
from tests.model.boxes import Box, Clock
from tests.support import ask
from tests.support.random_quarter import KEY_RESULTS, VALUES, any_policy

PEOPLE: Final = ("anna", "bea", "csaba", "dora")
LATE: Final = (0, 0, 0, 0, 1, 2, 5, 12, 40)
"""How many days ago something may hold."""


@dataclass
class Draws:
    """What chance draws, on the day of a clock."""

    clock: Clock
    chance: Random

    def _kind(self) -> Any:
        return self.chance.choice([ask.CONTRIBUTES, ask.CONTRIBUTES, ask.SUPPORTS])

    def _commitment(self) -> Any:
        return self.chance.choice(Commitment.values()[1:])

    def _policy(self) -> ScoringPolicy:
        if self.chance.random() < 0.3:
            return any_policy(self.chance)
        return ScoringPolicy(name=self.chance.choice([*PRESETS]))

    def _person(self) -> str:
        return f"people/{self.chance.choice(PEOPLE)}"

    def _why(self) -> dict[str, Any]:
        """A reason, and now and then an earlier day."""
        return {"because": ask.WHY, **self._sometimes(on=self._day())}

    def _day(self) -> str:
        return (self.clock.today - timedelta(self.chance.choice(LATE))).isoformat()

    def _said(self, on: str) -> dict[str, Any]:
        """What a check-in may say besides: confidence, a note, the instant around noon UTC."""
        noon = datetime.combine(date.fromisoformat(on), time(12), UTC)
        seconds = int(noon.timestamp()) + self.chance.randrange(-3600, 3600)
        return {
            **self._sometimes(confidence=self.chance.randrange(11)),
            **self._sometimes(note="később derült ki"),
            **self._sometimes(instant=Timestamp(seconds=seconds)),
        }

    def _sometimes(self, **given: Any) -> dict[str, Any]:
        return given if self.chance.random() < 0.3 else {}

    @staticmethod
    def _kind_of(name: str) -> str:
        return name.rpartition("/")[2].partition("-")[0]

    def _defined(self, kind: str, box: Box) -> dict[str, Any]:
        definition = dict(KEY_RESULTS[kind])
        if kind in ("up", "down") and self.chance.random() < 0.4:
            definition["trajectory"] = self._planned(box, definition["target"])
        if kind == "sum" and self.chance.random() < 0.5:
            definition["trajectory"] = ask.checkpointed(("10", "0.5"), ("30", "0.8"))
        return {**definition, **self._sometimes(owner={"plain": self._person()})}

    def _planned(self, box: Box, target: str) -> Any:
        """Values planned for two days after the first and for the last."""
        days = sorted(self.chance.sample(range((box.last - box.first).days), 2))
        points = [(box.first + timedelta(d), str(self.chance.randint(20, 1200))) for d in days]
        return ask.phased(*((d.isoformat(), v) for d, v in points), (box.last.isoformat(), target))

    def _measured(self, name: str) -> str | Measurement:
        kind, chance = self._kind_of(name), self.chance
        if chance.random() < 0.05:
            return ask.not_measured()
        if kind == "done":
            return chance.choice("01")
        if kind == "steps":
            return ask.completed(*chance.sample("abc", chance.randrange(4)))
        return f"{chance.randint(*VALUES[kind])}.{chance.randrange(10)}".removesuffix(".0")

    def _caller(self) -> Caller:
        if self.chance.random() < 0.1:
            return Caller("services/crm", self._person())
        return Caller(self._person())
