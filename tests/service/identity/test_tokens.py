import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt import PyJWK

from service.identity.key_set import ALGORITHMS, KeySet
from service.identity.metadata import NAME
from service.identity.naming import Naming
from service.identity.tokens import REMEMBERED, Expected, Tokens
from service.refusals import Unauthenticated
from tests.support.identities import AUDIENCE, ISSUER, elliptic, key_set, put_together, token
from tests.support.serving import LoopThread

NAMING = Naming("sub", "okr_kind", "roles", b"")


class Keys:
    """The keys of an issuer in memory; counts how often one was looked for."""

    def __init__(self) -> None:
        self.keys = KeySet(key_set(first=elliptic("first")))
        self.found = 0

    def current(self) -> KeySet:
        return self.keys

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        self.found += 1
        return self.keys.find(key_id, algorithm)


class Clock:
    def __init__(self) -> None:
        self.seconds = time.time()

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(keys: Any, clock: Clock) -> Tokens:
    expected = Expected(ISSUER, AUDIENCE, ALGORITHMS, 30)
    return Tokens(keys, expected, Naming("sub", "okr_kind", "roles", b""), clock)


def test_a_token_is_verified_once(loop: LoopThread, tokens: Tokens, keys: Keys) -> None:
    text = token("people/anna", "contributor:teams/marketing", "auditor", "auditor")
    principal = loop.run(tokens.principal(text))
    assert principal.caller.actor == "people/anna"
    assert principal.roles == ("auditor", "contributor:teams/marketing")
    assert (principal.credential, principal.authenticated) == ("token", True)
    assert loop.run(tokens.principal(text)) == principal
    assert keys.found == 1


def test_a_token_that_was_verified_expires_all_the_same(
    loop: LoopThread, tokens: Tokens, clock: Clock
) -> None:
    text = token("people/anna", exp=clock.seconds + 60)
    loop.run(tokens.principal(text))
    clock.seconds += 89
    loop.run(tokens.principal(text))
    clock.seconds += 1
    with pytest.raises(Unauthenticated, match="expired"):
        loop.run(tokens.principal(text))


def test_a_token_whose_key_is_withdrawn_holds_no_longer(
    loop: LoopThread, tokens: Tokens, keys: Keys
) -> None:
    text = token("people/anna")
    loop.run(tokens.principal(text))
    keys.keys = KeySet(key_set(second=elliptic("second")))
    with pytest.raises(Unauthenticated, match="a key that is not known"):
        loop.run(tokens.principal(text))


def test_a_token_whose_key_is_replaced_under_its_id_holds_no_longer(
    loop: LoopThread, tokens: Tokens, keys: Keys
) -> None:
    text = token("people/anna")
    loop.run(tokens.principal(text))
    keys.keys = KeySet(key_set(first=elliptic("second")))
    with pytest.raises(Unauthenticated, match="signature"):
        loop.run(tokens.principal(text))


def test_so_many_tokens_are_remembered_and_no_more(
    loop: LoopThread, tokens: Tokens, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert REMEMBERED >= 1000
    monkeypatch.setattr("service.identity.tokens.REMEMBERED", 3)
    texts = [token(f"people/p{number}") for number in range(4)]
    for text in texts[:3]:
        loop.run(tokens.principal(text))
    loop.run(tokens.principal(texts[0]))
    loop.run(tokens.principal(texts[3]))
    assert keys.found == 4
    # The second has been longest unused.
    for text in (texts[0], texts[2], texts[3]):
        loop.run(tokens.principal(text))
    assert keys.found == 4
    loop.run(tokens.principal(texts[1]))
    assert keys.found == 5


@pytest.mark.parametrize(
    ("roles", "stated"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([], ()),
        ("auditor", ()),
        ({"auditor": True}, ()),
        (["auditor", 1], ()),
        (["auditor", "two words"], ()),
        (["auditor", ""], ()),
        (["r" * 201], ()),
        ([f"r{number}" for number in range(101)], ()),
        (None, ()),
    ],
)
def test_roles_of_an_unknown_shape_are_none(
    loop: LoopThread, tokens: Tokens, roles: Any, stated: tuple[str, ...]
) -> None:
    assert loop.run(tokens.principal(token("people/anna", roles=roles))).roles == stated


def test_clocks_may_differ(loop: LoopThread, tokens: Tokens, clock: Clock) -> None:
    now = int(clock.seconds)
    early = token("people/anna", nbf=now + 29, iat=now + 29)
    late = token("people/anna", exp=now - 29)
    for text in (early, late):
        assert loop.run(tokens.principal(text)).caller.actor == "people/anna"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.sampled_from([ISSUER, AUDIENCE, "people/anna", "service", "first", "ES256", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
CLAIMS = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "okr_kind", "roles", "azp"])
HEADERS = st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jwk", "jku", "x5u"])


@settings(deadline=None)
@given(st.dictionaries(CLAIMS, VALUES))
def test_whatever_an_issuer_signs_names_somebody_or_is_refused(
    loop: LoopThread, claims: dict[str, Any]
) -> None:
    text = token("people/anna", **claims)
    expected = Expected(ISSUER, AUDIENCE, ALGORITHMS, 30)
    keys: Any = Keys()
    tokens = Tokens(keys, expected, Naming("sub", "okr_kind", "roles", b"k" * 32))
    try:
        principal = loop.run(tokens.principal(text))
    except Unauthenticated:
        return
    assert NAME.fullmatch(principal.caller.actor)
    assert principal.roles == tuple(sorted(set(principal.roles)))


@settings(deadline=None)
@given(st.dictionaries(HEADERS, VALUES), st.dictionaries(CLAIMS, VALUES), st.none() | st.binary())
def test_what_nobody_signed_names_nobody(
    loop: LoopThread, header: dict[str, Any], claims: dict[str, Any], secret: bytes | None
) -> None:
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "people/anna", "exp": time.time() + 60}
    texts = [put_together({"alg": "ES256", "kid": "first", **header}, good | claims, secret)]
    texts.append(texts[0].rpartition(".")[0])
    keys: Any = Keys()
    tokens = Tokens(keys, Expected(ISSUER, AUDIENCE, ALGORITHMS, 30), NAMING)
    for text in texts:
        with pytest.raises(Unauthenticated):
            loop.run(tokens.principal(text))


@settings(deadline=None)
@given(
    st.text(st.characters(codec="ascii", exclude_characters="\0\n\r"))
    | st.text("aZ0._-=", max_size=60)
)
def test_what_is_no_token_names_nobody(loop: LoopThread, text: str) -> None:
    keys: Any = Keys()
    tokens = Tokens(keys, Expected(ISSUER, AUDIENCE, ALGORITHMS, 30), NAMING)
    with pytest.raises(Unauthenticated):
        loop.run(tokens.principal(text))
