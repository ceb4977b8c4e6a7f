import pytest

from ledger.refusals import (
    DayInFuture,
    EtagMismatch,
    Exists,
    NotFound,
    NothingToChange,
    ObjectiveState,
    ReasonRequired,
)
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import (
    Commitment,
    EncryptedText,
    ObjectiveDefinition,
    PersonalText,
    Visibility,
)
from okr.v1.values_pb2 import ObjectiveState as State
from tests.support import ask

SECRET = PersonalText(encrypted=EncryptedText(key="people/x/keys/1", ciphertext=b"?"))


def test_an_objective_is_created_with_its_key_results() -> None:
    scenario = ask.drafted().when(
        ask.objective("brand", ask.new("reach", target="5"), title="Márka")
    )

    created, added = scenario.events
    assert created == facts.ObjectiveCreated(
        objective="objectives/brand",
        cycle=ask.Q3,
        definition=ObjectiveDefinition(
            title="Márka",
            team=ask.MARKETING,
            commitment=Commitment.COMMITMENT_ASPIRATIONAL,
            visibility=Visibility.VISIBILITY_PUBLIC,
        ),
    )
    assert isinstance(added, facts.KeyResultAdded)
    assert added.key_result == "objectives/brand/keyResults/reach"
    assert scenario.effective == ""


def test_ids_made_by_the_server_tell_key_results_apart() -> None:
    scenario = ask.drafted().when(
        ask.objective(
            "",
            ask.new("", title="a", target="1"),
            ask.new("", title="b", target="1"),
            title="Made",
        )
    )

    names = [getattr(fact, "key_result", "") for fact in scenario.events]
    assert len(set(names)) == 3


def test_two_key_results_share_no_id() -> None:
    twice = ask.objective("o", ask.new("k", target="1"), ask.new("k", target="2"))

    ask.drafted().when(twice).then_invalid("key_results[1].key_result_id")


def test_a_key_result_at_fault_is_named_by_its_place() -> None:
    wrong = ask.objective("o", ask.new("a", target="1"), ask.new("b", target="0"))

    ask.drafted().when(wrong).then_invalid("key_results[1].definition.target")


@pytest.mark.parametrize(
    ("rest", "field"),
    [
        ({"title": " "}, "definition.title"),
        ({"team": ""}, "definition.team"),
        ({"owner": SECRET}, "definition.owner"),
    ],
)
def test_an_objective_that_breaks_a_rule_is_refused(rest: dict[str, object], field: str) -> None:
    ask.drafted().when(ask.objective("o", **rest)).then_invalid(field)  # type: ignore[arg-type]  # the case's own fields


def test_an_objective_needs_a_cycle_a_team_and_an_id_of_its_own() -> None:
    ask.drafted().when(ask.objective("o", cycle="cycles/q4")).then_refused(
        NotFound, resource="cycles/q4"
    )
    ask.drafted().when(ask.objective("o", team="teams/sales")).then_refused(
        NotFound, resource="teams/sales"
    )
    ask.drafted().when(ask.objective()).then_refused(Exists, resource=ask.AWARENESS)


def test_before_commitment_it_is_a_draft_and_changes_freely() -> None:
    scenario = ask.drafted()
    before = scenario.objective(ask.AWARENESS).resource(scenario.cycle(ask.Q3))
    assert before.state == State.OBJECTIVE_STATE_DRAFT

    revised = scenario.when(ask.update_objective(title="Brand")).then_it_is(facts.ObjectiveRevised)

    assert (revised.before.title, revised.after.title) == ("awareness", "Brand")
    assert scenario.effective == ""


def test_after_commitment_it_is_active_and_changes_with_a_reason() -> None:
    scenario = ask.committed()
    assert scenario.objective(ask.AWARENESS).state(scenario.cycle(ask.Q3)) == (
        State.OBJECTIVE_STATE_ACTIVE
    )

    for request in (
        ask.update_objective(title="Brand"),
        ask.objective("late"),
        ask.abandon(),
    ):
        scenario.when(request).then_refused(ReasonRequired, missing=("reason", "category"))
    scenario.when(ask.update_objective(title="Brand", because=ask.WHY))
    assert scenario.effective == "2026-08-12"


def test_it_moves_to_another_team_that_exists() -> None:
    scenario = ask.committed().given(ask.team("sales"))

    move = ask.update_objective(team="teams/sales", because=ask.WHY)
    moved = scenario.when(move).then_it_is(facts.ObjectiveRevised)

    assert (moved.before.team, moved.after.team) == (ask.MARKETING, "teams/sales")
    scenario.when(ask.update_objective(team="teams/none", because=ask.WHY)).then_refused(
        NotFound, resource="teams/none"
    )
    scenario.when(ask.update_objective(mask=("team",), because=ask.WHY)).then_invalid(
        "definition.team"
    )


def test_an_owner_is_given_in_the_clear_and_can_be_taken_away() -> None:
    scenario = ask.drafted().given(ask.update_objective(owner=PersonalText(plain="Ka\u0301ti")))
    assert scenario.objective(ask.AWARENESS).definition.owner.plain == "Káti"

    scenario.when(ask.update_objective(owner=SECRET)).then_invalid("definition.owner")
    scenario.given(ask.update_objective(mask=("owner",)))

    assert not scenario.objective(ask.AWARENESS).definition.HasField("owner")


def test_an_owner_that_was_stored_encrypted_stays_so() -> None:
    scenario = ask.drafted().given_fact(
        ask.AWARENESS,
        facts.ObjectiveRevised(
            objective=ask.AWARENESS,
            changed=ask.update_objective(mask=("owner",)).update_mask,
            after=ObjectiveDefinition(owner=SECRET),
        ),
    )

    scenario.given(ask.update_objective(title="Brand"))

    assert scenario.objective(ask.AWARENESS).definition.owner == SECRET


