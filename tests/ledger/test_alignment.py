from itertools import pairwise

import pytest

from ledger.alignment import MOST_DEPENDANTS, edges_on
from ledger.refusals import (
    AlignmentCycle,
    AlignmentCyclesDisjoint,
    AlignmentExists,
    AlignmentMissing,
    AlignmentSecondParent,
    CycleState,
    NotFound,
    ObjectiveState,
    ReasonRequired,
)
from ledger.values import day
from okr.v1 import events_pb2 as facts
from tests.support import ask
from tests.support.scenario import Scenario

A, B, C, D = (f"objectives/{name}" for name in "abcd")


def k(objective: str, name: str = "traffic") -> str:
    return f"{objective}/keyResults/{name}"


def four(today: str = "2026-08-12", *, active: bool = False) -> Scenario:
    """Four objectives with key results `followers` and `traffic`."""
    scenario = Scenario(today).given(ask.cycle(), ask.team())
    scenario.given(*(ask.objective(name) for name in "abcd"))
    return scenario.given(ask.commit()) if active else scenario


def edges(scenario: Scenario, on: str) -> list[tuple[str, str]]:
    found = edges_on(scenario.view().alignments().revisions, day(ask.day(on), ""))
    return [(edge.child, edge.parent) for edge in found]


def test_an_objective_contributes_with_a_weight() -> None:
    scenario = four().when(ask.align(A, B, weight="+2.50"))

    scenario.then(facts.Aligned(child=A, parent=B, kind=ask.CONTRIBUTES, weight="2.5"))
    assert scenario.effective == ""
    assert four().when(ask.align(A, B)).then_it_is(facts.Aligned).weight == "1"
    assert four().when(ask.align(A, B, weight="0")).then_it_is(facts.Aligned).weight == "0"


def test_a_key_result_may_be_child_and_supported_parent() -> None:
    for request in (
        ask.align(k(A), B),
        ask.align(k(A), k(B), ask.SUPPORTS),
        ask.align(k(A, "followers"), k(A), ask.SUPPORTS),
        ask.align(A, k(B), ask.SUPPORTS),
    ):
        four().when(request).then_it_is(facts.Aligned)


def test_a_contribution_ends_at_an_objective() -> None:
    four().when(ask.align(A, k(B))).then_invalid("parent")


def test_what_is_aligned_is_not_aligned_again() -> None:
    scenario = four().given(ask.align(A, B, ask.SUPPORTS))

    scenario.when(ask.align(A, B, ask.SUPPORTS)).then_refused(AlignmentExists, child=A, parent=B)
    scenario.when(ask.align(A, B)).then_it_is(facts.Aligned)


def test_a_key_result_is_part_of_its_own_objective() -> None:
    for kind in (ask.SUPPORTS, ask.CONTRIBUTES):
        four().when(ask.align(k(A), A, kind)).then_refused(AlignmentExists, child=k(A), parent=A)


def test_a_child_contributes_once_and_supports_many() -> None:
    scenario = four().given(ask.align(A, B), ask.align(A, C, ask.SUPPORTS))

    scenario.when(ask.align(A, C)).then_refused(AlignmentSecondParent, child=A, parent=B)
    scenario.given(ask.align(A, D, ask.SUPPORTS), ask.unalign(A, B), ask.align(A, C))


def test_nothing_depends_on_itself() -> None:
    four().when(ask.align(A, A)).then_refused(AlignmentCycle, path=(A,))
    four().when(ask.align(k(A), k(A), ask.SUPPORTS)).then_refused(AlignmentCycle)


def test_an_objective_does_not_depend_on_its_own_part() -> None:
    four().when(ask.align(A, k(A), ask.SUPPORTS)).then_refused(AlignmentCycle, path=(k(A), A))


@pytest.mark.parametrize("length", [2, 3, 4])
def test_the_graph_has_no_cycle_of_any_length(length: int) -> None:
    ring = [A, B, C, D][:length]
    scenario = four().given(*(ask.align(low, up, ask.SUPPORTS) for low, up in pairwise(ring)))

    scenario.when(ask.align(ring[-1], ring[0], ask.SUPPORTS)).then_refused(
        AlignmentCycle, child=ring[-1], parent=ring[0], path=tuple(ring)
    )


