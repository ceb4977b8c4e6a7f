"""`okr-ledger identity check`."""

import time
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner, Result

from service.cli.app import app
from tests.support.identities import AUDIENCE, ISSUER, Files, token

EXPIRED: Final = int(time.time()) - 3600


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.write()
    return files


def check(files: Files, text: str | bytes, *more: str) -> Result:
    file = files.folder / "token"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    settings = {"--jwt-jwks": files.keys, "--jwt-issuer": ISSUER, "--jwt-audience": AUDIENCE}
    given = [str(part) for pair in settings.items() for part in pair]
    return CliRunner().invoke(app, ["identity", "check", *given, *more, str(file)])


def test_a_good_token_is_told_whose_it_is(files: Files) -> None:
    told = check(files, token("people/anna", "auditor", "contributor:teams/[b]sales"))
    assert told.exit_code == 0
    assert told.stdout == "known as people/anna\nroles: auditor, contributor:teams/[b]sales\n"


def test_a_refused_token_is_held_against_what_is_expected(files: Files) -> None:
    text = token("people/anna", aud="[red]another", exp=EXPIRED)
    told = check(files, text)
    assert told.exit_code == 1
    assert told.stdout.startswith("refused, token.audience: the token is for another service")
    assert "[red]another" in told.stdout
    assert AUDIENCE in told.stdout
    assert not any(part in told.output for part in text.split("."))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\x00",
        b"a.b.c",
        token("people/anna", exp=10**400),
        token("people/anna", exp="never"),
    ],
)
def test_what_is_no_token_is_refused_too(files: Files, text: bytes | str) -> None:
    told = check(files, text)
    assert told.exit_code == 1
    assert told.stdout.startswith("refused, token.")


def test_what_it_needs_is_told(files: Files, tmp_path: Path) -> None:
    file = tmp_path / "token"
    told = CliRunner().invoke(app, ["identity", "check", str(file)])
    assert (told.exit_code, "OKR_JWT_JWKS" in told.stderr) == (1, True)
    told = check(files, token("people/anna"), "--pseudonym-key-file", str(tmp_path / "none"))
    assert (told.exit_code, "cannot be read" in told.stderr) == (1, True)
