"""Whatever is asked, in whatever order: what the ledger then holds keeps the rules."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.alignment import edges_on
from ledger.cycles import Cycle
from ledger.definitions import Days, settled, trajectory_misfit
from ledger.event import Decision, fact_of
from ledger.fold import State, applied, initial
from ledger.grading import computed_score
from ledger.key_results import KeyResult, key_result_of
from ledger.objectives import Objective, stream_of
from ledger.refusals import Refusal
from ledger.revision import Revision
from ledger.stored_states import decoded, encoded
from ledger.teams import Team, team_of
from okr.v1 import events_pb2 as facts
from okr.v1 import ledger_service_pb2 as api
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import (
    Aggregation,
    CycleState,
    Direction,
    KeyResultDefinition,
    Metric,
    Milestone,
)
from tests.support import ask
from tests.support.scenario import Scenario

FACTS: dict[str, Any] = {
    message.full_name: getattr(facts, name)
    for name, message in facts.DESCRIPTOR.message_types_by_name.items()
}
LAST, NEARLY_OVER = date(2026, 9, 30), date(2026, 9, 10)
CYCLES = ("cycles/q3", "cycles/y26")

numbers = st.sampled_from(
    ["0", "1", "2", "5", "10", "+10.0", "1000", "1150", "-3", "0.5", "999999999999999999.999999999"]
)
days = st.sampled_from(
    [
        f"2026-{day}"
        for day in ("07-01", "07-02", "07-10", "07-20", "08-01", "06-30", "09-01", "10-01")
    ]
)
objectives = st.sampled_from(["objectives/a", "objectives/b", "objectives/c", "objectives/year"])
key_results = st.tuples(objectives, st.sampled_from(["k", "k", "l", "l", "m", "n"])).map(
    lambda pair: "{}/keyResults/{}".format(*pair)
)
nodes = objectives | key_results
pairs = st.permutations(["objectives/a", "objectives/b", "objectives/c", "objectives/year"]).map(
    lambda names: tuple(names[:2])
)
teams = st.sampled_from(["teams/x", "teams/y", "teams/z"])
measurements: st.SearchStrategy[Any] = numbers | st.sampled_from(
    [ask.not_measured(), ask.completed(), ask.completed("a"), ask.completed("b")]
)


def circumstances() -> st.SearchStrategy[dict[str, Any]]:
    """Mostly with a reason, sometimes with a day."""
    because = st.sampled_from([*[ask.WHY] * 8, "", " "])
    return st.one_of(
        st.fixed_dictionaries({"because": because}),
        st.fixed_dictionaries({"because": because, "on": days}),
    )


STEPS = [Milestone(id="a", title="A"), Milestone(id="b", title="B", weight="3")]
definitions = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["Követők", " ", "t"]),
        "metric": st.sampled_from(Metric.values()),
        "unit": st.sampled_from(["", "%", " "]),
        "aggregation": st.sampled_from(Aggregation.values()),
        "direction": st.sampled_from(Direction.values()),
        "baseline": numbers,
        "target": numbers,
        "target_change_percent": st.sampled_from(["20", "-50", "0.000000001"]),
        "commit": numbers,
        "stretch": numbers,
        "lower_bound": numbers,
        "upper_bound": numbers,
        "weight": st.sampled_from(["0", "1", "2.5"]),
        "milestones": st.sampled_from(
            [
                [Milestone(id="a", title="A")],
                [Milestone(id="a", title="A"), Milestone(id="b", title="B", weight="3")],
            ]
        ),
        "trajectory": st.sampled_from(
            [
                ask.phased(("2026-08-01", "5"), ("2026-09-30", "10")),
                ask.checkpointed(("5", "0.2"), ("10", "1")),
            ]
        ),
    },
)
# Most definitions that are thrown together break a rule; these are sound and meet each other.
sound = st.sampled_from(
    [
        {"target": "10"},
        {"target": "10", "trajectory": ask.phased(("2026-08-01", "5"), ("2026-09-30", "10"))},
        {"baseline": "1000", "target_change_percent": "20"},
        {"baseline": "5", "target": "10"},
        {"baseline": "10", "target": "1", "direction": Direction.DIRECTION_DECREASE},
        {"baseline": "2"},
        {"target": "1150"},
        {"weight": "2"},
        {"title": "Ü"},
        {"target": "10", "aggregation": Aggregation.AGGREGATION_SUM},
        {"metric": Metric.METRIC_BINARY},
        {"metric": Metric.METRIC_ZONES, "stretch": "100"},
        {"direction": Direction.DIRECTION_MAINTAIN_AT_MOST, "upper_bound": "5"},
    ]
)
masks = st.lists(
    st.sampled_from(["title", "target", "target_change_percent", "baseline", "weight", "trajectory",
                     "direction", "metric", "milestones", "stretch", "upper_bound"]),
    max_size=4, unique=True,
).map(tuple)  # fmt: skip


def request(build: Any, *args: Any, **rest: Any) -> st.SearchStrategy[Message]:
    """A request of a builder with drawn arguments, circumstances and definition."""
    drawn = {name: rest.pop(name) for name in list(rest) if name in ("about", "with_")}
    return st.builds(
        lambda values, named, about, given: build(*values, **{**named, **about, **given}),
        st.tuples(*args),
        st.fixed_dictionaries(rest),
        drawn.get("about", st.just({})),
        drawn.get("with_", st.just({})),
    )


why = circumstances()
kinds = st.sampled_from([ask.SUPPORTS, ask.CONTRIBUTES])
shape = sound | definitions
revisions = st.one_of(
    request(ask.revise, key_results, about=sound, with_=why),
    request(ask.revise, key_results, about=shape, mask=masks, with_=why),
)
alignments = st.one_of(
    st.builds(lambda to, kind, rest: ask.align(to[0], to[1], kind, **rest), pairs, kinds, why),
    request(ask.align, nodes, nodes, kinds, weight=st.sampled_from(["", "0", "2"]), with_=why),
    st.builds(lambda to, kind, rest: ask.unalign(to[0], to[1], kind, **rest), pairs, kinds, why),
    request(ask.unalign, nodes, nodes, kinds, with_=why),
)
moves: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"target": "1150"},
        {"target": "1300"},
        {"baseline": "1100"},
        {"baseline": "1150"},
        {"target_change_percent": "30"},
    ]
)
bare_changes = st.one_of(
    request(ask.revise, key_results, about=sound),
    request(ask.drop, key_results),
    request(ask.restore, key_results),
    request(ask.add, st.sampled_from(["m", "n", "o"]), objectives, about=shape),
    request(ask.align, nodes, objectives, kinds),
)
changes = st.one_of(
    request(ask.add, st.sampled_from(["m", "n", "o"]), objectives, about=shape, with_=why),
    request(ask.drop, key_results, with_=why),
    request(ask.restore, key_results, with_=why),
    request(ask.update_objective, objectives, title=st.sampled_from(["x", "y", " "]), with_=why),
    request(ask.update_objective, objectives, team=teams, with_=why),
    request(ask.update_team, teams, parent=teams, with_=why),
    request(ask.update_team, teams, mask=st.just(("parent",)), with_=why),
    request(ask.adjust, bare_changes, name=st.just(""), with_=why),
    request(
        ask.adjust,
        bare_changes,
        bare_changes,
        cycle=st.sampled_from(CYCLES),
        name=st.just(""),
        with_=why,
    ),
)
said: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.fixed_dictionaries(
    {}, optional={"on": days, "confidence": st.integers(0, 3)}
)
check_ins = st.one_of(
    request(ask.check_in, key_results, measurements, with_=said),
    request(ask.check_in, key_results, numbers),
    request(ask.correct, st.integers(1, 3), measurements, key_results, with_=said),
    request(ask.retract, st.integers(1, 3), key_results),
)
endings = st.one_of(
    request(ask.grade, objectives, with_=why),
    request(ask.grade, objectives, override_score=st.sampled_from(["0", "0.7", "2"]), with_=why),
    request(ask.regrade, objectives, with_=why),
    request(ask.abandon, objectives, with_=why),
)

closings = st.one_of(
    st.builds(ask.close, st.sampled_from((*CYCLES, ask.Q3)), because=st.just(ask.WHY)),
    request(ask.close, st.sampled_from((*CYCLES, ask.Q3)), with_=why),
    request(ask.reopen, st.sampled_from(CYCLES)),
    request(ask.reopen, st.sampled_from(CYCLES), st.sampled_from([" ", ask.WHY])),
)
sayings = st.one_of(
    request(ask.amend, st.just("") | nodes | teams, amended_score=st.sampled_from(["1", "2"])),
    request(ask.lesson, st.just("") | nodes, parent=st.sampled_from(CYCLES)),
    request(ask.review, st.just(""), cycle=st.sampled_from(CYCLES)),
)
TAKING = (CycleState.CYCLE_STATE_DRAFT, CycleState.CYCLE_STATE_ACTIVE)


class Ledger(RuleBasedStateMachine):
    """A ledger that is asked for anything."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = Scenario("2026-06-25")
        self.day = date(2026, 6, 25)
        self.changed: set[str] = set()
        self.closes = False
        """Whether cycles are closed, which leaves less to happen to them."""

    @initialize(
        started=st.sampled_from(["2026-08-12", "2026-07-20", "2026-06-25"]),
        committed=st.sampled_from([CYCLES, CYCLES, CYCLES[1:], ()]),
        closes=st.sampled_from([False, False, True]),
    )
    def begin(self, started: str, committed: tuple[str, ...], closes: bool) -> None:
        self.day = date.fromisoformat(started)
        self.closes = closes
        self.scenario.on(started)
        self.scenario.given(
            ask.cycle(),
            ask.cycle("y26", "2026-01-01", "2026-12-31"),
            *(ask.team(name) for name in "xyz"),
            *(ask.objective(name, *self.usual(), team="teams/x") for name in "abc"),
            ask.objective("year", *self.usual(), team="teams/y", cycle="cycles/y26"),
        )
        for cycle in committed:
            self._ask(ask.commit(cycle))

    def usual(self) -> list[api.NewKeyResult]:
        return [
            ask.new("k", target="10"),
            ask.new("l", baseline="1000", target_change_percent="20"),
            ask.new("m", metric=Metric.METRIC_MILESTONES, milestones=STEPS),
        ]

    @precondition(lambda self: self.day < LAST + timedelta(days=5))
    @rule(passed=st.integers(1, 20))
    def days_go_by(self, passed: int) -> None:
        self.day += timedelta(days=passed)
        self.scenario.on(self.day.isoformat())

    @precondition(lambda self: not self.scenario.cycle(ask.Q3).committed)
    @rule()
    def commit(self) -> None:
        self._ask(ask.commit())

    @rule(change=changes)
    def change(self, change: Message) -> None:
        self._ask(change)

    @rule(change=revisions)
    def revise(self, change: Message) -> None:
        self._ask(change)

    @rule(name=key_results, later=moves, earlier=moves)
    def revise_below(self, name: str, later: dict[str, Any], earlier: dict[str, Any]) -> None:
        self._ask(ask.revise(name, because=ask.WHY, **later))
        self._ask(ask.revise(name, because=ask.WHY, on="2026-07-01", **earlier))

    @rule(change=alignments)
    def align(self, change: Message) -> None:
        self._ask(change)

    @rule(check_in=check_ins)
    def check_in(self, check_in: Message) -> None:
        self._ask(check_in)

    @precondition(lambda self: self.day > NEARLY_OVER)
    @rule(ending=endings)
    def end(self, ending: Message) -> None:
        self._ask(ending)

    @precondition(lambda self: self.closes)
    @rule(request=closings)
    def close(self, request: Message) -> None:
        self._ask(request)

    @precondition(lambda self: self.fenced())
    @rule(data=st.data())
    def seal(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.fenced()))
        self.scenario.given_seal(name)
        self.changed.add(name)

    def fenced(self) -> list[str]:
        closing = CycleState.CYCLE_STATE_CLOSING
        return [name for name in CYCLES if self.scenario.cycle(name).state == closing]

    @rule(saying=sayings)
    def say(self, saying: Message) -> None:
        self._ask(saying)

    @invariant()
    def what_changed_keeps_the_rules(self) -> None:
        scenario = self.scenario
        for stream in sorted(self.changed):
            state = scenario.states[stream]
            assert refolded(scenario, stream) == state
            assert decoded(encoded(state)) == state
            if isinstance(state, Objective):
                for key_result in state.key_results.values():
                    definitions_hold(key_result, scenario.cycle(state.cycle).last_day)
                check_ins_are_numbered(scenario, stream)
                score = computed_score(scenario.view(), stream, self.day)
                assert score is not None
                assert 0 <= score <= 1
            if isinstance(state, Cycle):
                seals_are_numbered(scenario, stream)
        if "alignment" in self.changed:
            graph_holds(scenario)
        if any(stream.startswith("teams/") for stream in self.changed):
            tree_holds(scenario)
        self.changed = set()

    def _ask(self, request: Message) -> None:
        first, second = self._decided(request), self._decided(request)
        assert first == second
        if isinstance(first, Decision):
            taking = {name for name in CYCLES if self.scenario.cycle(name).state in TAKING}
            self.scenario.record(first)
            assert {*objectives_changed(self.scenario, first)} <= taking
            self.changed |= {event.stream for event in first.events}

    def _decided(self, request: Message) -> Decision | tuple[type[Refusal], str]:
        try:
            return self.scenario.decide(request)
        except Refusal as refusal:
            return type(refusal), str(refusal)