def test_a_cycle_may_lead_through_key_results() -> None:
    scenario = four().given(
        ask.align(k(A), B), ask.align(B, k(C), ask.SUPPORTS), ask.align(C, k(D), ask.SUPPORTS)
    )

    scenario.when(ask.align(D, k(A), ask.SUPPORTS)).then_refused(
        AlignmentCycle, path=(k(A), B, k(C), C, k(D), D)
    )
    scenario.when(ask.align(D, k(A, "followers"), ask.SUPPORTS)).then_it_is(facts.Aligned)


def test_an_alignment_taken_back_closes_no_cycle() -> None:
    scenario = four().given(ask.align(A, B), ask.unalign(A, B))

    scenario.when(ask.align(B, A)).then_it_is(facts.Aligned)


def test_a_backdated_alignment_closes_no_cycle_on_a_day_in_between() -> None:
    scenario = four("2026-08-20").given(ask.align(A, B), ask.commit())
    scenario.given(ask.unalign(A, B, because=ask.WHY))
    scenario.on("2026-08-25")

    scenario.when(ask.align(B, A, because=ask.WHY, on="2026-08-10")).then_refused(AlignmentCycle)
    scenario.when(ask.align(B, A, because=ask.WHY)).then_it_is(facts.Aligned)
    assert edges(scenario, "2026-08-19") == [(A, B)]
    assert edges(scenario, "2026-08-24") == []
    assert edges(scenario, "2026-08-25") == [(B, A)]


def test_a_later_edge_stands_against_a_backdated_one() -> None:
    scenario = four("2026-08-20", active=True).given(ask.align(A, B, because=ask.WHY))
    scenario.on("2026-08-25").given(ask.unalign(A, B, because=ask.WHY))

    scenario.when(ask.align(B, A, because=ask.WHY, on="2026-08-10")).then_refused(AlignmentCycle)


def test_a_child_has_one_contributing_parent_on_every_day() -> None:
    scenario = four("2026-08-20").given(ask.align(A, B), ask.commit())
    scenario.given(ask.unalign(A, B, because=ask.WHY)).on("2026-08-25")

    scenario.when(ask.align(A, C, because=ask.WHY, on="2026-08-10")).then_refused(
        AlignmentSecondParent, parent=B
    )
    scenario.when(ask.align(A, C, because=ask.WHY, on="2026-08-20")).then_it_is(facts.Aligned)


def test_what_was_aligned_on_the_day_is_not_aligned_again_from_it() -> None:
    scenario = four("2026-08-20").given(ask.align(A, B), ask.commit())
    scenario.given(ask.unalign(A, B, because=ask.WHY)).on("2026-08-25")

    scenario.when(ask.align(A, B, because=ask.WHY, on="2026-08-10")).then_refused(AlignmentExists)


def test_an_alignment_is_taken_back_from_a_day_on_which_it_holds() -> None:
    scenario = four("2026-08-20", active=True).given(ask.align(A, B, because=ask.WHY))

    for request in (
        ask.unalign(A, B, because=ask.WHY, on="2026-08-19"),
        ask.unalign(A, B, ask.SUPPORTS, because=ask.WHY),
        ask.unalign(B, A, because=ask.WHY),
    ):
        scenario.when(request).then_refused(AlignmentMissing)
    scenario.when(ask.unalign(A, B, because=ask.WHY)).then(
        facts.Unaligned(child=A, parent=B, kind=ask.CONTRIBUTES)
    )
    scenario.when(ask.unalign(A, B, because=ask.WHY)).then_refused(AlignmentMissing)


def test_a_weight_changes_by_aligning_anew() -> None:
    scenario = four(active=True).given(
        ask.align(A, B, because=ask.WHY),
        ask.adjust(ask.unalign(A, B), ask.align(A, B, weight="3")),
    )

    assert [edge.weight for edge in scenario.view().alignments().edges] == ["3"]


