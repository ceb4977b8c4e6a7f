"""What a call's metadata says of who calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ledger.refusals import invalid
from service.refusals import Unauthenticated

if TYPE_CHECKING:
    from service.identity.principal import Metadata

ACTOR_KEY: Final = "okr-actor"
"""Metadata key under which a caller names itself."""
ON_BEHALF_OF_KEY: Final = "okr-on-behalf-of"
"""Metadata key under which a service names whom it acts for."""
AUTHORIZATION_KEY: Final = "authorization"
"""Metadata key of a bearer token (RFC 6750)."""

ID: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
NAME: Final = re.compile(f"(?:people|services)/{ID}")

_SCHEME: Final = "bearer "


def names(metadata: Metadata) -> tuple[str, str]:
    """The actor and on whose behalf it acts, each empty where the metadata names none.

    Raises:
        FieldInvalid: a name is not "people/{id}" or "services/{id}", or is given twice.
    """
    actor = on_behalf_of = ""
    for key, value in metadata:
        if key == ACTOR_KEY:
            actor = _name(ACTOR_KEY, value, before=actor)
        elif key == ON_BEHALF_OF_KEY:
            on_behalf_of = _name(ON_BEHALF_OF_KEY, value, before=on_behalf_of)
    return actor, on_behalf_of


def bearer_token(metadata: Metadata) -> str | None:
    """The token as it came; None where the metadata has no authorization.

    Raises:
        Unauthenticated: there are several authorizations, or it is no bearer token.
    """
    given = [value for key, value in metadata if key == AUTHORIZATION_KEY]
    if not given:
        return None
    if len(given) > 1:
        raise Unauthenticated("token.once", "the call has more than one authorization")
    (value,) = given
    if not isinstance(value, str) or value[: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated("token.scheme", "the authorization is not `Bearer` and a token")
    return value[len(_SCHEME) :].strip()


def _name(key: str, value: str | bytes, before: str) -> str:
    if before:
        raise invalid(key, "metadata.once", "must be given once")
    if not isinstance(value, str) or NAME.fullmatch(value) is None:
        raise invalid(key, "metadata.name", "must be people/{id} or services/{id}")
    return value
