"""Random quarters, objectives made private by chance, and callers who see some of them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import Visibility
from tests.api.permissions import LETTERS
from tests.model.hiding import is_below, shown
from tests.support import ask
from tests.support.identities import Callers, authenticated_service
from tests.support.questions import questions
from tests.support.random_quarter import Quarter, teams
from tests.support.serving import LoopThread
from tests.support.whole import Caller

ABOVE = {
    "company": ["company"],
    "marketing": ["marketing", "company"],
    "sales": ["sales", "company"],
    "field": ["field", "sales", "company"],
}
"""Each team with those above it."""

PRIVATE = Visibility.VISIBILITY_TEAM
SEEDS = (1, 2)
REFUSALS = {
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
}
"""What a read may be refused with that asks about a day or thing that is not there."""


@pytest.fixture(scope="module")
def callers(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with authenticated_service(loop, tmp_path_factory.mktemp("chance")) as found:
        teams(found.named("people/root", *LETTERS.values()))
        yield found


def answered(caller: Caller, request: Any) -> Any:
    """The answer in JSON form, None where it is refused as if there were nothing."""
    try:
        told = caller.ask(request)
    except grpc.RpcError as error:
        code: Any = error
        assert code.code() in REFUSALS
        return None
    return MessageToDict(told, preserving_proto_field_name=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_is_that_of_an_insider_without_what_is_hidden(
    callers: Callers, seed: int
) -> None:
    chance = Random(seed)
    root = callers.named("people/root", *LETTERS.values())
    quarter = Quarter(root, chance, f"c{seed}", ask.cycle().definition.policy)
    quarter.told(40)
    for i in chance.sample(range(5), 3):
        name = f"objectives/c{seed}-{i}"
        try:
            root.ask(ask.update_objective(name, visibility=PRIVATE, because=ask.WHY))
        except grpc.RpcError:
            # Graded or abandoned: it stays public.
            continue
    quarter_ = scores.ListObjectivesRequest(cycle=quarter.cycle)
    team_of = {
        each.name: each.definition.team.removeprefix("teams/")
        for each in root.ask(quarter_).objectives
        if each.definition.visibility == PRIVATE
    }
    mine = chance.choice(("marketing", "field"))
    outsider = callers.named("people/olga", "viewer", f"contributor:teams/{mine}")
    hidden = [
        name
        for name, team in team_of.items()
        if mine not in ABOVE[team] and team not in ABOVE[mine]
    ]
    undone = _undone(root, quarter.cycle, hidden)
    asked = [r for r in questions(root, [root.head()], 2) if quarter.id in str(r)]
    outsider.token = root.token

    pruned = refused = 0
    for request in asked:
        whole = answered(root, request)
        told = answered(outsider, request)
        if any(is_below(name, [*hidden, *undone]) for name in _names(request)):
            assert told is None, request
            refused += 1
        elif whole is not None:
            expected = shown(_alike(whole), [*hidden, *undone])
            assert _alike(shown(told, [])) == expected, request
            pruned += expected != shown(_alike(whole), [])
    assert (pruned > 10, refused > 10) == (bool(hidden), bool(hidden)), (pruned, refused)
    assert hidden


def _names(request: Any) -> list[str]:
    told = MessageToDict(request, preserving_proto_field_name=True)
    return [value for value in told.values() if isinstance(value, str)]


def _undone(root: Caller, cycle: str, hidden: list[str]) -> list[str]:
    """The adjustments of hidden things alone."""
    made = root.ask(audit.ListAdjustmentsRequest(cycle=cycle)).adjustments
    return [
        each.name
        for each in made
        if each.changes and all(is_below(change.subject, hidden) for change in each.changes)
    ]


def _alike(told: Any) -> Any:
    """Without who owes check-ins: who owns hidden things alone is not named there."""
    for part in (told or {}).values():
        if isinstance(part, dict):
            part.pop("discipline_by_owner", None)
    return told
