"""A read that is permitted where it is asked, and has to be where it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.access.authority import Authority
    from service.identity.principal import Principal


class Permitted:
    """One request for a read, by whom, and what it was held to.

    An answer may be of a later position than the decision, or this server may have been behind
    another one: who has lost a right must not read what came after.
    """

    def __init__(
        self, authority: Authority, principal: Principal, method: str, request: Any
    ) -> None:
        self._authority = authority
        self._principal = principal
        self._method = method
        self._request = request
        self._changed = -1

    async def require(self) -> None:
        """Passes the request if it is permitted now.

        Raises:
            NotPermitted, LogUnavailable: as `service.access.authority.Access.require`.
        """
        self._changed = self._authority.directory.changed
        access = self._authority.access(self._principal)
        await access.require(self._method, self._request)

    async def require_again(self) -> None:
        """The same where the directory has changed since.

        Raises:
            NotPermitted, LogUnavailable: as `require`.
        """
        if self._authority.directory.changed != self._changed:
            await self.require()
