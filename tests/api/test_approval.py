"""Adjustments that one person proposes and another approves or rejects."""

from __future__ import annotations

from typing import Any, Final

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import Adjustment, AdjustmentState
from okr.v1.values_pb2 import AsOf
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    TRAFFIC,
    WHY,
    add,
    adjust,
    approve,
    check_in,
    commit,
    cycle,
    drop,
    grade,
    objective,
    propose,
    reject,
    revise,
    team,
    update_cycle,
)
from tests.support.whole import Caller

ANNA: Final = [("okr-actor", "people/anna")]
BEA: Final = [("okr-actor", "people/bea")]
FOR_ANNA: Final = [("okr-actor", "services/crm"), ("okr-on-behalf-of", "people/anna")]
RELATIVE: Final = ("target", "target_change_percent")
PROPOSED: Final = AdjustmentState.ADJUSTMENT_STATE_PROPOSED
APPLIED: Final = AdjustmentState.ADJUSTMENT_STATE_APPLIED
REJECTED: Final = AdjustmentState.ADJUSTMENT_STATE_REJECTED


@pytest.fixture
def careful(me: Caller) -> Caller:
    """A quarter that asks for approval, with one check-in on each key result."""
    me.all_of(
        cycle(first="2024-07-01", last="2024-09-30", adjustments_need_approval=True),
        *(team(), objective(), commit()),
        *(check_in(value="1100", on="2024-07-08"), check_in(TRAFFIC, "5", on="2024-07-08")),
    )
    return me


def lowered() -> Any:
    """The proposal to lower a target: 1100 is then all of the way and no longer half of it."""
    return propose(revise(target="1100", mask=RELATIVE), add("more", target="5"), on="2024-08-05")


def found(me: Caller, name: str = "week-6", position: int = 0) -> Adjustment:
    as_of = AsOf(position=position) if position else None
    request = audit.GetAdjustmentRequest(name=f"adjustments/{name}", as_of=as_of)
    adjustment: Adjustment = me.ask(request).adjustment
    return adjustment


def every_read(me: Caller) -> list[Message]:
    """What reads tell apart from the proposals themselves."""
    asked: list[Any] = [
        scores.GetScorecardRequest(cycle=Q3),
        scores.GetObjectiveRequest(name=AWARENESS),
        scores.GetKeyResultRequest(name=FOLLOWERS),
        audit.ListKeyResultRevisionsRequest(parent=FOLLOWERS),
    ]
    told = [me.ask(request) for request in asked]
    for each in told:
        each.ClearField("position")
        each.ClearField("token")
    return told


def test_nothing_changes_before_approval_and_all_of_it_then(careful: Caller) -> None:
    before = every_read(careful)
    proposal = careful.ask(lowered(), ANNA)
    assert every_read(careful) == before

    shown = found(careful)
    assert shown == proposal.adjustment
    assert (shown.state, shown.actor, shown.reason) == (PROPOSED, "people/anna", WHY)
    assert shown.proposed.position == shown.first_position == proposal.position
    assert not shown.effects
    revised, added = shown.changes
    assert (revised.key_result_before.target, revised.key_result_after.target) == ("1200", "1100")
    assert (revised.position, added.subject) == (0, f"{AWARENESS}/keyResults/more")

    answer = careful.ask(approve(reason="Agreed in the weekly"), BEA)

    made = found(careful)
    assert made.state == APPLIED
    assert (made.actor, made.reason, made.category) == ("people/bea", WHY, shown.category)
    assert (made.proposed, made.decided.actor) == (shown.proposed, "people/bea")
    assert made.decided.reason == "Agreed in the weekly"
    assert made.decided.position == proposal.position + 1
    assert (made.first_position, made.last_position) == (proposal.position + 2, answer.position)
    assert [change.position for change in made.changes] == [
        answer.position - 1,
        answer.position,
    ]
    effect = next(each for each in made.effects if each.name == FOLLOWERS)
    assert (effect.score_before, effect.score_after) == ("0.5", "1")
    del made.effects[:]
    assert answer.adjustment == made
    # What was known then is told as it was then.
    assert found(careful, position=proposal.position) == shown
    revision = careful.ask(audit.ListKeyResultRevisionsRequest(parent=FOLLOWERS)).revisions[0]
    assert (revision.adjustment, revision.actor, revision.reason) == (made.name, "people/bea", WHY)


def test_a_rejected_proposal_changes_nothing_and_stays(careful: Caller) -> None:
    before = every_read(careful)
    careful.ask(lowered(), ANNA)

    rejected = careful.ask(reject(because="Too late in the quarter"), BEA).adjustment

    assert every_read(careful) == before
    assert found(careful) == rejected
    assert rejected.state == REJECTED
    assert (rejected.actor, rejected.decided.actor) == ("people/anna", "people/bea")
    assert rejected.decided.reason == "Too late in the quarter"
    assert rejected.changes[0].key_result_after.target == "1100"


