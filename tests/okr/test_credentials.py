"""What clients show for who they are, against the real service over TLS."""

from __future__ import annotations

import asyncio
import io
import os
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from okr import AsyncOkrClient, OkrClient, OkrError
from okr.cli import app
from okr.cli.show.failure import renderable
from okr.credentials import TokenFile, tls
from okr.request_ids import new_request_id
from okr.resuming import Patience
from okr.v1.audit_service_pb2 import ListEventsRequest
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.replay_service_pb2 import WatchEventsRequest
from service.exchange import Gate
from service.logging import logs
from tests.support.ask import team
from tests.support.identities import Callers, Files, authenticated_service, authority, token
from tests.support.serving import shared_loop

EXPIRED: Final = int(time.time()) - 3600
ROLES: Final = ("administrator", "delegate", "viewer")
"""What everyone may do here, whom the service knows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Callers]:
    with authenticated_service(shared_loop(), folder, everyone=ROLES) as callers:
        (folder / "ca.pem").write_bytes(authority().pem)
        yield callers


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "token"


def client(service: Callers, folder: Path, file: Path) -> OkrClient:
    return OkrClient(service.address, credentials=tls(folder / "ca.pem"), bearer=TokenFile(file))


def last_actor(okr: OkrClient) -> str:
    *_, event = okr.audit.ListEvents(ListEventsRequest()).events
    return event.decoded_metadata.actor.plain


def test_a_token_that_is_renewed_in_its_file_is_taken_up(
    service: Callers, folder: Path, file: Path
) -> None:
    file.write_text(token("people/anna") + "\n")
    with client(service, folder, file) as okr:
        okr.ledger.CreateTeam(team(new_request_id()))
        assert last_actor(okr) == "people/anna"
        renewed = file.with_name("renewed")
        renewed.write_text(token("people/berta"))
        renewed.rename(file)
        okr.ledger.CreateTeam(team(new_request_id()))
        assert last_actor(okr) == "people/berta"


def test_the_asyncio_client_shows_the_same(service: Callers, folder: Path, file: Path) -> None:
    file.write_text(token("services/crm"))

    async def ask() -> str:
        async with AsyncOkrClient(
            service.address,
            on_behalf_of="people/anna",
            credentials=tls(folder / "ca.pem"),
            bearer=TokenFile(file),
        ) as okr:
            await okr.ledger.CreateTeam(team(new_request_id()))
            answer = await okr.audit.ListEvents(ListEventsRequest())
            metadata = answer.events[-1].decoded_metadata
            return f"{metadata.actor.plain} for {metadata.on_behalf_of.plain}"

    assert shared_loop().run(ask()) == "services/crm for people/anna"


def test_a_token_that_has_expired_is_told_as_such(
    service: Callers, folder: Path, file: Path
) -> None:
    file.write_text(token("people/anna", exp=EXPIRED))
    with client(service, folder, file) as okr, pytest.raises(OkrError) as caught:
        okr.operations.GetStatus(GetStatusRequest())
    assert (caught.value.code, caught.value.reason) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "UNAUTHENTICATED",
    )
    assert caught.value.metadata["rule"] == "token.expired"


@pytest.mark.parametrize("text", [b"", b"\n", b"two words", b"\xff\xfe", "né".encode(), None])
def test_what_is_no_token_is_not_sent_and_not_repeated(
    service: Callers, folder: Path, file: Path, text: bytes | None
) -> None:
    if text is not None:
        file.write_bytes(text)
    with client(service, folder, file) as okr, pytest.raises(OkrError) as caught:
        okr.operations.GetStatus(GetStatusRequest())
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "")
    assert "words" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["okr.example:443", "10.0.0.1:50051", "dns:///localhost:50051", "127.0.0.1.example:1", "okr"],
)
def test_a_token_leaves_the_machine_over_tls_only(address: str) -> None:
    def bearer() -> str:
        raise AssertionError("a token was asked for")

    with pytest.raises(ValueError, match="over TLS only"):
        OkrClient(address, bearer=bearer)
    OkrClient(address, credentials=tls(), bearer=bearer).close()
    asyncio.run(refused_by_the_asyncio_client(address))


async def refused_by_the_asyncio_client(address: str) -> None:
    with pytest.raises(ValueError, match="over TLS only"):
        AsyncOkrClient(address, bearer=lambda: "token")


@pytest.mark.parametrize("address", ["127.0.0.1:50051", "[::1]:1", "localhost:1", "unix:okr.sock"])
def test_on_this_machine_a_token_may_go_in_plain_text(address: str) -> None:
    OkrClient(address, bearer=lambda: "token").close()


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValueError, match="go together"):
        tls(cert_file="client.pem")


def test_a_stream_whose_credential_expires_is_opened_once_more() -> None:
    expired = OkrError(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", "expired")
    patience = Patience(60, now=lambda: 0.0, jitter=lambda low, _: low)
    with pytest.raises(OkrError):
        patience.pause(expired)
    patience.worked()
    assert patience.pause(expired) < 1
    with pytest.raises(OkrError):
        patience.pause(expired)
    patience.worked()
    assert patience.pause(expired) < 1


@pytest.mark.slow
def test_a_watch_goes_on_when_its_token_expires_and_another_is_there(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.Gate", partial(Gate, recheck_seconds=0.02))
    written = io.BytesIO()
    with (
        logs("json", "info", written),
        authenticated_service(
            shared_loop(), tmp_path, everyone=ROLES, jwt_leeway_seconds=0.0
        ) as service,
    ):
        (tmp_path / "ca.pem").write_bytes(authority().pem)
        file.write_text(token("people/anna", exp=int(time.time()) + 2))
        with client(service, tmp_path, file) as okr:
            okr.ledger.CreateTeam(team("first"))
            watched = okr.watch_events(WatchEventsRequest(after_position=0))
            positions = [event.header.position for event in next(watched).events]
            file.write_text(token("people/anna"))
            deadline = time.monotonic() + 20
            while b'"rule":"token.expired"' not in written.getvalue():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            okr.ledger.CreateTeam(team("second"))
            while len(positions) < 2:
                positions += [event.header.position for event in next(watched).events]
            watched.close()
    assert positions == [1, 2]


# The command line


def okr(service: Callers, *arguments: str, **environment: str) -> Result:
    variables = {"OKR_ADDRESS": service.address, "COLUMNS": "200", **environment}
    for name in [name for name in os.environ if name.startswith("OKR_")]:
        variables.setdefault(name, "")
    return CliRunner().invoke(app, arguments, env=variables, catch_exceptions=False)


def told(result: Result) -> str:
    return re.sub(r"[\s│]+", " ", result.output)


def test_the_command_line_shows_a_token(service: Callers, folder: Path, file: Path) -> None:
    ca = {"OKR_CA_FILE": str(folder / "ca.pem")}
    file.write_text(token("people/clara"))
    by_file = okr(service, "--token-file", str(file), "team", "create", "By file", **ca)
    assert by_file.exit_code == 0, by_file.output
    by_variable = okr(service, "team", "list", OKR_TOKEN=token("people/clara"), **ca)
    assert by_variable.exit_code == 0
    assert "By file" in by_variable.output


def test_the_command_line_tells_what_to_show(service: Callers, folder: Path) -> None:
    result = okr(service, "team", "list", OKR_CA_FILE=str(folder / "ca.pem"))
    assert result.exit_code == 1
    assert "refused UNAUTHENTICATED" in told(result)
    assert "--token-file or OKR_TOKEN_FILE" in told(result)


def test_the_command_line_tells_of_a_token_that_has_expired(service: Callers, folder: Path) -> None:
    text = token("people/clara", exp=EXPIRED)
    result = okr(service, "team", "list", OKR_TOKEN=text, OKR_CA_FILE=str(folder / "ca.pem"))
    assert result.exit_code == 1
    assert "Get a new token" in told(result)
    assert not any(part in result.output for part in text.split("."))


def test_the_command_line_tells_of_a_handshake_that_failed() -> None:
    message = "last error: UNKNOWN: Ssl handshake failed (TSI_PROTOCOL_FAILURE)"
    error = OkrError(grpc.StatusCode.UNAVAILABLE, "", message)
    console = Console(file=io.StringIO(), record=True, width=200)
    console.print(renderable(error, "okr.example:443"))
    assert "--ca-file names whom to trust" in console.export_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--cert-file", "client.pem"), "go together"),
        (("--ca-file", "nowhere.pem"), "nowhere.pem"),
        (("--address", "okr.example:443"), "over TLS only"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(
    service: Callers, arguments: tuple[str, ...], sentence: str
) -> None:
    result = okr(service, *arguments, "team", "list", OKR_TOKEN="secret-token")
    assert result.exit_code == 2
    assert sentence in told(result)
    assert "secret-token" not in result.output


def test_a_certificate_is_shown(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.client_authority.write_bytes(authority("clients").pem)
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    pair = authority("clients").client("spiffe://example.org/services/metrics")
    (tmp_path / "client.pem").write_bytes(pair.certificate)
    (tmp_path / "client.key").write_bytes(pair.key)
    settings: dict[str, Any] = {
        "tls_client_ca_file": files.client_authority,
        "spiffe_trust_domains": "example.org",
    }
    with authenticated_service(shared_loop(), tmp_path, everyone=ROLES, **settings) as service:
        variables = {
            "OKR_CA_FILE": str(tmp_path / "ca.pem"),
            "OKR_CERT_FILE": str(tmp_path / "client.pem"),
            "OKR_KEY_FILE": str(tmp_path / "client.key"),
        }
        result = okr(service, "team", "create", "By certificate", **variables)
        assert result.exit_code == 0, result.output
        assert "services/metrics" in okr(service, "events", **variables).output
