"""Callers that name themselves: without authentication, which is allowed on loopback only."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ledger.call import Caller
from service.identity.metadata import names
from service.identity.principal import Principal

if TYPE_CHECKING:
    from service.identity.principal import Metadata, Peer

LOCAL: Final = "services/local"
"""The actor of a call that names none."""


async def self_named(metadata: Metadata, _peer: Peer) -> Principal:
    """The caller as it names itself; `services/local` if it does not.

    Raises:
        FieldInvalid: a name is not "people/{id}" or "services/{id}", or is given twice.
    """
    actor, on_behalf_of = names(metadata)
    return _principal(actor or LOCAL, on_behalf_of)


@lru_cache(maxsize=4096)
def _principal(actor: str, on_behalf_of: str) -> Principal:
    return Principal(Caller(actor, on_behalf_of))
