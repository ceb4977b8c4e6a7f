from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.identity.certificates import Certificates
from service.identity.metadata import NAME
from service.refusals import Unauthenticated
from tests.support.identities import Pair, authority

METRICS = authority("clients").client("spiffe://example.org/services/metrics")


def shown(certificates: Certificates, pair: Pair | bytes) -> str:
    pem = pair if isinstance(pair, bytes) else pair.certificate
    principal = certificates.principal(lambda: {"x509_pem_cert": [pem]})
    assert principal is not None
    assert principal.credential == "certificate"
    return principal.caller.actor


def test_a_connection_outlives_its_certificate_and_its_caller_does_not() -> None:
    hour = timedelta(hours=1)
    pair = authority("clients").client("spiffe://example.org/services/metrics", lasts=hour)
    seconds = 0.0
    certificates = Certificates(None, ["example.org"], clock=lambda: seconds)
    assert shown(certificates, pair) == "services/metrics"
    seconds = 4e9
    with pytest.raises(Unauthenticated) as refusal:
        shown(certificates, pair)
    assert refusal.value.rule == "certificate.expired"


def test_a_connection_without_a_certificate_is_nobodys() -> None:
    certificates = Certificates(None, ["example.org"])
    assert certificates.principal(dict) is None
    assert certificates.principal(lambda: {"transport_security_type": [b"ssl"]}) is None


def test_roles_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "names.toml"
    file.write_text('["crm.example.org"]\nname = "services/crm"\nroles = ["b", "a"]\n')
    pair = authority("clients").client(domains=["crm.example.org"])
    principal = Certificates(file, ()).principal(lambda: {"x509_pem_cert": [pair.certificate]})
    assert principal is not None
    assert principal.roles == ("a", "b")


def test_two_names_of_one_principal_are_not_two(tmp_path: Path) -> None:
    file = tmp_path / "names.toml"
    file.write_text('["a.example"]\nname = "services/crm"\n["b.example"]\nname = "services/crm"\n')
    pair = authority("clients").client(domains=["a.example", "b.example"])
    assert shown(Certificates(file, ()), pair) == "services/crm"


@settings(deadline=None)
@given(st.binary(max_size=50), st.integers(1, 400))
def test_what_is_damaged_is_refused_and_no_defect(noise: bytes, at: int) -> None:
    """GRPC has verified what it gives; whatever it were, reading it would not fail."""
    whole = METRICS.certificate
    certificates = Certificates(None, ["example.org"])
    for damaged in (b"-" + noise, whole[:at] + noise, whole[:at] + noise + whole[at + 1 :]):
        with suppress(Unauthenticated):
            assert NAME.fullmatch(shown(certificates, damaged))
