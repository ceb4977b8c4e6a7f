"""`okr people`: registered, shown, listed, erased."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from okr.cli.app import app
from service.logging import logs
from tests.support.serving import shared_loop
from tests.support.whole import whole_service


def test_people_are_registered_shown_and_erased(tmp_path: Path) -> None:
    with logs("json", "error"), whole_service(shared_loop(), tmp_path) as me:

        def okr(*arguments: str) -> Result:
            return CliRunner().invoke(app, ["--address", me.address, *arguments])

        made = okr("people", "register", "Nagy Ödön", "--json")
        name = json.loads(made.stdout)["person"]["name"]
        assert "Nagy" not in name
        assert okr("people", "register", "Kis Bea", "--id", "b3x9f1").exit_code == 0
        assert "Nagy Ödön" in okr("people", "show", name).stdout
        listed = okr("people", "list").stdout
        assert ("Nagy Ödön" in listed, "Kis Bea" in listed) == (True, True)

        tried = okr("people", "erase", name, "--successor", "b3x9f1", "--dry-run")
        assert tried.exit_code == 0
        assert "Nagy Ödön" in okr("people", "list").stdout
        erased = okr("people", "erase", name, "--successor", "b3x9f1", "--reason", "asked to")

        assert (erased.exit_code, "erased" in erased.stdout) == (0, True)
        shown = okr("people", "show", name).stdout
        assert ("Nagy" in shown, "people/b3x9f1" in shown) == (False, True)
        again = okr("people", "erase", name)
        assert again.exit_code == 1
        assert "PERSON_ERASED" in again.stderr
