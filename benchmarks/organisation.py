"""An invented organisation: its teams, what they plan for a quarter, and how that is measured."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from google.protobuf.message import Message
from google.type.date_pb2 import Date

from okr.v1 import ledger_service_pb2 as api
from okr.v1 import values_pb2 as values

TEAMS_BELOW = 6
"""How many teams stand directly below one."""
OBJECTIVES_EACH = (2, 4)
KEY_RESULTS_EACH = (2, 5)
KEY_RESULTS_A_TEAM = 10
"""What the two ranges come to."""

CONTRIBUTING = 0.2
"""The share of objectives that count in one of the team above …"""
CONTRIBUTIONS_AT_MOST = 200
"""… in a quarter: an alignment costs by the number of all there are."""

STEPS = ("draft", "review", "pilot", "launch")
UNITS = {
    "rise": "visits",
    "fall": "hours",
    "sum": "customers",
    "keep": "%",
    "done": "",
    "steps": "",
}
KINDS = ("rise", "rise", "rise", "fall", "sum", "keep", "done", "steps")
FED_KINDS = ("rise", "fall", "keep")
"""What services measure."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How often people and services check in; shares are of 0 to 1.

    `fed` is the share of key results that a service reports on every hour, `late` that of people's
    check-ins which are entered days after, `corrected` and `retracted` what becomes of them.
    `adjusting` is the share of teams that change their plan in the middle of a quarter.
    """

    fed: float = 0.05
    late: float = 0.12
    corrected: float = 0.02
    retracted: float = 0.003
    adjusting: float = 0.25
    graded: float = 0.33


@dataclass(slots=True)
class Measured:
    """A key result and how it fares: what is reported of it, when, and how it goes.

    `pace` is the share of its way that it makes by the quarter's end, `weekday` when somebody
    checks in, 0 for Monday, `diligence` how likely they do.
    """

    name: str
    kind: str
    baseline: int
    target: int
    relative: bool
    fed: bool
    actor: str
    pace: float
    weekday: int
    diligence: float
    check_ins: int = 0
    closed: bool = False

    @property
    def objective(self) -> str:
        return self.name.partition("/keyResults/")[0]

    def measurement(self, share: float, chance: Random) -> values.Measurement:
        """What is measured when that share of the quarter has passed."""
        way = share * self.pace + chance.gauss(0, 0.02)
        match self.kind:
            case "done":
                return values.Measurement(value="1" if way >= 0.9 else "0")
            case "steps":
                reached = STEPS[: max(0, min(len(STEPS), int(way * len(STEPS))))]
                return values.Measurement(completed=values.CompletedMilestones(ids=reached))
            case "sum":
                return values.Measurement(value=_tenths(chance.random() * self.target * 10 / 7))
            case "keep":
                return values.Measurement(value=_tenths(self.target * 10 + chance.gauss(3, 6)))
            case _:
                moved = (self.target - self.baseline) * way
                return values.Measurement(value=_tenths((self.baseline + moved) * 10))


@dataclass(slots=True)
class Quarter:
    """A cycle, its objectives by team, and its key results in order of their making."""

    name: str
    first_day: date
    last_day: date
    objectives: dict[str, list[str]] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)

    @property
    def cycle(self) -> str:
        return f"cycles/{self.name}"

    def week(self, day: date) -> int:
        """Which week of the quarter a day is in, from 1 on."""
        return (day - self.first_day).days // 7 + 1

    def share(self, day: date) -> float:
        """How much of the quarter has passed."""
        return (day - self.first_day).days / (self.last_day - self.first_day).days


@dataclass(slots=True)
class Organisation:
    """So many teams in a tree. What it plans depends on chance alone."""

    teams: int
    habits: Habits
    chance: Random

    def team(self, number: int) -> str:
        return f"teams/team-{number:04}"

    def founding(self) -> Iterator[Message]:
        """Makes the teams, from the top."""
        for number in range(self.teams):
            request = api.CreateTeamRequest(team_id=f"team-{number:04}")
            request.definition.title = f"Team {number}"
            if number:
                request.definition.parent = self.team((number - 1) // TEAMS_BELOW)
            yield request

    def plan(self, quarter: Quarter) -> Iterator[Message]:
        """Makes a quarter's plan and commits it; fills `quarter` on the way."""
        cycle = api.CreateCycleRequest(cycle_id=quarter.name)
        cycle.definition.title = quarter.name
        cycle.definition.first_day.CopyFrom(date_of(quarter.first_day))
        cycle.definition.last_day.CopyFrom(date_of(quarter.last_day))
        cycle.definition.time_zone = "UTC"
        cycle.definition.cadence = values.CADENCE_WEEKLY
        yield cycle
        for number in range(self.teams):
            team = self.team(number)
            made = quarter.objectives[team] = []
            for nth in range(self.chance.randint(*OBJECTIVES_EACH)):
                name = f"{quarter.name}-{number:04}-{nth}"
                made.append(f"objectives/{name}")
                yield self._objective(quarter, name, team)
        yield from self._alignments(quarter)
        yield api.CommitPlanRequest(name=quarter.cycle)

    def key_result(self, objective: str, number: int) -> tuple[Measured, api.NewKeyResult]:
        """A key result as chance has it, and the request's part that makes it."""
        chance = self.chance
        fed = chance.random() < self.habits.fed
        kind = chance.choice(FED_KINDS if fed else KINDS)
        key_result_id = f"{kind}-{number}"
        baseline, target, relative = self._way(kind)
        made = Measured(
            f"{objective}/keyResults/{key_result_id}",
            kind,
            baseline,
            target,
            relative,
            fed,
            "services/metrics" if fed else f"people/p{chance.randrange(self.teams * 8):05}",
            max(0.0, chance.gauss(0.75, 0.3)),
            chance.choice((0, 0, 1, 2, 3, 4, 4)),
            chance.choice((1.0, 0.95, 0.9, 0.8, 0.5)),
        )
        asked = api.NewKeyResult(key_result_id=key_result_id)
        _define(asked.definition, made)
        return made, asked

    def _way(self, kind: str) -> tuple[int, int, bool]:
        """A baseline, a target, and whether the target is told as a change."""
        chance = self.chance
        match kind:
            case "rise":
                baseline = chance.choice((0, 100, 1_000, 25_000))
                return (
                    baseline,
                    round(baseline * 1.2) or 100,
                    bool(baseline and chance.random() < 0.5),
                )
            case "fall":
                return 48, chance.randint(12, 36), False
            case "keep":
                return 0, chance.choice((90, 95, 98)), False
            case _:
                return 0, chance.choice((10, 50, 400)), False

    def _objective(self, quarter: Quarter, name: str, team: str) -> Message:
        request = api.CreateObjectiveRequest(objective_id=name, cycle=quarter.cycle)
        request.definition.title = f"Objective {name}"
        request.definition.team = team
        request.definition.commitment = self.chance.choice(
            (values.COMMITMENT_COMMITTED, values.COMMITMENT_ASPIRATIONAL)
        )
        for number in range(self.chance.randint(*KEY_RESULTS_EACH)):
            measured, asked = self.key_result(f"objectives/{name}", number)
            quarter.measured.append(measured)
            request.key_results.append(asked)
        return request

    def _alignments(self, quarter: Quarter) -> Iterator[Message]:
        made = 0
        for number in range(1, self.teams):
            above = quarter.objectives[self.team((number - 1) // TEAMS_BELOW)]
            for child in quarter.objectives[self.team(number)]:
                if made < CONTRIBUTIONS_AT_MOST and self.chance.random() < CONTRIBUTING:
                    made += 1
                    yield api.AlignRequest(
                        child=child,
                        parent=self.chance.choice(above),
                        kind=values.ALIGNMENT_KIND_CONTRIBUTES,
                    )


def quarters(first_year: int) -> Iterator[Quarter]:
    """Calendar quarters from a year on, up to the last one that has ended."""
    first_day = date(first_year, 1, 1)
    while True:
        following = (first_day + timedelta(days=100)).replace(day=1)
        if following > date.today():  # noqa: DTZ011 - any day will do
            return
        name = f"{first_day.year}-q{(first_day.month + 2) // 3}"
        yield Quarter(name, first_day, following - timedelta(days=1))
        first_day = following


def date_of(day: date) -> Date:
    """A day as a message."""
    return Date(year=day.year, month=day.month, day=day.day)


def _define(definition: values.KeyResultDefinition, made: Measured) -> None:
    definition.title = made.name.rpartition("/")[2]
    definition.unit = UNITS.get(made.kind, "")
    definition.owner.plain = made.actor if made.actor.startswith("people/") else "people/p00000"
    match made.kind:
        case "done":
            definition.metric = values.METRIC_BINARY
        case "steps":
            definition.metric = values.METRIC_MILESTONES
            for step in STEPS:
                definition.milestones.add(id=step, title=step)
        case "keep":
            definition.direction = values.DIRECTION_MAINTAIN_AT_LEAST
            definition.lower_bound = str(made.target)
        case _:
            definition.baseline = str(made.baseline)
            if made.kind == "sum":
                definition.aggregation = values.AGGREGATION_SUM
            if made.relative:
                definition.target_change_percent = "20"
            else:
                definition.target = str(made.target)


def _tenths(count: float) -> str:
    """A count of tenths as a decimal in the ledger's form."""
    whole, rest = divmod(abs(round(count)), 10)
    sign = "-" if count < 0 and (whole or rest) else ""
    return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"
