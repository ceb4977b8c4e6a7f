import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from service.identity.key_set import KeySet, KeySetError
from tests.support.identities import elliptic, published, rsa_key


def of(*keys: dict[str, Any]) -> KeySet:
    return KeySet(json.dumps({"keys": keys}).encode())


def test_a_key_is_used_with_the_algorithms_of_its_kind_alone() -> None:
    keys = of(published(elliptic("first"), "curve"), published(rsa_key(), "rsa"))
    assert keys.find("curve", "ES256")
    assert not keys.find("curve", "ES384")
    assert not keys.find("curve", "RS256")
    assert keys.find("rsa", "RS256")
    assert keys.find("rsa", "PS512")
    assert not keys.find("rsa", "ES256")
    assert not keys.find("rsa", "HS256")
    assert not keys.find("RSA", "RS256")


def test_a_key_that_states_its_algorithm_is_used_with_that_alone() -> None:
    keys = of(published(rsa_key(), "rsa", alg="PS256"))
    assert keys.find("rsa", "PS256")
    assert not keys.find("rsa", "RS256")


def test_a_token_without_an_id_of_a_key_finds_the_only_one() -> None:
    first, second = elliptic("first"), elliptic("second")
    assert of(published(first, "a")).find(None, "ES256")
    assert not of(published(first, "a"), published(second, "b")).find(None, "ES256")


def test_keys_for_other_purposes_are_left_out() -> None:
    first = elliptic("first")
    encrypting = published(first, "b") | {"use": "enc"}
    signing = published(first, "c") | {"key_ops": ["sign"]}
    unknown = {"kty": "LMS", "kid": "d"}
    p192 = published(first, "e") | {"crv": "P-192"}
    keys = of(published(elliptic("second"), "a"), encrypting, signing, unknown, p192)
    assert keys.find("a", "ES256")
    assert not any(keys.find(name, "ES256") for name in "bcde")


def private(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(key, as_dict=True), "kid": "a"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not JSON"),
        (b"[]", "not JSON"),
        (b"{}", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"keys": {}}', "not a list"),
        (b'{"keys": [1]}', "not a list"),
        (b'{"keys": []}', "no key"),
        (json.dumps({"keys": [{"kty": "EC"}] * 101}).encode(), "more than 100"),
        (json.dumps({"keys": [private(elliptic("first"))]}).encode(), "secret or private"),
        (b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}', "secret or private"),
        (b'{"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "!"}]}', "cannot be read"),
        (json.dumps({"keys": [published(elliptic("first"), "a")] * 2}).encode(), "have one id"),
        (
            json.dumps({"keys": [published(elliptic("first"), "a") | {"kid": 1}]}).encode(),
            "is no text",
        ),
    ],
)
def test_what_is_no_set_of_public_keys_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(KeySetError, match=why) as refusal:
        KeySet(text)
    assert "c2VjcmV0" not in str(refusal.value)


SHORT = published(rsa.generate_private_key(65537, 1024), "short")


def test_keys_that_are_not_good_take_nothing_from_the_others() -> None:
    good = published(elliptic("first"), "good")
    twice = published(elliptic("second"), "twice")
    odd = {"kty": "RSA", "kid": "odd", "n": "!", "e": "AQAB"}
    keys = of(SHORT, good, twice, twice, odd)
    assert keys.find("good", "ES256")
    assert not keys.find("twice", "ES256")
    assert not keys.find("short", "RS256")
    assert not keys.find("odd", "RS256")
    assert "two keys for ES256 have one id" in keys.left_out
    assert "a key for RS256 cannot be read, or is too short" in keys.left_out
    assert not of(good).left_out


def test_of_two_keys_without_an_id_neither_is_taken() -> None:
    nameless = [published(elliptic(name), "") for name in ("first", "second")]
    keys = of(published(rsa_key(), "other"), *({**key, "kid": ""} for key in nameless))
    assert not keys.find(None, "ES256")
    assert keys.find(None, "RS256")


def test_a_short_rsa_key_is_refused() -> None:
    with pytest.raises(KeySetError, match="too short"):
        of(SHORT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(["kty", "crv", "kid", "use", "alg", "key_ops", "x", "y", "n", "e"])
VALUES = st.sampled_from(["EC", "RSA", "OKP", "P-256", "Ed25519", "AQAB", "sig"]) | JSON


@settings(deadline=None)
@given(st.lists(st.dictionaries(FIELDS, VALUES), max_size=3))
def test_whatever_an_issuer_publishes_is_taken_in_or_refused(keys: list[dict[str, Any]]) -> None:
    try:
        of(*keys)
    except KeySetError:
        return
    assert keys