def objectives_changed(scenario: Scenario, decision: Decision) -> Iterator[str]:
    """The cycles of the objectives that a decision changed."""
    for event in decision.events:
        if event.stream.startswith("objectives/"):
            yield scenario.objective(event.stream).cycle


def seals_are_numbered(scenario: Scenario, cycle: str) -> None:
    """Each closing has the seal that follows it, and seals are numbered from 1 on."""
    records = scenario.view().records(cycle)
    closed = [r.position for r in records if r.event_type == "okr.v1.CycleClosing"]
    seals = [fact for r in records if isinstance(fact := fact_of(r), facts.CycleSealed)]
    assert [seal.number for seal in seals] == list(range(1, len(seals) + 1))
    assert [seal.closing_position for seal in seals] == closed[: len(seals)]
    closing = scenario.cycle(cycle).state == CycleState.CYCLE_STATE_CLOSING
    assert len(closed) - len(seals) == int(closing)


def refolded(scenario: Scenario, stream: str) -> State | None:
    """The state that the recorded bytes of a stream make."""
    state = initial(stream)
    for record in scenario.view().records(stream):
        state = applied(
            state,
            stream,
            FACTS[record.event_type].FromString(record.payload),
            EventMetadata.FromString(record.metadata),
            record.position,
        )
    return state


