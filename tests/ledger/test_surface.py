"""Nothing is forgotten: every event has a fold, every method a decision, every refusal a case."""

import inspect
from typing import Any, get_args

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger import refusals
from ledger.decisions import DECISIONS, decide
from ledger.fold import State, applied
from ledger.plan_changes import CHANGES
from ledger.refusals import Refusal
from ledger.rpc import BULK
from okr.v1 import events_pb2, ledger_service_pb2
from okr.v1.event_record_pb2 import EventMetadata
from tests.support import ask
from tests.support.scenario import Scenario

PREFIX = "okr.v1."
EVENTS = [
    GetMessageClass(message) for message in events_pb2.DESCRIPTOR.message_types_by_name.values()
]
METHODS = ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"].methods

# What a fact is about tells its stream.
STREAMS = {
    "cycle": "cycles/q3",
    "team": "teams/marketing",
    "person": "people/p",
    "objective": ask.AWARENESS,
    "key_result": ask.AWARENESS,
    "child": "alignment",
    "adjustment": "adjustments/a",
    "review": "reviews/r",
}


def subject(fact: Message) -> str:
    """The field that a fact is about: the first of its message."""
    own = [f.name for f in fact.DESCRIPTOR.fields]
    return next(name for name in ("review", "adjustment", *own) if name in own and name in STREAMS)


def sample(kind: type[Message]) -> Message:
    """A fact about things that a committed quarter has."""
    fact: Any = kind()
    names = {**STREAMS, "key_result": ask.FOLLOWERS, "child": ask.FOLLOWERS}
    for field in kind.DESCRIPTOR.fields:
        if field.name in names and not field.message_type:
            setattr(fact, field.name, names[field.name])
    if hasattr(fact, "number"):
        fact.number = 1
    return kind.FromString(fact.SerializeToString())


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.DESCRIPTOR.name)
def test_every_event_has_a_fold_and_fits_its_own_stream_only(kind: type[Message]) -> None:
    scenario = ask.committed().given(ask.check_in())
    fact = sample(kind)
    home = STREAMS[subject(fact)]

    assert isinstance(_folded(scenario, home, fact), get_args(State))
    for stream in {*STREAMS.values(), "unheard/of"} - {home}:
        with pytest.raises(TypeError):
            _folded(scenario, stream, fact)


def _folded(scenario: Scenario, stream: str, fact: Message) -> State:
    state = scenario.states.get(stream)
    if stream == "alignment":
        state = scenario.view().alignments()
    return applied(state, stream, fact, EventMetadata(), 99)


@pytest.mark.parametrize(
    "kind",
    [events_pb2.CycleRevised, events_pb2.TeamRevised, events_pb2.ObjectiveRevised,
     events_pb2.KeyResultRevised, events_pb2.CheckInRecorded, events_pb2.CheckInCorrected],
    ids=lambda kind: kind.DESCRIPTOR.name,
)  # fmt: skip
def test_nothing_happens_to_what_does_not_exist(kind: type[Message]) -> None:
    fact = sample(kind)

    with pytest.raises(TypeError):
        applied(None, STREAMS[subject(fact)], fact, EventMetadata(), 1)


def test_every_other_event_is_made_by_a_request() -> None:
    made = set(_every_event_made())

    assert made == {kind.DESCRIPTOR.name for kind in EVENTS}


def _every_event_made() -> list[str]:
    other = "objectives/other"
    scenario = ask.drafted().given(
        ask.update_cycle(title="Q3"),
        ask.update_team(ask.MARKETING, title="M"),
        ask.team("old"),
        ask.retire("teams/old"),
        ask.objective("other"),
        ask.commit(),
        ask.check_in(),
        ask.correct(),
        ask.retract(),
        ask.adjust(
            ask.update_objective(title="Brand"),
            ask.add("more", target="1"),
            ask.revise(target="1150"),
            ask.drop(),
            ask.restore(),
            ask.align(ask.AWARENESS, other),
            ask.unalign(ask.AWARENESS, other),
            ask.abandon(other),
        ),
        ask.propose(ask.add("another", target="1"), name="rejected"),
        ask.propose(ask.add("another", target="1"), name="approved"),
        ask.reject("rejected"),
    )
    scenario.by("people/bea").given(ask.approve("approved"), ask.grade(), ask.regrade())
    scenario.given(
        ask.review(),
        ask.lesson(),
        ask.cycle("q4", "2026-10-01", "2026-12-31"),
        ask.objective("next", cycle="cycles/q4", bare=True),
        ask.carry_over(baseline="1100"),
        ask.close(because="it is over"),
    )
    scenario.given_seal().given(ask.amend(), ask.reopen())
    scenario.keys = {"people/p": "keys/p"}
    scenario.given(ask.register(), ask.erase())
    return [record.event_type.removeprefix(PREFIX) for record in scenario.records]


def test_every_method_has_a_decision() -> None:
    asked = {method.input_type.full_name for method in METHODS if method.name not in BULK}

    assert {request.DESCRIPTOR.full_name for request in DECISIONS} == asked


