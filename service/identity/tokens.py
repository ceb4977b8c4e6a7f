"""Bearer tokens: JSON Web Tokens (RFC 7519) that an issuer has signed for this service."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jwt import PyJWS
from jwt.exceptions import DecodeError, InvalidSignatureError, PyJWTError

from ledger.call import Caller
from service.identity.principal import Principal
from service.refusals import Unauthenticated

if TYPE_CHECKING:
    from service.identity.keys import Keys
    from service.identity.naming import Naming

TOKEN_BYTES: Final = 8 * 1024
"""The size of a token at most; gRPC takes no more than twice that of all metadata of a call."""
REMEMBERED: Final = 10_000
"""How many verified tokens are remembered: some 560 bytes each."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say: exactly this issuer, this audience among its own, this time.

    `leeway_seconds` is what clocks may differ by.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    leeway_seconds: float

    def check(self, claims: Mapping[str, Any], now: float) -> float:
        """Until when the token holds, in seconds since 1970, the leeway included.

        Raises:
            Unauthenticated: it says something else.
        """
        if claims.get("iss") != self.issuer:
            raise Unauthenticated("token.issuer", "the token is of another issuer")
        audience = claims.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("token.audience", "the token is for another service")
        expiry = _instant(claims, "exp")
        if expiry is None:
            raise Unauthenticated("token.expiry", "the token does not say when it expires")
        until = expiry + self.leeway_seconds
        if now >= until:
            raise Unauthenticated("token.expired", "the token has expired: get a new one")
        for begin in ("nbf", "iat"):
            if now < (_instant(claims, begin) or 0) - self.leeway_seconds:
                raise Unauthenticated("token.early", "the token does not hold yet")
        return until


class Verified(NamedTuple):
    """Whose token it is, and until when it holds."""

    principal: Principal
    until: float


class Tokens:
    """Verifies tokens, and remembers those that it has verified: a signature costs some 100 µs.

    What is remembered is forgotten when a token expires and when the issuer's keys change.
    """

    def __init__(
        self,
        keys: Keys,
        expected: Expected,
        naming: Naming,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._expected = expected
        self._naming = naming
        self._clock = clock
        self._jws = PyJWS(algorithms=list(expected.algorithms))
        # By digest, so that nothing that could be shown for a token stays in memory.
        self._verified: OrderedDict[bytes, Verified] = OrderedDict()
        self._verified_with: object = None

    async def principal(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            Unauthenticated: it does not hold; the rule says why.
            KeysUnavailable: it cannot be told whether it does.
        """
        self._forget_if_keys_changed()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and self._clock() < known.until:
            self._verified.move_to_end(digest)
            return known.principal
        found = await self._verify(token)
        # Looking for its key may have brought new ones.
        self._forget_if_keys_changed()
        self._verified[digest] = found
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return found.principal

    def _forget_if_keys_changed(self) -> None:
        keys = self._keys.current()
        if keys is not self._verified_with:
            self._verified.clear()
            self._verified_with = keys

    async def _verify(self, token: str) -> Verified:
        claims = await self._signed_claims(token)
        until = self._expected.check(claims, self._clock())
        name, roles = self._naming.name(claims), self._naming.roles(claims)
        return Verified(Principal(Caller(name), roles, "token"), until)

    async def _signed_claims(self, token: str) -> dict[str, Any]:
        """What the issuer has signed."""
        if len(token) > TOKEN_BYTES:
            raise Unauthenticated("token.size", f"the token has more than {TOKEN_BYTES} bytes")
        try:
            header = self._jws.get_unverified_header(token)
        except DecodeError:
            raise _malformed() from None
        except PyJWTError:
            raise _unknown_header() from None
        if "crit" in header or "b64" in header:
            raise _unknown_header()
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._expected.algorithms:
            raise Unauthenticated("token.algorithm", "the token's algorithm is not allowed here")
        key = await self._keys.find(key_id, algorithm)
        if key is None:
            raise Unauthenticated("token.key", "the token is signed with a key that is not known")
        try:
            signed = self._jws.decode_complete(token, key, [algorithm])["payload"]
            claims = json.loads(signed)
        except InvalidSignatureError:
            raise Unauthenticated("token.signature", "the token's signature is wrong") from None
        except (PyJWTError, ValueError, RecursionError):
            raise _malformed() from None
        if not isinstance(claims, dict):
            raise _malformed()
        return claims


def _instant(claims: Mapping[str, Any], claim: str) -> float | None:
    """Seconds since 1970, None where the token does not say."""
    stated = claims.get(claim)
    if stated is None:
        return None
    if not isinstance(stated, (int, float)) or isinstance(stated, bool):
        raise _malformed()
    try:
        instant = float(stated)
    except OverflowError:
        raise _malformed() from None
    if not math.isfinite(instant):
        raise _malformed()
    return instant


def _unknown_header() -> Unauthenticated:
    return Unauthenticated("token.header", "the token's header asks for what is not known here")


def _malformed() -> Unauthenticated:
    return Unauthenticated("token.malformed", "the authorization holds no signed JSON Web Token")
