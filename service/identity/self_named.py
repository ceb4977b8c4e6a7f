"""Callers that name themselves: without authentication, which is allowed on loopback only."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ledger.call import Caller
from ledger.refusals import invalid
from service.identity.principal import Principal

if TYPE_CHECKING:
    from service.identity.principal import Metadata, Peer

ACTOR_KEY: Final = "okr-actor"
"""Metadata key under which a caller names itself."""
ON_BEHALF_OF_KEY: Final = "okr-on-behalf-of"
"""Metadata key under which a service names whom it acts for."""
LOCAL: Final = "services/local"
"""The actor of a call that names none."""

_NAME: Final = re.compile(r"(?:people|services)/[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


async def self_named(metadata: Metadata, _peer: Peer) -> Principal:
    """The caller as it names itself; `services/local` if it does not.

    Raises:
        FieldInvalid: a name is not "people/{id}" or "services/{id}", or is given twice.
    """
    actor = on_behalf_of = ""
    for key, value in metadata:
        if key == ACTOR_KEY:
            actor = _name(ACTOR_KEY, value, before=actor)
        elif key == ON_BEHALF_OF_KEY:
            on_behalf_of = _name(ON_BEHALF_OF_KEY, value, before=on_behalf_of)
    return _principal(actor or LOCAL, on_behalf_of)


def _name(key: str, value: str | bytes, before: str) -> str:
    if before:
        raise invalid(key, "metadata.once", "must be given once")
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise invalid(key, "metadata.name", "must be people/{id} or services/{id}")
    return value


@lru_cache(maxsize=4096)
def _principal(actor: str, on_behalf_of: str) -> Principal:
    return Principal(Caller(actor, on_behalf_of))
