"""What the clients of a simulation ask for, and the plan that they ask it about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.support import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from google.protobuf.message import Message

CYCLES: Final = ("cycles/q3", "cycles/h2")
OBJECTIVES: Final = {
    "objectives/a": "cycles/q3",
    "objectives/b": "cycles/q3",
    "objectives/c": "cycles/h2",
}
KEY_RESULTS: Final = tuple(f"{o}/keyResults/{k}" for o in OBJECTIVES for k in "kl")
TEAMS: Final = ("teams/x", "teams/y", "teams/z")
ACTOR: Final = "services/feed"
FIRST_DAY: Final = "2026-07-01"
DAYS: Final = tuple(f"2026-07-{day:02}" for day in range(1, 29))
TITLES: Final = ("Followers", "Követők", "Reach")

METHODS: Final = {
    "check_in": "RecordCheckIn",
    "correct": "CorrectCheckIn",
    "retract": "RetractCheckIn",
    "rename": "ReviseKeyResult",
    "adjust": "AdjustStrategy",
    "team": "CreateTeam",
    "move": "UpdateTeam",
    "close": "CloseCycle",
}
WEIGHTS: Final = (12, 3, 2, 2, 2, 1, 3, 1)


@dataclass(frozen=True)
class Asked:
    """A request, in the words of the model.

    `subject` is a key result, a team or a cycle; `number` a check-in's, `text` a value, a title or
    a team's parent, `others` further key results that are changed with it.
    """

    id: str
    kind: str
    subject: str = ""
    number: int = 0
    text: str = ""
    day: str = ""
    others: tuple[str, ...] = ()
    validate_only: bool = False

    @property
    def method(self) -> str:
        """The method of the API."""
        return METHODS[self.kind]

    def __str__(self) -> str:
        told = [self.kind, self.subject.replace("/keyResults/", ".").partition("/")[2]]
        told += [f"#{self.number}"] if self.number else []
        told += [word for word in (self.text, self.day) if word]
        told += [other.replace("/keyResults/", ".").partition("/")[2] for other in self.others]
        told += ["on trial"] if self.validate_only else []
        return " ".join(told)

    def message(self) -> Message:
        """The request as it is sent."""
        request: Any = _BUILDERS[self.kind](self)
        request.request_id = self.id
        request.validate_only = self.validate_only
        made: Message = request
        return made


_BUILDERS: Final[Mapping[str, Callable[[Asked], Message]]] = {
    "check_in": lambda a: ask.check_in(a.subject, a.text, on=a.day),
    "correct": lambda a: ask.correct(a.number, a.text, a.subject, **_on(a)),
    "retract": lambda a: ask.retract(a.number, a.subject),
    "rename": lambda a: ask.revise(a.subject, title=a.text, because=ask.WHY, on=FIRST_DAY),
    "adjust": lambda a: ask.adjust(
        *(ask.revise(k, title=a.text) for k in (a.subject, *a.others)),
        name="",
        cycle=CYCLES[0],
        on=FIRST_DAY,
    ),
    "team": lambda a: ask.team("", a.subject, a.text),
    "move": lambda a: ask.update_team(
        a.subject, mask=("parent",), parent=a.text, because=ask.WHY, on=FIRST_DAY
    ),
    "close": lambda a: ask.close(a.subject, because=ask.WHY, on=DAYS[-1]),
}


def _on(asked: Asked) -> dict[str, Any]:
    """The day that a correction names, if it does."""
    return {"on": asked.day} if asked.day else {}


def drawn(chance: Random, number: int) -> Asked:
    """The request of a number; its id is as a client's would be, a UUID that begins with a time."""
    (kind,) = chance.choices(tuple(METHODS), WEIGHTS)
    request_id = f"{number:08x}-0000-7000-8000-{chance.getrandbits(48):012x}"
    given: dict[str, Any] = {"validate_only": chance.random() < 0.05}
    match kind:
        case "check_in":
            given |= {"text": str(chance.randrange(9)), "day": chance.choice(DAYS)}
        case "correct":
            given |= {"number": chance.randint(1, 4), "text": str(chance.randrange(9))}
            given |= {"day": chance.choice(("", *DAYS))}
        case "retract":
            given |= {"number": chance.randint(1, 4)}
        case "rename":
            given |= {"text": chance.choice(TITLES)}
        case "adjust":
            one, other = chance.sample(KEY_RESULTS[:4], 2)
            return Asked(request_id, kind, one, text=f"of {number}", others=(other,), **given)
        case "team":
            return Asked(request_id, kind, chance.choice(TEAMS), text=f"of {number}", **given)
        case "move":
            team, parent = chance.sample(TEAMS, 2)
            return Asked(request_id, kind, team, text=parent, **given)
        case "close":
            return Asked(request_id, kind, chance.choice(CYCLES), **given)
    # Mostly one key result, so that what is asked meets.
    subject = KEY_RESULTS[min(chance.randrange(9), len(KEY_RESULTS) - 1) % 6]
    return Asked(request_id, kind, subject, **given)


def plan() -> list[Message]:
    """What every history begins with: two committed cycles, three teams, three objectives."""
    key_results = [ask.new("k", target="10"), ask.new("l", target="20")]
    return [
        ask.cycle("q3"),
        ask.cycle("h2", "2026-07-01", "2026-12-31"),
        *(ask.team(name.partition("/")[2]) for name in TEAMS),
        *(
            ask.objective(name.partition("/")[2], *key_results, team=TEAMS[0], cycle=cycle)
            for name, cycle in OBJECTIVES.items()
        ),
        *(ask.commit(cycle, on=FIRST_DAY) for cycle in CYCLES),
    ]
