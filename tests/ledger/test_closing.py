"""A cycle's end: closing, sealing, amending, opening again."""

from __future__ import annotations

from datetime import date
from hashlib import sha256

import pytest
from google.protobuf.message import Message

from ledger.closing import KeyResultLine, digest
from ledger.cycles import cycle_of
from ledger.decisions import decide
from ledger.refusals import (
    CycleState,
    DayInFuture,
    DayOutsideCycle,
    EtagMismatch,
    NotFound,
    ReasonRequired,
)
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import CycleState as State
from okr.v1.values_pb2 import ScoringPolicy
from tests.support import ask
from tests.support.scenario import ACTOR, Scenario

OVER = "2026-10-20"


def closing(today: str = OVER) -> Scenario:
    """The third quarter, fenced."""
    return ask.committed().on(today).given(ask.close(because=ask.WHY))


def sealed(today: str = OVER) -> Scenario:
    """The third quarter, sealed once."""
    return closing(today).given_seal(score="0.65")


def state(scenario: Scenario, on: str = "9999-12-31") -> str:
    known = scenario.cycle(ask.Q3).revisions
    found = cycle_of(ask.Q3, known, date.fromisoformat(on))
    return State.Name(found.state).removeprefix("CYCLE_STATE_") if found else ""


def test_closing_fences_the_cycle_as_of_the_last_day_that_takes_check_ins() -> None:
    scenario = ask.drafted().given(ask.update_cycle(grace_days=5), ask.commit())

    scenario.on(OVER).when(ask.close()).then(facts.CycleClosing(cycle=ask.Q3))
    assert scenario.effective == "2026-10-05"
    assert state(scenario) == "CLOSING"
    assert scenario.cycle(ask.Q3).closing_position == len(scenario.records)


def test_a_cycle_is_closed_as_of_today_while_check_ins_are_taken() -> None:
    grace = ask.drafted().given(ask.update_cycle(grace_days=5), ask.commit())
    assert grace.on("2026-10-02").when(ask.close()).effective == "2026-10-02"

    early = ask.committed("2026-08-12").when(ask.close(because="the company was sold"))
    assert early.effective == "2026-08-12"
    assert early.metadata.reason.plain == "the company was sold"

    before_the_start = ask.committed("2026-06-20").when(ask.close(because="no budget"))
    assert before_the_start.effective == "2026-07-01"


def test_a_cycle_can_be_closed_as_of_an_earlier_day() -> None:
    scenario = ask.committed().on(OVER)

    assert scenario.when(ask.close(on="2026-09-30")).effective == "2026-09-30"


def test_closing_before_the_last_day_needs_a_reason() -> None:
    for scenario, request in (
        (ask.committed("2026-09-29"), ask.close()),
        (ask.committed().on(OVER), ask.close(on="2026-09-29")),
        (ask.committed("2026-09-29"), ask.close(because=" \u2003")),
    ):
        scenario.when(request).then_refused(ReasonRequired, resource=ask.Q3, missing=("reason",))
    assert ask.committed("2026-09-30").when(ask.close()).effective == "2026-09-30"


def test_the_sealed_day_lies_between_the_plans_and_the_last() -> None:
    scenario = ask.drafted().given(ask.commit(on="2026-07-10")).on(OVER)

    scenario.when(ask.close(on="2026-07-09", because=ask.WHY)).then_invalid("effective_date")
    scenario.when(ask.close(on="2026-06-30", because=ask.WHY)).then_refused(DayOutsideCycle)
    scenario.when(ask.close(on="2026-10-01", because=ask.WHY)).then_refused(DayOutsideCycle)
    late = ask.committed("2026-08-12")
    late.when(ask.close(on="2026-08-13", because=ask.WHY)).then_refused(DayInFuture)
    assert scenario.when(ask.close(on="2026-07-10", because=ask.WHY)).effective == "2026-07-10"


def test_only_an_active_cycle_is_closed() -> None:
    ask.drafted().when(ask.close()).then_refused(CycleState, state="DRAFT", wanted="ACTIVE")
    closing().when(ask.close()).then_refused(CycleState, state="CLOSING")
    sealed().when(ask.close()).then_refused(CycleState, state="SEALED")
    ask.committed().on(OVER).when(ask.close(etag='"1"')).then_refused(EtagMismatch, etag='"2"')
    ask.committed().when(ask.close("cycles/none")).then_refused(NotFound, resource="cycles/none")