def every_day(revisions: tuple[Revision, ...]) -> Iterator[date]:
    """The days on which something may differ."""
    for day in sorted({r.effective for r in revisions}):
        yield day
        if day > date.min:
            yield day - timedelta(days=1)


def definitions_hold(key_result: KeyResult, last_day: date) -> None:
    """On every day the definition is the naive fold's, and keeps every rule."""
    for day in every_day(key_result.revisions):
        there = key_result_of(key_result.name, key_result.revisions, day)
        naive: KeyResultDefinition | None = None
        for revision in sorted(key_result.revisions, key=lambda r: (r.effective, r.position)):
            if revision.effective > day:
                continue
            match revision.fact:
                case facts.KeyResultAdded() as fact:
                    naive = KeyResultDefinition.FromString(fact.definition.SerializeToString())
                case facts.KeyResultRevised() as fact if naive is not None:
                    for path in fact.changed.paths:
                        naive.ClearField(path)  # type: ignore[arg-type]  # a field's name
                    naive.MergeFrom(fact.after)
        assert (there.definition if there else None) == naive
        if naive is not None:
            assert settled(naive, "definition") == naive
            assert not trajectory_misfit(naive, Days(date(2026, 1, 1), last_day))


def check_ins_are_numbered(scenario: Scenario, objective: str) -> None:
    """1, 2, 3 … for each key result."""
    numbers: dict[str, list[int]] = {}
    for record in scenario.records:
        if record.stream == objective and record.event_type == "okr.v1.CheckInRecorded":
            fact = facts.CheckInRecorded.FromString(record.payload)
            numbers.setdefault(fact.key_result, []).append(fact.number)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    for name, found in numbers.items():
        assert scenario.key_result(name).check_in_count == len(found)


