import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli.app import app

HALF_WAY: dict[str, object] = {
    "id": "half-way",
    "kind": "key_result",
    "given": {"direction": "INCREASE", "baseline": "0", "target": "10", "value": "5"},
    "expect": {"score": "0.5"},
}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OKR_DATABASE_URL", raising=False)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["verify"], 3),
        (["checkpoint", "show"], 1),
        (["checkpoint", "publish", "file"], 1),
        (["checkpoint", "rebuild"], 1),
        (["log", "new-epoch"], 1),
        (["projections", "rebuild"], 1),
        (["follow"], 1),
        (["export", "x.okr"], 1),
        (["backup", "x.db"], 1),
    ],
)
def test_a_command_makes_no_ledger_where_there_is_none(
    tmp_path: Path, command: list[str], code: int
) -> None:
    told = CliRunner().invoke(app, command)
    assert told.exit_code == code
    assert told.stderr.startswith("okr-ledger: cannot open okr-ledger.db")
    assert not list(tmp_path.iterdir())


def test_an_import_makes_no_ledger_of_a_file_that_is_none(tmp_path: Path) -> None:
    for name, told_of in (("nowhere.okr", "cannot read"), ("empty.okr", "it is no export")):
        (tmp_path / "empty.okr").touch()
        told = CliRunner().invoke(app, ["import", name])
        assert (told.exit_code, told_of in told.stderr) == (1, True)
    assert [file.name for file in tmp_path.iterdir()] == ["empty.okr"]


def test_a_setting_that_is_wrong_is_named() -> None:
    told = CliRunner().invoke(app, ["verify", "--database-url", "mysql://x"])
    assert told.exit_code == 3
    assert told.stderr.startswith("okr-ledger: --database-url (OKR_DATABASE_URL): ")


def test_conformance_tells_of_a_file_that_is_none() -> None:
    told = CliRunner().invoke(app, ["conformance", "nowhere.json"])
    assert told.exit_code == 1
    assert told.stderr.startswith("okr-ledger: nowhere.json: ")


def test_conformance_passes_where_all_is_as_expected(tmp_path: Path) -> None:
    told = conformance(tmp_path, [HALF_WAY])
    assert told.exit_code == 0
    assert "1 of 1 cases as expected" in told.stdout


@pytest.mark.parametrize(
    ("changed", "shown"),
    [({"expect": {"score": "0.6"}}, "score=0.5"), ({"kind": "luck"}, "unknown kind 'luck'")],
)
def test_conformance_fails_and_shows_what_it_got(
    tmp_path: Path, changed: dict[str, object], shown: str
) -> None:
    told = conformance(tmp_path, [HALF_WAY, {**HALF_WAY, "id": "other", **changed}])
    assert told.exit_code == 1
    assert shown in told.stdout
    assert "1 of 2 cases as expected" in told.stdout


def conformance(folder: Path, cases: list[dict[str, object]]) -> Result:
    file = folder / "cases.json"
    file.write_text(json.dumps(cases))
    return CliRunner().invoke(app, ["conformance", str(file)])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["serve"],
        ["follow"],
        ["status"],
        ["verify"],
        ["checkpoint"],
        ["conformance"],
        ["projections"],
        ["log"],
        ["export"],
        ["import"],
        ["identity"],
        ["identity", "check"],
        ["backup"],
        ["restore"],
    ],
)
def test_help_is_at_hand(arguments: list[str]) -> None:
    told = CliRunner().invoke(app, [*arguments, "--help"])
    assert told.exit_code == 0
    assert "Usage" in told.stdout
