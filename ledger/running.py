"""Scores that keep up with facts: after each one, only what it can move is scored again."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Final

from google.protobuf.message import Message

from ledger.alignment import edges_on
from ledger.check_ins import CheckIn, folded
from ledger.cycles import Cycle, cycle_of
from ledger.definitions import MAINTAIN
from ledger.key_results import KeyResult, key_result_of
from ledger.objectives import Objective, objective_of, stream_of
from ledger.policies import policy_of
from ledger.revision import Revision
from ledger.scoring import pace
from ledger.scoring.policy import CycleRollup, Maintain
from ledger.scoring.rollup import RunningMean
from ledger.span import CYCLES, TEAMS, Span, Step, is_key_result
from ledger.standing import Contribution, Facts, KeyResultFacts, Standings, cadence_of
from ledger.teams import Team, team_of
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import ObjectiveState

_BY_POSITION: Final = attrgetter("position")
_BY_PLACE: Final = attrgetter("order")
_ABANDONED: Final = ObjectiveState.OBJECTIVE_STATE_ABANDONED
_DAY: Final = timedelta(days=1)


class _Group:
    """The objectives of a team's tree or of a whole cycle, and the scores that each brings in."""

    def __init__(self) -> None:
        self.mean: Final = RunningMean()
        self._brought: dict[str, list[Decimal | None]] = {}

    def bring(self, objective: str, scores: list[Decimal | None]) -> None:
        """Lets an objective's scores count in place of its earlier ones."""
        for score in self._brought.get(objective, ()):
            self.mean.remove(score)
        for score in scores:
            self.mean.add(score)
        self._brought[objective] = scores