def test_it_is_public_unless_it_is_said_to_be_private() -> None:
    scenario = ask.drafted().given(ask.objective("o", visibility=Visibility.VISIBILITY_TEAM))
    assert scenario.objective("objectives/o").definition.visibility == Visibility.VISIBILITY_TEAM

    opened = ask.update_objective("objectives/o", mask=("visibility",))
    revised = scenario.when(opened).then_it_is(facts.ObjectiveRevised)

    assert list(revised.changed.paths) == ["visibility"]
    assert revised.before.visibility == Visibility.VISIBILITY_TEAM
    assert revised.after.visibility == Visibility.VISIBILITY_PUBLIC


def test_whom_it_is_shown_changes_like_the_rest_of_a_committed_plan() -> None:
    scenario = ask.committed()
    hide = ask.update_objective(visibility=Visibility.VISIBILITY_TEAM)
    scenario.when(hide).then_refused(ReasonRequired, missing=("reason", "category"))

    scenario.given(ask.update_objective(visibility=Visibility.VISIBILITY_TEAM, because=ask.WHY))

    assert scenario.objective(ask.AWARENESS).definition.visibility == Visibility.VISIBILITY_TEAM


def test_what_was_stored_before_there_was_a_choice_is_public() -> None:
    older = ObjectiveDefinition(
        title="older", team=ask.MARKETING, commitment=Commitment.COMMITMENT_COMMITTED
    )
    scenario = ask.drafted().given_fact(
        "objectives/older",
        facts.ObjectiveCreated(objective="objectives/older", cycle=ask.Q3, definition=older),
    )

    stored = scenario.objective("objectives/older").definition
    assert stored.visibility == Visibility.VISIBILITY_PUBLIC
    scenario.when(ask.update_objective("objectives/older", title="older")).then_refused(
        NothingToChange
    )
    renamed = ask.update_objective("objectives/older", title="Old")
    revised = scenario.when(renamed).then_it_is(facts.ObjectiveRevised)
    assert list(revised.changed.paths) == ["title"]


def test_what_is_already_so_is_not_changed() -> None:
    ask.drafted().when(ask.update_objective(title="awareness")).then_refused(NothingToChange)


def test_its_etag_changes_with_it_and_not_with_its_key_results() -> None:
    scenario = ask.drafted().given(ask.revise(title="Követők"))
    assert scenario.objective(ask.AWARENESS).etag == '"1"'
    scenario.given(ask.update_objective(title="Brand", etag='"1"'))

    for request in (
        ask.update_objective(title="x", etag='"1"'),
        ask.abandon(etag='"1"', because=ask.WHY),
    ):
        scenario.when(request).then_refused(EtagMismatch, resource=ask.AWARENESS, etag='"2"')


def test_abandoning_needs_a_reason_even_in_a_draft() -> None:
    for because in ({}, {"because": "\u2003"}):
        ask.drafted().when(ask.abandon(**because)).then_refused(ReasonRequired, missing=("reason",))

    abandoned = ask.drafted().when(ask.abandon(because="no money"))

    abandoned.then(facts.ObjectiveAbandoned(objective=ask.AWARENESS))


def test_an_abandoned_objective_keeps_its_history_and_takes_nothing_more() -> None:
    scenario = ask.committed().given(ask.check_in(), ask.abandon(because=ask.WHY))

    cycle = scenario.cycle(ask.Q3)
    assert (
        scenario.objective(ask.AWARENESS).resource(cycle).state == State.OBJECTIVE_STATE_ABANDONED
    )
    assert scenario.key_result(ask.FOLLOWERS).check_in_count == 1
    for request in (
        ask.update_objective(title="x", because=ask.WHY),
        ask.abandon(because=ask.WHY),
        ask.add("more", target="1", because=ask.WHY),
        ask.revise(target="1150", because=ask.WHY),
        ask.drop(because=ask.WHY),
        ask.restore(because=ask.WHY),
        ask.check_in(),
        ask.correct(),
        ask.retract(),
        ask.grade(),
        ask.regrade(),
    ):
        scenario.when(request).then_refused(
            ObjectiveState, resource=ask.AWARENESS, state="ABANDONED"
        )


def test_nothing_holds_before_the_objective_does() -> None:
    scenario = ask.committed().given(ask.objective("late", because=ask.WHY, on="2026-08-10"))
    late = "objectives/late"

    for request in (
        ask.update_objective(late, title="x", because=ask.WHY, on="2026-08-09"),
        ask.abandon(late, because=ask.WHY, on="2026-08-09"),
        ask.add("k", late, target="1", because=ask.WHY, on="2026-08-09"),
        ask.revise(f"{late}/keyResults/traffic", target="1", because=ask.WHY, on="2026-08-09"),
        ask.grade(late, on="2026-08-09"),
    ):
        scenario.when(request).then_invalid("effective_date")


def test_nothing_is_created_in_the_future() -> None:
    ask.committed().when(ask.objective("o", because=ask.WHY, on="2026-08-13")).then_refused(
        DayInFuture
    )


def test_what_does_not_exist_is_not_found() -> None:
    for request in (
        ask.update_objective("objectives/o", title="x"),
        ask.abandon("objectives/o", because=ask.WHY),
        ask.add("k", "objectives/o", target="1"),
        ask.grade("objectives/o"),
    ):
        ask.drafted().when(request).then_refused(NotFound, resource="objectives/o")
