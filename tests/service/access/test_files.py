"""An operator's policies and roles, read again while they serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.access.policies import PolicyError, PolicyFiles
from service.access.roles import Role, RolesFile, RolesFileError
from service.identity.watching import FileError

FORBIDS = "forbid (principal, action, resource);"


def test_a_folder_of_policies_is_read_again_when_a_file_comes_changes_or_goes(
    tmp_path: Path,
) -> None:
    (tmp_path / "first.cedar").write_text(f'@id("mine") {FORBIDS}')
    (tmp_path / "notes.txt").write_text("no policy")
    files = PolicyFiles(tmp_path)
    shipped = set(files.value.ids.values()) - {"mine"}
    assert {"viewer", "editor"} <= shipped
    (tmp_path / "second.cedar").write_text(f'@id("other") {FORBIDS}')
    files.look()
    assert set(files.value.ids.values()) == shipped | {"mine", "other"}
    (tmp_path / "first.cedar").unlink()
    files.look()
    assert set(files.value.ids.values()) == shipped | {"other"}


def test_broken_policies_leave_those_before_in_force(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.cedar"
    file.write_text(f'@id("mine") {FORBIDS}')
    files = PolicyFiles(file)
    before = files.value
    for broken in ("forbid (", 'permit (principal, action == Action::"Nope", resource);'):
        file.write_text(broken)
        files.look()
        assert files.value is before
    file.unlink()
    files.look()
    assert files.value is before
    file.write_text(f'@id("new") {FORBIDS}')
    files.look()
    assert "new" in files.value.ids.values()


@pytest.mark.parametrize("text", ["permit (principal", "permit (principal, action, nothing);"])
def test_broken_policies_do_not_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "own.cedar"
    file.write_text(text)
    with pytest.raises(PolicyError, match="own"):
        PolicyFiles(file)


def test_policies_that_are_not_there_do_not_start(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.cedar"):
        PolicyFiles(tmp_path / "none.cedar")
    with pytest.raises(FileError, match="holds no file"):
        PolicyFiles(tmp_path)
    (tmp_path / "own.cedar").write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="UTF-8"):
        PolicyFiles(tmp_path)


def test_roles_are_read_again_and_broken_ones_are_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "roles.toml"
    file.write_text('everyone = ["viewer"]\n"people/anna" = ["editor:teams/sales", "auditor"]\n')
    roles = RolesFile(file)
    anna = {Role("viewer"), Role("editor", "teams/sales"), Role("auditor")}
    assert set(roles.value.of("people/anna")) == anna
    assert roles.value.of("services/crm") == (Role("viewer"),)
    file.write_text('"people/anna" = ["Editor"]\n')
    roles.look()
    assert set(roles.value.of("people/anna")) == anna
    file.write_text('"people/anna" = []\n')
    roles.look()
    assert roles.value.of("people/anna") == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('"people/anna" = ["editor:sales"]', "'editor:sales' is neither"),
        ('"people/anna" = "editor"', "list of roles"),
        ('"people/anna" = [1]', "1 is neither"),
        ('anna = ["editor"]', "'anna' is neither"),
        ('"people/Anna" = ["editor"]', "people/Anna"),
        ("[", "roles.toml"),
    ],
)
def test_a_roles_file_says_what_is_wrong_with_it(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "roles.toml"
    file.write_text(text)
    with pytest.raises(RolesFileError, match=fault):
        RolesFile(file)
