"""`okr-ledger status` of a server that knows its callers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli.app import app
from tests.support.identities import Callers, authenticated_service, authority, token
from tests.support.serving import LoopThread


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("status")


@pytest.fixture(scope="module")
def service(loop: LoopThread, folder: Path) -> Iterator[Callers]:
    (folder / "ca.pem").write_bytes(authority().pem)
    with authenticated_service(loop, folder) as callers:
        yield callers


def status(service: Callers, *arguments: str, **variables: str) -> Result:
    around = {name: "" for name in os.environ if name.startswith("OKR_")}
    command = ["status", "--address", service.address, *arguments]
    return CliRunner().invoke(app, command, env=around | variables, catch_exceptions=False)


def test_an_operator_is_told(service: Callers, folder: Path) -> None:
    file = folder / "token"
    file.write_text(token("people/anna", "operator"))
    told = status(service, "--ca-file", str(folder / "ca.pem"), "--token-file", str(file))
    assert told.exit_code == 0, told.output
    assert "head" in told.stdout


def test_whoever_shows_nothing_is_told_what_to_show(service: Callers, folder: Path) -> None:
    told = status(service, OKR_CA_FILE=str(folder / "ca.pem"))
    assert (told.exit_code, "--token-file or --cert-file" in told.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--token-file", "nowhere"], "cannot be read"),
        (["--cert-file", "client.pem"], "go together"),
        (["--address", "okr.example:443"], "over TLS only"),
    ],
)
def test_what_does_not_fit_is_told(
    service: Callers, folder: Path, arguments: list[str], sentence: str
) -> None:
    tls = [] if "--address" in arguments else ["--ca-file", str(folder / "ca.pem")]
    told = status(service, *tls, *arguments, OKR_TOKEN="secret-token")
    assert (told.exit_code, sentence in told.stderr) == (1, True)
    assert "secret-token" not in told.output