def graph_holds(scenario: Scenario) -> None:
    """On no day does anything depend on itself or contribute twice."""
    revisions = scenario.view().alignments().revisions
    for day in every_day(revisions):
        edges = edges_on(revisions, day)
        above: dict[str, set[str]] = {}
        for edge in edges:
            above.setdefault(edge.child, set()).add(edge.parent)
            for node in (edge.child, edge.parent):
                if stream_of(node) != node:
                    above.setdefault(node, set()).add(stream_of(node))
        assert not circular(above)
        contributing = [edge.child for edge in edges if edge.contributes]
        assert len(contributing) == len(set(contributing))


def tree_holds(scenario: Scenario) -> None:
    """On no day does a team stand below itself."""
    teams = [state for state in scenario.states.values() if isinstance(state, Team)]
    for day in every_day(tuple(r for team in teams for r in team.revisions)):
        there = [team_of(team.name, team.revisions, day) for team in teams]
        assert not circular({t.name: {t.definition.parent} for t in there if t})


def circular(above: dict[str, set[str]]) -> bool:
    """Whether some node is above itself; leaves are taken off until none is left."""
    left = {node: set(parents) for node, parents in above.items()}
    while left:
        ends = {parent for parents in left.values() for parent in parents} - left.keys()
        if not any(parents & ends for parents in left.values()) and all(left.values()):
            return True
        left = {node: parents - ends for node, parents in left.items()}
        left = {node: parents for node, parents in left.items() if parents}
    return False


@pytest.mark.slow
@pytest.mark.timeout(600)  # a failing one takes minutes to become short
def test_any_requests_in_any_order_keep_the_rules() -> None:
    lawful = settings(
        max_examples=80,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Ledger, settings=lawful)


def test_a_circle_is_seen() -> None:
    assert circular({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert circular({"x": {"a"}, "a": {"b", "z"}, "b": {"a"}})
    assert not circular({"a": {"b", "c"}, "b": {"c"}, "d": {"a"}})