class RunningScores:
    """The current scores of subjects: key results, objectives, teams and the cycle of a span.

    A score is what counts: none of a key result that is dropped or not added yet, none of an
    abandoned objective and its key results. All others are digit for digit those that `Standings`
    gives of the same facts.
    """

    def __init__(self, span: Span, cycle: str, subjects: Iterable[str]) -> None:
        self.subjects: Final = tuple(dict.fromkeys(subjects))
        self._cycle = cycle
        self._groups = {
            name: _Group() for name in self.subjects if name.startswith((TEAMS, CYCLES))
        }
        self._known: dict[str, list[Revision]] = {}
        self._aligned: dict[str, list[Revision]] = {}
        self._cycles: dict[str, Cycle] = {}
        self._teams: dict[str, Team] = {}
        self._objectives: dict[str, Objective] = {}
        self._own: dict[str, dict[str, KeyResult]] = {}
        self._key_results: dict[str, KeyResultFacts] = {}
        self._contributors: dict[str, list[Contribution]] = {}
        self._contributes_to: dict[str, set[str]] = {}
        self._member_of: dict[str, set[str]] = {}
        self._check_ins = _CheckIns(span)
        self._day = span.start.day
        self._standings = Standings(self._facts())
        for subject, revision in span.at_start():
            insort(self._list(subject, revision.fact), revision, key=_BY_POSITION)
        for subject in self._known:
            self._fold(subject)
        for parent in self._aligned:
            self._fold_alignments(parent)
        self._standings.renew(self._facts(), ())
        self._regroup(self._objectives)

    def score(self, subject: str) -> Decimal | None:
        """The score of one of the subjects; None where there is none."""
        if is_key_result(subject):
            return self._score_of_key_result(subject)
        if subject in self._groups:
            return self._score_of_group(subject)
        found = self._objectives.get(subject)
        if found is None or found.closed == _ABANDONED:
            return None
        return self._standings.objective(subject).score

    def take(self, step: Step) -> set[str]:
        """Lets a step happen; the names whose scores it may have moved, subjects or not."""
        self._day = step.day
        touched = self._above(self._changed(step))
        self._standings.renew(self._facts(), touched)
        if step.subject.startswith(TEAMS):
            self._regroup(self._objectives)
            return {*self._groups}
        if step.subject.startswith(CYCLES):
            self._regroup(touched & self._objectives.keys())
            return touched | self._groups.keys()
        return touched | self._regroup(touched & self._objectives.keys())

    def _facts(self) -> Facts:
        return Facts(
            self._day,
            self._cycles,
            self._objectives,
            self._key_results,
            self._contributors,
        )

    def _changed(self, step: Step) -> set[str]:
        """Applies a step; the key results and objectives that it changes by itself."""
        match step.change:
            case None:
                return self._timed()
            case CheckIn() as form:
                self._check_ins.hold(form)
                return {step.subject}
            case Revision() as revision if _measures(revision.fact):
                self._check_ins.apply(step.subject, revision, self._day)
                return {step.subject}
            case revision:
                insort(self._list(step.subject, revision.fact), revision, key=_BY_POSITION)
                if _aligns(revision.fact):
                    self._fold_alignments(step.subject)
                    return {step.subject}
                return self._fold(step.subject)

    def _list(self, subject: str, fact: Message) -> list[Revision]:
        lists = self._aligned if _aligns(fact) else self._known
        return lists.setdefault(subject, [])

    def _fold(self, subject: str) -> set[str]:
        """Makes a subject anew of what is known of it; what this changes."""
        known = self._known[subject]
        if subject.startswith(CYCLES):
            cycle = cycle_of(subject, known)
            if cycle is None:
                return set()
            self._cycles[subject] = cycle
            return self._whole(n for n, o in self._objectives.items() if o.cycle == subject)
        if subject.startswith(TEAMS):
            team = team_of(subject, known)
            if team is not None:
                self._teams[subject] = team
            return set()
        if is_key_result(subject):
            key_result = key_result_of(subject, known)
            if key_result is None:
                return set()
            held = self._check_ins.held.setdefault(subject, [])
            self._key_results[subject] = KeyResultFacts(key_result, None, None, held)
            self._own_of(subject)[subject] = key_result
            return {subject}
        objective = objective_of(subject, known)
        if objective is None:
            return set()
        self._objectives[subject] = replace(objective, key_results=self._own_of(subject))
        return self._whole([subject])

    def _own_of(self, name: str) -> dict[str, KeyResult]:
        return self._own.setdefault(stream_of(name), {})

    def _whole(self, objectives: Iterable[str]) -> set[str]:
        """The objectives and their key results."""
        names = set(objectives)
        return names.union(*(self._own_of(name) for name in names))

    def _fold_alignments(self, parent: str) -> None:
        for contribution in self._contributors.get(parent, ()):
            self._contributes_to[contribution.child].discard(parent)
        edges = [edge for edge in edges_on(self._aligned[parent], date.max) if edge.contributes]
        self._contributors[parent] = [Contribution(e.child, Decimal(e.weight)) for e in edges]
        for edge in edges:
            self._contributes_to.setdefault(edge.child, set()).add(parent)

    def _timed(self) -> set[str]:
        """The key results whose scores move as this day comes: a period has ended."""
        ended = {name for name, cycle in self._cycles.items() if self._ended(cycle)}
        objectives = [n for n, o in self._objectives.items() if o.cycle in ended]
        return {
            name
            for objective in objectives
            for name, key_result in self._own_of(objective).items()
            if key_result.definition.direction in MAINTAIN
        }

    def _ended(self, cycle: Cycle) -> bool:
        """Whether the policy counts periods and one of them ended the day before."""
        if policy_of(cycle.definition.policy).maintain is not Maintain.SHARE_OF_PERIODS:
            return False
        periods = pace.periods(cycle.first_day, cycle.last_day, cadence_of(cycle))
        return any(period.last_day + _DAY == self._day for period in periods)

    def _above(self, changed: set[str]) -> set[str]:
        """The names given and all whose scores they count in."""
        found: set[str] = set()
        left = list(changed)
        while left:
            name = left.pop()
            if name in found:
                continue
            found.add(name)
            left += self._contributes_to.get(name, ())
            if is_key_result(name):
                left.append(stream_of(name))
        return found

    def _regroup(self, objectives: Iterable[str]) -> set[str]:
        """Brings the scores of objectives into their groups; which these are and were."""
        moved: set[str] = set()
        for name in objectives if self._groups else ():
            now = self._groups_of(self._objectives[name])
            before = self._member_of.get(name, set())
            for group in before - now:
                self._groups[group].bring(name, [])
            for group in now:
                self._groups[group].bring(name, self._brought(name, group))
            self._member_of[name] = now
            moved |= before | now
        return moved

    def _groups_of(self, objective: Objective) -> set[str]:
        """The groups that an objective counts in: its team, those above, and the whole cycle.

        The cycle has only what stands below a team at the top.
        """
        if objective.cycle != self._cycle or objective.closed == _ABANDONED:
            return set()
        line: set[str] = set()
        team = objective.definition.team
        while team in self._teams and team not in line:
            line.add(team)
            team = self._teams[team].definition.parent
        if line and not team:
            line.add(self._cycle)
        return line & self._groups.keys()

    def _brought(self, objective: str, group: str) -> list[Decimal | None]:
        standing = self._standings.objective(objective)
        policy = policy_of(self._cycles[self._cycle].definition.policy)
        by_key_result = policy.cycle_rollup is CycleRollup.MEAN_OF_KEY_RESULTS
        if by_key_result and group.startswith(CYCLES):
            counting = (k for k in standing.key_results if not k.facts.current.dropped)
            return [k.scores.current for k in counting]
        return [standing.score]

    def _score_of_key_result(self, name: str) -> Decimal | None:
        objective = self._objectives.get(stream_of(name))
        found = self._key_results.get(name)
        if objective is None or objective.closed == _ABANDONED:
            return None
        if found is None or found.current.dropped:
            return None
        return self._standings.key_result(name).scores.current

    def _score_of_group(self, name: str) -> Decimal | None:
        cycle = self._cycles.get(self._cycle)
        if cycle is None or (name.startswith(TEAMS) and name not in self._teams):
            return None
        return self._groups[name].mean.score(policy_of(cycle.definition.policy))


