"""What a token states, for an operator who asks why it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jwt import PyJWT
from jwt.exceptions import PyJWTError


def stated(token: str) -> Mapping[str, Any]:
    """The token's claims and, of its header, `alg` and `kid`; empty if it is no token.

    Nothing of it is verified: anybody can have written it.
    """
    try:
        found = PyJWT().decode_complete(token, options={"verify_signature": False})
    except PyJWTError:
        return {}
    header = {key: found["header"].get(key) for key in ("alg", "kid")}
    return {**header, **found["payload"]}
