"""The page on authenticating callers, done as it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.server_process import ROOT, environment, server_process

pytestmark = pytest.mark.system

PAGE: Final = (ROOT / "docs" / "how-to" / "authenticate-callers.md").read_text()
PROGRAMS: Final = {"okr": "okr.cli", "okr-ledger": "service.cli"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[list[str]]:
    return [shlex.split(line[2:]) for line in block.splitlines() if line.startswith("$ ")]


class Shell:
    """Does what a reader would do, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, str] = {}

    def do(self, command: list[str]) -> str:
        """Runs a command to its end; gives its output."""
        if command[0] == "export":
            self.variables |= dict(pair.split("=", 1) for pair in command[1:])
            return ""
        if module := PROGRAMS.get(command[0]):
            command = [sys.executable, "-c", f"from {module} import main; main()", *command[1:]]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment() | self.variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_the_example_works(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    certificates, serving, calling, secret = blocks("console")
    for command in commands(certificates):
        shell.do(command)
    shell.do([sys.executable, "-c", blocks("python")[0]])
    *prepared, serve = commands(serving)
    told = "".join(map(shell.do, prepared))
    assert told in serving
    assert serve[:2] == ["okr-ledger", "serve"]
    arguments = [
        f"--{name[4:].lower().replace('_', '-')}={value}" for name, value in shell.variables.items()
    ]
    with server_process(tmp_path, *serve[4:], *arguments) as server:
        exported, *asked = commands(calling)
        shell.do(exported)
        shell.variables["OKR_ADDRESS"] = server.address.replace("127.0.0.1", "localhost")
        output = "".join(map(shell.do, asked))
        assert "people/anna" in output
        shown = shell.do(["okr-ledger", "status", "--address", shell.variables["OKR_ADDRESS"]])
        assert "head" in shown
        assert server.stop() == 0
        entries = server.entries()
    calls = [entry for entry in entries if entry["event"] == "call"]
    assert {entry["authenticated_by"] for entry in calls} == {"token"}
    # By a pseudonym: a log outlives an erasure.
    (actor,) = {entry["actor"] for entry in calls}
    assert actor.startswith("people/~")
    token = (tmp_path / "anna.token").read_text()
    assert not any(part in server.log.read_text() for part in token.split("."))
    assert "openssl rand" in secret


def test_every_variable_that_the_page_names_is_a_setting() -> None:
    help_text = Path(ROOT / "service" / "cli" / "identity_options.py").read_text()
    named = set(re.findall(r"\bOKR_(?:JWT|TLS|PSEUDONYM|CERTIFICATE|SPIFFE)_\w+", PAGE))
    declared = set(re.findall(r'envvar="(OKR_\w+)"', help_text))
    assert named <= declared
    assert named >= declared - {"OKR_JWT_ALGORITHMS", "OKR_JWT_LEEWAY_SECONDS"}
