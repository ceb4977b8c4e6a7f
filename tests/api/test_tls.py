"""TLS on the listener."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import pytest

from okr.v1.operations_service_pb2 import GetStatusRequest
from tests.support.databases import ON_SQLITE_ALONE
from tests.support.identities import (
    Callers,
    Files,
    authenticated_service,
    authority,
    bearer,
    token,
)
from tests.support.serving import LoopThread, refused
from tests.support.turned_away import (
    ROLES,
    until,
    with_certificate,
)
from tests.support.whole import Caller

pytestmark = ON_SQLITE_ALONE


@pytest.fixture(scope="module")
def callers(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with authenticated_service(loop, tmp_path_factory.mktemp("tls"), everyone=ROLES) as found:
        yield found


def test_without_tls_nobody_is_heard(callers: Callers) -> None:
    with grpc.insecure_channel(callers.address) as channel:
        me = Caller(channel, callers.address, bearer(token("people/anna")))
        error = refused(lambda: me.ask(GetStatusRequest(), timeout=2))
    assert error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_nothing_older_than_tls_1_2_is_spoken(callers: Callers) -> None:
    assert spoken(callers.address, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert spoken(callers.address, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises(OSError, match="EOF"):
        spoken(callers.address, ssl.TLSVersion.TLSv1_1)


def spoken(address: str, version: ssl.TLSVersion) -> str | None:
    """The version of TLS that a connection of one version comes to."""
    host, port = address.split(":")
    with (
        socket.create_connection((host, int(port)), 5) as plain,
        speaks(version).wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.version()


def speaks(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks one version of TLS."""
    speaking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    speaking.load_verify_locations(cadata=authority().pem.decode())
    # Else the client itself would speak nothing so old.
    speaking.set_ciphers("DEFAULT:@SECLEVEL=0")
    speaking.set_alpn_protocols(["h2"])
    speaking.minimum_version = speaking.maximum_version = version
    return speaking


def served_certificate(callers: Callers) -> str:
    host, port = callers.address.split(":")
    return ssl.get_server_certificate((host, int(port)), timeout=5)


def test_another_certificate_is_served_without_a_restart(
    loop: LoopThread, tmp_path: Path, swift: None
) -> None:
    files, another = Files(tmp_path), authority("another")
    with authenticated_service(loop, tmp_path, everyone=ROLES) as found:
        me = found.named("people/anna")
        me.ask(GetStatusRequest())
        before = served_certificate(found)
        pair = another.server()
        files.key.write_bytes(pair.key)
        time.sleep(0.1)
        # Half of it is there: what fits is served.
        assert served_certificate(found) == before
        files.certificate.write_bytes(pair.certificate)
        until(lambda: served_certificate(found) != before)
        # The connection that was made before goes on; a new one needs the new authority.
        assert me.ask(GetStatusRequest()).head_position == 0
        trusting = found.channel(trusted=another.pem)
        new = Caller(trusting, found.address, bearer(token("people/anna")))
        assert new.ask(GetStatusRequest()).head_position == 0
        after = served_certificate(found)
        files.certificate.write_bytes(b"nonsense")
        time.sleep(0.1)
        assert served_certificate(found) == after


@pytest.fixture
def asking(loop: LoopThread, tmp_path: Path, swift: None) -> Iterator[Callers]:
    """Callers of a service that asks for certificates of the authority "clients"."""
    file = Files(tmp_path).client_authority
    file.write_bytes(authority("clients").pem)
    settings = {"tls_client_ca_file": file, "spiffe_trust_domains": "example.org"}
    with authenticated_service(loop, tmp_path, everyone=ROLES, **settings) as found:
        yield found


def test_whose_clients_may_connect_is_taken_in_while_the_server_runs(
    asking: Callers, tmp_path: Path
) -> None:
    pair = authority("others").client("spiffe://example.org/services/metrics")
    strangers = Caller(asking.channel(pair), asking.address)
    assert not connects(strangers)
    Files(tmp_path).client_authority.write_bytes(authority("others").pem)
    until(lambda: connects(strangers))
    assert not connects(with_certificate(asking, "spiffe://example.org/services/crm"))


def connects(me: Caller) -> bool:
    try:
        me.ask(GetStatusRequest(), timeout=2)
    except grpc.RpcError:
        return False
    return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_does_not_outlive_the_authority_that_it_began_under(
    asking: Callers, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Who resumes a session shows no certificate: the server goes by what it verified then."""
    pair = authority("clients").client("spiffe://example.org/services/metrics")
    (tmp_path / "client.pem").write_bytes(pair.certificate + pair.key)
    speaking = speaks(version)
    speaking.load_cert_chain(tmp_path / "client.pem")
    session = greeted(asking.address, speaking, None)
    assert session is not None
    assert greeted(asking.address, speaking, session) is not None
    Files(tmp_path).client_authority.write_bytes(authority("others").pem)
    until(lambda: greeted(asking.address, speaking, session) is None)


PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


def greeted(
    address: str, speaking: ssl.SSLContext, session: ssl.SSLSession | None
) -> ssl.SSLSession | None:
    """The session of a connection on which the server has answered; None if it does not."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), 5) as plain:
        try:
            with speaking.wrap_socket(plain, server_hostname=host, session=session) as secure:
                secure.sendall(PREFACE)
                return secure.session if secure.recv(100) else None
        except OSError:
            return None
