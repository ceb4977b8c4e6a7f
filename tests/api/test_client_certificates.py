"""Callers whom a client certificate names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from okr.v1.operations_service_pb2 import GetStatusRequest
from tests.support.ask import team
from tests.support.databases import ON_SQLITE_ALONE
from tests.support.identities import (
    Callers,
    Files,
    Pair,
    authenticated_service,
    authority,
    bearer,
    token,
)
from tests.support.serving import LoopThread, refused
from tests.support.turned_away import (
    ROLES,
    actors,
    rule,
    turned_away,
    until,
    with_certificate,
)
from tests.support.whole import Caller

pytestmark = ON_SQLITE_ALONE

NOW: Final = int(time.time())


@pytest.fixture(scope="module")
def asked(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    """Callers of a service that asks for certificates, and takes tokens too."""
    folder = tmp_path_factory.mktemp("asked")
    files = Files(folder)
    files.client_authority.write_bytes(authority("clients").pem)
    files.names.write_text(
        '["crm.example.org"]\nname = "services/crm"\nroles = ["operator", "auditor"]\n'
        '["anna@example.org"]\nname = "people/anna"\n'
        '["spiffe://example.org/services/old"]\nname = "services/new"\n'
    )
    settings = {
        "tls_client_ca_file": files.client_authority,
        "certificate_names_file": files.names,
        "spiffe_trust_domains": "example.org, example.com",
    }
    with authenticated_service(loop, folder, everyone=ROLES, **settings) as found:
        yield found


@pytest.mark.parametrize(
    ("uris", "names", "name"),
    [
        (["spiffe://example.org/services/metrics"], {}, "services/metrics"),
        (["spiffe://example.com/people/berta"], {}, "people/berta"),
        (["spiffe://example.org/services/old"], {}, "services/new"),
        ([], {"domains": ["CRM.example.org", "other.example.org"]}, "services/crm"),
        ([], {"addresses": ["anna@example.org"]}, "people/anna"),
        (["urn:something"], {"domains": ["crm.example.org"]}, "services/crm"),
    ],
)
def test_a_certificate_names_who_writes(
    asked: Callers, uris: list[str], names: dict[str, Any], name: str
) -> None:
    me = with_certificate(asked, *uris, **names)
    position = me.ask(team(f"t{abs(hash(str((uris, names)))):x}"[:20])).position
    assert actors(me)[position - 1] == (name, "")


@pytest.mark.parametrize(
    ("uris", "names", "broken"),
    [
        (["spiffe://example.net/services/metrics"], {}, "certificate.unknown"),
        (["spiffe://example.org/teams/sales"], {}, "certificate.unknown"),
        (["spiffe://example.org/services/a/b"], {}, "certificate.unknown"),
        (["https://example.org/services/metrics"], {}, "certificate.unknown"),
        ([], {"domains": ["anna@example.org"]}, "certificate.unknown"),
        ([], {"domains": ["a.crm.example.org"]}, "certificate.unknown"),
        ([], {}, "certificate.unreadable"),
        (
            ["spiffe://example.org/services/metrics"],
            {"domains": ["crm.example.org"]},
            "certificate.ambiguous",
        ),
    ],
)
def test_a_certificate_names_nobody(
    asked: Callers, uris: list[str], names: dict[str, Any], broken: str
) -> None:
    error = turned_away(with_certificate(asked, *uris, **names))
    assert error.info.metadata["rule"] == broken


@pytest.mark.parametrize(
    "pair",
    [
        None,
        authority("strangers").client("spiffe://example.org/services/metrics"),
        authority("clients").client(
            "spiffe://example.org/services/metrics", lasts=timedelta(minutes=-1)
        ),
    ],
    ids=["no certificate", "a certificate of a stranger", "an expired certificate"],
)
def test_no_connection_is_made_with(asked: Callers, pair: Pair | None) -> None:
    me = Caller(asked.channel(pair), asked.address, bearer(token("people/anna")))
    error = refused(lambda: me.ask(GetStatusRequest(), timeout=5))
    assert error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_a_token_goes_before_the_certificate_of_its_connection(asked: Callers) -> None:
    pair = authority("clients").client("spiffe://example.org/services/proxy")
    me = Caller(asked.channel(pair), asked.address, bearer(token("people/anna")))
    position = me.ask(team("by-proxy")).position
    assert actors(me)[position - 1] == ("people/anna", "")


def test_a_good_certificate_does_not_make_up_for_a_bad_token(asked: Callers) -> None:
    pair = authority("clients").client("spiffe://example.org/services/proxy")
    bad = bearer(token("people/anna", exp=NOW - 3600))
    error = turned_away(Caller(asked.channel(pair), asked.address, bad))
    assert error.info.metadata["rule"] == "token.expired"


def test_without_an_issuer_a_token_is_not_passed_over(loop: LoopThread, tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.client_authority.write_bytes(authority("clients").pem)
    none = dict.fromkeys(("jwt_jwks", "jwt_issuer", "jwt_audience"))
    settings = {"tls_client_ca_file": files.client_authority, "spiffe_trust_domains": "example.org"}
    with authenticated_service(loop, tmp_path, everyone=ROLES, **none, **settings) as found:
        pair = authority("clients").client("spiffe://example.org/services/metrics")
        me = Caller(found.channel(pair), found.address)
        assert me.ask(GetStatusRequest()).head_position == 0
        me.credential = bearer(token("people/anna"))
        error = turned_away(me)
    assert error.info.metadata == {"rule": "token.unsupported", "setting": "OKR_JWT_JWKS"}


def test_names_of_certificates_are_taken_in_while_the_server_runs(
    loop: LoopThread, tmp_path: Path, swift: None
) -> None:
    files = Files(tmp_path)
    files.client_authority.write_bytes(authority("clients").pem)
    files.names.write_text("")
    settings = {
        "tls_client_ca_file": files.client_authority,
        "certificate_names_file": files.names,
    }
    with authenticated_service(loop, tmp_path, everyone=ROLES, **settings) as found:
        me = with_certificate(found, domains=["crm.example.org"])
        assert rule(me) == "certificate.unknown"
        files.names.write_text('["crm.example.org"]\nname = "services/crm"\n')
        until(lambda: rule(me) == "")
        files.names.write_text('["crm.example.org"]\nname = "crm"\n')
        time.sleep(0.2)
        assert rule(me) == ""
        # The connection is still there; who made it is nobody any more.
        files.names.write_text("")
        until(lambda: rule(me) == "certificate.unknown")
