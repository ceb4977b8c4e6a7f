"""Random histories in which much happens: most of what is asked is accepted, and moves a score.

Two committed cycles, one within the other, three teams in a tree, objectives that contribute to
each other across both, key results of every kind. Then anything: check-ins late and corrected,
targets, weights and baselines changed from days past, things dropped, moved, aligned, graded, given
up.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from google.protobuf.message import Message
from hypothesis import strategies as st

from ledger.refusals import Refusal
from ledger.values import date_message
from okr.v1.values_pb2 import Aggregation, Cadence, Direction, Metric, Milestone, ScoringPolicy
from tests.support import ask
from tests.support.scenario import Scenario

CYCLES: Final = ("cycles/q3", "cycles/y26")
TEAMS: Final = ("teams/x", "teams/y", "teams/z")
OBJECTIVES: Final = tuple(f"objectives/{name}" for name in ("a", "b", "c", "year"))
KEY_RESULTS: Final = tuple(
    f"{objective}/keyResults/{name}" for objective in OBJECTIVES for name in "klsmp"
)
POLICIES: Final = (
    "standard",
    "servicenow",
    "ipfs",
    "lattice-sum",
    "feedback4e-ratio",
    "weights-by-target",
)

FIRST: Final = date(2026, 7, 1)
"""The first day of the quarter."""

LAST: Final = date(2026, 9, 30)
"""Its last day."""

choices: Final = st.lists(
    st.tuples(st.integers(0, 999), st.integers(0, 999)), min_size=2, max_size=2
)
"""Two pairs of instants for `instants_of`."""

_ALIGNED: Final = (
    ("objectives/a", "objectives/year"),
    ("objectives/b", "objectives/a"),
    ("objectives/c/keyResults/k", "objectives/b"),
)
_KEPT: Final[dict[str, Any]] = {
    "direction": Direction.DIRECTION_MAINTAIN_AT_MOST,
    "upper_bound": "5",
}
_numbers = st.sampled_from(["0", "1", "2", "3", "5", "7", "8", "10", "12", "1000", "1100", "1150"])
_objectives = st.sampled_from(OBJECTIVES)
_key_results = st.sampled_from(KEY_RESULTS)
_milestones = st.sampled_from([name for name in KEY_RESULTS if name.endswith("m")])
_measured = st.sampled_from([name for name in KEY_RESULTS if not name.endswith("m")])
_bounded = st.sampled_from([name for name in KEY_RESULTS if name.endswith("p")])
_numeric = st.sampled_from([name for name in KEY_RESULTS if name[-1] in "kls"])
_nodes = _objectives | _key_results
_completed = st.sampled_from(
    [ask.completed("a"), ask.completed("b"), ask.completed("a", "b"), ask.not_measured()]
)
_definitions: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"target": "8"},
        {"target": "20"},
        {"baseline": "1"},
        {"baseline": "2", "target": "60", "weight": "3"},
        {"weight": "0"},
        {"weight": "2.5"},
        {"target_change_percent": "30"},
        {"baseline": "900"},
        {"title": "Követők"},
    ]
)
_policies = st.sampled_from(POLICIES).map(lambda name: ScoringPolicy(name=name))
_cadences = st.sampled_from([Cadence.CADENCE_WEEKLY, Cadence.CADENCE_MONTHLY])
_added: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"target": "10"}, {"target": "50", "weight": "2"}, _KEPT]
)


def _revised(name: str, about: dict[str, Any]) -> Message:
    return ask.revise(name, because=ask.WHY, **about)


def _added_to(parent: str, name: str, about: dict[str, Any]) -> Message:
    return ask.add(name, parent, because=ask.WHY, **about)


def _reasoned(build: Any, *args: Any, **named: Any) -> st.SearchStrategy[Message]:
    """A request of a builder with drawn arguments and a reason."""
    return st.builds(build, *args, because=st.just(ask.WHY), **named)


_WEIGHED: Final[tuple[tuple[int, st.SearchStrategy[Message]], ...]] = (
    (9, st.builds(ask.check_in, _measured, _numbers)),
    (2, st.builds(ask.check_in, _bounded, st.sampled_from(["3", "5", "8"]))),
    (2, st.builds(ask.check_in, _milestones, _completed)),
    (1, st.builds(ask.check_in, _key_results, st.just(ask.not_measured()))),
    (3, st.builds(ask.correct, st.integers(1, 2), _numbers, _measured)),
    (1, st.builds(ask.correct, st.integers(1, 2), _completed, _milestones)),
    (2, st.builds(ask.retract, st.integers(1, 2), _key_results)),
    (6, st.builds(_revised, _numeric, _definitions)),
    (1, st.builds(_revised, _bounded, st.just({"upper_bound": "2"}))),
    (2, _reasoned(ask.drop, _key_results)),
    (1, _reasoned(ask.restore, _key_results)),
    (1, st.builds(_added_to, _objectives, st.sampled_from("no"), _added)),
    (1, _reasoned(ask.update_objective, _objectives, team=st.sampled_from(TEAMS))),
    (
        1,
        _reasoned(
            ask.update_team,
            st.sampled_from(TEAMS),
            mask=st.just(("parent",)),
            parent=st.sampled_from([*TEAMS, ""]),
        ),
    ),
    (1, _reasoned(ask.align, _nodes, _objectives)),
    (1, st.builds(lambda to: ask.unalign(*to, because=ask.WHY), st.sampled_from(_ALIGNED))),
    (
        1,
        _reasoned(ask.update_cycle, st.sampled_from(CYCLES), policy=_policies, cadence=_cadences),
    ),
    (
        1,
        st.builds(
            lambda one, two, three: ask.adjust(
                ask.revise(one, target="9", weight="2"), ask.drop(two), ask.drop(three), name=""
            ),
            st.sampled_from([name for name in KEY_RESULTS if name[-1] in "ks"]),
            _key_results,
            _key_results,
        ),
    ),
)
_requests: Final = st.sampled_from(
    [kind for weight, kind in _WEIGHED for _ in range(weight)]
).flatmap(lambda kind: kind)
_endings: Final = st.one_of(
    _reasoned(ask.grade, _objectives),
    _reasoned(ask.grade, _objectives, override_score=st.sampled_from(["0", "0.7", "1"])),
    _reasoned(ask.regrade, _objectives),
    _reasoned(ask.abandon, _objectives),
)
_ago: Final = st.sampled_from([0, 0, 0, 1, 3, 8, 20, 60])


@st.composite
def histories(draw: st.DrawFn, least: int = 40, most: int = 100) -> Scenario:
    """A ledger in which between `least` and `most` things were asked on the days of a quarter.

    Towards its end objectives are graded and given up, and still corrected.
    """
    # Half of them under the one policy by which time itself moves scores.
    scenario = begun(draw(st.sampled_from(POLICIES)) if draw(st.booleans()) else "servicenow")
    asked = draw(st.lists(st.tuples(_requests, _ago), min_size=least, max_size=most))
    endings = draw(st.lists(st.tuples(_endings, _ago), max_size=6))
    asked += [
        each
        for pair in zip(
            endings,
            draw(st.lists(st.tuples(_requests, _ago), min_size=6, max_size=6)),
            strict=False,
        )
        for each in pair
    ]
    for number, (request, ago) in enumerate(asked):
        day = FIRST + timedelta(9 + number * 84 // len(asked))
        attempted(
            scenario.on(day.isoformat()), _backdated(request, max(day - timedelta(ago), FIRST))
        )
    return scenario


def _backdated(request: Message, day: date) -> Message:
    """The request from a day on, where it may name one."""
    dated: Any = request
    if "effective_date" in request.DESCRIPTOR.fields_by_name:
        dated.effective_date.CopyFrom(date_message(day))
    return request


def instants_of(
    scenario: Scenario, cycle: str, chosen: list[tuple[int, int]]
) -> list[tuple[int, str]]:
    """A position and a day for each choice of two numbers below 1 000, in order on both axes.

    Most lie after plan commitment. Those of the longer cycle begin before the shorter one.
    """
    planned = scenario.cycle(CYCLES[-1]).plan_position
    first = FIRST if cycle == CYCLES[0] else FIRST - timedelta(40)
    ahead = (LAST - first).days
    known = sorted(
        share * len(scenario.records) // 999
        if share % 5 == 0
        else planned + share * (len(scenario.records) - planned) // 999
        for share, _ in chosen
    )
    days = sorted((first + timedelta(share * ahead // 999)).isoformat() for _, share in chosen)
    return list(zip(known, days, strict=True))


def begun(policy: str = "standard") -> Scenario:
    """The two committed cycles, on 10 July 2026."""
    scenario = Scenario("2026-06-25").given(
        ask.cycle(policy=ScoringPolicy(name=policy)),
        ask.cycle("y26", "2026-01-01", "2026-12-31"),
        ask.team("x"),
        ask.team("y", "teams/x"),
        ask.team("z"),
        ask.objective("a", *_usual(), team="teams/x"),
        ask.objective("b", *_usual(), team="teams/y"),
        ask.objective("c", *_usual(), team="teams/z"),
        ask.objective("year", *_usual(), team="teams/y", cycle="cycles/y26"),
        *(
            ask.align(*to, weight=weight)
            for to, weight in zip(_ALIGNED, ("2", "1", "0.5"), strict=True)
        ),
    )
    return scenario.given(*(ask.commit(cycle) for cycle in CYCLES)).on("2026-07-10")


def attempted(scenario: Scenario, request: Message) -> None:
    """Asks; a refusal changes nothing."""
    try:
        scenario.record(scenario.decide(request))
    except Refusal:
        return


def _usual() -> list[Any]:
    steps = [Milestone(id="a", title="A"), Milestone(id="b", title="B", weight="3")]
    return [
        ask.new("k", target="10"),
        ask.new("l", baseline="1000", target_change_percent="20"),
        ask.new("s", target="50", aggregation=Aggregation.AGGREGATION_SUM, weight="2"),
        ask.new("m", metric=Metric.METRIC_MILESTONES, milestones=steps),
        ask.new("p", **_KEPT),
    ]
