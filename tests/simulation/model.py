"""What a ledger may do: a few lists, to hold the real one against.

Requests have their effects one after the other, in the order of the positions. So each event has to
follow from a request that was right in the state right before it, and a refusal from one that was
wrong in a state that the ledger was in while the request was with the server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.event import fact_of
from okr.v1.event_record_pb2 import EventMetadata
from tests.simulation.asking import ACTOR, CYCLES, KEY_RESULTS, OBJECTIVES, TEAMS, Asked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message

    from ledger.event import Record

ACCEPTED: Final = ""


class Violation(AssertionError):
    """The ledger did what it must not do."""


def require(condition: object, broken: str, *facts: object) -> None:
    """Raises a Violation unless the condition holds."""
    if not condition:
        raise Violation(": ".join([broken, *map(str, facts)]))


class Happened(NamedTuple):
    """A request that took effect, with the positions of its events, both inclusive."""

    asked: Asked
    first: int
    last: int


@dataclass
class CheckIn:
    """A check-in as it is now."""

    value: str
    day: str
    retracted: bool = False


@dataclass
class State:
    """What the ledger says after a request."""

    check_ins: dict[str, list[CheckIn]] = field(
        default_factory=lambda: {k: [] for k in KEY_RESULTS}
    )
    titles: dict[str, str] = field(default_factory=lambda: {k: k[-1] for k in KEY_RESULTS})
    parents: dict[str, str] = field(default_factory=lambda: dict.fromkeys(TEAMS, ""))
    closing: set[str] = field(default_factory=set)

    def verdict(self, asked: Asked) -> str:
        """The refusal that a request would meet, ACCEPTED if none."""
        match asked.kind:
            case "check_in":
                return self._cycle_of(asked)
            case "correct" | "retract":
                known = self.check_ins[asked.subject]
                if asked.number > len(known):
                    return "NotFound"
                current = known[asked.number - 1]
                if closing := self._cycle_of(asked):
                    return closing
                if current.retracted:
                    return "CheckInRetracted"
                same = (asked.text, asked.day or current.day) == (current.value, current.day)
                return "NothingToChange" if asked.kind == "correct" and same else ACCEPTED
            case "rename":
                same = self.titles[asked.subject] == asked.text
                return self._cycle_of(asked) or ("NothingToChange" if same else ACCEPTED)
            case "adjust":
                return "CycleState" if CYCLES[0] in self.closing else ACCEPTED
            case "team":
                return ACCEPTED
            case "move":
                if self.parents[asked.subject] == asked.text:
                    return "NothingToChange"
                return "TeamTreeCycle" if asked.subject in self._line(asked.text) else ACCEPTED
            case _:
                return "CycleState" if asked.subject in self.closing else ACCEPTED

    def apply(self, asked: Asked) -> None:
        """What an accepted request changes."""
        match asked.kind:
            case "check_in":
                self.check_ins[asked.subject].append(CheckIn(asked.text, asked.day))
            case "correct":
                current = self.check_ins[asked.subject][asked.number - 1]
                current.value, current.day = asked.text, asked.day or current.day
            case "retract":
                self.check_ins[asked.subject][asked.number - 1].retracted = True
            case "rename" | "adjust":
                self.titles |= dict.fromkeys((asked.subject, *asked.others), asked.text)
            case "move":
                self.parents[asked.subject] = asked.text
            case "close":
                self.closing.add(asked.subject)

    def in_force(self, key_result: str, day: str) -> tuple[int, str] | None:
        """The number and the value of the check-in that holds on a day."""
        held = [
            (check_in.day, number, check_in.value)
            for number, check_in in enumerate(self.check_ins[key_result], start=1)
            if check_in.day <= day and not check_in.retracted
        ]
        return max(held)[1:] if held else None

    def _cycle_of(self, asked: Asked) -> str:
        closed = OBJECTIVES[asked.subject.partition("/keyResults/")[0]] in self.closing
        return "CycleState" if closed else ACCEPTED

    def _line(self, team: str) -> list[str]:
        line = []
        while team:
            line.append(team)
            team = self.parents[team]
        return line


class Model:
    """The records that the log has, what they mean, and what callers were told."""

    def __init__(self, plan: Sequence[Record]) -> None:
        self.records = list(plan)
        self.planned = len(plan)
        self.happened: list[Happened] = []
        self.state = State()
        self.asked: dict[str, Asked] = {}
        self.answers: dict[str, tuple[int, int, bytes]] = {}
        self._versions: dict[str, int] = {}
        self._by_id: dict[str, Happened] = {}
        for record in plan:
            self._versions[record.stream] = record.stream_version

    @property
    def head(self) -> int:
        """The last position."""
        return len(self.records)

    def took(self, request_id: str) -> Happened | None:
        """What became of a request, None if it is not in the ledger."""
        return self._by_id.get(request_id)

    def grow(self, records: Iterable[Record]) -> None:
        """Takes what the log has by now, after what it had before."""
        pending: list[Record] = []
        for record in records:
            self._follows(record)
            self.records.append(record)
            pending.append(record)
            asked = self._request_of(record)
            require(self._request_of(pending[0]) == asked, "half of a request", pending[0])
            if len(pending) == len(_events(asked)):
                self._happen(asked, pending)
                pending = []
        require(not pending, "half of a request", *pending)

    def answered(self, asked: Asked, records: Sequence[Record], response: bytes) -> None:
        """A request was told to be done; the same one is always told the same."""
        first, last = records[0].position, records[-1].position
        require(
            list(records) == self.records[first - 1 : last], "answered and not in the log", asked
        )
        happened = self._by_id.get(asked.id)
        require(happened == Happened(asked, first, last), "answered with other events", asked)
        before = self.answers.setdefault(asked.id, (first, last, response))
        require(before == (first, last, response), "answered differently", asked)

    def refused(self, asked: Asked, refusal: str, since: int) -> None:
        """A request was refused; `since` is where the ledger was when the server got it."""
        self._told(asked, refusal, since)

    def permitted(self, asked: Asked, since: int) -> None:
        """A request that is only tried was told to be possible."""
        self._told(asked, ACCEPTED, since)

    def rewind(self, records: Sequence[Record]) -> None:
        """The ledger is an older copy of itself; what it lost, nobody has been told."""
        require(self.records[: len(records)] == list(records), "another copy")
        model = Model(self.records[: self.planned])
        model.asked = self.asked
        model.grow(records[self.planned :])
        told = self.answers
        self.__dict__.update(model.__dict__)
        self.answers = {i: told[i] for i in told if told[i][1] <= self.head}

    def at(self, position: int) -> State:
        """What the ledger said when it was at a position."""
        state = State()
        for happened in self.happened:
            if happened.last <= position:
                state.apply(happened.asked)
        return state

    def _told(self, asked: Asked, verdict: str, since: int) -> None:
        state = self.at(since)
        found = [state.verdict(asked)]
        for happened in self.happened:
            if happened.last > since and verdict not in found:
                state.apply(happened.asked)
                found.append(state.verdict(asked))
        require(verdict in found, f"told {verdict or 'possible'}, not {set(found)}", asked)

    def _follows(self, record: Record) -> None:
        last = self.records[-1]
        require(record.position == last.position + 1, "a gap", record)
        require(record.recorded_us >= last.recorded_us, "time runs back", record)
        version = self._versions.get(record.stream, 0) + 1
        require(record.stream_version == version, "another version", record)
        self._versions[record.stream] = version

    def _request_of(self, record: Record) -> Asked:
        metadata = EventMetadata.FromString(record.metadata)
        require(metadata.actor.plain == ACTOR, "another caller", record)
        require(metadata.request_id in self.asked, "nobody asked for it", record)
        return self.asked[metadata.request_id]

    def _happen(self, asked: Asked, records: Sequence[Record]) -> None:
        require(asked.id not in self._by_id, "done twice", asked)
        require(not asked.validate_only, "only a trial", asked)
        verdict = self.state.verdict(asked)
        require(verdict == ACCEPTED, f"accepted in spite of {verdict}", asked)
        for record, expected in zip(records, _events(asked), strict=True):
            require(record.event_type == f"okr.v1.{expected}", "another event", record)
            self._says(asked, fact_of(record), record)
        self.state.apply(asked)
        happened = Happened(asked, records[0].position, records[-1].position)
        self.happened.append(happened)
        self._by_id[asked.id] = happened

    def _says(self, asked: Asked, fact: Message, record: Record) -> None:
        """Requires of an event what its request asks for."""
        told: Any = fact
        match asked.kind:
            case "check_in":
                number = len(self.state.check_ins[asked.subject]) + 1
                same = told.number == number and told.measurement.value == asked.text
            case "correct":
                before = self.state.check_ins[asked.subject][asked.number - 1].value
                same = told.number == asked.number and told.measurement.value == asked.text
                same = same and told.measurement_before.value == before
            case "retract":
                same = told.number == asked.number
            case "move":
                before = self.state.parents[asked.subject]
                same = (told.before.parent, told.after.parent) == (before, asked.text)
            case "rename" | "adjust" if hasattr(told, "key_result"):
                before = self.state.titles[told.key_result]
                same = (told.before.title, told.after.title) == (before, asked.text)
            case _:
                same = True
        require(same, "an event that was not asked for", asked, record)


def _events(asked: Asked) -> Sequence[str]:
    """The types of the events that an accepted request leads to."""
    if asked.kind == "adjust":
        return ("StrategyAdjusted", *("KeyResultRevised" for _ in (asked.subject, *asked.others)))
    return (_EVENT[asked.kind],)


_EVENT: Final = {
    "check_in": "CheckInRecorded",
    "correct": "CheckInCorrected",
    "retract": "CheckInRetracted",
    "rename": "KeyResultRevised",
    "team": "TeamRegistered",
    "move": "TeamRevised",
    "close": "CycleClosing",
}