def test_what_is_closed_is_not_aligned() -> None:
    scenario = four(active=True).given(ask.abandon(B, because=ask.WHY), ask.grade(C))

    for closed, state in ((B, "ABANDONED"), (C, "GRADED")):
        for request in (
            ask.align(A, closed, because=ask.WHY),
            ask.align(closed, A, because=ask.WHY),
        ):
            scenario.when(request).then_refused(ObjectiveState, resource=closed, state=state)


def test_both_ends_exist() -> None:
    for request in (ask.align(A, "objectives/x"), ask.align("objectives/x", A)):
        four().when(request).then_refused(NotFound, resource="objectives/x")
    four().when(ask.align(k(A, "x"), B)).then_refused(NotFound, resource=k(A, "x"))


def annual(today: str = "2026-08-12") -> Scenario:
    """A quarter's objective A in draft, a year's objective `year` whose plan is committed."""
    return four(today).given(
        ask.cycle("y26", "2026-01-01", "2026-12-31"),
        ask.objective("year", cycle="cycles/y26"),
        ask.commit("cycles/y26"),
    )


YEAR = "objectives/year"


def test_a_parents_cycle_contains_the_childs() -> None:
    annual().when(ask.align(A, YEAR, because=ask.WHY)).then_it_is(facts.Aligned)
    annual().when(ask.align(YEAR, A, because=ask.WHY)).then_refused(
        AlignmentCyclesDisjoint, child=YEAR, parent=A
    )
    other = four().given(
        ask.cycle("q4", "2026-10-01", "2026-12-31"), ask.objective("next", cycle="cycles/q4")
    )
    other.when(ask.align("objectives/next", A, ask.SUPPORTS)).then_refused(AlignmentCyclesDisjoint)


def test_a_draft_that_comes_to_contribute_changes_the_committed_plan_above() -> None:
    annual().when(ask.align(A, YEAR)).then_refused(ReasonRequired, resource="cycles/y26")
    scenario = annual().when(ask.align(A, YEAR, because=ask.WHY))
    assert scenario.effective == "2026-08-12"
    scenario.when(ask.unalign(A, YEAR)).then_refused(ReasonRequired, resource="cycles/y26")
    annual().when(ask.adjust(ask.align(A, YEAR), cycle="cycles/y26"))
    assert annual().when(ask.align(A, YEAR, ask.SUPPORTS)).effective == ""


def test_a_closed_plan_takes_no_contribution() -> None:
    scenario = annual().given(ask.commit())
    scenario.given_fact("cycles/y26", facts.CycleClosing(cycle="cycles/y26"), "2026-08-12")

    scenario.when(ask.align(A, YEAR, because=ask.WHY)).then_refused(
        CycleState, resource="cycles/y26", state="CLOSING"
    )
    scenario.when(ask.align(A, YEAR, ask.SUPPORTS, because=ask.WHY)).then_it_is(facts.Aligned)


def test_dependants_are_all_that_stand_above_by_name() -> None:
    scenario = four().given(
        ask.align(k(A), B), ask.align(B, k(C), ask.SUPPORTS), ask.align(A, D, ask.SUPPORTS)
    )
    graph = scenario.view().alignments()

    assert graph.dependants(k(A)) == [B, C, k(C), D]
    assert graph.dependants(A) == [D]
    assert graph.dependants(C) == []


def test_an_event_names_no_more_dependants_than_it_should() -> None:
    scenario = Scenario().given(ask.cycle(), ask.team(), ask.objective("a"))
    for i in range(MOST_DEPENDANTS + 1):
        scenario.given(ask.objective(f"o{i}", bare=True))
        scenario.given(ask.align(A, f"objectives/o{i}", ask.SUPPORTS))

    revised = scenario.when(ask.update_objective(A, title="x"))
    assert len(revised.then_it_is(facts.ObjectiveRevised).dependants) == MOST_DEPENDANTS
