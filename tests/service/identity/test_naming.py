from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.identity.metadata import NAME
from service.identity.naming import Naming, pseudonym
from service.refusals import Unauthenticated

KEY = b"0123456789abcdef0123456789abcdef"
ISSUER = "https://issuer.example"


def named(claims: dict[str, Any], key: bytes = KEY, name_claim: str = "sub") -> str:
    return Naming(name_claim, "okr_kind", "roles", key).name({"iss": ISSUER, **claims})


@settings(deadline=None)
@given(st.text(min_size=1, max_size=200), st.sampled_from([None, "person", "service"]))
def test_a_subject_becomes_a_name_or_is_refused(subject: str, kind: str | None) -> None:
    claims = {"sub": subject} if kind is None else {"sub": subject, "okr_kind": kind}
    name = named(claims)
    assert NAME.fullmatch(name)
    collection = "services/" if kind == "service" else "people/"
    assert name in (subject, f"{collection}{subject}", f"{collection}{name.partition('/')[2]}")
    # In the clear only as an id, or not at all.
    assert subject in name or name == f"{collection}{pseudonym(KEY, ISSUER, subject)}"


@settings(deadline=None)
@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
def test_a_pseudonym_is_of_one_subject_of_one_issuer(a: str, b: str, c: str, d: str) -> None:
    same = (a, b) == (c, d)
    # A byte 0 stands between the two, and an issuer is set by the operator without one.
    if "\0" not in a + c:
        assert (pseudonym(KEY, a, b) == pseudonym(KEY, c, d)) == same


def test_a_pseudonym_needs_its_key() -> None:
    assert pseudonym(KEY, ISSUER, "Anna") != pseudonym(KEY[::-1], ISSUER, "Anna")
    with pytest.raises(Unauthenticated) as refusal:
        named({"sub": "Anna"}, key=b"")
    assert refusal.value.setting == "OKR_PSEUDONYM_KEY_FILE"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "anna"}, "people/anna"),
        ({"sub": "people/anna"}, "people/anna"),
        ({"sub": "services/crm"}, "services/crm"),
        ({"sub": "anna", "okr_kind": "person", "azp": "anna"}, "people/anna"),
        ({"sub": "crm", "okr_kind": "service"}, "services/crm"),
        ({"sub": "crm", "client_id": "crm"}, "services/crm"),
        ({"sub": "crm", "azp": "crm"}, "services/crm"),
        ({"sub": "crm", "cid": "crm"}, "services/crm"),
        ({"sub": "crm", "idtyp": "app"}, "services/crm"),
        ({"sub": "anna", "azp": "portal", "client_id": "portal"}, "people/anna"),
    ],
)
def test_who_is_a_person_and_who_a_service(claims: dict[str, Any], name: str) -> None:
    assert named(claims) == name


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({}, "token.name"),
        ({"sub": ""}, "token.name"),
        ({"sub": 7}, "token.name"),
        ({"sub": ["anna"]}, "token.name"),
        ({"sub": "half a \ud800 pair"}, "token.name"),
        ({"sub": "x" * 1001}, "token.name"),
        ({"sub": "anna", "okr_kind": "team"}, "token.kind"),
        ({"sub": "anna", "okr_kind": True}, "token.kind"),
        ({"sub": "anna", "okr_kind": ["person"]}, "token.kind"),
        ({"sub": "services/crm", "okr_kind": "person"}, "token.kind"),
    ],
)
def test_claims_that_name_nobody(claims: dict[str, Any], rule: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        named(claims)
    assert refusal.value.rule == rule


def test_a_claim_is_a_key_or_a_path_of_keys() -> None:
    claims = {"https://okr.example/id": "anna", "user": {"id": "berta"}, "a.b": "clara"}
    assert named(claims, name_claim="https://okr.example/id") == "people/anna"
    assert named(claims, name_claim="user.id") == "people/berta"
    assert named(claims, name_claim="a.b") == "people/clara"
    for path in ("user", "user.name", "user.id.more", "a.b.c"):
        with pytest.raises(Unauthenticated):
            named(claims, name_claim=path)


def test_roles_may_stand_deeper() -> None:
    naming = Naming("sub", "okr_kind", "realm_access.roles", KEY)
    assert naming.roles({"realm_access": {"roles": ["b", "a"]}}) == ("a", "b")
    assert naming.roles({"roles": ["a"]}) == ()
