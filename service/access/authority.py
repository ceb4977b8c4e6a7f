"""Who may do what: the policies in force, the roles granted, and what is known of the ledger."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import structlog

from ledger.log.errors import LogUnavailable
from service.access.deciding import Decision, Holder, alike, decide
from service.access.resources import (
    ANY,
    KEY_RESULT,
    OBJECTIVE,
    Resource,
    Subject,
    objective_of,
    subject_of,
    unknown,
)
from service.access.roles import Grants, roles_of
from service.access.rules import ACT_FOR, RULES, SEE, Need, needs_of
from service.refusals import NotPermitted

if TYPE_CHECKING:
    from functools import _CacheInfo

    from service.access.directory import Directory
    from service.access.policies import Policies
    from service.identity.principal import Principal

DECISIONS: Final = 65_536
"""The decisions that are remembered; one takes some 500 bytes."""
PRINCIPALS: Final = 16_384
"""The principals whose roles are remembered in a form to decide by."""

log = structlog.get_logger()

Value_co = TypeVar("Value_co", covariant=True)


class Held(Protocol[Value_co]):
    """What holds now; a file may say something else later."""

    @property
    def value(self) -> Value_co: ...


class Fresh(Protocol):
    """What keeps the directory up with the log; see `service.access.upkeep`."""

    def wake(self) -> None: ...

    async def reach(self, position: int) -> None: ...

    async def catch_up(self) -> None: ...


class Authority:
    """Decides for all calls of a server; in one event loop."""

    def __init__(
        self,
        directory: Directory,
        upkeep: Fresh,
        policies: Held[Policies],
        grants: Held[Grants],
        secret: str = "",
    ) -> None:
        self.directory = directory
        self.secret: Final = secret or token_hex(16)
        """An id that nothing has, and that no caller can know."""
        self._upkeep = upkeep
        self._policies = policies
        self._grants = grants
        self._decided = lru_cache(DECISIONS)(self._decide)
        self._made = lru_cache(PRINCIPALS)(self._access)

    def wake(self) -> None:
        """The log has grown; from any thread."""
        self._upkeep.wake()

    def access(self, principal: Principal) -> Access:
        """What a principal may do, by what is granted now."""
        return self._made(principal, self._grants.value)

    async def reach(self, position: int) -> None:
        """Returns when the directory knows what the log holds up to a position.

        Raises:
            LogUnavailable: the log cannot be read now.
        """
        await self._upkeep.reach(position)

    async def caught_up(self) -> None:
        """Returns when the directory knows what the log held when this was called.

        Raises:
            LogUnavailable: the log cannot be read now.
        """
        await self._upkeep.catch_up()

    async def landed(self, method: str, position: int) -> None:
        """Returns when decisions are by what a request of a method has changed, up to a position.

        A log that cannot be read now is read later: the request is done.
        """
        rule = RULES.get(method)
        if rule is not None and rule.moves:
            with suppress(LogUnavailable):
                await self._upkeep.reach(position)

    def decision(self, holder: Holder, action: str, resource: Resource) -> Decision:
        """Whether it is permitted; a look into a table where a like question was asked before."""
        policies = self._policies.value
        tree = self.directory.tree
        return self._decided(policies, tree, action, *alike(policies, holder, resource))

    def counts(self) -> _CacheInfo:
        """How many decisions were remembered, and how many had to be taken."""
        return self._decided.cache_info()

    def _decide(
        self, policies: Policies, _tree: int, action: str, holder: Holder, resource: Resource
    ) -> Decision:
        return decide(policies, self.directory.chain, holder, action, resource)

    def _access(self, principal: Principal, grants: Grants) -> Access:
        actor, on_behalf_of = principal.caller
        told, odd = roles_of(principal.roles)
        if odd:
            log.warning("roles of a credential are not understood", roles=odd)
        roles = tuple(sorted({*told, *grants.of(actor)}))
        holders = [Holder(actor, roles, principal.authenticated)]
        if on_behalf_of:
            granted = tuple(sorted(set(grants.of(on_behalf_of))))
            holders.append(Holder(on_behalf_of, granted, principal.authenticated))
        return Access(self, tuple(holders))


Asked = tuple[Holder, Need, Resource | None]
"""Whom, for which action and for what has to be asked for; None is not known to exist."""


class Access:
    """What one principal may do.

    Who acts on behalf of another needs the right to do that, and what is done both have to have the
    right to.
    """

    def __init__(self, authority: Authority, holders: tuple[Holder, ...]) -> None:
        self._authority = authority
        self._holders = holders

    async def require(self, method: str, request: Any) -> None:
        """Passes a request of a method that is permitted.

        What does not exist is decided as what belongs to no team (a key result by its objective),
        and so is what is hidden: a refusal does not tell them apart.

        Raises:
            NotPermitted: it is not.
            LogUnavailable: the log cannot be asked whether something exists.
        """
        self._delegated()
        for holder, need, found in await self._known(method, request):
            resource = found or self._absent(need)
            if not self.sees(resource):
                resource = unknown(resource.kind)
            self._check(holder, need.action, resource)

    async def refused(self, method: str, request: Any) -> tuple[int, ...]:
        """The places, from 0, of the requests in a message that are not permitted, or are hidden.

        Raises:
            NotPermitted: none of them is, since the caller may not act for whom it does.
            LogUnavailable: as `require`.
        """
        self._delegated()
        asked = await self._known(method, request)
        count = len(asked) // len(self._holders)
        refused = set()
        for index, (holder, need, found) in enumerate(asked):
            resource = found or self._absent(need)
            decision = self._authority.decision(holder, need.action, resource)
            if not (decision.permitted and self.sees(resource)):
                refused.add(index % count)
        return tuple(sorted(refused))

    def may_see(self, objective: str) -> bool:
        """Whether an objective, by its name, may be shown; not where it is not known."""
        found = self._authority.directory.find(Subject(OBJECTIVE, objective))
        return found is not None and self.sees(found)

    def sees(self, resource: Resource) -> bool:
        """Whether an objective, or a key result's, may be shown."""
        if not resource.private:
            return True
        objective = resource._replace(kind=OBJECTIVE, name=objective_of(resource.name), owner="")
        return all(
            self._authority.decision(holder, SEE, objective).permitted for holder in self._holders
        )

    def _delegated(self) -> None:
        if len(self._holders) == 1:
            return
        actor, acted_for = self._holders
        self._check(actor, ACT_FOR, Resource(*subject_of(acted_for.name)))

    async def _known(self, method: str, request: Any) -> list[Asked]:
        """What is asked for, by what the log holds now where something is not known."""
        asked = self._asked(method, request)
        # What is hidden takes as long as what there is not.
        if any(found is None or not self.sees(found) for _, _, found in asked):
            await self._authority.caught_up()
            asked = self._asked(method, request)
        return asked

    def _asked(self, method: str, request: Any) -> list[Asked]:
        directory = self._authority.directory
        if method not in RULES:
            raise NotPermitted(method, self._holders[0].name, ("no rule",))
        return [
            (
                holder,
                need,
                need.of if isinstance(need.of, Resource) else directory.find(subject_of(need.of)),
            )
            for holder in self._holders
            for need in needs_of(method, request, directory, holder.name)
        ]

    def _absent(self, need: Need) -> Resource:
        """What a thing is decided as that does not exist: a key result by its objective."""
        assert isinstance(need.of, str)
        kind, name = subject_of(need.of)
        if kind == KEY_RESULT:
            within = self._authority.directory.find(Subject(OBJECTIVE, objective_of(name)))
            if within is not None:
                return within._replace(kind=kind, name=f"{within.name}/keyResults/{ANY}", owner="")
        return unknown(kind)

    def _check(self, holder: Holder, action: str, resource: Resource) -> None:
        decision = self._authority.decision(holder, action, resource)
        if not decision.permitted:
            raise NotPermitted(action, holder.name, decision.policies)
