"""The order in which a quarter is sent: as it was lived, and nothing before what it needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from okr.quarter.record import Problem, problem
from okr.quarter.step import Need, Step

_MAY_BE_IN_THE_LEDGER = ("teams/", "objectives/")


@dataclass(frozen=True, slots=True)
class Ordered:
    """Steps in the order to send them, what they need from the ledger, and what is wrong."""

    steps: tuple[Step, ...]
    outside: tuple[Need, ...]
    problems: tuple[Problem, ...]


def in_order(steps: Iterable[Step]) -> Ordered:
    """Order steps by rank before the plan and by time after it; ties as in the file.

    What a step needs must come from an earlier step. Teams, and what an objective is aligned to,
    may stand in the ledger already.
    """
    ordered = sorted(steps, key=lambda step: (step.when, step.rank, step.record.line))
    ordered = _parents_first(ordered)
    place: dict[str, int] = {}
    problems: list[Problem] = []
    for i, step in enumerate(ordered):
        for name in filter(None, step.provides):
            if name in place:
                problems.append(_twice(step, name, ordered[place[name]]))
            else:
                place[name] = i
    outside: dict[str, Need] = {}
    for i, step in enumerate(ordered):
        for need in step.needs:
            if not need.name:
                continue  # A problem of its own, found where the name is read.
            if need.name not in place:
                if _may_be_outside(need):
                    outside.setdefault(need.name, need)
                else:
                    problems.append(_unknown(need))
            elif place[need.name] >= i:
                problems.append(_too_early(need, ordered[place[need.name]]))
    return Ordered(tuple(ordered), tuple(outside.values()), tuple(problems))


def _parents_first(steps: list[Step]) -> list[Step]:
    """Move each team behind its parent; teams that form a circle stay and are found too early."""
    teams = {step.provides[0]: step for step in steps if step.record.kind == "team"}
    first: dict[str, Step] = {}

    def take(name: str, below: frozenset[str]) -> None:
        step = teams.get(name)
        if step is None or name in first or name in below:
            return
        for need in step.needs:
            take(need.name, below | {name})
        first[name] = step

    for name in teams:
        take(name, frozenset())
    following = iter(first.values())
    return [next(following) if step.record.kind == "team" else step for step in steps]


def _may_be_outside(need: Need) -> bool:
    kind = need.record.kind
    return need.name.startswith(_MAY_BE_IN_THE_LEDGER) and (
        need.column in ("team", "parent") or kind in ("alignment", "unalignment")
    )


def _unknown(need: Need) -> Problem:
    return problem(need.record, need.column, f"{need.name} is not in this file")


def _too_early(need: Need, provider: Step) -> Problem:
    there = f"line {provider.record.line}"
    late = f"{need.name} ({there}) comes later; times must be in the order of what happened"
    return problem(need.record, need.column, late)


def _twice(step: Step, name: str, other: Step) -> Problem:
    hint = "; give each an id of its own" if step.record.kind == "check_in" else ""
    column = "on" if step.record.kind == "check_in" else "id"
    message = f"{name} stands on line {other.record.line} already{hint}"
    return problem(step.record, column if column in step.record.cells else "", message)
