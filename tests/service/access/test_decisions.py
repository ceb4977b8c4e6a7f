"""What the shipped policies permit, and what any policies cannot change."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import score_service_pb2 as scores
from service.access.deciding import Holder, decide
from service.access.directory import Directory
from service.access.policies import PolicyError, Source, policies
from service.access.resources import LEDGER, OBJECTIVE, Resource, unknown
from service.access.roles import Grants, Role, role_of
from service.access.rules import GROUPS, RULES, SEE
from service.refusals import NotPermitted
from tests.ground import surface
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    TRAFFIC,
    abandon,
    adjust,
    align,
    check_in,
    objective,
    propose,
    revise,
    update_cycle,
    update_objective,
    update_team,
)
from tests.support.deciding import (
    ANNA,
    BEA,
    CUSTOMERS,
    EU,
    EU_LEADS,
    UpToDate,
    authority,
    company,
    directory_of,
    permitted,
    principal,
)

IN_MARKETING: Final = "contributor:teams/marketing"
EDITS_MARKETING: Final = "editor:teams/marketing"
REVENUE: Final = "objectives/revenue"
WIDER: Final = {
    "teams/europe": ("teams/marketing", "teams/company", "teams"),
    "teams/marketing": ("teams/company", "teams"),
    "teams/sales": ("teams/company", "teams"),
}
ROLES: Final = (
    *("viewer", "contributor", "editor", "cycle-administrator", "administrator", "auditor"),
    *("operator", "delegate"),
)


@pytest.fixture(scope="module")
def directory() -> Directory:
    return directory_of(company())


def test_every_method_has_a_rule_and_every_rule_a_method() -> None:
    methods = [method.name for method in surface.methods()]
    assert sorted(methods) == sorted(set(methods)) == sorted(RULES)
    assert {rule.group for rule in RULES.values()} == GROUPS.keys()


def test_a_method_without_a_rule_is_refused(directory: Directory) -> None:
    access = authority(directory).access(principal(*ROLES))
    with pytest.raises(NotPermitted, match="NoSuchMethod"):
        access.require("NoSuchMethod", check_in()).send(None)


def test_a_contributor_checks_in_below_their_team_and_what_they_own(directory: Directory) -> None:
    decides = authority(directory)
    anna = decides.access(principal(IN_MARKETING))
    assert permitted(anna, check_in(FOLLOWERS))
    assert permitted(anna, check_in(EU_LEADS))
    assert not permitted(anna, check_in(CUSTOMERS))
    assert not permitted(anna, revise(FOLLOWERS))
    bea = decides.access(principal(IN_MARKETING, name=BEA))
    assert permitted(bea, check_in(CUSTOMERS))
    assert not permitted(decides.access(principal(name=BEA)), check_in(CUSTOMERS))


def test_an_editor_moves_an_objective_only_between_teams_of_theirs(directory: Directory) -> None:
    decides = authority(directory)
    moved = update_objective(EU, team="teams/sales")
    assert not permitted(decides.access(principal(EDITS_MARKETING)), moved)
    assert not permitted(decides.access(principal("editor:teams/sales")), moved)
    both = decides.access(principal(EDITS_MARKETING, "editor:teams/sales"))
    assert permitted(both, moved)
    alone = decides.access(principal(EDITS_MARKETING))
    assert permitted(alone, update_objective(EU, team="teams/marketing"))
    assert permitted(alone, update_objective(EU, title="Leads"))
    assert not permitted(alone, update_objective(EU, mask=("team",)))
    assert not permitted(alone, objective("new", team="teams/sales"))
    assert permitted(alone, objective("new", team="teams/europe"))


def test_a_team_is_moved_by_who_administers_where_it_was_and_where_it_goes(
    directory: Directory,
) -> None:
    decides = authority(directory)
    moved = update_team("teams/europe", parent="teams/sales")
    for roles, may in (
        (("administrator:teams/europe",), False),
        (("administrator:teams/marketing",), False),
        (("administrator:teams/marketing", "administrator:teams/sales"), True),
        (("administrator:teams/company",), True),
        (("administrator",), True),
    ):
        assert permitted(decides.access(principal(*roles)), moved) == may
    company_wide = decides.access(principal("administrator:teams/company"))
    assert not permitted(company_wide, update_team("teams/europe", mask=("parent",)))


def test_both_ends_of_an_alignment_are_asked_for(directory: Directory) -> None:
    decides = authority(directory)
    aligned = align(EU, REVENUE)
    assert not permitted(decides.access(principal(EDITS_MARKETING)), aligned)
    assert permitted(decides.access(principal(EDITS_MARKETING, "editor:teams/sales")), aligned)


def test_carrying_over_reads_the_old_and_edits_the_new(directory: Directory) -> None:
    decides = authority(directory)
    carried = api.CarryOverKeyResultRequest(continued_from=CUSTOMERS, parent=AWARENESS)
    assert not permitted(decides.access(principal(EDITS_MARKETING)), carried)
    assert permitted(decides.access(principal(EDITS_MARKETING, "viewer:teams/sales")), carried)


def test_every_change_of_an_adjustment_is_asked_for(directory: Directory) -> None:
    decides = authority(directory)
    editor = decides.access(principal("editor"))
    assert permitted(editor, adjust(revise(FOLLOWERS), revise(CUSTOMERS)))
    mine = decides.access(principal(EDITS_MARKETING))
    assert permitted(mine, adjust(revise(FOLLOWERS), abandon(EU)))
    assert not permitted(mine, adjust(revise(FOLLOWERS), revise(CUSTOMERS)))
    # The way around UpdateCycle is closed, whoever may adjust.
    of_cycle = update_cycle(title="mine")
    assert not permitted(editor, of_cycle)
    assert not permitted(editor, adjust(of_cycle))
    both = decides.access(principal("editor", "cycle-administrator"))
    assert permitted(both, adjust(of_cycle, revise(FOLLOWERS)))


def test_a_proposal_is_approved_by_who_could_make_its_changes(directory: Directory) -> None:
    decides = authority(directory)
    approval = api.ApproveAdjustmentRequest(name="adjustments/waiting")
    seen = audit.GetAdjustmentRequest(name="adjustments/waiting")
    assert permitted(decides.access(principal("editor:teams/sales")), approval)
    assert not permitted(decides.access(principal(EDITS_MARKETING)), approval)
    assert not permitted(decides.access(principal(EDITS_MARKETING)), seen)
    assert permitted(decides.access(principal("viewer:teams/sales")), seen)


def test_a_proposal_is_withdrawn_by_whose_it_is(directory: Directory) -> None:
    decides = authority(directory)
    withdrawn = api.RejectAdjustmentRequest(name="adjustments/waiting")
    assert permitted(decides.access(principal("viewer")), withdrawn)
    assert not permitted(decides.access(principal("viewer", name=BEA)), withdrawn)
    assert permitted(decides.access(principal("editor:teams/sales", name=BEA)), withdrawn)


def test_ones_own_list_is_ones_own(directory: Directory) -> None:
    anna = authority(directory).access(principal(IN_MARKETING))
    assert permitted(anna, scores.ListDueCheckInsRequest(owner=ANNA))
    assert not permitted(anna, scores.ListDueCheckInsRequest(owner=BEA))
    assert not permitted(anna, scores.ListDueCheckInsRequest())
    assert permitted(anna, scores.ListDueCheckInsRequest(team="teams/europe", owner=BEA))


def test_who_acts_for_another_needs_the_right_to_and_both_need_the_rights(
    directory: Directory,
) -> None:
    grants = Grants({BEA: (Role("contributor", "teams/sales"),)})
    decides = authority(directory, grants=grants)

    def may(*roles: str, name: str = "services/bot", request: api.RecordCheckInRequest) -> bool:
        access = decides.access(principal(*roles, name=name, on_behalf_of=BEA))
        return permitted(access, request)

    sales, marketing = check_in(CUSTOMERS), check_in(FOLLOWERS)
    assert may("delegate", "contributor", request=sales)
    assert not may("delegate", "contributor", request=marketing)
    assert not may("contributor", request=sales)
    assert not may("delegate", request=sales)
    assert not may("delegate", IN_MARKETING, request=sales)
    assert not may("delegate", "contributor", name=ANNA, request=sales)
    nobody = decides.access(
        principal("delegate", "contributor", name="services/bot", on_behalf_of="people/cleo")
    )
    assert not permitted(nobody, sales)


def test_the_operators_file_adds_to_what_the_credential_says(directory: Directory) -> None:
    decides = authority(
        directory,
        grants=Grants({ANNA: (Role("editor", "teams/sales"),), "everyone": (Role("viewer"),)}),
    )
    anna, cleo = decides.access(principal(IN_MARKETING)), decides.access(principal(name=BEA))
    assert permitted(anna, check_in(FOLLOWERS))
    assert permitted(anna, revise(CUSTOMERS))
    assert permitted(cleo, scores.GetKeyResultRequest(name=CUSTOMERS))


def test_what_is_private_is_for_those_who_work_on_it_above_and_below(
    directory: Directory,
) -> None:
    told = company().given(update_objective(visibility="VISIBILITY_TEAM", because="a merger"))
    decides = authority(directory_of(told))
    for roles, may in (
        (("viewer",), False),
        (("viewer:teams/marketing",), False),
        (("contributor:teams/sales",), False),
        (("operator", "administrator", "cycle-administrator"), False),
        ((IN_MARKETING,), True),
        (("contributor:teams/europe",), True),
        (("editor:teams/company",), True),
        (("auditor",), True),
        (("contributor",), True),
    ):
        access = decides.access(principal(*roles, name="people/cleo"))
        assert access.may_see(AWARENESS) == may, roles
        assert access.may_see(EU)
    assert decides.access(principal("viewer")).may_see(AWARENESS), "Anna owns it"


def test_policies_of_ones_own_permit_and_forbid(directory: Directory) -> None:
    proposing = """
        permit (principal, action == Action::"ProposeAdjustment", resource)
        when { principal.hasTag("contributor") && resource in principal.getTag("contributor") };
    """
    frozen = """
        forbid (principal, action in Action::"edit", resource is Objective)
        when { resource has cycle && resource.cycle == Cycle::"cycles/q3" };
    """
    named = f'permit (principal == Person::"{BEA}", action, resource == Objective::"{EU}");'
    plain, own = authority(directory), authority(directory, proposing, frozen, named)
    contributor, editor = principal(IN_MARKETING), principal(EDITS_MARKETING)
    assert not permitted(plain.access(contributor), propose(revise(FOLLOWERS)))
    assert permitted(own.access(contributor), propose(revise(FOLLOWERS)))
    assert permitted(plain.access(editor), abandon())
    assert not permitted(own.access(editor), abandon())
    seen = scores.GetObjectiveRequest(name=EU)
    other = scores.GetObjectiveRequest(name=REVENUE)
    assert permitted(own.access(principal("delegate", name=BEA)), seen)
    assert not permitted(own.access(principal("delegate", name=BEA)), other)
    assert not permitted(own.access(principal("delegate", name="people/cleo")), seen)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("permit (principal, action, resource) when { resource.title == 1 };", "title"),
        ('permit (principal, action == Action::"Nope", resource);', "Nope"),
        ("permit (principal, action", "end of input"),
        ("permit (principal == ?principal, action, resource);", "templates"),
    ],
)
def test_policies_that_do_not_fit_are_refused_with_their_place(text: str, fault: str) -> None:
    with pytest.raises(PolicyError, match=fault):
        policies([Source("own", text)])


def test_who_is_not_authenticated_passes_nowhere(directory: Directory) -> None:
    anna = principal("editor", "auditor", "operator")._replace(credential="none")
    assert not permitted(authority(directory).access(anna), check_in())


def test_a_question_is_asked_once(directory: Directory) -> None:
    decides = authority(directory)
    for name in (ANNA, BEA, "people/cleo"):
        access = decides.access(principal("contributor:teams/company", name=name))
        assert permitted(access, check_in(FOLLOWERS))
        assert permitted(access, check_in(TRAFFIC))
    assert decides.counts().misses == 1
    assert decides.counts().hits == 5


def test_what_is_not_known_is_looked_for_once_before_it_is_decided(directory: Directory) -> None:
    fresh = UpToDate()
    access = authority(directory, fresh=fresh).access(principal("contributor"))
    for request, asked in ((check_in(FOLLOWERS), 0), (check_in(f"{AWARENESS}/keyResults/x"), 1)):
        assert permitted(access, request)
        assert fresh.asked == asked


def test_a_key_result_that_there_is_not_is_decided_by_its_objective(directory: Directory) -> None:
    bea = authority(directory).access(principal(IN_MARKETING, name=BEA))
    assert permitted(bea, check_in(f"{AWARENESS}/keyResults/none"))
    assert not permitted(bea, check_in(f"{REVENUE}/keyResults/none"))
    assert not permitted(bea, check_in("objectives/none/keyResults/none"))


# Properties


names = st.sampled_from([f"teams/t{number}" for number in range(6)])


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), min_size=6, max_size=6), names, names)
def test_a_scope_is_its_teams_subtree(
    order: list[int], above: list[int], scope: str, team: str
) -> None:
    """On any tree, by a walk up from the team."""
    parents = {
        f"teams/t{own}": f"teams/t{order[above[place] % place]}" if place else ""
        for place, own in enumerate(order)
    }
    decides = authority(_tree(parents))
    holder = Holder(ANNA, (Role("editor", scope),), authenticated=True)
    walked, at = set(), team
    while at:
        walked.add(at)
        at = parents[at]
    thing = Resource(OBJECTIVE, "objectives/x", team)
    assert decides.decision(holder, "UpdateObjective", thing).permitted == (scope in walked)
    # What is private to the scope is for members of what lies below it too.
    member = Holder(ANNA, (Role("contributor", team),), authenticated=True)
    private = Resource(OBJECTIVE, "objectives/x", scope, private=True)
    seen = decides.decision(member, SEE, private).permitted
    assert seen == (scope in walked or team in decides.directory.chain(scope))


def _tree(parents: dict[str, str]) -> Directory:
    directory = Directory()
    directory._parents.update(parents)
    return directory


things = st.builds(
    Resource,
    kind=st.sampled_from(["Objective", "KeyResult"]),
    name=st.just(FOLLOWERS),
    team=st.sampled_from(["", *WIDER, "teams/company"]),
    owner=st.sampled_from(["", ANNA, BEA]),
    owners=st.sampled_from([frozenset(), frozenset({ANNA}), frozenset({BEA, ANNA})]),
    private=st.booleans(),
)
ON_BOTH = [name for name, rule in RULES.items() if {"Objective", "KeyResult"} <= set(rule.kinds)]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(ROLES),
    st.sampled_from(sorted(WIDER)),
    st.sampled_from(ON_BOTH),
    things,
    st.sampled_from(ROLES),
)
def test_neither_a_wider_scope_nor_a_further_role_takes_anything_away(
    role: str, scope: str, method: str, thing: Resource, further: str
) -> None:
    decides = authority(DIRECTORY)
    action = SEE if thing.kind == OBJECTIVE and thing.private else method

    def may(*roles: Role) -> bool:
        return decides.decision(Holder(ANNA, roles, True), action, thing).permitted

    if may(Role(role, scope)):
        for wider in WIDER[scope]:
            assert may(Role(role, wider))
        assert may(*sorted((Role(role, scope), Role(further, "teams/sales"))))


OWNED_BY_BEA: Final = f'resource has owner && resource.owner == Person::"{BEA}"'
NAMING: Final = (
    "",
    f'permit (principal, action, resource) when {{ principal == Person::"{BEA}" }};',
    f'forbid (principal, action, resource) when {{ resource == KeyResult::"{FOLLOWERS}" }};',
    f"permit (principal, action, resource is KeyResult) when {{ {OWNED_BY_BEA} }};",
    'forbid (principal is Service, action, resource) when { principal in Team::"teams/sales" };',
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(NAMING),
    st.sampled_from([ANNA, BEA, "services/crm"]),
    st.lists(st.builds(Role, st.sampled_from(ROLES), st.sampled_from(sorted(WIDER))), max_size=3),
    st.sampled_from(ON_BOTH),
    things,
)
def test_what_is_taken_for_alike_is_decided_alike(
    own: str, name: str, roles: list[Role], method: str, thing: Resource
) -> None:
    """Leaving names out of a question, where no policy names anything, changes no answer."""
    decides = authority(DIRECTORY, own)
    holder = Holder(name, tuple(sorted(set(roles))), authenticated=True)
    if thing.kind == OBJECTIVE:
        thing = thing._replace(name=AWARENESS)
    for action in (method, SEE) if thing.kind == OBJECTIVE else (method,):
        asked = decide(decides._policies.value, DIRECTORY.chain, holder, action, thing)
        assert decides.decision(holder, action, thing) == asked


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(ROLES), max_size=3), st.sampled_from(sorted(RULES)))
def test_who_may_nothing_everywhere_may_nothing_with_what_there_is_not(
    roles: list[str], method: str
) -> None:
    """What is known to exist in no team of one's own is decided as what does not exist."""
    decides = authority(DIRECTORY)
    scoped = tuple(Role(role, "teams/europe") for role in roles)
    holder = Holder("people/cleo", scoped, authenticated=True)
    for kind in set(RULES[method].kinds) - {LEDGER, "Person", "Service", "Cycle", "Team"}:
        elsewhere = unknown(kind)._replace(team="teams/sales", owner=BEA, owners=frozenset({BEA}))
        missing = decides.decision(holder, method, unknown(kind))
        assert decides.decision(holder, method, elsewhere) == missing


@pytest.mark.parametrize(
    "text", ["", "Viewer", "a:b", "viewer:", ":teams/x", "viewer:teams/X", "a b"]
)
def test_what_is_no_role_grants_nothing(text: str) -> None:
    assert role_of(text) is None


DIRECTORY: Final = directory_of(company())
