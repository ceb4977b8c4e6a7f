"""Authentication: a bearer token or a client certificate says who calls, nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.call import Caller
from service.identity.metadata import bearer_token, names
from service.refusals import Impersonation, Unauthenticated

if TYPE_CHECKING:
    from service.identity.certificates import Certificates
    from service.identity.principal import Metadata, Peer, Principal
    from service.identity.tokens import Tokens

SERVICES: Final = "services/"


class Authentication:
    """Identifies callers by what they have shown; of the type `Identify`.

    Where a call has a token, that says who calls, and a certificate is only how its connection was
    made: a proxy passes on its users' tokens over a connection of its own. A bad token is never
    made up for by a good certificate.
    """

    def __init__(self, tokens: Tokens | None, certificates: Certificates | None) -> None:
        self._tokens = tokens
        self._certificates = certificates

    async def __call__(self, metadata: Metadata, peer: Peer) -> Principal:
        """The principal, with whom it acts for.

        Raises:
            Unauthenticated: the call carries no credential, or none that holds.
            KeysUnavailable: it cannot be told whether its token holds.
            Impersonation: it names another actor than its principal, or a person acts for somebody.
            FieldInvalid: a name in its metadata is none.
        """
        metadata = tuple(metadata)
        principal = await self._shown(metadata, peer)
        actor, on_behalf_of = names(metadata)
        itself = principal.caller.actor
        if actor not in ("", itself):
            raise Impersonation(itself, actor)
        if not on_behalf_of:
            return principal
        if not itself.startswith(SERVICES):
            raise Impersonation(itself, on_behalf_of)
        return principal._replace(caller=Caller(itself, on_behalf_of))

    async def _shown(self, metadata: Metadata, peer: Peer) -> Principal:
        token = bearer_token(metadata)
        if token is not None:
            if self._tokens is None:
                raise Unauthenticated(
                    "token.unsupported",
                    "the server takes no tokens: OKR_JWT_JWKS is not set",
                    "OKR_JWT_JWKS",
                )
            return await self._tokens.principal(token)
        principal = self._certificates.principal(peer) if self._certificates else None
        if principal is None:
            raise Unauthenticated(
                "credential.missing",
                "the call carries no credential: send `authorization: Bearer TOKEN`"
                if self._tokens
                else "the call carries no credential: connect with a client certificate",
            )
        return principal
