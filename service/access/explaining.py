"""Why a decision is what it is, policy by policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from cedarpy import PolicySet

from service.access.deciding import Holder, asked

if TYPE_CHECKING:
    from service.access.deciding import Chain
    from service.access.policies import Policies
    from service.access.resources import Resource


class Weighed(NamedTuple):
    """A policy that is about the action and the kind of thing, and whether its conditions hold."""

    policy: str
    forbids: bool
    holds: bool


def weighed(
    policies: Policies, chain: Chain, holder: Holder, action: str, resource: Resource
) -> Iterator[Weighed]:
    """The policies whose scope takes the question in, each asked by itself."""
    for key, policy in policies.read.items():
        forbids = policy["effect"] == "forbid"

        def holds(of: dict[str, Any]) -> bool:
            alone = {"staticPolicies": {"it": of}, "templates": {}, "templateLinks": []}
            parsed = PolicySet.from_json_str(json.dumps(alone))
            return asked(parsed, chain, holder, action, resource).allowed

        # A policy that forbids is asked as if it permitted: alone it could not be told from none.
        alone = {**policy, "effect": "permit"}
        if holds({**alone, "conditions": []}):
            yield Weighed(policies.ids[key], forbids, holds(alone))