WRITES = {
    "change": ask.update_cycle(title="Q", because=ask.WHY),
    "commitment": ask.commit(),
    "objective": ask.objective("x", because=ask.WHY),
    "objective's change": ask.update_objective(title="x", because=ask.WHY),
    "abandoning": ask.abandon(because=ask.WHY),
    "key result": ask.add("x", target="1", because=ask.WHY),
    "revision": ask.revise(target="1150", because=ask.WHY),
    "drop": ask.drop(because=ask.WHY),
    "restore": ask.restore(f"{ask.AWARENESS}/keyResults/gone", because=ask.WHY),
    "child": ask.align(ask.FOLLOWERS, "objectives/open", because=ask.WHY),
    "support": ask.align(ask.FOLLOWERS, "objectives/open", ask.SUPPORTS, because=ask.WHY),
    "contribution from another cycle": ask.align("objectives/week", ask.AWARENESS, because=ask.WHY),
    "unalignment": ask.unalign(ask.TRAFFIC, "objectives/open", because=ask.WHY),
    "check-in": ask.check_in(on="2026-09-30"),
    "correction": ask.correct(),
    "retraction": ask.retract(),
    "adjustment": ask.adjust(ask.drop()),
    "grade": ask.grade(),
    "regrade": ask.regrade("objectives/other"),
    "carried-over key result": ask.carry_over(
        "objectives/early/keyResults/k", ask.AWARENESS, baseline="1", because=ask.WHY
    ),
}


def furnished(today: str) -> Scenario:
    """The quarter with something of each kind, so that nothing but its state refuses a write."""
    return (
        ask.drafted("2026-08-12")
        .given(
            *(ask.objective("other", bare=True), ask.objective("open", bare=True)),
            ask.align(ask.TRAFFIC, "objectives/open"),
            *(
                ask.cycle("q2", "2026-04-01", "2026-06-30"),
                ask.cycle("w32", "2026-08-03", "2026-08-09"),
            ),
            ask.objective("early", ask.new("k", target="2"), cycle="cycles/q2"),
            ask.objective("week", cycle="cycles/w32"),
            *(ask.add("gone", target="1"), ask.drop(f"{ask.AWARENESS}/keyResults/gone")),
            *(ask.commit(), ask.check_in(), ask.commit("cycles/w32")),
            ask.grade("objectives/other"),
        )
        .on(today)
    )


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_fenced_and_a_sealed_cycle_take_no_fact(write: Message) -> None:
    fenced = furnished(OVER).given(ask.close())
    fenced.when(write).then_refused(CycleState, resource=ask.Q3, state="CLOSING")
    fenced.given_seal().when(write).then_refused(CycleState, resource=ask.Q3, state="SEALED")
    # The cycle's state alone refuses it: opened again it is taken.
    if write != ask.commit():
        assert fenced.given(ask.reopen()).when(write).refusal is None


def test_what_ended_may_still_help_others_and_be_spoken_of() -> None:
    scenario = furnished(OVER).given(ask.close()).given_seal()

    for request in (
        ask.align("objectives/week", ask.AWARENESS, ask.SUPPORTS, because=ask.WHY),
        ask.check_in("objectives/week/keyResults/followers", on="2026-08-09"),
        ask.review(),
        ask.lesson(ask.FOLLOWERS),
    ):
        assert scenario.when(request).refusal is None


def test_the_seal_has_the_closings_circumstances() -> None:
    scenario = ask.committed("2026-08-12").given(ask.close(because="the company was sold"))
    closed_at = len(scenario.records)
    scored = facts.CycleSealed(cycle=ask.Q3, closing_position=closed_at, score="0.65")

    decision = decide(scenario.on("2026-08-14").view(), scored, scenario.context())

    (event,) = decision.events
    assert event.stream == ask.Q3
    assert event.fact == facts.CycleSealed(
        cycle=ask.Q3, number=1, closing_position=closed_at, score="0.65"
    )
    assert decision.metadata.SerializeToString() == scenario.records[-1].metadata
    assert decision.metadata.actor.plain == ACTOR
    scenario.record(decision)
    assert state(scenario) == "SEALED"


def test_a_closing_gets_one_seal() -> None:
    scenario = closing()
    closed_at = scenario.cycle(ask.Q3).closing_position
    scored = facts.CycleSealed(cycle=ask.Q3, closing_position=closed_at)
    for wrong in (closed_at - 1, closed_at + 1):
        other = facts.CycleSealed(cycle=ask.Q3, closing_position=wrong)
        with pytest.raises(CycleState):
            decide(scenario.view(), other, scenario.context())
    scenario.given_seal()
    for _ in range(2):
        with pytest.raises(CycleState):
            decide(scenario.view(), scored, scenario.context())
        if state(scenario) == "SEALED":
            scenario.given(ask.reopen(), ask.close())


def test_opening_again_needs_a_reason_and_leaves_the_seal() -> None:
    scenario = sealed().on("2026-10-22")

    scenario.when(ask.reopen(because=" ")).then_refused(ReasonRequired, missing=("reason",))
    scenario.when(ask.reopen(etag='"3"')).then_refused(EtagMismatch, etag='"4"')
    scenario.when(ask.reopen()).then(facts.CycleReopened(cycle=ask.Q3, seal=1))
    assert scenario.metadata.reason.plain == "a late invoice"
    assert scenario.effective == "2026-09-30"
    assert state(scenario) == "ACTIVE"
    assert scenario.cycle(ask.Q3).committed
    assert scenario.cycle(ask.Q3).plan_position == ask.committed().cycle(ask.Q3).plan_position
    ask.committed().when(ask.reopen()).then_refused(CycleState, state="ACTIVE", wanted="SEALED")
    closing().when(ask.reopen()).then_refused(CycleState, state="CLOSING", wanted="SEALED")


