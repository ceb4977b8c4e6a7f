"""`okr-ledger policy`, on a ledger that a server has made."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.access.policies import policies
from service.cli.app import app
from tests.support.ask import AWARENESS, FOLLOWERS
from tests.support.deciding import BEA, COMPANY, CUSTOMERS
from tests.support.serving import shared_loop
from tests.support.whole import whole_service


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("policy")
    with whole_service(shared_loop(), made) as me:
        me.all_of(*COMPANY)
    # The server's keys are no longer at hand: the command has to have its own.
    return made


def check(folder: Path, *arguments: str) -> Result:
    database = f"sqlite:///{folder / 'okr-ledger.db'}"
    return CliRunner().invoke(
        app, ["policy", "check", *arguments], env={"OKR_DATABASE_URL": database}
    )


def test_it_tells_which_policy_permits_and_where_the_thing_is(folder: Path) -> None:
    told = check(
        folder,
        *("--principal", "people/anna", "--role", "contributor:teams/company"),
        *("--action", "RecordCheckIn", "--resource", FOLLOWERS),
    )
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("permitted")
    assert f"{FOLLOWERS} in teams/marketing in teams/company" in told.stdout
    assert "contributor:teams/company, holds for this" in told.stdout
    assert "policy contributor " in told.stdout


def test_it_tells_why_no_policy_permits(folder: Path) -> None:
    told = check(
        folder,
        *("--principal", "people/anna", "--role", "contributor:teams/marketing"),
        *("--action", "LedgerService/RecordCheckIn", "--resource", CUSTOMERS),
    )
    assert told.exit_code == 1
    assert told.stdout.startswith("not permitted")
    assert "contributor:teams/marketing, does not hold for this" in told.stdout
    assert "would permit, but its conditions do not hold" in told.stdout
    assert "no policy permits it" in told.stdout
    assert BEA in told.stdout


def test_it_tells_of_a_policy_of_ones_own_that_forbids(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.cedar"
    own.write_text(
        f'@id("not-bea") forbid (principal == Person::"{BEA}", action, resource is Objective);'
    )
    roles = tmp_path / "roles.toml"
    roles.write_text(f'"{BEA}" = ["editor"]')
    told = check(
        folder,
        *("--principal", BEA, "--action", "AbandonObjective", "--resource", AWARENESS),
        *("--policy-path", str(own), "--roles-file", str(roles)),
    )
    assert told.exit_code == 1
    assert "not-bea" in told.stdout
    assert "forbids" in told.stdout
    assert "editor, holds for this" in told.stdout


def test_what_does_not_exist_is_told_as_such(folder: Path) -> None:
    told = check(
        folder, "--principal", BEA, "--action", "GetObjective", "--resource", "objectives/none"
    )
    assert told.exit_code == 1
    assert "objectives/none, which does not exist" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--principal", "anna", "--action", "GetCycle"), "--principal"),
        (("--principal", BEA, "--action", "Nope"), "--action"),
        (("--principal", BEA, "--action", "GetCycle", "--role", "X"), "--role"),
    ],
)
def test_what_cannot_be_asked_is_named(
    folder: Path, arguments: tuple[str, ...], fault: str
) -> None:
    told = check(folder, *arguments)
    assert told.exit_code == 1
    assert told.stderr.startswith(f"okr-ledger: {fault}: ")


def test_policies_are_validated_and_shown(tmp_path: Path) -> None:
    own = tmp_path / "own.cedar"
    own.write_text("forbid (principal, action, resource);")
    told = CliRunner().invoke(app, ["policy", "validate", str(own)])
    assert (told.exit_code, told.stdout.startswith("1 policies")) == (0, True)
    own.write_text('forbid (principal, action == Action::"Nope", resource);')
    told = CliRunner().invoke(app, ["policy", "validate", str(own)])
    assert told.exit_code == 1
    assert "own.cedar#1" in told.stderr
    assert "Nope" in told.stderr
    shown = CliRunner().invoke(app, ["policy", "show"]).stdout
    assert all(f'@id("{name}")' in shown for name in policies().ids.values())
    assert "action RecordCheckIn" in CliRunner().invoke(app, ["policy", "show", "--schema"]).stdout