def test_the_list_tells_proposals_in_order_with_their_states(careful: Caller) -> None:
    for name in ("a", "b", "c", "d"):
        careful.ask(propose(add(name, target="5"), name=name), ANNA)
    careful.ask(reject("a"), ANNA)
    careful.ask(approve("c"), BEA)

    listed = careful.ask(audit.ListAdjustmentsRequest(cycle=Q3)).adjustments
    assert [(each.name[-1], each.state) for each in listed] == [
        *(("a", REJECTED), ("b", PROPOSED), ("c", APPLIED), ("d", PROPOSED)),
    ]
    paged: list[Adjustment] = []
    request = audit.ListAdjustmentsRequest(cycle=Q3, page_size=3)
    while True:
        page = careful.ask(request)
        paged += page.adjustments
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert paged == list(listed)
    early = audit.ListAdjustmentsRequest(cycle=Q3, as_of=AsOf(position=listed[1].first_position))
    assert [each.state for each in careful.ask(early).adjustments] == [PROPOSED, PROPOSED]


@pytest.mark.parametrize("asker", [ANNA, FOR_ANNA])
def test_nobody_approves_their_own(careful: Caller, asker: list[tuple[str, str]]) -> None:
    careful.ask(lowered(), ANNA)
    head = careful.head()

    error = careful.refused(approve(), asker)

    assert (error.code, error.reason) == (StatusCode.PERMISSION_DENIED, "OWN_PROPOSAL")
    assert error.info.metadata == {"resource": "adjustments/week-6", "person": "people/anna"}
    assert careful.head() == head


def test_a_proposal_that_no_longer_fits_is_refused_with_what_changed(careful: Caller) -> None:
    careful.ask(lowered(), ANNA)
    careful.ask(propose(revise(target="1300", mask=RELATIVE), name="other"), ANNA)
    revised = careful.ask(approve("other"), BEA).position

    error = careful.refused(approve(), BEA)

    assert (error.code, error.reason) == (StatusCode.FAILED_PRECONDITION, "PROPOSAL_OUTDATED")
    assert error.info.metadata == {
        "resource": "adjustments/week-6",
        "changed": FOLLOWERS,
        "positions": str(revised),
    }
    (violation,) = error.precondition.violations
    assert (violation.type, violation.subject) == ("PROPOSAL_OUTDATED", FOLLOWERS)
    assert violation.description == (f'{FOLLOWERS} was "1" and is "2": KeyResultRevised @{revised}')
    assert found(careful).state == PROPOSED
    assert careful.ask(reject(), BEA).adjustment.state == REJECTED


def test_every_thing_that_changed_is_a_violation(careful: Caller) -> None:
    careful.ask(lowered(), ANNA)
    graded = careful.ask(grade(on="2024-09-30")).position

    error = careful.refused(approve(), BEA)

    assert error.reason == "PROPOSAL_OUTDATED"
    assert {each.subject: each.description for each in error.precondition.violations} == {
        AWARENESS: f'{AWARENESS} was "1" and is "2": ObjectiveGraded @{graded}',
    }
    assert "is GRADED" in error.message


def test_the_refusal_of_a_large_proposal_stays_a_small_answer(careful: Caller) -> None:
    names = [f"k{i}" for i in range(100)]
    careful.ask(propose(*(add(name, target="5") for name in names), name="many"), ANNA)
    careful.ask(approve("many"), BEA)
    each = [f"{AWARENESS}/keyResults/{name}" for name in names]
    careful.ask(propose(*map(drop, each)), ANNA)
    careful.ask(propose(*(revise(name, target="6") for name in each), name="other"), ANNA)
    careful.ask(approve("other"), BEA)

    error = careful.refused(approve(), BEA)

    assert error.reason == "PROPOSAL_OUTDATED"
    assert 10 < len(error.precondition.violations) < 100


def test_a_cycle_that_asks_for_approval_takes_no_other_change(careful: Caller) -> None:
    off = update_cycle(
        adjustments_need_approval=False, mask=("adjustments_need_approval",), because=WHY
    )
    for request in (off, adjust(drop()), drop(because=WHY)):
        error = careful.refused(request, ANNA)
        assert (error.code, error.reason) == (
            StatusCode.FAILED_PRECONDITION,
            "APPROVAL_REQUIRED",
        )
    off.ClearField("reason")
    off.ClearField("category")
    shown = careful.ask(propose(off), ANNA).adjustment
    assert shown.changes[0].cycle_before.adjustments_need_approval
    careful.ask(approve(), BEA)
    assert careful.ask(adjust(drop(), name="x"), ANNA).adjustment.state == APPLIED
