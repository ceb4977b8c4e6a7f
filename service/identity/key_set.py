"""The public keys that an issuer signs its tokens with: a JSON Web Key Set (RFC 7517)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

EC_ALGORITHMS: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS: Final = (*RSA_ALGORITHMS, *EC_ALGORITHMS.values(), "EdDSA")
"""What tokens may be signed with: asymmetric, so that who can verify a token cannot make one."""

RSA_BITS: Final = 2048
"""The least size of an RSA key (RFC 7518, section 3.3)."""
KEYS: Final = 100
"""The most keys of a set."""


class KeySetError(Exception):
    """The text is no set of public keys; the message says why, and repeats nothing of it."""


class KeySet:
    """Keys by their id and by the algorithm that each may be used with.

    A token without an id of a key finds the only key of its algorithm, whatever that is called.
    `left_out` says why keys for signatures are not used: one key that is not good, or two of one
    name, take nothing from the others.
    """

    def __init__(self, text: bytes) -> None:
        """Takes in a set as its issuer publishes it; keys for other purposes are left out.

        Raises:
            KeySetError: it is no key set, holds a key that ought to be secret, or has none of use.
        """
        self.text = text
        self.left_out: list[str] = []
        self._keys: dict[tuple[str, str], PyJWK | None] = {}
        self._only: dict[str, PyJWK | None] = {}
        for key in _keys(text):
            for algorithm in _algorithms(key):
                self._add(key, algorithm)
        if not any(self._keys.values()):
            raise KeySetError("; ".join(["no key verifies signatures", *self.left_out]))

    def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """The key of the id, or where a token names none the only one that fits."""
        if key_id is None:
            return self._only.get(algorithm)
        return self._keys.get((key_id, algorithm))

    def _add(self, key: Mapping[str, Any], algorithm: str) -> None:
        key_id = key.get("kid", "")
        if not isinstance(key_id, str):
            self.left_out.append("the id of a key is no text")
            return
        made = _made(key, algorithm)
        if made is None:
            self.left_out.append(f"a key for {algorithm} cannot be read, or is too short")
        if (key_id, algorithm) in self._keys:
            self.left_out.append(f"two keys for {algorithm} have one id")
            made = None
        self._keys[key_id, algorithm] = made
        self._only[algorithm] = None if algorithm in self._only else made


def _keys(text: bytes) -> list[Mapping[str, Any]]:
    """The keys for signatures."""
    try:
        keys = json.loads(text)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeySetError('it is not JSON of the form {"keys": [...]}') from None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise KeySetError('"keys" is not a list of objects')
    if len(keys) > KEYS:
        raise KeySetError(f"it has more than {KEYS} keys")
    if any(key.get("kty") == "oct" or "d" in key for key in keys):
        raise KeySetError("it holds a secret or private key: whoever reads it could make tokens")
    return [key for key in keys if _verifies(key)]


def _verifies(key: Mapping[str, Any]) -> bool:
    operations = key.get("key_ops", ["verify"])
    return (
        key.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )


def _algorithms(key: Mapping[str, Any]) -> list[str]:
    """What the key may be used with: what it says itself, as far as its kind allows."""
    match key.get("kty"), key.get("crv"):
        case "RSA", _:
            fitting = list(RSA_ALGORITHMS)
        case "EC", str(curve):
            fitting = [EC_ALGORITHMS[curve]] if curve in EC_ALGORITHMS else []
        case "OKP", "Ed25519":
            fitting = ["EdDSA"]
        case _:
            fitting = []
    stated = key.get("alg")
    return fitting if stated is None else [each for each in fitting if each == stated]


def _made(key: Mapping[str, Any], algorithm: str) -> PyJWK | None:
    """The key, None if it is not good."""
    try:
        made = PyJWK(dict(key), algorithm)
    except PyJWTError:
        return None
    return None if algorithm in RSA_ALGORITHMS and made.key.key_size < RSA_BITS else made