class _CheckIns:
    """The check-ins of each key result: all known by number, and in order those that hold.

    The lists of `held` are changed in place, so that facts which name them stay true.
    """

    def __init__(self, span: Span) -> None:
        self.known: dict[str, dict[int, CheckIn]] = {name: {} for name in span.measured}
        self.held: dict[str, list[CheckIn]] = {}
        for name, forms in span.check_ins.items():
            self.known[name] = {form.number: form for form in forms}
            holding = (f for f in forms if not f.retracted and f.effective <= span.start.day)
            self.held[name] = sorted(holding, key=_BY_PLACE)

    def hold(self, form: CheckIn) -> None:
        """Lets a check-in hold whose day has come."""
        insort(self.held[form.key_result], form, key=_BY_PLACE)

    def apply(self, key_result: str, event: Revision, day: date) -> None:
        """Takes an event about a check-in; it holds up to a day."""
        held = self.held.setdefault(key_result, [])
        known = self.known[key_result]
        number: int = event.fact.number  # type: ignore[attr-defined]  # facts about check-ins have one
        before = known.get(number)
        if before is not None and not before.retracted and before.effective <= day:
            del held[bisect_left(held, before.order, key=_BY_PLACE)]
        folded(known, event.fact, event.effective, event.position)
        after = known[number]
        if not after.retracted and after.effective <= day:
            insort(held, after, key=_BY_PLACE)


def _measures(fact: Message) -> bool:
    return isinstance(fact, facts.CheckInRecorded | facts.CheckInCorrected | facts.CheckInRetracted)


def _aligns(fact: Message) -> bool:
    return isinstance(fact, facts.Aligned | facts.Unaligned)
