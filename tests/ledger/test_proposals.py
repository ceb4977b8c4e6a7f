from copy import copy

import pytest
from google.protobuf.message import Message
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from ledger import refusals
from ledger.proposals import BYTES_AT_MOST
from ledger.refusals import (
    AdjustmentState,
    ApprovalRequired,
    CycleState,
    EtagMismatch,
    Exists,
    NotFound,
    OwnProposal,
    ProposalOutdated,
    ReasonRequired,
    Refusal,
)
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import Category, KeyResultDefinition, PersonalText
from tests.support import ask
from tests.support.scenario import ACTOR, Scenario

BEA = "people/bea"
CRM = "services/crm"
MORE = f"{ask.AWARENESS}/keyResults/more"
EARLIER = "objectives/early/keyResults/reach"


def careful() -> Scenario:
    """A committed quarter whose changes need approval, after another with a key result."""
    return ask.drafted().given(
        ask.update_cycle(adjustments_need_approval=True),
        ask.commit(),
        ask.cycle("q2", "2026-04-01", "2026-06-30"),
        ask.objective("early", ask.new("reach", target="2"), cycle="cycles/q2"),
    )


def proposed(*changes: Message, on: str = "") -> Scenario:
    """The same with a proposal of Anna's, by default to lower a target; Bea asks next."""
    wanted = changes or (ask.revise(target="1150", mask=("target", "target_change_percent")),)
    return careful().given(ask.propose(*wanted, **({"on": on} if on else {}))).by(BEA)


def outdated(scenario: Scenario) -> ProposalOutdated:
    scenario.when(ask.approve()).then_refused(ProposalOutdated, resource="adjustments/week-6")
    assert isinstance(scenario.refusal, ProposalOutdated)
    return scenario.refusal


def changed_meanwhile(scenario: Scenario, *changes: Message) -> Scenario:
    """Another proposal, approved before the first."""
    return (
        scenario.by("people/cili")
        .given(ask.propose(*changes, name="other"))
        .by(BEA)
        .given(ask.approve("other"))
    )


def test_a_proposal_says_what_it_would_do_and_does_nothing() -> None:
    scenario = careful()
    before = dict(scenario.states)

    scenario.when(ask.propose(ask.revise(target="1150"), ask.add("", title="More", target="5")))

    fact = scenario.then_it_is(facts.AdjustmentProposed)
    revised, added = fact.foreseen
    assert revised.key_result_revised.before == KeyResultDefinition(
        target="1200", target_change_percent="20"
    )
    assert revised.key_result_revised.after.target == "1150"
    made = added.key_result_added.key_result
    assert fact.changes[1].add_key_result.key_result_id == made.rpartition("/")[2]
    assert not fact.HasField("effective_date")
    assert scenario.metadata.reason.plain == ask.WHY
    assert scenario.metadata.category == Category.CATEGORY_MARKET_CHANGE
    assert {name: scenario.states[name] for name in before} == before


def test_approval_makes_what_was_proposed_as_an_adjustment_would() -> None:
    changes = (ask.revise(target="1150"), ask.drop(ask.TRAFFIC), ask.add("more", target="5"))
    at_once = ask.committed().when(ask.adjust(*changes))

    scenario = proposed(*changes).on("2026-08-20").when(ask.approve(reason="Agreed"))

    approved, *made = scenario.events
    assert approved == facts.AdjustmentApproved(
        adjustment="adjustments/week-6", reason=PersonalText(plain="Agreed")
    )
    assert made == list(at_once.events)
    metadata = scenario.metadata
    assert (metadata.actor.plain, metadata.reason.plain) == (BEA, ask.WHY)
    assert metadata.category == Category.CATEGORY_MARKET_CHANGE
    assert metadata.adjustment == "adjustments/week-6"
    assert scenario.effective == "2026-08-20"


def test_what_the_server_named_keeps_its_name() -> None:
    new = ask.objective("", ask.new("", title="a", target="1"), title="deals")
    scenario = proposed(new, ask.add("", title="b", target="1"))
    fact = scenario.records[-1]
    foreseen = facts.AdjustmentProposed.FromString(fact.payload).foreseen

    scenario.when(ask.approve())

    _, _, created, first, second = scenario.events
    assert created == foreseen[0].objective_created
    assert first == foreseen[1].key_result_added
    assert second == foreseen[2].key_result_added


def test_it_holds_from_the_day_that_it_names() -> None:
    scenario = proposed(ask.drop(), on="2026-08-03").on("2026-08-20").when(ask.approve())

    assert scenario.effective == "2026-08-03"


