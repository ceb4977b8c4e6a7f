"""One decision: Cedar asked about a holder of roles, an action and a thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import structlog
from cedarpy import AuthzResult, PolicySet, is_authorized

from service.access.policies import Policies
from service.access.resources import (
    ADJUSTMENT,
    ANY,
    COLLECTIONS,
    KEY_RESULT,
    OBJECTIVE,
    PERSON,
    REVIEW,
    SERVICE,
    TEAM,
    TOP,
    Resource,
    objective_of,
    subject_of,
    unknown,
)
from service.access.roles import MEMBERS, Role
from service.access.schema import schema

SELF_ID: Final = "."
"""The id of whoever asks, where no policy names anybody; the grammar gives it to nobody."""

SOMEBODY: Final = f"people/{ANY}"
"""Whoever else owns or has proposed something."""
NOBODY: Final[frozenset[str]] = frozenset()

_NAMELESS: Final = {
    kind: unknown(kind).name for kind in (OBJECTIVE, KEY_RESULT, ADJUSTMENT, REVIEW)
}

Chain = Callable[[str], tuple[str, ...]]
"""The teams above a team, itself first."""

Entity = dict[str, Any]

log = structlog.get_logger()


class Holder(NamedTuple):
    """Somebody who holds roles: "people/{id}" or "services/{id}"."""

    name: str
    roles: tuple[Role, ...]
    authenticated: bool


class Decision(NamedTuple):
    """Whether it is permitted, and which policies say so: none where none permits it."""

    permitted: bool
    policies: tuple[str, ...]


def decide(
    policies: Policies, chain: Chain, holder: Holder, action: str, resource: Resource
) -> Decision:
    """Whether the policies permit it; costs some 200 µs. What goes wrong denies."""
    try:
        result = asked(policies.parsed, chain, holder, action, resource)
    # Whatever it is: a decision that cannot be taken must not be taken for a permission.
    except Exception:
        log.exception("a decision could not be taken", action=action)
        return Decision(permitted=False, policies=())
    if result.diagnostics.errors:
        log.error("a policy failed", action=action, errors=result.diagnostics.errors)
        return Decision(permitted=False, policies=())
    told = tuple(policies.ids[reason] for reason in result.diagnostics.reasons)
    return Decision(result.allowed, tuple(sorted(told)))


def asked(
    parsed: PolicySet, chain: Chain, holder: Holder, action: str, resource: Resource
) -> AuthzResult:
    """What Cedar says.

    Raises:
        ValueError: the question does not fit the schema.
    """
    return is_authorized(
        {
            "principal": _uid(subject_of(holder.name).kind, holder.name),
            "action": _uid("Action", action),
            "resource": _uid(resource.kind, resource.name),
            "context": {},
        },
        parsed,
        json.dumps(list(_entities(chain, holder, resource))),
        schema(),
    )


def alike(policies: Policies, holder: Holder, resource: Resource) -> tuple[Holder, Resource]:
    """The two without what no policy can tell apart, so that like questions are one question.

    Cedar compares names and cannot look into them: where no policy names a person or service, all
    that can matter is whether it is the one who asks. Costs some 2 µs.
    """
    kind, name, team, cycle, owner, owners, private, proposer = resource
    if kind in _NAMELESS and not policies.names_things:
        name = _NAMELESS[kind]
    if kind != OBJECTIVE and owners:
        owners = NOBODY
    if policies.names_callers:
        return holder, Resource(kind, name, team, cycle, owner, owners, private, proposer)
    own = holder.name
    masked = _masked(holder)
    me = masked.name
    if owner:
        owner = me if owner == own else SOMEBODY
    if proposer:
        proposer = me if proposer == own else SOMEBODY
    if owners:
        owners = frozenset(me if each == own else SOMEBODY for each in owners)
    if kind in (PERSON, SERVICE):
        name = me if name == own else f"{COLLECTIONS[kind]}/{ANY}"
    return masked, Resource(kind, name, team, cycle, owner, owners, private, proposer)


@lru_cache(16_384)
def _masked(holder: Holder) -> Holder:
    return holder._replace(name=f"{holder.name.partition('/')[0]}/{SELF_ID}")


def _entities(chain: Chain, holder: Holder, resource: Resource) -> Iterator[Entity]:
    """The holder, the thing, and the teams above both."""
    scopes: dict[str, list[Entity]] = {}
    for role in holder.roles:
        scopes.setdefault(role.role, []).append(_named(TEAM, role.scope))
    member_of = {r.scope for r in holder.roles if r.role in MEMBERS and r.scope != TOP}
    yield {
        "uid": _uid(subject_of(holder.name).kind, holder.name),
        "attrs": {
            "authenticated": holder.authenticated,
            "roles": sorted(map(str, holder.roles)),
        },
        "parents": [_uid(TEAM, team) for team in (TOP, *sorted(member_of))],
        "tags": scopes,
    }
    if resource.kind in (PERSON, SERVICE):
        if resource.name != holder.name:
            yield {
                "uid": _uid(resource.kind, resource.name),
                "attrs": {"authenticated": False, "roles": []},
                "parents": [_uid(TEAM, TOP)],
            }
    elif resource.kind != TEAM or resource.team != resource.name:
        yield from _thing(resource)
    teams = {resource.team, *member_of}
    yield from _teams(chain, teams)


def _thing(resource: Resource) -> Iterator[Entity]:
    parents = [_uid(TEAM, resource.team or TOP)]
    attributes: Entity = {}
    if resource.kind in (OBJECTIVE, KEY_RESULT, REVIEW) and resource.team:
        attributes["team"] = _named(TEAM, resource.team)
    if resource.kind in (OBJECTIVE, KEY_RESULT, ADJUSTMENT) and resource.cycle:
        attributes["cycle"] = _named("Cycle", resource.cycle)
    if resource.kind in (OBJECTIVE, KEY_RESULT):
        attributes["private"] = resource.private
        if resource.owner.startswith("people/"):
            attributes["owner"] = _named(PERSON, resource.owner)
    if resource.kind == ADJUSTMENT and resource.proposer.startswith("people/"):
        attributes["proposer"] = _named(PERSON, resource.proposer)
    if resource.kind == OBJECTIVE:
        attributes["owners"] = [_named(PERSON, owner) for owner in sorted(resource.owners)]
    if resource.kind == KEY_RESULT:
        parents.append(_uid(OBJECTIVE, objective_of(resource.name)))
    yield {"uid": _uid(resource.kind, resource.name), "attrs": attributes, "parents": parents}


def _teams(chain: Chain, teams: Iterable[str]) -> Iterator[Entity]:
    """The teams and those above them, each once; the top of each chain is below `TOP`."""
    told = {TOP}
    for team in sorted(teams):
        above = (*chain(team), TOP)
        for own, parent in pairwise(above):
            if own not in told:
                told.add(own)
                yield {"uid": _uid(TEAM, own), "attrs": {}, "parents": [_uid(TEAM, parent)]}


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _named(kind: str, name: str) -> Entity:
    return {"__entity": _uid(kind, name)}