def test_whatever_an_adjustment_may_hold_changes_a_plan() -> None:
    held = ledger_service_pb2.StrategyChange.DESCRIPTOR.fields

    assert {field.message_type.full_name for field in held if field.message_type} == {
        request.DESCRIPTOR.full_name for request in CHANGES
    }


# One request for each refusal; the others' reasons are in the aggregates' own tests.
REFUSED: dict[type[Refusal], tuple[Scenario, Message]] = {
    refusals.FieldInvalid: (ask.drafted(), ask.revise(title=" ")),
    refusals.NotFound: (ask.drafted(), ask.commit("cycles/q4")),
    refusals.Exists: (ask.drafted(), ask.cycle()),
    refusals.EtagMismatch: (ask.drafted(), ask.commit(etag='"9"')),
    refusals.ReasonRequired: (ask.committed(), ask.drop()),
    refusals.CycleState: (ask.committed(), ask.commit()),
    refusals.ObjectiveState: (ask.committed(), ask.regrade()),
    refusals.KeyResultState: (ask.committed(), ask.restore(because=ask.WHY)),
    refusals.TeamRetired: (ask.drafted().given(ask.retire()), ask.retire()),
    refusals.TeamTreeCycle: (ask.drafted(), ask.update_team(ask.MARKETING, parent=ask.MARKETING)),
    refusals.AlignmentCycle: (ask.drafted(), ask.align(ask.AWARENESS, ask.AWARENESS)),
    refusals.AlignmentSecondParent: (
        ask.drafted().given(
            ask.objective("a"), ask.objective("b"), ask.align(ask.FOLLOWERS, "objectives/a")
        ),
        ask.align(ask.FOLLOWERS, "objectives/b"),
    ),
    refusals.AlignmentCyclesDisjoint: (
        ask.drafted().given(
            ask.cycle("q4", "2026-10-01", "2026-12-31"), ask.objective("a", cycle="cycles/q4")
        ),
        ask.align(ask.AWARENESS, "objectives/a"),
    ),
    refusals.AlignmentExists: (ask.drafted(), ask.align(ask.FOLLOWERS, ask.AWARENESS)),
    refusals.AlignmentMissing: (ask.drafted(), ask.unalign(ask.FOLLOWERS, ask.AWARENESS)),
    refusals.DayOutsideCycle: (ask.committed(), ask.check_in(on="2026-06-30")),
    refusals.DayInFuture: (ask.committed(), ask.check_in(on="2026-08-13")),
    refusals.MeasureFixed: (
        ask.committed().given(ask.check_in()),
        ask.revise(unit="x", because=ask.WHY),
    ),
    refusals.CheckInRetracted: (
        ask.committed().given(ask.check_in(), ask.retract()),
        ask.correct(),
    ),
    refusals.TrajectoryMisfit: (
        ask.drafted().given(ask.revise(ask.TRAFFIC, trajectory=ask.phased(("2026-09-30", "10")))),
        ask.revise(ask.TRAFFIC, target="11"),
    ),
    refusals.NothingToChange: (ask.drafted(), ask.revise(title="followers")),
    refusals.ApprovalRequired: (
        ask.drafted().given(ask.update_cycle(adjustments_need_approval=True), ask.commit()),
        ask.drop(because=ask.WHY),
    ),
    refusals.AdjustmentState: (
        ask.committed().given(ask.propose(ask.drop()), ask.reject()),
        ask.approve(),
    ),
    refusals.OwnProposal: (ask.committed().given(ask.propose(ask.drop())), ask.approve()),
    refusals.ProposalOutdated: (
        ask.committed().given(ask.propose(ask.drop()), ask.grade()).by("people/bea"),
        ask.approve(),
    ),
    refusals.PersonErased: (
        Scenario(keys={"people/p": "keys/p"}).given(ask.register(), ask.erase()),
        ask.erase(),
    ),
    refusals.NotErasable: (ask.drafted().given(ask.register()), ask.erase()),
    refusals.CarryOverNotLater: (
        ask.drafted().given(ask.objective("next", bare=True)),
        ask.carry_over(baseline="1"),
    ),
}


def test_every_refusal_has_a_case() -> None:
    declared = {
        kind
        for _, kind in inspect.getmembers(refusals, inspect.isclass)
        if issubclass(kind, Refusal) and kind is not Refusal
    }
    assert declared == set(REFUSED)


@pytest.mark.parametrize("refusal", REFUSED, ids=lambda refusal: refusal.__name__)
def test_a_refusal_carries_its_facts_and_says_them_in_a_sentence(refusal: type[Refusal]) -> None:
    scenario, request = REFUSED[refusal]
    recorded = len(scenario.records)

    scenario.when(request).then_refused(refusal)

    assert all(vars(scenario.refusal).values())
    assert len(str(scenario.refusal)) > 10
    assert len(scenario.records) == recorded


def test_a_request_that_is_none_of_the_ledgers_is_a_defect() -> None:
    scenario = Scenario()

    with pytest.raises(KeyError):
        decide(scenario.view(), EventMetadata(), scenario.context())