def test_every_kind_of_change_may_be_proposed() -> None:
    other = "objectives/other"
    scenario = proposed(
        ask.carry_over(EARLIER, ask.AWARENESS, baseline="1"),
        ask.objective("other"),
        ask.update_objective(title="Brand"),
        ask.add("more", target="5"),
        ask.revise(MORE, target="6"),
        ask.drop(ask.TRAFFIC),
        ask.restore(ask.TRAFFIC),
        ask.align(ask.AWARENESS, other),
        ask.unalign(ask.AWARENESS, other),
        ask.abandon(other),
        ask.update_cycle(title="Q3"),
    )

    fact = facts.AdjustmentProposed.FromString(scenario.records[-1].payload)
    foreseen = [str(each.WhichOneof("event")) for each in fact.foreseen]
    assert sorted({*foreseen}) == sorted(f.name for f in fact.Foreseen.DESCRIPTOR.fields)
    assert len(scenario.when(ask.approve()).events) == 2 + len(foreseen)


def test_what_is_carried_over_must_be_as_it_was() -> None:
    scenario = proposed(ask.carry_over(EARLIER, ask.AWARENESS, baseline="1"))

    refusal = outdated(scenario.given(ask.revise(EARLIER, target="3")))

    assert refusal.changed == (EARLIER,)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (ask.propose(ask.revise(MORE, target="1")), NotFound),
        (ask.propose(ask.drop(), ask.drop()), refusals.KeyResultState),
        (ask.propose(ask.revise(target="1150", etag='"7"')), EtagMismatch),
        (ask.propose(ask.drop(), because=""), ReasonRequired),
        (ask.propose(ask.drop(), category=0), ReasonRequired),
        (ask.propose(ask.drop(), on="2026-08-13"), refusals.DayInFuture),
        (ask.propose(ask.drop(), on="2026-06-30"), refusals.DayOutsideCycle),
        (ask.propose(ask.revise(title="followers")), refusals.NothingToChange),
        (ask.propose(ask.update_cycle(last_day=ask.day("2026-10-01"))), CycleState),
    ],
)
def test_nonsense_is_refused_at_once(request_: Message, refusal: type[refusals.Refusal]) -> None:
    careful().when(request_).then_refused(refusal)


