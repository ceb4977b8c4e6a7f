"""A cycle replayed: each frame holds what the model says of its day, by what was known then."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

from okr.v1 import replay_service_pb2 as replay
from okr.v1 import resources_pb2 as resources
from okr.v1 import score_service_pb2 as scores
from tests.model.asking import Asking
from tests.model.known import Known
from tests.model.measure import day_of
from tests.model.numbers import Score, difference, shown
from tests.model.reads_of_plans import get_scorecard
from tests.model.shapes import Instants, by_level
from tests.model.standing import Standing
from tests.support.whole import Caller

WEEK: Final = timedelta(days=7)
FRAMES: Final = 2
"""How many of a replay's frames are held against the model."""
Lines = dict[str, tuple[Score, resources.Status.ValueType]]


def random_replay(me: Caller, asking: Asking) -> tuple[Any, list[replay.ReplayFrame]]:
    """A replay by weeks, and its frames."""
    cycle = asking.fact("CycleDrafted").subject
    request = replay.ReplayCycleRequest(
        cycle=cycle,
        step=replay.REPLAY_STEP_WEEK,
        knowledge=asking.chance.choice(replay.ReplayKnowledge.values()),
    )
    if asking.maybe(0.4):
        request.team = asking.fact("TeamRegistered").subject
    with me.watch(request) as answers:
        return request, [answer.frame for answer in answers]


def days_of(asking: Asking, request: Any) -> list[date]:
    """The last day of each week from when the cycle was known, and of all the last there is."""
    cycle = request.cycle
    last = asking.present(cycle)
    drafted = asking.everything.of(cycle)[0].recorded_us
    since = asking.everything.today_in(cycle, drafted)
    if request.knowledge == replay.REPLAY_KNOWLEDGE_NOW:
        since = date.min
    days = []
    day = asking.everything.cycle(cycle).first + WEEK - timedelta(1)
    while day < last:
        days.append(day)
        day += WEEK
    return [day for day in (*days, last) if day >= since]


def known_then(asking: Asking, request: Any, day: date, last: date) -> Known:
    """What was known at the end of a day; everything where the knowledge of now is asked for."""
    everything = asking.everything
    if day == last or request.knowledge == replay.REPLAY_KNOWLEDGE_NOW:
        return everything
    return Known(
        [f for f in asking.facts if everything.today_in(request.cycle, f.recorded_us) <= day]
    )


def expected_card(asking: Asking, request: Any, known: Known, day: date) -> Any:
    """The scorecard of a day."""
    asked = scores.GetScorecardRequest(cycle=request.cycle, team=request.team)
    answer: Any = get_scorecard(asked, Instants(known, 0, day))
    return answer.scorecard


def lines_of(request: Any, known: Known, day: date) -> Lines:
    """What counts in the card: key results, objectives, teams, and the root as the cycle."""
    standing = Standing(known, day)
    teams = known.teams(day)
    tree = known.tree(teams, request.team)
    found: Lines = {}
    for name in standing.members(request.cycle, tree):
        block = standing.objective(name)
        if block is not None and not block.objective.abandoned:
            found[name] = block.scores.current, block.status
            for part in block.counting:
                found[part.key_result.name] = part.scores.current, part.status
    for team in tree:
        if team == request.team or standing.members(request.cycle, known.tree(teams, team)):
            group = standing.team(team, request.cycle)
            found[team] = group.scores.current, group.status
    whole = standing.whole_cycle(request.cycle)
    root = standing.team(request.team, request.cycle) if request.team else whole
    found[request.cycle] = root.scores.current, root.status
    return found


def moves(before: Lines, after: Lines) -> list[replay.ScoreMove]:
    """Each score or status that is another, by level and name."""
    found = []
    for name in sorted({*before, *after}, key=by_level):
        was, is_now = (each.get(name, (None, 0)) for each in (before, after))
        if was != is_now:
            move = replay.ScoreMove(
                name=name,
                score_before=shown(was[0]),
                score_after=shown(is_now[0]),
                difference=difference(was[0], is_now[0]),
            )
            move.status_before, move.status_after = was[1], is_now[1]  # type: ignore[assignment]  # 0 is unspecified
            found.append(move)
    return found


def replayed(me: Caller, asking: Asking, bare: Any) -> None:
    """Some frames of a random replay hold what the model says, and what moved since the last.

    Raises:
        AssertionError: they do not.
    """
    request, frames = random_replay(me, asking)
    days = days_of(asking, request)
    assert [day_of(frame.day) for frame in frames] == days, f"{request}"
    assert [frame.number for frame in frames] == [*range(1, len(frames) + 1)]
    for earlier, frame in asking.chance.sample([*pairwise(frames)], min(FRAMES, len(frames) - 1)):
        known, before = (
            known_then(asking, request, day_of(each.day), days[-1]) for each in (frame, earlier)
        )
        expected = expected_card(asking, request, known, day_of(frame.day))
        assert bare(frame.scorecard) == bare(expected), f"{request}{frame.day}"
        wanted = moves(
            lines_of(request, before, day_of(earlier.day)),
            lines_of(request, known, day_of(frame.day)),
        )
        told = sorted(frame.moves, key=lambda move: by_level(move.name))
        assert told == wanted, f"{request}{frame.day}"
