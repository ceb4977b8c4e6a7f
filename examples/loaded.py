"""The ledger of the cluster's demonstration: its plan, and what is read back from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from google.type.date_pb2 import Date

from okr import OkrClient
from okr.pages import pages
from okr.v1.audit_service_pb2 import ListEventsRequest
from okr.v1.event_record_pb2 import Event
from okr.v1.events_pb2 import CheckInRecorded
from okr.v1.ledger_service_pb2 import (
    CommitPlanRequest,
    CreateCycleRequest,
    CreateObjectiveRequest,
    CreateTeamRequest,
    NewKeyResult,
)
from okr.v1.score_service_pb2 import GetScorecardRequest
from okr.v1.values_pb2 import (
    CycleDefinition,
    KeyResultDefinition,
    ObjectiveDefinition,
    TeamDefinition,
)

CYCLE: Final = "cycles/load"
TEAMS: Final = ("marketing", "sales")
OBJECTIVES: Final = 3
"""Objectives of each team, with as many key results each."""

DAYS: Final = 45
"""How far the cycle reaches back from today, and as far ahead."""


def planned(okr: OkrClient) -> list[str]:
    """Make and commit the plan; the names of its key results."""
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=DAYS), today + timedelta(days=DAYS)
    okr.ledger.CreateCycle(
        CreateCycleRequest(
            cycle_id=CYCLE.removeprefix("cycles/"),
            definition=CycleDefinition(
                title="A quarter under load", first_day=message(first), last_day=message(last)
            ),
        )
    )
    key_results = []
    for team in TEAMS:
        okr.ledger.CreateTeam(
            CreateTeamRequest(team_id=team, definition=TeamDefinition(title=team.title()))
        )
        for number in range(1, OBJECTIVES + 1):
            objective = f"{team}-{number}"
            okr.ledger.CreateObjective(
                CreateObjectiveRequest(
                    objective_id=objective,
                    cycle=CYCLE,
                    definition=ObjectiveDefinition(
                        title=f"Objective {number} of {team}", team=f"teams/{team}"
                    ),
                    key_results=[
                        NewKeyResult(
                            key_result_id=f"k{each}",
                            definition=KeyResultDefinition(
                                title=f"Measure {each}", baseline="0", target="10000"
                            ),
                        )
                        for each in range(1, OBJECTIVES + 1)
                    ],
                )
            )
            parent = f"objectives/{objective}"
            key_results += [f"{parent}/keyResults/k{each}" for each in range(1, OBJECTIVES + 1)]
    okr.ledger.CommitPlan(CommitPlanRequest(name=CYCLE))
    return key_results


def message(day: date) -> Date:
    """A day as the API writes it."""
    return Date(year=day.year, month=day.month, day=day.day)


def events(okr: OkrClient) -> Iterator[Event]:
    """Every event of the ledger, in order."""
    for page in pages(okr.audit.ListEvents, ListEventsRequest(page_size=1000)):
        yield from page.events


def check_ins(found: Iterable[Event]) -> dict[str, list[int]]:
    """Where each request's check-ins are, by request id."""
    positions: dict[str, list[int]] = {}
    for event in found:
        if event.header.event_type == CheckInRecorded.DESCRIPTOR.full_name:
            request_id = event.decoded_metadata.request_id
            positions.setdefault(request_id, []).append(event.header.position)
    return positions


def scorecard(okr: OkrClient) -> bytes:
    """The cycle's whole scorecard, as the bytes that callers get."""
    answer = okr.scores.GetScorecard(GetScorecardRequest(cycle=CYCLE))
    return answer.SerializeToString(deterministic=True)