def test_a_wrong_field_is_named_by_its_place() -> None:
    scenario = careful()
    wrong = ask.propose(ask.drop(ask.TRAFFIC), ask.revise(target="1000"))
    scenario.when(wrong).then_invalid("changes[1].revise_key_result.definition.target")
    scenario.when(ask.propose(ask.drop(), title=" ")).then_invalid("title")
    scenario.when(ask.propose(ask.drop(because="x"))).then_invalid(
        "changes[0].drop_key_result.reason"
    )
    owner = {"plain": "🚀" * 4000}
    many = (ask.add(f"k{i}", target="1", owner=owner) for i in range(1 + BYTES_AT_MOST // 32_000))
    scenario.when(ask.propose(*many)).then_invalid("changes")


def test_a_draft_takes_no_proposal_and_a_closing_cycle_no_approval() -> None:
    ask.drafted().when(ask.propose(ask.drop())).then_refused(CycleState, state="DRAFT")
    scenario = proposed().given_fact(ask.Q3, facts.CycleClosing(cycle=ask.Q3), "2026-08-12")
    scenario.when(ask.approve()).then_refused(CycleState, state="CLOSING")
    scenario.when(ask.reject()).then_it_is(facts.AdjustmentRejected)


@pytest.mark.parametrize(
    ("proposer", "approver", "person"),
    [
        ((ACTOR, ""), (ACTOR, ""), ACTOR),
        ((ACTOR, ""), (CRM, ACTOR), ACTOR),
        ((CRM, ACTOR), (ACTOR, ""), ACTOR),
        ((CRM, ""), (CRM, ""), CRM),
        ((ACTOR, ""), (ACTOR, BEA), ACTOR),
        ((ACTOR, ""), (BEA, ACTOR), ACTOR),
    ],
)
def test_nobody_approves_their_own(
    proposer: tuple[str, str], approver: tuple[str, str], person: str
) -> None:
    scenario = careful().by(*proposer).given(ask.propose(ask.drop()))

    scenario.by(*approver).when(ask.approve()).then_refused(OwnProposal, person=person)


@pytest.mark.parametrize(
    ("proposer", "approver"), [((CRM, ACTOR), (CRM, BEA)), ((CRM, ""), (BEA, ""))]
)
def test_another_person_may_come_through_the_same_service(
    proposer: tuple[str, str], approver: tuple[str, str]
) -> None:
    scenario = careful().by(*proposer).given(ask.propose(ask.drop()))

    assert len(scenario.by(*approver).when(ask.approve()).events) == 3


def test_a_proposal_is_decided_once() -> None:
    scenario = proposed().given(ask.approve())
    for request in (ask.approve(), ask.reject()):
        scenario.when(request).then_refused(AdjustmentState, state="APPLIED")

    scenario = proposed().given(ask.reject())
    for request in (ask.approve(), ask.reject()):
        scenario.when(request).then_refused(AdjustmentState, state="REJECTED")
    assert scenario.key_result(ask.FOLLOWERS).definition.target == "1200"

    made = ask.committed().given(ask.adjust(ask.drop())).by(BEA)
    made.when(ask.approve()).then_refused(AdjustmentState, state="APPLIED")
    made.when(ask.approve("none")).then_refused(NotFound, resource="adjustments/none")
    made.when(ask.propose(ask.restore())).then_refused(Exists, resource="adjustments/week-6")


def test_a_rejection_needs_a_reason_and_may_be_a_withdrawal() -> None:
    scenario = proposed()
    for blank in ("", " "):
        scenario.when(ask.reject(because=blank)).then_refused(ReasonRequired, missing=("reason",))

    scenario.by(ACTOR).when(ask.reject()).then(
        facts.AdjustmentRejected(adjustment="adjustments/week-6")
    )
    assert scenario.metadata.reason.plain == "too late"


def test_what_it_changes_must_be_as_it_was() -> None:
    scenario = changed_meanwhile(proposed(), ask.revise(target="1100"))
    position = len(scenario.records)

    refusal = outdated(scenario)

    (found,) = refusal.meanwhile
    assert (found.name, found.before, found.now) == (ask.FOLLOWERS, '"1"', '"2"')
    assert found.events == (("KeyResultRevised", position),)
    assert (refusal.changed, refusal.positions) == ((ask.FOLLOWERS,), (position,))
    assert not refusal.why
    assert scenario.key_result(ask.FOLLOWERS).definition.target == "1100"


def test_an_objective_cycle_and_alignment_must_be_as_they_were_too() -> None:
    scenario = proposed(
        ask.update_objective(title="Brand"),
        ask.update_cycle(adjustments_need_approval=False, mask=("adjustments_need_approval",)),
        ask.objective("deals"),
        ask.align(ask.FOLLOWERS, "objectives/deals"),
    )
    changed_meanwhile(
        scenario,
        ask.update_objective(description="x"),
        ask.update_cycle(title="Q3"),
        ask.objective("others"),
        ask.align(ask.FOLLOWERS, "objectives/others", ask.SUPPORTS),
    )

    found = {each.name: (each.before, each.now) for each in outdated(scenario).meanwhile}

    assert found == {
        ask.AWARENESS: ('"1"', '"2"'),
        ask.Q3: ('"3"', '"4"'),
        "alignment": ('"0"', '"1"'),
    }


def test_what_it_does_not_change_may_change() -> None:
    scenario = proposed().given(ask.check_in())
    changed_meanwhile(
        scenario,
        ask.update_objective(title="Brand"),
        ask.revise(ask.TRAFFIC, target="12"),
        ask.objective("deals"),
        ask.align(ask.AWARENESS, "objectives/deals"),
    )

    revised = scenario.when(ask.approve()).events[2]

    assert isinstance(revised, facts.KeyResultRevised)
    assert list(revised.dependants) == ["objectives/deals"]


def test_a_closed_objective_is_named_with_its_grade() -> None:
    scenario = proposed(ask.revise(target="1150"), ask.add("more", target="1"))
    scenario.given(ask.check_in(), ask.check_in(ask.TRAFFIC, "1"), ask.grade())
    grade = len(scenario.records)

    refusal = outdated(scenario)

    assert refusal.why == f"{ask.AWARENESS} is GRADED, which does not allow this"
    key_result, objective = refusal.meanwhile
    assert (objective.name, objective.events) == (ask.AWARENESS, (("ObjectiveGraded", grade),))
    assert (objective.before, objective.now) == ('"1"', '"2"')
    # Its check-in is no revision; that of a key result that nobody named is left out.
    assert (key_result.name, key_result.before) == (ask.FOLLOWERS, key_result.now)
    assert key_result.events == (("CheckInRecorded", grade - 2),)


def test_a_rule_that_stands_against_it_by_now_is_told_with_its_cause() -> None:
    measured = proposed(ask.revise(unit="fő")).given(ask.check_in())
    (found,) = outdated(measured).meanwhile
    assert found.events == (("CheckInRecorded", len(measured.records)),)

    circle = proposed(ask.objective("deals"), ask.align(ask.AWARENESS, "objectives/deals"))
    changed_meanwhile(circle, ask.objective("deals"))
    refusal = outdated(circle)
    assert refusal.why == "objectives/deals exists already, and ids are never reused"
    assert refusal.changed == ("objectives/deals",)

    retired = proposed(ask.objective("deals")).given(ask.retire())
    assert outdated(retired).changed == (ask.MARKETING,)


def test_the_flag_itself_is_changed_by_approval_only() -> None:
    off = ask.update_cycle(adjustments_need_approval=False, mask=("adjustments_need_approval",))
    careful().when(ask.update_cycle(title="Q3", because=ask.WHY)).then_refused(
        ApprovalRequired, resource=ask.Q3
    )

    scenario = proposed(off).given(ask.approve())

    assert not scenario.cycle(ask.Q3).definition.adjustments_need_approval
    scenario.when(ask.drop(because=ask.WHY)).then_it_is(facts.KeyResultDropped)
    # To ask for approval takes none.
    scenario.when(ask.update_cycle(adjustments_need_approval=True, because=ask.WHY)).then_it_is(
        facts.CycleRevised
    )


def test_a_cycle_that_asks_for_no_approval_takes_proposals_too() -> None:
    scenario = ask.committed().given(ask.propose(ask.drop())).by(BEA)

    scenario.given(ask.approve())

    assert scenario.key_result(ask.FOLLOWERS).dropped


def test_after_the_last_day_it_holds_from_there() -> None:
    scenario = proposed(ask.drop()).on("2026-10-20").when(ask.approve())

    assert scenario.effective == "2026-09-30"


OTHER = "objectives/other"
MEANWHILE: list[Message] = [
    *(ask.check_in(), ask.check_in(ask.TRAFFIC, "3")),
    *(ask.revise(target="1300", because=ask.WHY), ask.revise(title="Követők", because=ask.WHY)),
    ask.revise(ask.TRAFFIC, target="12", on="2026-08-01", because=ask.WHY),
    *(ask.drop(ask.TRAFFIC, because=ask.WHY), ask.restore(ask.TRAFFIC, because=ask.WHY)),
    *(ask.add("more", target="7", because=ask.WHY), ask.drop(because=ask.WHY)),
    *(ask.objective("other", because=ask.WHY), ask.align(ask.AWARENESS, OTHER, because=ask.WHY)),
    *(ask.align(OTHER, ask.AWARENESS, because=ask.WHY), ask.grade(), ask.retire()),
    ask.update_objective(title="Márka", because=ask.WHY),
    ask.update_cycle(cadence="CADENCE_MONTHLY", because=ask.WHY),
]
ASKED: list[Message] = [
    *(ask.revise(target="1150"), ask.revise(unit="fő"), ask.drop(ask.TRAFFIC), ask.drop()),
    *(ask.add("more", target="5"), ask.update_objective(description="x")),
    *(ask.objective("other"), ask.align(ask.AWARENESS, OTHER), ask.align(OTHER, ask.AWARENESS)),
    ask.update_cycle(title="Q3"),
]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(ASKED), min_size=1, max_size=3),
    st.lists(st.sampled_from(MEANWHILE), max_size=5),
)
def test_approval_is_the_adjustment_of_its_moment_or_says_what_stands_against_it(
    changes: list[Message], meanwhile: list[Message]
) -> None:
    scenario = ask.committed()
    try:
        scenario.given(ask.propose(*changes))
    except Refusal:
        reject()
    proposed_at = len(scenario.records)
    for request in meanwhile:
        scenario.when(request)
    at_once = copy(scenario)
    at_once.states, at_once.records = dict(scenario.states), list(scenario.records)
    at_once.when(ask.adjust(*changes, name="at-once"))

    scenario.by(BEA).when(ask.approve())

    if scenario.refusal is None:
        assert list(scenario.events[2:]) == list(at_once.events[1:])
        return
    assert isinstance(scenario.refusal, ProposalOutdated)
    assert scenario.refusal.positions
    assert all(position > proposed_at for position in scenario.refusal.positions)