def test_seals_are_numbered_through() -> None:
    scenario = sealed()
    for number in (2, 3):
        scenario.given(ask.reopen(), ask.close()).given_seal()
        assert scenario.cycle(ask.Q3).seal == number


def test_the_state_is_that_of_the_day() -> None:
    scenario = ask.committed("2026-08-12").given(ask.close(because=ask.WHY)).given_seal()
    scenario.on("2026-08-20").given(ask.reopen())

    assert state(scenario, "2026-08-11") == "ACTIVE"
    assert state(scenario, "2026-08-12") == "SEALED"
    assert state(scenario, "2026-08-19") == "SEALED"
    assert state(scenario, "2026-08-20") == "ACTIVE"


def test_a_shorter_grace_after_opening_does_not_hide_the_next_seal() -> None:
    scenario = ask.drafted().given(ask.update_cycle(grace_days=10), ask.commit()).on(OVER)
    scenario.given(ask.close()).given_seal().given(ask.reopen())
    scenario.given(ask.update_cycle(grace_days=0, mask=("grace_days",), because=ask.WHY))

    scenario.given(ask.close()).given_seal()

    assert scenario.cycle(ask.Q3).seal == 2
    assert state(scenario) == "SEALED"
    assert state(scenario, "2026-09-30") == "SEALED"


def test_an_amendment_stands_beside_the_latest_seal() -> None:
    scenario = sealed().given(ask.reopen(), ask.close()).given_seal()
    request = ask.amend(ask.FOLLOWERS, "Késett", amended_value="+01150.0", amended_score="0.750")

    fact = scenario.when(request).then_it_is(facts.AmendmentRecorded)

    assert (fact.number, fact.seal, fact.subject) == (1, 2, ask.FOLLOWERS)
    assert (fact.statement.plain, fact.amended_value, fact.amended_score) == (
        "Késett",
        "1150",
        "0.75",
    )
    assert scenario.effective == ""
    assert scenario.when(ask.amend()).then_it_is(facts.AmendmentRecorded).number == 2
    assert state(scenario) == "SEALED"
    etag = scenario.cycle(ask.Q3).etag
    assert scenario.given(ask.amend(), ask.lesson()).cycle(ask.Q3).etag == etag


def test_only_a_sealed_cycle_is_amended() -> None:
    for scenario, told in (
        (ask.drafted(), "DRAFT"),
        (ask.committed(), "ACTIVE"),
        (closing(), "CLOSING"),
    ):
        scenario.when(ask.amend()).then_refused(CycleState, state=told, wanted="SEALED")
    sealed().given(ask.reopen()).when(ask.amend()).then_refused(CycleState, state="ACTIVE")


def test_an_amendment_is_about_something_of_the_cycle() -> None:
    scenario = sealed().given(
        ask.cycle("q4", "2026-10-01", "2026-12-31"), ask.objective("next", cycle="cycles/q4")
    )
    for subject in ("", ask.MARKETING, ask.AWARENESS, ask.TRAFFIC):
        assert scenario.when(ask.amend(subject)).refusal is None
    scenario.when(ask.amend("objectives/next")).then_invalid("subject")
    scenario.when(ask.amend("teams/none")).then_refused(NotFound, resource="teams/none")
    missing = f"{ask.AWARENESS}/keyResults/none"
    scenario.when(ask.amend(missing)).then_refused(NotFound, resource=missing)
    scenario.when(ask.amend("", " ")).then_invalid("statement")


def test_what_an_amendment_corrects_is_of_its_subjects_kind() -> None:
    scenario = sealed()
    for subject in ("", ask.MARKETING, ask.AWARENESS):
        scenario.when(ask.amend(subject, amended_value="1")).then_invalid("amended_value")
        assert scenario.when(ask.amend(subject, amended_score="1")).refusal is None
    for score in ("1.000000001", "-0.1"):
        scenario.when(ask.amend(amended_score=score)).then_invalid("amended_score")
    unclamped = ask.drafted().given(ask.update_cycle(policy=ScoringPolicy(name="feedback4e")))
    unclamped.given(ask.commit()).on(OVER).given(ask.close()).given_seal()
    assert unclamped.when(ask.amend(amended_score="1.4")).refusal is None


def test_the_digest_is_over_lines_in_order_of_name() -> None:
    lines = [
        KeyResultLine("objectives/b/keyResults/a", "0.5", None, "0.25"),
        KeyResultLine("objectives/a-b/keyResults/k", None, None, None),
        KeyResultLine("objectives/a/keyResults/k", "1", "0.9", "1"),
    ]
    text = (
        "objectives/a-b/keyResults/k\t\t\t\n"
        "objectives/a/keyResults/k\t1\t0.9\t1\n"
        "objectives/b/keyResults/a\t0.5\t\t0.25\n"
    )
    assert digest(lines) == digest(reversed(lines)) == sha256(text.encode()).digest()
    assert digest([]) == sha256(b"").digest()
